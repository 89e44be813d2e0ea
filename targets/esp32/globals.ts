/**
 * The globals an application may count on (targets/board.ts), for a runtime that has none of them:
 * `console.log`, `setTimeout`, `setInterval` and their clear functions. Imported first by `main`,
 * and never preloaded: it changes the global object.
 */
import Timer from 'timer'

type Callback = () => void
type Timers = Record<string, unknown>

const globals = globalThis as unknown as Timers

function log(...values: unknown[]): void {
  trace(values.join(' ') + '\n')
}

globals['console'] ??= { log, warn: log, error: log }
globals['setTimeout'] ??= (callback: Callback, ms?: number) => Timer.set(() => callback(), ms ?? 0)
globals['setInterval'] ??= (callback: Callback, ms?: number) =>
  Timer.repeat(() => callback(), ms ?? 0)
globals['clearTimeout'] ??= (timer: Timer) => Timer.clear(timer)
globals['clearInterval'] ??= (timer: Timer) => Timer.clear(timer)
