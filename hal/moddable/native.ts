/**
 * The functions of `native.c` under names TypeScript knows. Each body is one call of `native`,
 * which Moddable's compiler replaces by the C function itself: no frame, no garbage. Holds no
 * logic.
 */

/** Known to Moddable's compiler alone; it takes a literal. */
declare function native(name: string): (...values: unknown[]) => never

/** `System.copy` (hal/system.ts). */
export function copy(
  this: void,
  target: Uint8Array,
  targetAt: number,
  source: Uint8Array,
  sourceAt: number,
  length: number,
): void {
  return native('xs_holdfast_copy').call(this, target, targetAt, source, sourceAt, length)
}

/** `System.crc32`. */
export function crc32(this: void, source: Uint8Array, at: number, length: number): number {
  return native('xs_holdfast_crc32').call(this, source, at, length)
}

/** An unsigned 32-bit number nobody can guess. */
export function random(this: void): number {
  return native('xs_holdfast_random').call(this)
}

/** Switches the chip off for `ms` milliseconds; it boots again after that. Does not return. */
export function deepSleep(this: void, ms: number): void {
  return native('xs_holdfast_deepSleep').call(this, ms)
}
