/**
 * Which test files run on XS: those of the codec, the store, the queue, the session, the small
 * client and ECMA-419 that do not stand in the lists below, which say why not. Knows folders and
 * reasons only.
 */
import * as fs from 'node:fs'
import * as path from 'node:path'

const FOLDERS = ['codec', 'store', 'queue', 'session', 'small', 'ecma419']
/** Of the small client what is on the wire; its power cuts and flips take XS many minutes. */
const SMALL = /^small\/(session|options)/

/** Files of Node alone, each with its reason. */
export const LEFT_OUT: Record<string, string> = {
  'store/heap.test.ts': 'samples the heap of V8 (node:inspector); bench/alloc counts on XS',
  'store/encryption-native.test.ts': 'its AES and SHA-256 are those of node:crypto',
  'session/failures-heap.test.ts':
    'measures the heap of V8 (node:v8, node:vm); bench/alloc does on XS',
  'ecma419/alloc.test.ts': 'starts the XS host itself',
  'ecma419/mosquitto.test.ts': 'needs sockets and another process',
}

/** Single tests of the files that do run. */
export const LEFT_OUT_TESTS: Record<string, string> = {
  'UTF-8 agrees with Node for every character, and about what is no UTF-8':
    'its oracle is the Buffer of Node, and that of npm reads malformed text in another way',
  '25 static properties: the numbers of the packet types, read-only':
    'a bundle is no module, and without strict mode an assignment to a getter does not throw',
}

/** Paths below `test`, in order. `wanted` are parts of names; none: all. */
export function suites(testFolder: string, wanted: readonly string[] = []): string[] {
  return FOLDERS.filter((folder) => fs.existsSync(path.join(testFolder, folder)))
    .flatMap((folder) => {
      const names = fs.readdirSync(path.join(testFolder, folder))
      return names.map((name) => `${folder}/${name}`)
    })
    .filter((name) => name.endsWith('.test.ts') && !(name in LEFT_OUT))
    .filter((name) => !name.startsWith('small/') || SMALL.test(name))
    .filter((name) => wanted.length === 0 || wanted.some((part) => name.includes(part)))
    .sort()
}
