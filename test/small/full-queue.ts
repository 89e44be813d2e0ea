/**
 * A queue that is full of tiny messages of QoS 2, and a broker that answers one packet a poll and
 * the oldest message last, so that nothing becomes free while each answer wants a mark.
 */
import assert from 'node:assert/strict'
import { NorFlash, PowerCut } from '../../hal/memory/index.js'
import { ERR_FULL } from '../../src/status.js'
import type { Cut } from '../session/cut-life.js'
import { ModelBroker } from '../session/model-broker.js'
import { Device } from './small-device.js'

const SECTOR = 512
const SECTORS = 8
/** Of each message: CONNACK aside, PUBREC and PUBCOMP. */
const MOST_ROUNDS = 5000

export interface Drained {
  readonly operations: number
  /** Marks found no room in the ring. */
  readonly isFallenBack: boolean
}

/** Fills, drains, fills and drains again, with a power cut if one is given. */
export function fillsAndDrains(writeSize: number, cut: Cut | null): Drained {
  const flash = new NorFlash({ capacity: SECTORS * SECTOR, eraseSize: SECTOR, writeSize })
  const broker = new ModelBroker(4)
  const options = { inFlightLimit: 64, ackBatch: 1, ackDelayMs: 0 }
  const accepted: string[] = []
  let boots = 0
  const boot = (): Device => {
    broker.connectionLost()
    return new Device(flash, 1 + boots++, options)
  }
  let device = boot()
  const fill = (): void => {
    for (;;) {
      const text = `m${accepted.length}`
      const ticket = device.client.publish('t', text, { qos: 2 })
      if (ticket === ERR_FULL) return
      assert.ok(ticket > 0)
      accepted.push(text)
    }
  }
  const survive = (act: () => void): void => {
    try {
      act()
    } catch (error) {
      if (!(error instanceof PowerCut)) throw error
      flash.powerOn()
      device = boot()
      drain(device, broker)
    }
  }
  fill()
  assert.ok(accepted.length > 40, `only ${accepted.length} messages`)
  if (cut) flash.cutAt(...cut)
  const { writes, eraseCalls } = flash.counters
  const erased = flash.wear[0]! + flash.wear[1]!
  survive(() => drain(device, broker))
  const isFallenBack = flash.wear[0]! + flash.wear[1]! > erased + 1
  const operations = flash.counters.writes + flash.counters.eraseCalls - writes - eraseCalls
  flash.cutAt(0, 'noop', 0)
  const first = accepted.length
  fill()
  assert.ok(accepted.length - first > 40, 'a queue that was full takes messages again')
  drain(device, broker)
  assert.deepEqual(
    broker.delivered.map(({ text }) => text),
    accepted,
    JSON.stringify({ writeSize, cut }),
  )
  return { operations, isFallenBack }
}

/** All messages to the broker. The answers to the oldest come when there is no other. */
function drain(device: Device, broker: ModelBroker): void {
  const { client, transport } = device
  const answers: Uint8Array[] = []
  client.start()
  for (let round = 0; round < MOST_ROUNDS; round++) {
    device.poll()
    if (transport.state === 1) {
      broker.connectionLost()
      transport.accept()
      continue
    }
    if (transport.state === 0) {
      device.system.advance(device.waitMs) // the pause before the next attempt
      answers.length = 0
    }
    answers.push(...broker.receive(transport.takeSent()))
    const isDone = client.isConnected && client.stats.queued === 0 && answers.length === 0
    if (isDone) {
      device.system.advance(5000)
      device.poll()
      return
    }
    const oldest = answers.findIndex((answer) => isOldest(answer, device))
    const isHeld = oldest === 0 && answers.length > 1
    const [answer] = answers.splice(isHeld ? 1 : 0, 1)
    if (answer) transport.deliver(answer)
  }
  assert.fail(`${client.stats.queued} messages stay queued`)
}

/** True for an answer to the message in front of all others. */
function isOldest(answer: Uint8Array, { storage }: Device): boolean {
  const packetId = 1 + (storage.window.base & 4095)
  return answer.length === 4 && (answer[2]! << 8) + answer[3]! === packetId
}
