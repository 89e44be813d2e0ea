/**
 * Firmware that measures what the client allocates for each operation, on a device's heap. Each
 * part makes a client, warms it up, and repeats one operation many times between two readings of
 * the counters; what is not the operation stays outside of them. Knows the client, not the host.
 */
import type { ClientOptions, MqttClient } from '../../src/index.js'
import { type CountingDevice, FIELD_COUNT, type Library } from './firmware-meter.js'
import { LIVE_CHUNK_BYTES, LIVE_SLOTS, Meter } from './firmware-meter.js'
import { Wire } from './firmware-wire.js'

declare const device: CountingDevice
declare const holdfast: Library

/** Messages sent before their answers come: fewer than the client's limit of 20 in flight. */
const ROUND = 10
const ROUNDS = 100
const RECONNECTS = 1000
const LONG_RECONNECTS = 10_000
const TOPIC = 'sensors/kitchen/temperature/main'
const OTHER_TOPIC = 'sensors/kitchen/temperature/door'
const TEXT = '{"celsius":21.5}'
const payload = new Uint8Array(64)
let now = device.system.now()

function makeClient(wire: Wire, isDurable: boolean): MqttClient {
  const options: ClientOptions = {
    system: device.system,
    transport: wire,
    broker: 'mqtt://broker.local',
    clientId: 'bench',
    retryMinMs: 1000,
    retryMaxMs: 1000,
  }
  if (isDurable) {
    const store = new holdfast.FlashStore(device.storage, device.system)
    store.format()
    options.storage = store
  }
  return new holdfast.MqttClient(options)
}

/** Polls until the client wants to sleep. */
function settle(client: MqttClient): void {
  for (let step = 0; step < 100; step++) if (client.poll(now) > 0) return
  throw new Error('the client is never done')
}

function connect(client: MqttClient): void {
  for (let step = 0; step < 10 && !client.isConnected; step++) {
    now += 1001
    client.poll(now)
  }
  if (!client.isConnected) throw new Error('not connected')
}

function startClient(wire: Wire, isDurable: boolean): MqttClient {
  const client = makeClient(wire, isDurable)
  client.start()
  connect(client)
  settle(client)
  return client
}

function check(isTrue: boolean, what: string): void {
  if (!isTrue) throw new Error('the bench does not measure what it should: ' + what)
}

/** Publish with a prepared topic: accept, encode, send; the answers have a meter of their own. */
function publishing(qos: number, isDurable: boolean, rows: string[]): void {
  const wire = new Wire(device)
  const client = startClient(wire, isDurable)
  const publisher = client.publisher(TOPIC, { qos })
  const sending = new Meter(device)
  const answering = new Meter(device)
  // The first round is not counted: it writes the topic, for instance.
  for (let round = -1; round < ROUNDS; round++) {
    sending.begin()
    for (let index = 0; index < ROUND; index++) {
      check(publisher.publish(payload, 0, payload.length) >= 0, 'publish refused')
      client.poll(now)
    }
    if (round >= 0) sending.end(ROUND)
    wire.answer()
    answering.begin()
    settle(client)
    now += 2000 // a mark is due
    settle(client)
    if (round >= 0) answering.end(ROUND)
  }
  check(wire.counts[3] === ROUND * (ROUNDS + 1), 'a PUBLISH for each')
  check(client.stats.queued === 0, 'all are acknowledged')
  sending.report(rows[0]!)
  if (rows.length > 1) answering.report(rows[1]!)
}

/** All of the four packets of QoS 2. */
function publishingQos2(isDurable: boolean, row: string): void {
  const wire = new Wire(device)
  const client = startClient(wire, isDurable)
  const publisher = client.publisher(TOPIC, { qos: 2 })
  const meter = new Meter(device)
  for (let round = -1; round < ROUNDS; round++) {
    meter.begin()
    for (let index = 0; index < ROUND; index++) {
      check(publisher.publish(payload, 0, payload.length) > 0, 'publish refused')
      settle(client)
      wire.answer()
      settle(client)
    }
    now += 2000
    settle(client)
    if (round >= 0) meter.end(ROUND)
  }
  check(wire.counts[6] === ROUND * (ROUNDS + 1), 'a PUBREL for each')
  check(client.stats.queued === 0, 'all are complete')
  meter.report(row)
}

/** As an application writes it: strings and an object of options. */
function publishingStrings(topics: string[], row: string): void {
  const wire = new Wire(device)
  const client = startClient(wire, false)
  const options = { qos: 1 }
  const meter = new Meter(device)
  for (let round = -1; round < ROUNDS; round++) {
    meter.begin()
    for (let index = 0; index < ROUND; index++) {
      check(client.publish(topics[index % topics.length]!, TEXT, options) > 0, 'publish refused')
      client.poll(now)
    }
    if (round >= 0) meter.end(ROUND)
    wire.answer()
    settle(client)
  }
  meter.report(row)
}

