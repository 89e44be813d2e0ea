/**
 * `node:test` as far as the suites for XS need it: tests are collected while the files load, in
 * ROM, and run one by one on the device, synchronously. Results are lines of TAP. Knows no engine's
 * names but the global `device` of the simulated board, and nothing of heaps.
 */
declare const device: {
  config: string
  print(line: string): void
  gc(): void
  exit(code: number): void
}

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
/** Tests that suites.ts leaves out, by name; the first test to run, and how many at most. */
const config = JSON.parse(device.config) as { skip: string[]; first: number; count: number }
let prefix = ''

/** `test(name, body)` or `test(name, options, body)`. */
export function test(name: string, ...rest: (Options | Body)[]): void {
  const body = rest.find((one) => typeof one === 'function') as Body | undefined
  const options = rest.find((one) => typeof one === 'object') as Options | undefined
  const isLeftOut =
    body === undefined || Boolean(options?.skip) || config.skip.includes(prefix + name)
  cases.push({ name: prefix + name, body: isLeftOut ? null : body })
}

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

function isPromise(value: unknown): boolean {
  return typeof (value as { then?: unknown } | undefined)?.then === 'function'
}

function report(title: string, error: unknown): void {
  device.print(`not ok ${title}`)
  const text = String((error as { stack?: string } | null)?.stack ?? error)
  for (const line of text.split('\n')) device.print(`#   ${line}`)
}

/**
 * Runs what was collected, or the part of it that the configuration wants, and ends the device: 0,
 * or 1 when a test failed. One loop that calls the tests: the stack of a board is theirs.
 */
export function runAll(): void {
  const end = Math.min(cases.length, config.first + config.count)
  let code = 0
  for (let index = config.first; index < end; index++) {
    const { name, body } = cases[index]!
    const title = `${index + 1} - ${name}`
    if (body === null) {
      device.print(`ok ${title} # SKIP`)
      continue
    }
    // What the test before left is not this one's.
    device.gc()
    try {
      if (isPromise(body({ name, diagnostic: device.print }))) {
        throw new Error('the test is asynchronous: here only synchronous ones run')
      }
      device.print(`ok ${title}`)
    } catch (error) {
      code = 1
      report(title, error)
    }
  }
  for (const ending of endings) ending()
  device.print(`1..${cases.length}`)
  device.exit(code)
}

export default test
