/**
 * The floor of the row with one message in flight: a socket that writes one ready-made PUBLISH for
 * each answer that arrives, and no client at all. Shows what Node and the network take.
 */
import { connect } from 'node:net'
import { once } from 'node:events'
import { type Job, measure, type Measured, PAYLOAD_SIZE, TOPIC } from './peers-job.js'

export async function measureFloor(job: Job): Promise<Measured> {
  const socket = connect({ host: job.host, port: job.port, noDelay: true })
  // MQTT 5, Clean Start, no Keep Alive, no properties, client identifier "floor".
  socket.write(Buffer.from('\x10\x12\x00\x04MQTT\x05\x02\x00\x00\x00\x00\x05floor', 'latin1'))
  await once(socket, 'data')
  const size = 2 + TOPIC.length + 2 + 1 + PAYLOAD_SIZE
  const head = Buffer.from([0x32, size, 0, TOPIC.length])
  const packet = Buffer.concat([head, Buffer.from(TOPIC), Buffer.from([0, 1, 0])], 2 + size)
  let answered = (): void => {}
  socket.on('data', () => answered())
  const measured = await measure(
    job,
    (count) =>
      new Promise((resolve) => {
        let left = count
        answered = (): void => {
          if (left-- > 0) socket.write(packet)
          else resolve()
        }
        answered()
      }),
  )
  socket.destroy()
  return measured
}
