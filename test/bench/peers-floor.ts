/**
 * The floor of the rows with a window: a socket that answers each answer with a ready-made packet,
 * all answers of one arrival in one write, and no client at all. It keeps nothing, checks nothing,
 * tells nobody. Shows what Node and the network take.
 */
import { connect } from 'node:net'
import { once } from 'node:events'
import { PUBCOMP, PUBREC } from '../../src/codec/protocol.js'
import { type Job, measure, type Measured, PAYLOAD_SIZE, TOPIC } from './peers-job.js'

const PUBREL_BYTE = 0x62

export async function measureFloor(job: Job): Promise<Measured> {
  const socket = connect({ host: job.host, port: job.port, noDelay: true })
  // MQTT 5, Clean Start, no Keep Alive, no properties, client identifier "floor".
  socket.write(Buffer.from('\x10\x12\x00\x04MQTT\x05\x02\x00\x00\x00\x00\x05floor', 'latin1'))
  await once(socket, 'data')
  const size = 2 + TOPIC.length + 2 + 1 + PAYLOAD_SIZE
  const head = Buffer.from([0x30 | (job.qos << 1), size, 0, TOPIC.length])
  const packet = Buffer.concat([head, Buffer.from(TOPIC), Buffer.from([0, 1, 0])], 2 + size)
  const idAt = head.length + TOPIC.length
  let arrived = (bytes: Buffer): Buffer => bytes
  let rest: Buffer = Buffer.alloc(0)
  socket.on('data', (bytes) => {
    rest = arrived(rest.length === 0 ? bytes : Buffer.concat([rest, bytes]))
  })
  const publishOf = (id: number): Buffer => {
    const bytes = Buffer.from(packet)
    bytes.writeUInt16BE(id, idAt)
    return bytes
  }
  const measured = await measure(
    job,
    (count) =>
      new Promise((resolve) => {
        let left = count
        let open = count
        const mayStart = (): boolean => left-- > 0
        arrived = (bytes): Buffer => {
          const out: Buffer[] = []
          let at = 0
          for (; at + 2 < bytes.length && at + 2 + bytes[at + 1]! <= bytes.length;) {
            const type = bytes[at]! >> 4
            const id = bytes.readUInt16BE(at + 2)
            at += 2 + bytes[at + 1]!
            if (type === PUBREC) out.push(Buffer.from([PUBREL_BYTE, 2, id >> 8, id & 255]))
            else if (type === PUBCOMP || job.qos === 1) {
              open--
              if (mayStart()) out.push(publishOf(id))
            }
          }
          if (out.length > 0) socket.write(out.length === 1 ? out[0]! : Buffer.concat(out))
          if (open === 0) resolve()
          return bytes.subarray(at)
        }
        const first: Buffer[] = []
        for (let id = 1; id <= job.window && mayStart(); id++) first.push(publishOf(id))
        socket.write(Buffer.concat(first))
      }),
  )
  socket.destroy()
  return measured
}
