/**
 * What differs from device to device, from `mc/config`: the manifest's `config`, and `name=value`
 * behind `npm run flash:esp32 --`. Checks it once, in words; knows nothing of what it is for.
 */
import config from 'mc/config'

export interface Settings {
  readonly wifiSsid: string
  readonly wifiPassword: string
  readonly broker: string
  readonly clientId: string
  readonly protocol: number
  /** '' leaves the clock alone. */
  readonly timeServer: string
  /** For the variant that sleeps. */
  readonly sleepMs: number
  readonly awakeMs: number
}

function text(name: string, isNeeded: boolean): string {
  const value = String(config[name] ?? '')
  if (isNeeded && value === '') {
    throw new Error(
      'setting "' + name + '" is missing: npm run flash:esp32 -- ' + name + '=… (docs/BOARDS.md)',
    )
  }
  return value
}

function count(name: string, otherwise: number): number {
  const value = Number(config[name] ?? otherwise)
  if (!(value > 0)) throw new Error('setting "' + name + '" is ' + value + ', it must be above 0')
  return value
}

export function loadSettings(): Settings {
  return {
    wifiSsid: text('wifiSsid', true),
    wifiPassword: text('wifiPassword', false),
    broker: text('broker', true),
    clientId: text('clientId', true),
    protocol: count('protocol', 5),
    timeServer: text('timeServer', false),
    sleepMs: count('sleepMs', 300000),
    awakeMs: count('awakeMs', 20000),
  }
}
