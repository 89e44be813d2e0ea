/**
 * The embedded broker: aedes, in this process, on a port of the loopback interface. It speaks
 * MQTT 3.1.1. Knows nothing of devices.
 */
import { Aedes, type Subscription } from 'aedes'
import * as net from 'node:net'

export interface EmbeddedBroker {
  /** mqtt://host:port */
  readonly url: string
  close(): Promise<void>
}

/** The one call of aedes' persistence that is looked into; its types leave it open. */
interface Sessions {
  subscriptionsByClient(client: { id: string }): Promise<Subscription[]>
}

/** `wantedPort` 0: any that is free. Throws where another program has it. */
export async function startBroker(wantedPort = 0): Promise<EmbeddedBroker> {
  const aedes = await Aedes.createBroker()
  reportSessions(aedes)
  const server = net.createServer(aedes.handle)
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(wantedPort, '127.0.0.1', resolve)
  })
  const { port } = server.address() as net.AddressInfo
  return {
    url: `mqtt://127.0.0.1:${port}`,
    close: async () => {
      // First the door, then the guests: aedes closes the connections it has.
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      await new Promise<void>((resolve) => aedes.close(() => resolve()))
      await closed
    },
  }
}

/**
 * Makes Session Present true for every session that is kept: [MQTT-3.2.2-2] of 3.1.1. Aedes 1.2
 * says 0 to a client without subscriptions and yet keeps its QoS 2 identifiers; the client
 * believes it, begins anew with an identifier that aedes still holds, and the message is taken for
 * a repeat and lost. A subscription to a topic that nobody publishes to is what aedes needs to
 * tell the truth.
 */
function reportSessions(aedes: Aedes): void {
  const known = new Set<string>()
  const { persistence } = aedes as unknown as { persistence: Sessions }
  const stored = persistence.subscriptionsByClient.bind(persistence)
  persistence.subscriptionsByClient = async (client) => {
    const found = await stored(client)
    if (found.length > 0 || !known.has(client.id)) return found
    return [{ topic: `$session/${client.id}`, qos: 0 }]
  }
  aedes.on('clientReady', (client) => {
    if ((client as unknown as { clean: boolean }).clean) known.delete(client.id)
    else known.add(client.id)
  })
}
