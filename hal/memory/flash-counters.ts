/**
 * What a flash chip has been asked to do, as numbers that tests and benchmarks compare. Counts
 * only; the wear of single sectors is with the chip.
 */
export class FlashCounters {
  /** Calls of `read` and the bytes they copied. */
  reads: number
  readBytes: number
  /** Calls of `write`, the bytes they programmed, and the program pages those lay in. */
  writes: number
  programmedBytes: number
  pagePrograms: number
  /** Calls of `erase`, and the sectors they erased. */
  eraseCalls: number
  erases: number
  /** Bytes of write units programmed again without an erase between: a breach of the contract. */
  doubleProgrammedBytes: number
  /** Time in the model since the start, microseconds. */
  microseconds: number

  constructor() {
    this.reads = 0
    this.readBytes = 0
    this.writes = 0
    this.programmedBytes = 0
    this.pagePrograms = 0
    this.eraseCalls = 0
    this.erases = 0
    this.doubleProgrammedBytes = 0
    this.microseconds = 0
  }

  assign(other: FlashCounters): void {
    this.reads = other.reads
    this.readBytes = other.readBytes
    this.writes = other.writes
    this.programmedBytes = other.programmedBytes
    this.pagePrograms = other.pagePrograms
    this.eraseCalls = other.eraseCalls
    this.erases = other.erases
    this.doubleProgrammedBytes = other.doubleProgrammedBytes
    this.microseconds = other.microseconds
  }
}
