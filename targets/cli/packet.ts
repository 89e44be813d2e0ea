/**
 * What a stored message becomes on the wire: the bytes of its PUBLISH in MQTT 5, put together here,
 * and what mqtt-packet reads in them. Topic aliases and what a broker's limits change are left out.
 */
import mqttPacket from 'mqtt-packet'
import type { Lane, Message } from './lane.js'

const LANE_IDS = 4096

/** The Packet Identifier the message has on every connection. */
export function packetIdOf(lane: Lane, message: Message): number {
  return 1 + LANE_IDS * lane.index + (message.number % LANE_IDS)
}

function varint(value: number): number[] {
  const bytes = []
  for (; value > 127; value >>>= 7) bytes.push((value & 127) | 128)
  return [...bytes, value]
}

/** The packet's bytes; null where content, topic or payload cannot be read. */
export function publishBytes(lane: Lane, message: Message): Buffer | null {
  const { content } = message
  if (content === null || content.topic === null || content.payload === null) return null
  const { topic, qos, retain, properties, payload } = content
  const packetId = packetIdOf(lane, message)
  const body = Buffer.concat([
    Buffer.from([topic.length >> 8, topic.length & 255]),
    topic,
    Buffer.from(qos > 0 ? [packetId >> 8, packetId & 255] : []),
    Buffer.from(varint(properties.length)),
    properties,
    payload,
  ])
  const first = 0x30 | (qos << 1) | (retain ? 1 : 0)
  return Buffer.concat([Buffer.from([first, ...varint(body.length)]), body])
}

/** The PUBLISH as mqtt-packet shows it; null where there is none, an Error where it refuses it. */
export function publishOf(lane: Lane, message: Message): mqttPacket.IPublishPacket | Error | null {
  const bytes = publishBytes(lane, message)
  if (bytes === null) return null
  let result: mqttPacket.IPublishPacket | Error | null = null
  const parser = mqttPacket.parser({ protocolVersion: 5 })
  parser.on('packet', (packet) => (result = packet as mqttPacket.IPublishPacket))
  parser.on('error', (error: Error) => (result = error))
  parser.parse(bytes)
  return result ?? new Error('mqtt-packet finds no whole packet')
}
