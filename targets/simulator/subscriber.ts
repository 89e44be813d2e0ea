/**
 * The independent witness: a subscriber made of the npm package mqtt, connected to the broker
 * itself, that writes down what arrives in the order of arrival. Knows nothing of the device.
 */
import mqtt from 'mqtt'
import type { Delivery } from './ledger.js'

const CONNECT_MS = 5000

/** The broker does not answer, or not as a broker. */
export class BrokerError extends Error {}

export class Subscriber {
  readonly deliveries: Delivery[] = []
  /** The payloads that arrived: every reading has its own. */
  readonly distinct = new Set<string>()
  /** Why the witness is gone, or ''. Without it nothing can be said of the run. */
  trouble = ''
  private readonly client: mqtt.MqttClient

  private constructor(client: mqtt.MqttClient) {
    this.client = client
    client.on('message', (topic, payload, packet) => {
      const text = payload.toString('latin1')
      this.deliveries.push({ topic, payload: text, qos: packet.qos })
      this.distinct.add(text)
    })
    client.on('error', (error) => (this.trouble = error.message))
    client.on('close', () => (this.trouble ||= 'the broker closed its connection'))
  }

  /** Resolves when the broker has confirmed the subscription at QoS 2; throws BrokerError. */
  static async start(url: string, clientId: string, protocol: 4 | 5, filter: string) {
    const client = await connect(url, clientId, protocol)
    const subscriber = new Subscriber(client)
    const [grant] = await client.subscribeAsync(filter, { qos: 2 })
    if (grant?.qos !== 2) {
      await client.endAsync()
      throw new BrokerError(`the broker ${url} does not grant QoS 2, so nothing can be checked`)
    }
    return subscriber
  }

  async stop(): Promise<void> {
    this.client.removeAllListeners('close')
    await this.client.endAsync(true)
  }
}

/** Ends the session of a client that will not come back: a real broker would keep it for a day. */
export async function forgetSession(url: string, clientId: string, protocol: 4 | 5): Promise<void> {
  const client = await connect(url, clientId, protocol)
  await client.endAsync()
}

/**
 * A clean session, and one connection only: a witness that was away for a while proves nothing. It
 * also keeps clear of a fault in aedes 1.2, which mixes up the PUBRELs of a kept session when two
 * PUBRECs arrive at a time.
 */
async function connect(url: string, clientId: string, protocol: 4 | 5) {
  try {
    return await mqtt.connectAsync(
      url,
      {
        clientId,
        clean: true,
        protocolVersion: protocol,
        reconnectPeriod: 0,
        connectTimeout: CONNECT_MS,
      },
      false,
    )
  } catch (error) {
    throw new BrokerError(`the broker ${url} cannot be used: ${words(error)}`)
  }
}

/** Node joins the errors of several addresses into one without words. */
function words(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(words).join('; ')
  const message = error instanceof Error ? error.message : String(error)
  return message === 'connack timeout' ? `no answer in ${CONNECT_MS / 1000} s` : message
}
