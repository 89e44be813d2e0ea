/**
 * A device with the small client in a process of its own, to be killed: publishes numbered messages
 * of QoS 1 and 2 from a flash in a file, and says on its output what it was told. What it has said
 * is true even if it is killed at once. Arguments: URL, image, life; life -1 publishes nothing.
 */
import { writeSync } from 'node:fs'
import { FileFlash, NodeSystem, run, TcpTransport } from '../../hal/node/index.js'
import { MqttClient, type SmallEvent } from '../../src/small/index.js'
import { FlashOutbox } from '../../src/small/storage.js'
import { ERR_FULL } from '../../src/status.js'

const [url, image, life] = process.argv.slice(2)
const say = (line: string): void => void writeSync(1, line + '\n')

const system = new NodeSystem()
const flash = new FileFlash(image!, { capacity: 64 * 1024, eraseSize: 4096, writeSize: 4 })
const client = new MqttClient({
  system,
  transport: new TcpTransport(),
  storage: new FlashOutbox(flash, system),
  broker: url!,
  clientId: 'small-child',
  retryMinMs: 20,
  retryMaxMs: 200,
})
client.subscribe('small/in', { qos: 2 }, ({ qos, text }) => say(`got ${qos} ${text}`))
client.on('session.subscribed', () => say('subscribed'))
client.on('session.lost', () => say('lost'))
client.on('storage.failed', ({ status }: SmallEvent) => say('failed ' + status))
client.on('message.dropped', ({ ticket, status }: SmallEvent) => say(`dropped ${ticket} ${status}`))
client.start()
run(client)

let number = 0

function publish(): void {
  const qos = 1 + (number % 2)
  const ticket = client.publish(`small/out/${qos}`, `${life} ${number}`, { qos })
  if (ticket > 0) say(`accepted ${qos} ${life} ${number++}`)
  else if (ticket !== ERR_FULL) say('failed ' + ticket)
}

function tellEmpty(): void {
  if (client.isConnected && client.stats.queued === 0) say('empty')
}

setInterval(life === '-1' ? tellEmpty : publish, 2)
