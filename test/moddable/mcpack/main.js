/**
 * A project as a user of mcpack has it: imports each public name that a device may import. While
 * the store is empty it publishes three messages; then it sends what there is, and says so. The
 * store is encrypted. Beside it runs a client in the form of ECMA-419.
 */
import { MqttClient } from 'holdfast'
import * as storage from 'holdfast/storage'
import * as moddable from 'holdfast/moddable'
import * as aliases from 'holdfast/aliases'
import * as authentication from 'holdfast/authentication'
import * as ecma419 from 'holdfast/ecma419'
import * as encryption from 'holdfast/encryption'
import * as hooks from 'holdfast/hooks'
import * as manualAck from 'holdfast/manual-ack'
import * as tls from 'holdfast/moddable/tls'
import * as persistence from 'holdfast/persistence'
import * as properties from 'holdfast/properties'
import * as replay from 'holdfast/replay'
import * as request from 'holdfast/request'
import * as spiNor from 'holdfast/spi-nor'
import * as storagePart from 'holdfast/storage-part'
import config from 'mc/config'

const extras = [aliases, authentication, hooks, manualAck, tls, persistence, properties]
extras.push(replay, request, spiNor, storagePart)
for (const one of extras) trace('names ' + Object.keys(one).join(' ') + '\n')

const system = moddable.openSystem()
const key = new Uint8Array(32)
for (let at = 0; at < key.length; at++) key[at] = at
const client = new MqttClient({
  system,
  transport: moddable.openTransport(system),
  storage: new storage.FlashStore(moddable.openPartition('mqtt', system), system, {
    hooks: encryption.chacha20poly1305Hooks(key),
  }),
  broker: config.broker,
  clientId: 'mcpack',
})
client.on('message.acked', () => trace('acked, left ' + client.stats.queued + '\n'))
if (client.stats.queued === 0) {
  for (let n = 1; n <= 3; n++) client.publish('mcpack/kept', 'message ' + n, { qos: 1 })
}
trace('kept ' + client.stats.queued + '\n')
client.start()
moddable.run(client, system)

const { MQTTClient } = ecma419
new MQTTClient({
  host: '127.0.0.1',
  port: config.port,
  id: 'pattern',
  onControl(message) {
    if (message.operation !== MQTTClient.CONNACK) return
    this.write(ArrayBuffer.fromString('from the pattern'), { topic: 'mcpack/pattern', QoS: 1 })
  },
})
