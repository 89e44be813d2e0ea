/**
 * A sensor on a battery: wakes, measures, publishes, hands over what is queued within a deadline,
 * sleeps. The measurement is on flash before Wi-Fi is even asked for, so a night without network
 * costs nothing but the queue's room.
 */
import 'esp32/globals'
import { MqttClient, statusText } from 'holdfast'
import { deepSleep, run } from 'holdfast/moddable'
import { FlashStore } from 'holdfast/storage'
import Timer from 'timer'
import { openBoard } from 'esp32/board'
import { afterLastBytes } from 'esp32/last-bytes'
import { loadSettings } from 'esp32/settings'
import { Station } from 'esp32/station'

/** For DISCONNECT, and the end of TCP. */
const LAST_BYTES_MS = 2000

const settings = loadSettings()
const board = openBoard(settings)
const client = new MqttClient({
  system: board.system,
  transport: board.transport,
  storage: new FlashStore(board.storage, board.system),
  broker: board.config.broker,
  clientId: board.config.clientId,
  protocol: board.config.protocol,
  overflow: 'drop-oldest',
  // Wi-Fi takes seconds to join, and the time awake is short.
  retryMinMs: 250,
  retryMaxMs: 1000,
})

/** A board reads its ADC here. */
function celsius(): number {
  return 20 + Math.random()
}

const ticket = client.publish('greenhouse/7/temperature', celsius().toFixed(1), { qos: 1 })
if (ticket < 0) trace('sample lost: ' + statusText(ticket) + '\n')

const station = new Station(settings, () => {})
client.start()
client.prepareForSleep(settings.awakeMs, (report) => {
  trace('sleeping, ' + report.queued + ' left on flash: ' + statusText(report.status) + '\n')
  const after = (ms: number, callback: () => void) => Timer.set(callback, ms)
  afterLastBytes(board.transport, after, LAST_BYTES_MS, () => {
    station.close()
    deepSleep(settings.sleepMs)
  })
})
run(client, board.system)
