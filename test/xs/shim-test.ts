/**
 * `node:test` as far as the suites for XS need it: tests are collected while the files load and
 * run one by one at the end, synchronously. Results are lines of TAP. Knows no engine's names but
 * the global `device` of the simulated board.
 */
declare const device: { config: string; print(line: string): void; exit(code: number): void }

type Body = (context: object) => unknown
interface Options {
  skip?: boolean | string
  todo?: boolean | string
}
interface Case {
  name: string
  body: Body | null
}

const cases: Case[] = []
const endings: (() => void)[] = []
/** Tests that suites.ts leaves out, by name. */
const leftOut = (JSON.parse(device.config) as { skip: string[] }).skip
let prefix = ''

/** `test(name, body)` or `test(name, options, body)`. */
export function test(name: string, ...rest: (Options | Body)[]): void {
  const body = rest.find((one) => typeof one === 'function') as Body | undefined
  const options = rest.find((one) => typeof one === 'object') as Options | undefined
  const isLeftOut = body === undefined || Boolean(options?.skip) || leftOut.includes(prefix + name)
  cases.push({ name: prefix + name, body: isLeftOut ? null : body })
}

test.skip = (name: string): void => test(name, { skip: true })

export const it = test

export function describe(name: string, body: () => void): void {
  const outer = prefix
  prefix += name + ': '
  body()
  prefix = outer
}

export const suite = describe

export function after(body: () => void): void {
  endings.push(body)
}

function run(one: Case): void {
  const result = one.body!({ name: one.name, diagnostic: (line: string) => device.print(line) })
  if (typeof (result as { then?: unknown } | undefined)?.then === 'function') {
    throw new Error('the test is asynchronous: here only synchronous ones run')
  }
}

/** Runs what was collected and ends the device: 0, or 1 when a test failed. */
export function runAll(): void {
  let failed = 0
  let skipped = 0
  cases.forEach((one, index) => {
    const title = `${index + 1} - ${one.name}`
    if (one.body === null) {
      skipped++
      return device.print(`ok ${title} # SKIP`)
    }
    try {
      run(one)
      device.print(`ok ${title}`)
    } catch (error) {
      failed++
      device.print(`not ok ${title}`)
      const text = String((error as { stack?: string } | null)?.stack ?? error)
      for (const line of text.split('\n')) device.print(`#   ${line}`)
    }
  })
  for (const ending of endings) ending()
  device.print(`1..${cases.length}`)
  device.print(`# pass ${cases.length - failed - skipped}, fail ${failed}, skip ${skipped}`)
  device.exit(failed === 0 ? 0 : 1)
}

export default test
