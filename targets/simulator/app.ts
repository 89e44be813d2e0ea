/**
 * `npm start -- --app FILE`: a user's application on the simulated board, with an embedded broker,
 * until Ctrl-C or its end. Boots again after a planned power cut, as a board would when power comes
 * back. Knows nothing of what the application does.
 */
import * as fs from 'node:fs'
import * as path from 'node:path'
import type { BoardConfig } from '../board.js'
import { type EmbeddedBroker, startBroker } from './broker.js'
import { bundleApplication, bundleLibrary, projectFolder, userFolder } from './bundle.js'
import { type Board, DeviceProcess } from './device-process.js'
import { type Application, ENGINE_LINE, lastWords } from './last-words.js'
import type { SimulatorOptions } from './options.js'
import { BrokerError } from './subscriber.js'

/** One application on one board: `run` once, `abort` at any time. */
export class ApplicationRun {
  private readonly options: SimulatorOptions
  private readonly board: Board
  private readonly application: Application
  private device: DeviceProcess | null = null
  private broker: EmbeddedBroker | null = null

  constructor(options: SimulatorOptions, board: Board) {
    this.options = options
    this.board = board
    const folder = userFolder()
    const entry = path.resolve(folder, options.app)
    this.application = {
      bundles: [board.bundle, board.library],
      entry,
      project: projectFolder(),
      folder,
    }
  }

  /** For when the harness itself has to end. */
  abort(): void {
    this.device?.kill()
  }

  /** Resolves to the exit code. Throws BundleError when the application cannot be built. */
  async run(say: (line: string) => void): Promise<number> {
    const { engine, bundle, library } = this.board
    await bundleApplication(this.application.entry, bundle, engine.hasRom)
    if (engine.hasRom) await bundleLibrary(library)
    if (this.options.broker === '') this.broker = await this.startBroker()
    const url = this.broker?.url ?? this.options.broker
    say(`simulator: ${this.options.app} on ${engine.name}, broker ${url}; Ctrl-C ends it`)
    try {
      return await this.boots(url, say)
    } finally {
      await this.broker?.close()
    }
  }

  /**
   * A flash image belongs to one client at one broker, so where the image stays, the port does: it
   * stands in a file beside the image.
   */
  private async startBroker(): Promise<EmbeddedBroker> {
    if (this.options.image === '') return startBroker()
    const file = this.board.image + '.port'
    const isKnown = fs.existsSync(file) && fs.existsSync(this.board.image)
    const port = isKnown ? Number(fs.readFileSync(file, 'utf8')) : 0
    try {
      const broker = await startBroker(port)
      fs.writeFileSync(file, new URL(broker.url).port)
      return broker
    } catch (error) {
      throw new BrokerError(
        `the embedded broker cannot have port ${port} again, which the image is for: ` +
          `${(error as Error).message}; end what has it, or take another --image`,
      )
    }
  }

  private async boots(broker: string, say: (line: string) => void): Promise<number> {
    const { protocol } = this.options
    const config: BoardConfig = { broker, clientId: 'holdfast-simulator', protocol }
    let cut = this.options.cutAt
    for (;;) {
      const boot = { config: JSON.stringify(config), cutAt: cut.operation, cutSeed: cut.seed }
      let isEnding = false
      const onError = (line: string): void => {
        // The engine's own words come at the end, with places that the user can read.
        isEnding ||= ENGINE_LINE.test(line)
        if (!isEnding) process.stderr.write(line + '\n')
      }
      const device = new DeviceProcess(this.board, boot, say, say, onError)
      this.device = device
      const end = await device.ended
      if (end === 'failed') {
        console.error(lastWords(device.code, device.errorText, this.application))
        return 1
      }
      if (end === 'stopped') {
        say('simulator: the application ended: no timer, no connection and no work is left')
        return 0
      }
      say(`simulator: power cut in flash operation ${cut.operation}; the device boots again`)
      cut = { operation: 0, seed: 0 }
    }
  }
}
