/**
 * Status numbers: what every call that can fail in an expected way returns.
 *
 * 0 or more is success, less is a reason. Reasons are grouped by whose fault they are. The
 * codec's own negative results (`src/codec/protocol.ts`) lie between -1 and -255 and are
 * MQTT Reason Codes with a minus sign, so that the session can pass them on in a DISCONNECT.
 */
export type Status = number

export const OK = 0

/** Setup: the caller asked for something this client was not built to do. */
export const ERR_ARGUMENT = -1001
/** The topic is empty, too long, has a wildcard or is not valid UTF-8. */
export const ERR_TOPIC = -1002
/** The message does not fit the buffers or the flash sector it would go to. */
export const ERR_TOO_LARGE = -1003
/** `mount()` or `start()` has not been called, or `stop()` has. */
export const ERR_NOT_READY = -1004
/** A manual acknowledgement belongs to an earlier connection. */
export const ERR_STALE = -1005

/** Broker: it refused, or it does not offer what the message needs. */
export const ERR_REFUSED = -2001
/** The broker lost the session and the policy is `discard`. */
export const ERR_SESSION_LOST = -2002
/** QoS, retain, packet size or subscription type is not available on this broker. */
export const ERR_NOT_AVAILABLE = -2003

/** Capacity: a limit of the options is reached. */
export const ERR_FULL = -3001
/** The time to live ran out while the message waited. */
export const ERR_EXPIRED = -3002
/** The message was the oldest of a full lane that drops its oldest. */
export const ERR_DROPPED = -3003
/** A newer message of the same topic took its place in a full lane. */
export const ERR_REPLACED = -3004

/** Transport: no connection, and this message may not wait for one. */
export const ERR_OFFLINE = -4001
/** The connection is closed; `Transport.reason` has the words. */
export const ERR_CLOSED = -4002
/** Host unknown, refused, unreachable or TLS failed. */
export const ERR_CONNECT = -4003

/** Storage: read, write or erase reported trouble. */
export const ERR_STORAGE = -5001
/** Address, length or alignment is outside the contract: a programming error. */
export const ERR_BOUNDS = -5002
/** What is stored does not carry its check. */
export const ERR_CORRUPT = -5003
/** The partition holds something that Holdfast did not write. */
export const ERR_FOREIGN = -5004
/** The store belongs to another client identifier or broker set. */
export const ERR_IDENTITY = -5005
/** The store has a newer or unknown format number. */
export const ERR_FORMAT = -5006
/** The partition has too few sectors, or sectors of an impossible size. */
export const ERR_GEOMETRY = -5007
/** `before_write` or `after_read` refused. */
export const ERR_HOOK = -5008
/** Another opener owns this store. */
export const ERR_BUSY = -5009
/** The store was made for other lanes. */
export const ERR_LANES = -5010

/** A part of the store was written with a key that the hooks do not have. */
export const ERR_KEY = -5011

/** Words for a status, for logs and error messages. Not for the publish path. */
export function statusText(status: Status): string {
  switch (status) {
    case ERR_ARGUMENT:
      return 'argument out of range'
    case ERR_TOPIC:
      return 'topic is empty, too long, not UTF-8 or has a wildcard'
    case ERR_TOO_LARGE:
      return 'message is larger than the buffers allow'
    case ERR_NOT_READY:
      return 'not started'
    case ERR_STALE:
      return 'acknowledgement belongs to an earlier connection'
    case ERR_REFUSED:
      return 'refused by the broker'
    case ERR_SESSION_LOST:
      return 'session lost by the broker'
    case ERR_NOT_AVAILABLE:
      return 'not available on this broker'
    case ERR_FULL:
      return 'queue is full'
    case ERR_EXPIRED:
      return 'time to live ran out'
    case ERR_DROPPED:
      return 'dropped as the oldest of a full queue'
    case ERR_REPLACED:
      return 'replaced by a newer message of its topic'
    case ERR_OFFLINE:
      return 'not connected'
    case ERR_CLOSED:
      return 'connection closed'
    case ERR_CONNECT:
      return 'connection failed'
    case ERR_STORAGE:
      return 'storage failed'
    case ERR_BOUNDS:
      return 'storage address, length or alignment out of range'
    case ERR_CORRUPT:
      return 'stored record is damaged'
    case ERR_FOREIGN:
      return 'partition holds data that is not a Holdfast store'
    case ERR_IDENTITY:
      return 'store belongs to another client identity'
    case ERR_FORMAT:
      return 'store has an unknown format number'
    case ERR_GEOMETRY:
      return 'storage geometry is not usable'
    case ERR_HOOK:
      return 'storage hook refused'
    case ERR_LANES:
      return 'store was made for other lanes'
    case ERR_BUSY:
      return 'store is already open'
    case ERR_KEY:
      return 'storage hooks lack a key the store was written with'
    default:
      return status >= 0 ? 'ok' : 'MQTT reason 0x' + (-status).toString(16)
  }
}
