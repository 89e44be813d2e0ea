/**
 * Timing: Keep Alive and the limits on waiting for the broker. It decides that a connection has
 * failed by its silence; what follows from that is the session's business.
 */
import { writePingreq } from '../codec/encode.js'
import { REASON_KEEP_ALIVE_TIMEOUT } from '../codec/protocol.js'
import { ERR_CLOSED, ERR_CONNECT } from '../status.js'
import { type Connection, RESTART } from './connection.js'

const PINGREQ_ROOM = 2

export class Timing {
  private readonly connection: Connection

  constructor(connection: Connection) {
    this.connection = connection
  }

  /**
   * With several brokers, connected to another than the first for long enough: what is in flight
   * comes to its end, then the first is tried. Returns milliseconds until it is time.
   */
  goHome(isConnected: boolean, since: number): number {
    const connection = this.connection
    if (connection.brokers.index === 0 || !isConnected) return Infinity
    const leftMs = since + connection.settings.homeAfterMs - connection.now
    if (leftMs > 0) return leftMs
    connection.isGoingHome = true
    if (connection.exchanges.count === 0 && connection.sendBuffer.isEmpty) {
      connection.brokers.goHome()
      connection.fail(RESTART)
    }
    return Infinity
  }

  /**
   * Notes a failure where a wait is over, adds PINGREQ where it is due. Returns milliseconds until
   * the next is due. `isGreeting`: CONNACK has not come `since` then.
   */
  keep(isGreeting: boolean, since: number): number {
    const connection = this.connection
    const now = connection.now
    const settings = connection.settings
    if (isGreeting) {
      const leftMs = since + settings.connectTimeoutMs - now
      if (leftMs <= 0) connection.fail(ERR_CONNECT)
      return leftMs
    }
    let waitMs = Infinity
    if (settings.ackTimeoutMs > 0 && connection.exchanges.count > 0) {
      waitMs = connection.progressAt + settings.ackTimeoutMs - now
      if (waitMs <= 0) connection.fail(ERR_CLOSED)
    }
    const keepAliveMs = connection.limits.keepAliveMs
    if (keepAliveMs === 0 && !connection.isPingDue && connection.pingSentAt < 0) return waitMs
    if (connection.pingSentAt >= 0) {
      const leftMs = connection.pingSentAt + settings.pingTimeoutMs - now
      if (leftMs <= 0) connection.fail(-REASON_KEEP_ALIVE_TIMEOUT)
      return Math.min(waitMs, leftMs)
    }
    // Three quarters leave time for a late poll [MQTT-3.1.2-20]. Silence of the broker counts as
    // well as ours: a half-open connection swallows what we send without a sign.
    // While a payload is streamed nothing is read, and its progress is a sign of life.
    const aliveAt = connection.sendBuffer.isLocked
      ? connection.progressAt
      : Math.min(connection.sentAt, connection.receivedAt)
    const dueAt = aliveAt + (keepAliveMs * 3) / 4
    if (now < dueAt && !connection.isPingDue) return Math.min(waitMs, dueAt - now)
    connection.isPingDue = false
    const buffer = connection.sendBuffer
    if (!buffer.hasRoom(PINGREQ_ROOM)) {
      // Nothing leaves and nothing comes: the same time is given as for an answer.
      const leftMs = dueAt + settings.pingTimeoutMs - now
      if (leftMs <= 0) connection.fail(-REASON_KEEP_ALIVE_TIMEOUT)
      return Math.min(waitMs, leftMs)
    }
    buffer.added(writePingreq(buffer.bytes, buffer.end))
    connection.pingSentAt = now
    connection.sentAt = now
    return 0 // so that it leaves at once
  }
}
