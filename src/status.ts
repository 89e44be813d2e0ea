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

/**
 * Words for a status, for logs and error messages. Not for the publish path.
 *
 * Those of a group stand in the order of its numbers: a case for each costs a board 13 bytes.
 */
export function statusText(status: Status): string {
  const group = Math.floor(-status / 1000)
  let texts = ''
  if (status >= 0) return 'ok'
  if (group === 1) {
    texts =
      '|argument out of range' +
      '|topic is empty, too long, not UTF-8 or has a wildcard' +
      '|message is larger than the buffers allow' +
      '|not started' +
      '|acknowledgement belongs to an earlier connection'
  } else if (group === 2) {
    texts = '|refused by the broker|session lost by the broker|not available on this broker'
  } else if (group === 3) {
    texts =
      '|queue is full' +
      '|time to live ran out' +
      '|dropped as the oldest of a full queue' +
      '|replaced by a newer message of its topic'
  } else if (group === 4) {
    texts = '|not connected|connection closed|connection failed'
  } else if (group === 5) {
    texts =
      '|storage failed' +
      '|storage address, length or alignment out of range' +
      '|stored record is damaged' +
      '|partition holds data that is not a Holdfast store' +
      '|store belongs to another client identity' +
      '|store has an unknown format number' +
      '|storage geometry is not usable' +
      '|storage hook refused' +
      '|store is already open' +
      '|store was made for other lanes' +
      '|storage hooks lack a key the store was written with'
  }
  return texts.split('|')[-status % 1000] || 'MQTT reason 0x' + (-status).toString(16)
}
