/**
 * `codec/published.ts` for XS: it reads a file of node_modules, and a board has none. So it does
 * its work on Node while the suite is bundled, and the board gets what it found as text.
 */
import { readPublished } from '../codec/published.js'

/** Bytes as text, marked: JSON has none. */
function tagBytes(value: unknown): unknown {
  if (value instanceof Uint8Array) return { hex: Buffer.from(value).toString('hex') }
  if (Array.isArray(value)) return value.map(tagBytes)
  if (value === null || typeof value !== 'object') return value
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, tagBytes(part)]))
}

/** The source of a module that stands in for `codec/published.ts`. */
export function publishedOnBoard(): string {
  const found = JSON.stringify(tagBytes(readPublished()))
  return (
    'const bytes = (key, value) =>\n' +
    "  value && typeof value.hex === 'string' ? Buffer.from(value.hex, 'hex') : value\n" +
    `export const readPublished = () => JSON.parse(${JSON.stringify(found)}, bytes)\n`
  )
}
