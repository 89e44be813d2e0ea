/**
 * MessageIds: the `id` that an application gave a message, until the broker has answered.
 *
 * The Packet Identifier on the wire is the session's own: it follows from the record's number, so
 * that an exchange goes on after a reboot. This table translates it back for `onControl`. Entries
 * are in the order of their writing, oldest at `start`; a ticket of 0 is a gap. Knows nothing of
 * how tickets and identifiers are made.
 */
export class MessageIds {
  private readonly limit: number
  private tickets: Float64Array // of 35 bits
  private packetIds: Uint16Array
  private ids: Uint16Array
  private start: number
  /** Entries from `start` on, gaps included. */
  private count: number

  constructor(limit: number) {
    this.limit = limit
    // Most applications give no `id`: the table is made with the first.
    this.tickets = new Float64Array(0)
    this.packetIds = new Uint16Array(0)
    this.ids = new Uint16Array(0)
    this.start = 0
    this.count = 0
  }

  get isFull(): boolean {
    return this.count === this.limit
  }

  /** True when nothing was ever added: nobody needs to be told of answers. */
  get isUnused(): boolean {
    return this.tickets.length === 0
  }

  /** There must be room. */
  add(ticket: number, packetId: number, id: number): void {
    if (this.isUnused) {
      this.tickets = new Float64Array(this.limit)
      this.packetIds = new Uint16Array(this.limit)
      this.ids = new Uint16Array(this.limit)
    }
    const at = this.place(this.count++)
    this.tickets[at] = ticket
    this.packetIds[at] = packetId
    this.ids[at] = id
  }

  /** The message is settled. */
  remove(ticket: number): void {
    for (let index = 0; index < this.count; index++) {
      const at = this.place(index)
      if (this.tickets[at] !== ticket) continue
      this.tickets[at] = 0
      break
    }
    while (this.count > 0 && this.tickets[this.start] === 0) {
      this.start = this.place(1)
      this.count--
    }
  }

  /** The application's `id` for a Packet Identifier, or the identifier itself. */
  idOf(packetId: number): number {
    for (let index = 0; index < this.count; index++) {
      const at = this.place(index)
      // Identifiers repeat; what is in flight is the oldest message that has it.
      if (this.tickets[at] !== 0 && this.packetIds[at] === packetId) return this.ids[at]!
    }
    return packetId
  }

  /** True while a message with this `id` waits for its answer. */
  has(id: number): boolean {
    for (let index = 0; index < this.count; index++) {
      const at = this.place(index)
      if (this.tickets[at] !== 0 && this.ids[at] === id) return true
    }
    return false
  }

  private place(index: number): number {
    const at = this.start + index
    return at < this.limit ? at : at - this.limit
  }
}
