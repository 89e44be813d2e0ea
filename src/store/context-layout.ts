/**
 * The body of a CONTEXT record: docs/FLASH-FORMAT.md, section 4.3. Integers are big endian.
 *
 *   without hooks    0             4              8
 *                    +-------------+- - - - - - - -+
 *                    |  time base  |  next number  |    where numbers were left out
 *                    +-------------+- - - - - - - -+
 *
 *   with hooks       0         8     9             13          17             23
 *                    +---------+-----+-------------+- - - - - -+- - - - - - -+- - - - +- - -+
 *                    |  salt   | key | next number | time base | newest STATE|  MARK  | tag |
 *                    +---------+-----+-------------+- - - - - -+- - - - - - -+- - - - +- - -+
 *                     in the clear                  through the hooks
 *
 * That of the session store has nothing to hide: its number is 0, and a tag follows.
 *
 * Nothing is known here of what it is good for: `RecordContext` without hooks, `Seal` with them.
 */

/** The body without hooks; four more with a number. */
export const PLAIN_BYTES = 4
/** Bytes in front of what goes through the hooks. */
export const CONTEXT_CLEAR = 13
/** Bytes in front of the MARK. */
export const SEAL_BYTES = CONTEXT_CLEAR + 10
/** Words of a salt as it is kept: high half, low half, key. */
export const SALT_WORDS = 3

/** The map of the session store has an entry for the ends of the logs; with hooks only. */
export const KEY_ENDS = 9
