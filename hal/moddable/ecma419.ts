/**
 * `holdfast/ecma419` in a Moddable project: MQTTClient with the platform in it, so that nothing but
 * the import changes in code for `embedded:network/mqtt/client`.
 */
import { MQTTClient as Pattern, type MQTTClientOptions } from '../../src/ecma419/mqtt-client.js'
import { openSystem, openTransport, run } from './index.js'

export type * from '../../src/ecma419/mqtt-client.js'

export class MQTTClient extends Pattern {
  constructor(options: MQTTClientOptions) {
    const system = openSystem()
    super(options, {
      system,
      // TLS where `socket` is that of `device.network.mqtts`: { io: TLSSocket, secure, … }.
      transport: (asked) => {
        const socket = asked.socket as any
        if (!socket || !socket.secure) return openTransport(system)
        return openTransport(system, { tls: { Socket: socket.io, secure: socket.secure } })
      },
      run,
      // The class of the SDK (8.2) calls onControl(message); the standard, (opcode, message).
      messageOnly: true,
    })
  }
}

export default MQTTClient
