/** What a firmware measures of a library that is preloaded into ROM, on XS in an ESP32's heap. */
import * as path from 'node:path'
import { benchTest } from './bench-test.js'
import type { Measured } from './firmware-meter.js'
import { bundleFirmware, bundleLibrary, ESP32, inFolder, runOnXs, xsHost } from './xs-run.js'

/** The rows of `firmware` (a path beside this file), whose `library` is a module of exports. */
export function steadyRows(library: string, firmware: string) {
  return benchTest(() =>
    inFolder(async (folder) => {
      const program = await xsHost(64)
      const libraryFile = path.join(folder, 'library.js')
      const firmwareFile = path.join(folder, 'firmware.js')
      await bundleLibrary(library, libraryFile)
      await bundleFirmware(firmware, firmwareFile)
      const options = ['--preload', libraryFile, '--creation', ESP32]
      return (await runOnXs(program, firmwareFile, ...options)) as Measured[]
    }),
  )
}
