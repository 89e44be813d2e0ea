/**
 * What the tests of the benches share: one measurement for all tests of a file, which are left out
 * in one line where there is no XS host, or fail when HOLDFAST_REQUIRE_ALL is 1.
 */
import type { TestContext } from 'node:test'
import { MissingHost } from './xs-run.js'

/** The returned function gives the measurement, or nothing after it has left the test out. */
export function benchTest<T>(
  measure: () => Promise<T>,
): (context: TestContext) => Promise<T | undefined> {
  let measured: Promise<T> | undefined
  return async (context) => {
    try {
      measured ??= measure()
      return await measured
    } catch (error) {
      if (!(error instanceof MissingHost) || process.env['HOLDFAST_REQUIRE_ALL'] === '1')
        throw error
      context.skip(error.message)
      return undefined
    }
  }
}