/**
 * What was in flight when the connection broke. The broker takes one PUBLISH at a time, so that
 * each PUBACK lets the next record go from flash to the socket.
 */
function resending(): void {
  const wire = new Wire(device)
  wire.sessionPresent = 0
  const client = startClient(wire, true)
  const publisher = client.publisher(TOPIC, { qos: 1 })
  const meter = new Meter(device)
  wire.sessionPresent = 1
  for (let round = -1; round < ROUNDS; round++) {
    wire.receiveMaximum = 100
    for (let index = 0; index <= ROUND; index++) {
      check(publisher.publish(payload, 0, payload.length) > 0, 'publish refused')
    }
    settle(client)
    wire.drop()
    wire.receiveMaximum = 1
    settle(client)
    connect(client)
    const dupCount = wire.dupCount
    meter.begin()
    for (let index = 0; index < ROUND; index++) {
      wire.answer()
      settle(client)
    }
    if (round >= 0) meter.end(ROUND)
    check(wire.dupCount === dupCount + ROUND, 'one resend for each PUBACK')
    wire.answer()
    settle(client)
    wire.receiveMaximum = 100
    wire.drop()
    settle(client)
    connect(client)
  }
  check(client.stats.queued === 0, 'all are acknowledged')
  meter.report('resendFromFlash')
}

/** The log alone: erasing ahead, and finding everything again, with few records and with many. */
function recovering(): void {
  const store = new holdfast.FlashStore(device.storage, device.system)
  store.format()
  check(store.mount('bench', 'mqtt://broker.local') === 0, 'the store is mounted')
  const { log, window } = store
  const erasing = new Meter(device)
  const mounting = new Meter(device)
  let erases = 0
  for (let index = 0; index < ROUND * ROUNDS; index++) {
    const isErased = index % 4 === 3
    if (isErased) erasing.begin()
    while (log.maintain()) erases++
    if (isErased) erasing.end(1)
    const number = log.append(payload.length)
    check(number > 0, 'appended')
    window.setState(number, 1)
    if (window.slide(log.nextNumber)) log.release(window.base)
    if (index % 10 !== 9) continue
    check(log.writeMark(window) === 0, 'marked')
    // A mount trusts no erased sector: each is erased again, by the next `maintain`.
    mounting.begin()
    const status = log.mount(log.region.storeId, 1, window)
    mounting.end(1)
    check(status === 0 && log.nextNumber > number, 'all is found again')
  }
  check(erases > 10 && log.hotErases === 0, 'sectors are erased ahead')
  erasing.report('maintain')
  mounting.report('recover')
}

function pinging(): void {
  const wire = new Wire(device)
  const client = startClient(wire, false)
  const meter = new Meter(device)
  meter.begin()
  for (let index = 0; index < ROUND * ROUNDS; index++) {
    now += 46_000
    client.poll(now)
    client.poll(now)
  }
  meter.end(ROUND * ROUNDS)
  check(wire.counts[12] === ROUND * ROUNDS, 'a PINGREQ for each')
  meter.report('pingreq')
}

/** PUBLISH as it comes: topic a/b, identifier 7 with QoS 1, no properties. */
function publishPacket(qos: number): Uint8Array {
  const head = qos === 0 ? [0x30, 70, 0, 3, 97, 47, 98, 0] : [0x32, 72, 0, 3, 97, 47, 98, 0, 7, 0]
  const packet = new Uint8Array(head.length + payload.length)
  packet.set(head)
  packet.set(payload, head.length)
  return packet
}

function receiving(qos: number, row: string, isView: boolean): void {
  const wire = new Wire(device)
  const client = makeClient(wire, false)
  let sum = 0
  let count = 0
  client.subscribe('a/+', { qos: 1 }, (message) => {
    count++
    if (isView) sum += message.payload.length
    else sum += message.bytes[message.payloadAt + message.payloadLength - 1]!
  })
  client.start()
  connect(client)
  settle(client)
  const packet = publishPacket(qos)
  const meter = new Meter(device)
  meter.begin()
  for (let index = 0; index < ROUND * ROUNDS; index++) {
    wire.deliver(packet)
    settle(client)
  }
  meter.end(ROUND * ROUNDS)
  check(count === ROUND * ROUNDS, 'each reached the handler')
  check(sum === (isView ? count * payload.length : 0), 'the handler had the payload')
  check(wire.counts[4] === (qos === 0 ? 0 : count), 'PUBACK for QoS 1')
  meter.report(row)
}

