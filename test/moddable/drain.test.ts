/** The variant that sleeps: what is left when the power goes, with a real client and broker model. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ManualSystem, NorFlash, ScriptedTransport } from '../../hal/memory/index.js'
import { MqttClient } from '../../src/index.js'
import { FlashStore } from '../../src/storage.js'
import { drain } from '../../targets/esp32/sleep/drain.js'

const CONNACK = Uint8Array.of(0x20, 3, 0, 0, 0)

/** A device that woke up; virtual time, a broker that answers as it is told. */
class Wake {
  readonly system = new ManualSystem(1)
  readonly transport = new ScriptedTransport()
  readonly client: MqttClient
  left = -1
  private due: { at: number; callback: () => void }[] = []

  constructor(flash: NorFlash) {
    this.client = new MqttClient({
      system: this.system,
      transport: this.transport,
      storage: new FlashStore(flash, this.system),
      broker: 'mqtt://broker.example',
      clientId: 'sleeper',
    })
  }

  drain(deadlineMs: number, isFinishing = () => false): void {
    const parts = {
      client: this.client,
      isFinishing,
      now: () => this.system.now(),
      after: (ms: number, callback: () => void) =>
        this.due.push({ at: this.system.now() + ms, callback }),
    }
    drain(parts, deadlineMs, (leftCount) => {
      assert.equal(this.left, -1, 'it ends once')
      this.left = leftCount
    })
  }

  /** Lets `ms` pass in steps; `answer` gets what the client sent in each. */
  pass(ms: number, answer: (sent: Uint8Array) => void = () => {}): void {
    for (const end = this.system.now() + ms; this.system.now() < end && this.left < 0;) {
      this.system.advance(5)
      this.client.poll(this.system.now())
      const sent = this.transport.takeSent()
      if (sent.length > 0) answer(sent)
      const due = this.due.filter(({ at }) => at <= this.system.now())
      this.due = this.due.filter(({ at }) => at > this.system.now())
      for (const { callback } of due) callback()
    }
  }
}

function flashOf(): NorFlash {
  return new NorFlash({ capacity: 32 * 4096 })
}

test('without a network the deadline ends it, and the message waits on flash', () => {
  const flash = flashOf()
  const wake = new Wake(flash)
  assert.ok(wake.client.publish('a', '1', { qos: 1 }) > 0)
  wake.drain(1000)
  wake.pass(900)
  assert.equal(wake.left, -1)
  wake.pass(4000)
  assert.equal(wake.left, 1)
  assert.equal(new Wake(flash).client.stats.queued, 1)
})

test('it ends as soon as the broker has all, says goodbye, and the next boot sends nothing', () => {
  const flash = flashOf()
  const wake = new Wake(flash)
  for (const text of ['1', '2', '3']) wake.client.publish('a', text, { qos: 1 })
  wake.client.start()
  wake.drain(10000)
  let goodbyes = 0
  wake.pass(50)
  wake.transport.accept()
  wake.pass(9000, (sent) => {
    // Packet by packet: CONNECT is answered by CONNACK, each PUBLISH by PUBACK.
    for (let at = 0; at < sent.length; at += 2 + sent[at + 1]!) {
      const type = sent[at]! >> 4
      if (type === 1) wake.transport.deliver(CONNACK)
      const idAt = at + 4 + sent[at + 3]!
      if (type === 3) wake.transport.deliver(Uint8Array.of(0x40, 2, sent[idAt]!, sent[idAt + 1]!))
      if (type === 14) goodbyes += 1
    }
  })
  assert.equal(wake.left, 0)
  assert.equal(goodbyes, 1)
  assert.ok(wake.system.now() < 5000, 'not the deadline')
  assert.equal(new Wake(flash).client.stats.queued, 0)
})

test('a connection that hands over its last bytes is waited for, for two seconds', () => {
  const wake = new Wake(flashOf())
  wake.drain(0, () => true)
  wake.pass(1900)
  assert.equal(wake.left, -1)
  wake.pass(300)
  assert.equal(wake.left, 0)
})
