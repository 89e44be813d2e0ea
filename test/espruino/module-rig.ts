/**
 * The modules for Espruino as files, run on Node with Espruino's globals and modules as models: as
 * a board runs them, once a boot. Knows nothing of what they do.
 */
import './fake-globals.js'
import { NorFlash } from '../../hal/memory/index.js'
import type { NetModule } from '../../hal/espruino/index.js'
import type { MqttClient } from '../../src/index.js'
import { buildProduct } from '../../targets/espruino/build.js'
import type { Built, Product } from '../../targets/espruino/build.js'
import type { Switches } from '../../targets/espruino/switches.js'
import { FakeFlash } from './fake-flash.js'

export const BASE = 0x310000
const SIZE = 65536
export const AREAS = [{ addr: BASE, length: SIZE }]

/** `require('holdfast')` on Espruino; `on` knows the event `message` too. */
export interface Module {
  create(options: object): MqttClient
  statusText(status: number): string
}

const builds = new Map<string, Promise<Built>>()

export function built(product: Product, switches: Switches): Promise<Built> {
  const key = JSON.stringify([product, switches])
  if (!builds.has(key)) builds.set(key, buildProduct(product, switches))
  return builds.get(key)!
}

/** Runs the module as Espruino does: its text in a function, once a boot. */
export function load(text: string, net: NetModule, flash: FakeFlash | null): Module {
  return loadWith(text, { net, Flash: flash }) as Module
}

/** The same with the modules that it may require. */
export function loadWith(text: string, modules: Record<string, unknown>): object {
  const exports = {}
  const require = (name: string): unknown => {
    if (!modules[name]) throw new Error(`Module ${name} not found`)
    return modules[name]
  }
  // The board's timers go on for ever; those of a test must not keep it from ending.
  const timer = (callback: () => void, ms: number): unknown => setTimeout(callback, ms).unref()
  new Function('require', 'exports', 'setTimeout', text)(require, exports, timer)
  return exports
}

export function chip(): FakeFlash {
  return new FakeFlash(new NorFlash({ capacity: SIZE, eraseSize: 4096, writeSize: 4 }), BASE)
}
