/** The globals an application may count on (targets/board.ts), for the type check of mcconfig. */
declare const console: { log(...values: unknown[]): void }
declare function setTimeout(callback: () => void, ms?: number): object
declare function setInterval(callback: () => void, ms?: number): object
declare function clearTimeout(timer: object | undefined): void
declare function clearInterval(timer: object | undefined): void
