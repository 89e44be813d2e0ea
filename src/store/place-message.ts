/**
 * Writes the head of a message into a log's buffer, ready for its payload and for `append`.
 */
import { ERR_FULL, OK, type Status } from '../status.js'
import type { System } from '../../hal/system.js'
import { type MessageSource, messageSize, writeMessageHead } from './message-record.js'
import type { OutgoingLog } from './outgoing-log.js'

/** Who makes room for a body of so many bytes: the log itself, or the queue with its policy. */
export interface RoomMaker {
  makeRoom(length: number): Status
}

/**
 * Makes room and writes all of the record but the payload. Returns where in `log.buffer` the
 * payload of `message.payloadLength` bytes goes, or what `makeRoom` or the log refused it with.
 * `seconds`: the time of queueing, for messages that expire; -1: none is kept.
 */
export function placeMessage(
  log: OutgoingLog,
  room: RoomMaker,
  message: MessageSource,
  seconds: number,
  system: System,
): number {
  // Topic number and time belong to a sector. Storing either can fill it, and then the next one
  // needs both again: the second round starts in an empty sector and always fits.
  for (let round = 0; round < 3; round++) {
    const status = room.makeRoom(messageSize(message, 1, seconds))
    if (status !== OK) return status
    const sector = log.writeSector
    const isHeld = log.holdsNext
    const topicNumber = log.topicNumber(message)
    if (topicNumber < 0) return topicNumber
    const timeDelta = seconds < 0 ? -1 : log.timeDelta(seconds)
    if (seconds >= 0 && timeDelta < 0 && timeDelta !== ERR_FULL) return timeDelta
    // Where there is no room for a time, the record needs the next sector: as if it were larger.
    const fit = room.makeRoom(
      timeDelta === ERR_FULL ? log.maxBody : messageSize(message, topicNumber, timeDelta),
    )
    if (fit !== OK) return fit
    if (timeDelta === ERR_FULL || log.writeSector !== sector || log.holdsNext !== isHeld) continue
    message.topicHint = topicNumber
    message.hintSector = sector
    return writeMessageHead(log.buffer, log.bodyAt, message, topicNumber, timeDelta, system)
  }
  return ERR_FULL
}
