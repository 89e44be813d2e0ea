/**
 * `node:assert/strict` as far as the suites for XS need it, with the same strictness: `equal` is
 * Object.is, `deepEqual` compares prototypes too. Messages are short. Knows nothing of the tests.
 */
class AssertionError extends Error {
  override name = 'AssertionError'
  readonly code = 'ERR_ASSERTION'
}

const MOST_TEXT = 300

function show(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value).slice(0, MOST_TEXT)
  if (typeof value !== 'object' || value === null) return String(value)
  if (value instanceof Error) return String(value)
  try {
    const text = JSON.stringify(value, (_, part: unknown) => {
      if (part instanceof Map || part instanceof Set) return [...part]
      return typeof part === 'bigint' || part === undefined ? String(part) : part
    })
    return text.slice(0, MOST_TEXT)
  } catch {
    return String(value)
  }
}

function refuse(message: unknown, otherwise: string): never {
  if (message instanceof Error) throw message
  throw new AssertionError(typeof message === 'string' ? `${message} (${otherwise})` : otherwise)
}

function isBytes(value: object): value is Uint8Array {
  return ArrayBuffer.isView(value) && !(value instanceof DataView)
}

function isSameSequence(a: ArrayLike<unknown>, b: ArrayLike<unknown>): boolean {
  if (a.length !== b.length) return false
  for (let index = 0; index < a.length; index++) if (!isSame(a[index], b[index])) return false
  return true
}

function isSameSet(a: Set<unknown>, b: Set<unknown>): boolean {
  if (a.size !== b.size) return false
  const others = [...b]
  return [...a].every((one) => b.has(one) || others.some((other) => isSame(one, other)))
}

function isSameMap(a: Map<unknown, unknown>, b: Map<unknown, unknown>): boolean {
  return (
    a.size === b.size && [...a].every(([key, value]) => b.has(key) && isSame(value, b.get(key)))
  )
}

/** Strict deep equality. Cycles do not occur in what the suites compare. */
function isSame(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  if (Object.getPrototypeOf(a) !== Object.getPrototypeOf(b)) return false
  if (isBytes(a)) return isSameSequence(a, b as Uint8Array)
  if (a instanceof Set) return isSameSet(a, b as Set<unknown>)
  if (a instanceof Map) return isSameMap(a, b as Map<unknown, unknown>)
  if (a instanceof Error && a.message !== (b as Error).message) return false
  if (Array.isArray(a) && a.length !== (b as unknown[]).length) return false
  const names = Object.keys(a)
  if (names.length !== Object.keys(b).length) return false
  return names.every((name) => {
    if (!Object.prototype.hasOwnProperty.call(b, name)) return false
    return isSame((a as Record<string, unknown>)[name], (b as Record<string, unknown>)[name])
  })
}

export function ok(value: unknown, message?: unknown): asserts value {
  if (!value) refuse(message, `${show(value)} is not true`)
}

export function fail(message?: unknown): never {
  return refuse(message, 'failed')
}

export function equal(actual: unknown, expected: unknown, message?: unknown): void {
  if (Object.is(actual, expected)) return
  refuse(message, `${show(actual)} is not ${show(expected)}`)
}

export function notEqual(actual: unknown, expected: unknown, message?: unknown): void {
  if (Object.is(actual, expected)) refuse(message, `it is ${show(actual)}`)
}

export function deepEqual(actual: unknown, expected: unknown, message?: unknown): void {
  if (!isSame(actual, expected)) refuse(message, `${show(actual)} is not like ${show(expected)}`)
}

export function notDeepEqual(actual: unknown, expected: unknown, message?: unknown): void {
  if (isSame(actual, expected)) refuse(message, `it is like ${show(actual)}`)
}

export function match(text: string, pattern: RegExp, message?: unknown): void {
  if (!pattern.test(text)) refuse(message, `${show(text)} does not match ${pattern}`)
}

export function doesNotMatch(text: string, pattern: RegExp, message?: unknown): void {
  if (pattern.test(text)) refuse(message, `${show(text)} matches ${pattern}`)
}

/** Of `throws`: a pattern for the text, a class, properties, or a function that says yes. */
type Expected = RegExp | Record<string, unknown> | ((error: unknown) => unknown)

function isExpected(error: unknown, expected: Expected): boolean {
  if (expected instanceof RegExp) return expected.test(String(error))
  if (typeof expected === 'object') {
    return Object.keys(expected).every((name) => {
      const found = (error as Record<string, unknown>)[name]
      const wanted = expected[name]
      return wanted instanceof RegExp ? wanted.test(String(found)) : isSame(found, wanted)
    })
  }
  // A class has a prototype; an arrow function has none.
  if (expected.prototype !== undefined && error instanceof expected) return true
  return expected(error) === true
}

export function throws(body: () => unknown, ...rest: (Expected | string)[]): void {
  const expected = typeof rest[0] === 'string' ? undefined : (rest[0] as Expected | undefined)
  const message = rest.find((one) => typeof one === 'string')
  let thrown: unknown
  let hasThrown = false
  try {
    body()
  } catch (error) {
    thrown = error
    hasThrown = true
  }
  if (!hasThrown) refuse(message, 'nothing was thrown')
  if (expected === undefined || isExpected(thrown, expected)) return
  refuse(message, `${String(thrown)} was thrown, not ${String(expected)}`)
}

export function doesNotThrow(body: () => unknown): void {
  body()
}

const assert = Object.assign((value: unknown, message?: unknown): void => ok(value, message), {
  ok,
  fail,
  equal,
  notEqual,
  deepEqual,
  notDeepEqual,
  match,
  doesNotMatch,
  throws,
  doesNotThrow,
  strictEqual: equal,
  deepStrictEqual: deepEqual,
  notStrictEqual: notEqual,
  AssertionError,
})

export default assert
