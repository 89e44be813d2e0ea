/**
 * The firmware of an ESP32: joins Wi-Fi, makes the board, starts the application. Which application
 * that is says the manifest: the module `app`, targets/sensor.ts unless changed.
 */
import 'esp32/globals'
import { start } from 'app'
import { run } from 'holdfast/moddable'
import { openBoard } from 'esp32/board'
import { loadSettings } from 'esp32/settings'
import { Station } from 'esp32/station'

const settings = loadSettings()
const board = openBoard(settings)
// Samples begin at once; the network comes when it comes.
run(start(board), board.system)
new Station(settings, () => {})
