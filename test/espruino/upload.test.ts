/** The upload to a board, as far as it goes without one: what Espruino's tool is told to do. */
import assert from 'node:assert/strict'
import * as fs from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { folder, upload, uploaded } from './upload-rig.js'

test('the sensor goes to boot code, its settings beside it', async () => {
  const settings = { broker: 'mqtt://10.0.0.1', clientId: 'greenhouse-7' }
  fs.writeFileSync(join(folder, 'device.json'), JSON.stringify(settings))
  const { status, output } = upload(['--port', '/dev/ttyUSB9', '--config', 'device.json'])
  assert.equal(status, 0, output)
  const size = JSON.stringify(settings).length
  assert.match(output, /--no-ble -p \/dev\/ttyUSB9 -b 115200/)
  assert.match(output, new RegExp(`--storage holdfast.json:${size} bytes`))
  const bootSize = await uploaded('main')
  assert.match(output, new RegExp(`^${bootSize} bytes to /dev/ttyUSB9\n`))
  assert.match(
    output,
    new RegExp(`--storage \\.boot0:${bootSize} bytes -e setTimeout\\(load,500\\)`),
  )
})

test('the module goes to Storage under its name, and nothing is started', async () => {
  const { status, output } = upload(['--port', 'tcp://10.0.0.7', '--module', 'holdfast-ram'])
  assert.equal(status, 0, output)
  const size = await uploaded('holdfast-ram')
  assert.match(output, new RegExp(`^${size} bytes to tcp:`))
  assert.match(output, new RegExp(`-p tcp://10\\.0\\.0\\.7 .*--storage holdfast:${size} bytes\n$`))
})

test('what stands beside the module goes to Storage under its own name', async () => {
  for (const name of ['holdfast-spi', 'holdfast-encrypt'] as const) {
    const { status, output } = upload(['--port', 'x', '--module', name])
    assert.equal(status, 0, output)
    assert.match(output, new RegExp(`--storage ${name}:${await uploaded(name)} bytes\n$`))
  }
})

test('a port that the tool cannot open is its failure, and ours', () => {
  const { status, output } = upload(['--port', '/dev/none', '--module', 'holdfast-spi'])
  assert.equal(status, 1)
  assert.match(output, /Unable to connect!/)
})

test('what is missing or wrong is said, with what to do', () => {
  const wrong: [string[], RegExp][] = [
    [[], /upload:espruino -- --port/],
    [['--port', 'x', '--module', 'y'], /--module y: it must be holdfast or holdfast-ram or/],
    [['--port', 'x', '--config', 'none.json'], /--config none.json: .*ENOENT/],
    [['--port', 'x', '--protocol', '3'], /--protocol 3: it must be 4/],
  ]
  for (const [args, words] of wrong) {
    const { status, output } = upload(args)
    assert.equal(status, 1)
    assert.match(output, words)
  }
  const { status, output } = upload(['--port', 'x'], false)
  assert.equal(status, 1)
  assert.match(output, /npm install --no-save espruino@0\.1\.67/)
})
