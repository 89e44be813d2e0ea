/**
 * Wi-Fi: joins the network, and joins it again whenever it is gone; sets the clock once. The client
 * needs to know nothing of it: while there is no network its connections fail, and its queue fills.
 *
 * Moddable's own start-up would join too, where the settings are called `ssid` and `password`, and
 * would not start the firmware before it has. A sensor has to measure without a network, so ours
 * have other names.
 */
import WiFi from 'embedded:network/interface/wifi'
import SNTP from 'sntp'
import Time from 'time'
import Timer from 'timer'
import type { Settings } from './settings.js'

/** `connection` of ECMA-419 Wi-Fi: an address is there. */
const HAS_ADDRESS = 500
const RETRY_MIN_MS = 1000
const RETRY_MAX_MS = 60000
/** An access point that answers neither yes nor no. */
const JOIN_TIMEOUT_MS = 30000
/** The first of January 2024: a clock before it was never set. */
const EARLIEST_MS = 1704067200000

export class Station {
  private readonly settings: Settings
  private readonly onUp: () => void
  private readonly wifi: WiFi
  private isUp = false
  private retryMs = RETRY_MIN_MS
  private timer: Timer | undefined

  /** `onUp` is called each time there is an address. */
  constructor(settings: Settings, onUp: () => void) {
    this.settings = settings
    this.onUp = onUp
    this.wifi = new WiFi({ onChanged: () => this.changed() })
    this.join()
  }

  close(): void {
    Timer.clear(this.timer)
    this.wifi.disconnect()
    this.wifi.close()
  }

  private join(): void {
    const { wifiSsid, wifiPassword } = this.settings
    this.later(JOIN_TIMEOUT_MS)
    try {
      // `secure` refuses an open network of the same name; SDKs before 8.2 do not know it.
      const options = { SSID: wifiSsid, password: wifiPassword, secure: true }
      this.wifi.connect(wifiPassword === '' ? { SSID: wifiSsid } : options)
    } catch (error) {
      trace('Wi-Fi: ' + String(error) + '\n')
    }
  }

  private changed(): void {
    const wasUp = this.isUp
    this.isUp = this.wifi.connection >= HAS_ADDRESS
    if (this.isUp === wasUp) {
      if (!this.isUp && this.wifi.connection <= 200) this.lost()
      return
    }
    if (!this.isUp) return this.lost()
    Timer.clear(this.timer)
    this.timer = undefined
    this.retryMs = RETRY_MIN_MS
    trace('Wi-Fi: address ' + this.wifi.address + '\n')
    this.setClock()
    this.onUp()
  }

  private lost(): void {
    this.later(this.retryMs)
    this.retryMs = Math.min(this.retryMs * 2, RETRY_MAX_MS)
  }

  private later(ms: number): void {
    Timer.clear(this.timer)
    this.timer = Timer.set(() => this.join(), ms)
  }

  private setClock(): void {
    const host = this.settings.timeServer
    if (host === '' || Date.now() > EARLIEST_MS) return
    new SNTP({ host }, (message, value) => {
      if (message === SNTP.time && value !== undefined) Time.set(value)
    })
  }
}
