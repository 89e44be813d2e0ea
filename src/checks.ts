/**
 * Checks: what constructors use to refuse a mistake in the options, by name.
 *
 * All throw the one kind of error that options make: the name, what was given, what would be right.
 * Of text and bytes only the type is told: a password in the wrong place must not be printed.
 */
import { utf8Size, writeUtf8 } from './codec/utf8.js'
import { isTopicName } from './topic.js'

const LARGEST_INTERVAL = 2147483647

/** A string as UTF-8, bytes as they are. Throws when the text is not valid UTF-16. */
export function toBytes(value: string | Uint8Array, name: string): Uint8Array {
  if (typeof value !== 'string') {
    if (value instanceof Uint8Array) return value
    fail(name, typeof value, 'a string or a Uint8Array')
  }
  const size = utf8Size(value as string)
  if (size < 0) fail(name, '(text)', 'text without lone surrogates or U+0000')
  const bytes = new Uint8Array(size)
  writeUtf8(bytes, 0, value as string)
  return bytes
}

/** The bytes of a topic name; throws for one that cannot be published to. */
export function topicBytes(topic: string, name: string): Uint8Array {
  const bytes = toBytes(text(topic, name), name)
  if (!isTopicName(bytes, 0, bytes.length)) {
    fail(name, topic, 'a topic name of 1 to 65535 bytes without + and #')
  }
  return bytes
}

/** Throws the one kind of error that options make. */
export function fail(name: string, given: unknown, wanted: string): never {
  throw new Error('option "' + name + '" is ' + String(given) + '; it must be ' + wanted)
}

/** An integer option, or its default. */
export function integer(
  value: number | undefined,
  name: string,
  absent: number,
  least: number,
  most: number,
): number {
  if (value === undefined) return absent
  if (typeof value !== 'number' || value !== Math.floor(value) || value < least || value > most) {
    fail(name, value, 'a whole number from ' + least + ' to ' + most)
  }
  return value
}

export function time(
  value: number | undefined,
  name: string,
  absent: number,
  least: number,
): number {
  return integer(value, name, absent, least, LARGEST_INTERVAL)
}

export function required<T>(value: T | undefined, name: string, wanted: string): T {
  if (typeof value !== 'object' || value === null) fail(name, value, wanted)
  return value as T
}

export function text(value: string | undefined, name: string): string {
  if (typeof value !== 'string') fail(name, typeof value, 'a string')
  return value as string
}

export function flag(value: boolean | undefined, name: string, absent: boolean): boolean {
  if (value === undefined) return absent
  if (typeof value !== 'boolean') fail(name, value, 'true or false')
  return value
}

/** The place of the value among the choices, words between spaces; the first is the default. */
export function choice(value: string | undefined, name: string, choices: string): number {
  const words = choices.split(' ')
  const index = value === undefined ? 0 : words.indexOf(value)
  if (index < 0) fail(name, value, 'one of: ' + choices)
  return index
}

/** Refuses a name that is not among `names`, which stand between spaces. */
export function checkNames(given: object, what: string, names: string): void {
  if (typeof given !== 'object' || given === null) fail(what, typeof given, 'an object')
  const known = names.split(' ')
  const keys = Object.keys(given)
  for (let index = 0; index < keys.length; index++) {
    const key = keys[index]!
    // Not in the string: `indexOf` of Espruino 2v29 finds what begins with its last letters.
    if (known.indexOf(key) < 0) {
      throw new Error('option "' + key + '" is not known; the options are:' + names)
    }
  }
}
