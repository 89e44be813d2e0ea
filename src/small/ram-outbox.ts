/**
 * RamOutbox: the Outbox that forgets at power-off: an array a message, so that memory is used only
 * for what waits.
 */
import { ERR_FULL, ERR_TOO_LARGE, OK, type Status } from '../status.js'
import {
  COMPLETE,
  countBetween,
  ExchangeWindow,
  isBefore,
  numberAfter,
} from '../store/exchange-window.js'
import { type Outbox, writeBody } from './outbox.js'

/** What a message costs in RAM beside its bytes: the object of its array, about. */
const RAM_HEAD = 32

export class RamOutbox implements Outbox {
  readonly isDurable: boolean
  readonly window: ExchangeWindow
  readonly inbound: number[]
  nextNumber: number
  sessionMayExist: boolean
  isDirty: boolean
  private readonly bodies: Uint8Array[]
  private firstNumber: number
  private freeBytes: number

  /** `size`: bytes of RAM for waiting messages. */
  constructor(size: number) {
    this.isDurable = false
    this.window = new ExchangeWindow()
    this.inbound = []
    this.nextNumber = 1
    this.sessionMayExist = false
    this.isDirty = false
    this.bodies = []
    this.firstNumber = 1
    this.freeBytes = size
  }

  get count(): number {
    return countBetween(this.window.base, this.nextNumber)
  }

  get sentEnd(): number {
    return this.window.base
  }

  mount(): void {}

  add(flags: number, topic: string, payload: string | Uint8Array, size: number): number {
    if (this.freeBytes < size + RAM_HEAD) return ERR_FULL
    const body = new Uint8Array(size)
    writeBody(body, 0, flags, topic, payload)
    this.freeBytes -= size + RAM_HEAD
    this.bodies.push(body)
    const number = this.nextNumber
    this.nextNumber = numberAfter(number)
    return number
  }

  load(number: number, target: Uint8Array, at: number, end: number): number {
    const body = this.bodies[countBetween(this.firstNumber, number)]!
    if (at + body.length > end) return ERR_TOO_LARGE
    target.set(body, at)
    return body.length
  }

  settle(number: number, state: number): void {
    this.window.setState(number, state)
    if (state !== COMPLETE || !this.window.slide(this.nextNumber)) return
    while (isBefore(this.firstNumber, this.window.base)) {
      this.freeBytes += this.bodies.shift()!.length + RAM_HEAD
      this.firstNumber = numberAfter(this.firstNumber)
    }
  }

  save(): Status {
    return OK
  }

  flush(): Status {
    return OK
  }
}
