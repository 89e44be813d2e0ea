/** Extensions while a payload is being streamed: nothing of theirs gets into the packet. */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { ManualSystem, NorFlash } from '../../hal/memory/index.js'
import { OK } from '../../src/index.js'
import { FlashStore } from '../../src/storage.js'
import { Authentication } from '../../src/session/authentication.js'
import { ManualAck } from '../../src/session/manual-ack.js'
import { TopicAliases } from '../../src/session/topic-aliases.js'
import { Desk, words } from './desk.js'
import { message } from './failures-rig.js'

it('acknowledgements and AUTH wait for the end of a streamed payload, and aliases fit it', () => {
  const system = new ManualSystem(4)
  const flash = new NorFlash({ capacity: 128 * 1024, eraseSize: 4096, writeSize: 4 })
  const method = { name: 'M', start: () => null, step: () => null }
  const desk = new Desk(
    {
      storage: new FlashStore(flash, system),
      aliases: new TopicAliases(2, 0),
      manualAck: new ManualAck(),
      authentication: new Authentication(method),
    },
    system,
  )
  const tokens: number[] = []
  desk.client.on('message.received', (event) => tokens.push(event.message!.acknowledgement))
  desk.connect({ properties: { authenticationMethod: 'M', topicAliasMaximum: 2 } })
  desk.reply(message(1, 5, 'in'))
  desk.transport.room = 100
  const topics: string[] = []
  desk.client.on('message.sent', ({ topic }) => topics.push(topic), { filter: 'large/+' })
  for (let round = 0; round < 2; round++) {
    const stream = desk.client.stream('large/topic', 9000, { qos: 1 })
    for (let at = 0; at < 9000; at += 1000) {
      stream.write(new Uint8Array(1000).fill(round + 1), 0, 1000)
    }
  }
  desk.poll()
  assert.equal(desk.client.acknowledge(tokens[0]!), OK)
  assert.equal(desk.client.reauthenticate(), OK)
  for (let n = 0; n < 300; n++) {
    // Sometimes a part of the buffer leaves, sometimes all of it, in the middle of the payload.
    desk.transport.giveRoom(n % 3 === 0 ? 2000 : 100)
    desk.poll()
  }
  desk.transport.room = Infinity
  const packets = desk.sent()
  assert.deepEqual(words(packets).sort(), ['auth', 'puback 5', 'publish 2', 'publish 3'])
  const [first, second] = packets.filter(({ cmd }) => cmd === 'publish')
  assert.deepEqual([first!.topic, first!.properties!.topicAlias], ['large/topic', 1])
  assert.deepEqual([second!.topic, second!.properties!.topicAlias], ['', 1])
  assert.ok([...(first!.payload as Buffer)].every((byte) => byte === 1))
  assert.ok([...(second!.payload as Buffer)].every((byte) => byte === 2))
  assert.deepEqual(topics, ['large/topic', 'large/topic'])
})
