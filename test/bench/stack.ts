/**
 * `npm run bench:stack [-- --json]`: how many slots of an XS stack the client takes, without and
 * with encryption, called as from a timer. A board whose application calls deeper needs as many
 * more. Knows nothing of the heap.
 */
import * as path from 'node:path'
import { pathToFileURL } from 'node:url'
import { MissingHost, bundleFirmware, bundleLibrary, ENCRYPTION, inFolder } from './xs-run.js'
import { runOnXs, xsHost } from './xs-run.js'

/** An ESP32's heap with a stack that no overflow ends, so that the peak is seen. */
const CREATION = 'chunk=78848,heap=4928,stack=2048'
/** Slots of the stack on an ESP32: `creation` in the manifest of the Moddable SDK. */
export const ESP32_STACK = 512
/** What README asks for with encryption. */
export const ENCRYPTED_STACK = 640

/** Peaks in slots. */
export interface StackReport {
  /** What the firmware itself has on the stack before it uses the client. */
  before: number
  plain: number
  encrypted: number
  /** The same where a handler of messages publishes, the deepest call there is. */
  plainNested: number
  encryptedNested: number
}

export function measureStack(): Promise<StackReport> {
  return inFolder(async (folder) => {
    const library = path.join(folder, 'library.js')
    const firmware = path.join(folder, 'firmware.js')
    await bundleLibrary(ENCRYPTION, library)
    await bundleFirmware('stack-firmware', firmware)
    const run = async (config: string): Promise<{ before: number; peak: number }> => {
      const image = path.join(folder, 'flash-' + config)
      const [found] = await runOnXs(
        await xsHost(64),
        firmware,
        ...['--preload', library, '--creation', CREATION, '--config', config],
        ...['--image', image, '--capacity', '131072'],
      )
      return found as { before: number; peak: number }
    }
    const plain = await run('plain')
    return {
      before: plain.before,
      plain: plain.peak,
      encrypted: (await run('encrypted')).peak,
      plainNested: (await run('plain-nested')).peak,
      encryptedNested: (await run('encrypted-nested')).peak,
    }
  })
}

async function main(): Promise<void> {
  try {
    const report = await measureStack()
    if (process.argv.includes('--json')) return console.log(JSON.stringify(report))
    console.log(`Slots of the stack at their peak; an ESP32 has ${ESP32_STACK}`)
    const { before, plain, encrypted, plainNested, encryptedNested } = report
    console.log(`before the client is used        ${before}`)
    console.log(`with storage                     ${plain}, ${plainNested} published in a handler`)
    console.log(`and ChaCha20-Poly1305            ${encrypted}, ${encryptedNested} likewise`)
  } catch (error) {
    if (!(error instanceof MissingHost)) throw error
    console.error(`the bench needs the XS host: ${error.message}`)
    process.exitCode = 1
  }
}

if (import.meta.url === pathToFileURL(process.argv[1]!).href) await main()
