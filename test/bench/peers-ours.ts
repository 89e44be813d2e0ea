/**
 * Holdfast in `npm run bench:peers`: the client as a gateway on Node would set it up. The options
 * that differ from the defaults are sizes, which by default are a microcontroller's.
 */
import { join } from 'node:path'
import { FileFlash, NodeSystem, run, TcpTransport } from '../../hal/node/index.js'
import { MqttClient } from '../../src/index.js'
import { WINDOW_SPAN } from '../../src/store/exchange-window.js'
import { type ClientOptions } from '../../src/options.js'
import { FlashStore } from '../../src/storage.js'
import { type Job, measure, type Measured, PAYLOAD_SIZE, Progress, TOPIC } from './peers-job.js'

const BUFFER_SIZE = 65536
/** Room for a burst of 60,000 messages. */
const QUEUE_SIZE = 16777216
const FLASH_SIZE = 4194304

function optionsOf(job: Job): ClientOptions {
  const system = new NodeSystem()
  const options: ClientOptions = {
    system,
    transport: new TcpTransport(),
    broker: `mqtt://${job.host}:${job.port}`,
    clientId: `ours-${process.pid}`,
    // 64 is the most: `unlimited` for the others is this for us.
    inFlightLimit: job.window === 0 ? WINDOW_SPAN : Math.min(job.window, WINDOW_SPAN),
    sendBufferSize: BUFFER_SIZE,
    receiveBufferSize: BUFFER_SIZE,
    queueSize: QUEUE_SIZE,
    // Messages that do not fit the send buffer wait in the queue, as they do with npm `mqtt`.
    queueQos0: job.qos === 0 && job.window === 0,
  }
  if (job.folder === '') return options
  const flash = new FileFlash(join(job.folder, 'flash'), { capacity: FLASH_SIZE, enforce: false })
  return { ...options, storage: new FlashStore(flash, system) }
}

export async function measureOurs(job: Job): Promise<Measured> {
  const client = new MqttClient(optionsOf(job))
  const running = run(client)
  const connected = new Promise<void>((resolve) => client.on('client.connected', () => resolve()))
  client.start()
  await connected
  const publisher = client.publisher(TOPIC, { qos: job.qos })
  const last = client.publisher(TOPIC, { qos: 1 })
  const payload = new Uint8Array(PAYLOAD_SIZE)
  let acked = (): void => {}
  client.on('message.acked', () => acked())

  /**
   * QoS 0: until the connection took all, then a QoS 1 message behind them. What is refused because
   * the connection is full is tried again a millisecond later.
   */
  const sendQos0 = (count: number, returned: () => void): Promise<void> =>
    new Promise((resolve) => {
      let left = count
      acked = resolve
      const turn = (): void => {
        while (left > 0 && publisher.publish(payload, 0, PAYLOAD_SIZE) >= 0) left--
        if (left > 0 || last.publish(payload, 0, PAYLOAD_SIZE) < 0) setTimeout(turn, 1)
        else returned()
      }
      turn()
    })

  const send = async (count: number, returned: () => void): Promise<void> => {
    const progress = new Progress(
      count,
      job.window,
      () => publisher.publish(payload, 0, PAYLOAD_SIZE) > 0,
    )
    acked = () => progress.finish()
    progress.advance()
    returned()
    await progress.done
  }

  const measured = await measure(job, job.qos === 0 ? sendQos0 : send)
  client.stop()
  running.stop()
  return measured
}
