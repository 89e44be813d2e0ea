/**
 * Which test files run on XS: those of the codec, the store, the queue and the session that do not
 * stand in the list below, which says why not. Knows folders and reasons only.
 */
import * as fs from 'node:fs'
import * as path from 'node:path'

const FOLDERS = ['codec', 'store', 'queue', 'session']

/** Files of Node alone, each with its reason. A file in neither list cannot exist. */
export const LEFT_OUT: Record<string, string> = {
  'store/cbor.test.ts': 'its oracle cbor-x needs functions with names, which a device has not',
  'store/flash-store.test.ts': 'reads CBOR with cbor-x, as above',
  'session/failures-long.test.ts': 'measures the heap of V8 (node:v8, node:vm)',
}

/** Single tests of the files that do run. */
export const LEFT_OUT_TESTS: Record<string, string> = {
  'UTF-8 agrees with Node for every character, and about what is no UTF-8':
    'its oracle is the Buffer of Node, and that of npm reads malformed text in another way',
}

/** Paths below `test`, in order. */
export function suites(testFolder: string): string[] {
  return FOLDERS.filter((folder) => fs.existsSync(path.join(testFolder, folder)))
    .flatMap((folder) => {
      const names = fs.readdirSync(path.join(testFolder, folder))
      return names.map((name) => `${folder}/${name}`)
    })
    .filter((name) => name.endsWith('.test.ts') && !(name in LEFT_OUT))
    .sort()
}