/** What extensions do for each message: aliases both ways, acknowledgement by hand, a filter. */
function extending(): void {
  const wire = new Wire(device)
  wire.topicAliasMaximum = 4
  const client = new holdfast.MqttClient({
    system: device.system,
    transport: wire,
    broker: 'mqtt://broker.local',
    clientId: 'bench',
    retryMinMs: 1000,
    retryMaxMs: 1000,
    aliases: new holdfast.TopicAliases(4, 4),
    manualAck: new holdfast.ManualAck(),
  })
  let sent = 0
  let token = 0
  client.on('message.sent', () => sent++, { filter: 'sensors/+/#' })
  client.on('message.received', (event) => (token = event.message!.acknowledgement))
  client.start()
  connect(client)
  const publisher = client.publisher(TOPIC, { qos: 1 })
  // PUBLISH of QoS 1 and identifier 7: a/b under the alias 2, then the alias alone.
  const told = Uint8Array.from([0x32, 11, 0, 3, 97, 47, 98, 0, 7, 3, 0x23, 0, 2])
  const known = Uint8Array.from([0x32, 8, 0, 0, 0, 7, 3, 0x23, 0, 2])
  const meters = [new Meter(device), new Meter(device), new Meter(device)]
  for (let round = -1; round < ROUNDS; round++) {
    const published = wire.counts[3]!
    meters[0]!.begin()
    for (let index = 0; index < ROUND; index++) {
      check(publisher.publish(payload, 0, payload.length) > 0, 'publish refused')
      client.poll(now)
    }
    if (round >= 0) meters[0]!.end(ROUND)
    check(wire.counts[3] === published + ROUND, 'a PUBLISH for each')
    wire.answer()
    settle(client)
    wire.deliver(told)
    settle(client)
    check(client.acknowledge(token) === 0, 'the first')
    meters[1]!.begin()
    for (let index = 0; index < ROUND; index++) {
      wire.deliver(known)
      settle(client)
      check(client.acknowledge(token) === 0, 'each has a token of its own')
      settle(client)
    }
    if (round >= 0) meters[1]!.end(ROUND)
    meters[2]!.begin()
    reconnect(client, wire)
    publisher.publish(payload, 0, payload.length)
    settle(client)
    if (round >= 0) meters[2]!.end(1)
    wire.answer()
    settle(client)
  }
  check(sent === (ROUND + 1) * (ROUNDS + 1), 'the filter let all pass')
  check(wire.counts[4] === (ROUND + 1) * (ROUNDS + 1), 'a PUBACK for each')
  meters[0]!.report('publishAliased')
  meters[1]!.report('inboundByHand')
  meters[2]!.report('reconnectAliased')
}

function reconnecting(hasSubscription: boolean, row: string): void {
  const wire = new Wire(device)
  const client = makeClient(wire, false)
  if (hasSubscription) client.subscribe('a/+', { qos: 1 })
  client.start()
  connect(client)
  settle(client)
  const meter = new Meter(device)
  meter.begin()
  for (let index = 0; index < RECONNECTS; index++) reconnect(client, wire)
  meter.end(RECONNECTS)
  check(wire.counts[1] === RECONNECTS + 1, 'a CONNECT for each')
  meter.report(row)
}

function reconnect(client: MqttClient, wire: Wire): void {
  wire.drop()
  client.poll(now)
  connect(client)
  settle(client)
}

/** What lives before and after; the row's sums are what became of it. */
function reconnectingLong(): void {
  const wire = new Wire(device)
  const client = makeClient(wire, false)
  client.subscribe('a/+', { qos: 1 })
  client.start()
  connect(client)
  settle(client) // both readings stand at the same point: SUBSCRIBE answered
  const live = new Float64Array(4)
  const figures = new Float64Array(FIELD_COUNT)
  for (let half = 0; half < 2; half++) {
    device.gc()
    device.memory(figures)
    live[half * 2] = figures[LIVE_SLOTS]!
    live[half * 2 + 1] = figures[LIVE_CHUNK_BYTES]!
    if (half === 0) for (let index = 0; index < LONG_RECONNECTS; index++) reconnect(client, wire)
  }
  check(wire.counts[1] === LONG_RECONNECTS + 1, 'a CONNECT for each')
  device.report(
    JSON.stringify({
      name: 'liveGrowth',
      operations: LONG_RECONNECTS,
      slots: live[2]! - live[0]!,
      chunks: 0,
      bytes: live[3]! - live[1]!,
    }),
  )
}

publishing(0, false, ['publishQos0'])
publishing(1, false, ['publishQos1', 'puback'])
publishing(1, true, ['publishQos1Flash', 'pubackFlash'])
resending()
recovering()
pinging()
receiving(0, 'inboundQos0', true)
receiving(1, 'inboundQos1', true)
receiving(0, 'inboundQos0Offsets', false)
receiving(1, 'inboundQos1Offsets', false)
publishingQos2(false, 'publishQos2')
publishingQos2(true, 'publishQos2Flash')
publishingStrings([TOPIC], 'publishStrings')
publishingStrings([TOPIC, OTHER_TOPIC], 'publishStringsNew')
extending()
reconnecting(false, 'reconnect')
reconnecting(true, 'reconnectSubscribed')
reconnectingLong()
device.exit(0)
