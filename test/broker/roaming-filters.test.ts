/**
 * Two Mosquittos that know nothing of each other. A filter is given up at one while the other is
 * away; the other keeps its session on disk and has to be told when the client is back.
 */
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, it } from 'node:test'
import mqtt from 'mqtt'
import { MqttClient } from '../../src/index.js'
import { NodeSystem, run, TcpTransport } from '../../hal/node/index.js'
import { hasMosquitto, Mosquitto } from './mosquitto.js'
import { Started, until } from '../until.js'

const started = new Started()
afterEach(started.endAll)

async function broker(): Promise<Mosquitto> {
  const mosquitto = await Mosquitto.start('persistence true')
  started.push(() => mosquitto.stop())
  return mosquitto
}

if (hasMosquitto('filters at two Mosquittos')) {
  it('what was given up at one comes no more from the other, which was away then', async () => {
    const a = await broker()
    const b = await broker()
    const client = new MqttClient({
      system: new NodeSystem(),
      transport: new TcpTransport(),
      brokers: [a.url, b.url],
      clientId: 'roamer',
      cleanStart: false,
      sessionExpirySeconds: 600,
      retryMinMs: 20,
      retryMaxMs: 200,
      homeAfterMs: 1000,
    })
    const log: string[] = []
    client.on('client.connected', ({ text, sessionPresent }) => {
      log.push(`${text === a.url ? 'A' : 'B'} ${sessionPresent}`)
    })
    client.on('session.subscribed', ({ text }) => void log.push('+' + text))
    client.on('session.unsubscribed', ({ text }) => void log.push('-' + text))
    const received: string[] = []
    client.on('message.received', ({ message }) => void received.push(message!.text))
    client.subscribe('no/more', { qos: 1 })
    client.subscribe('still', { qos: 1 })
    const running = run(client)
    started.push(() => running.stop())
    client.start()
    await until('the filters at A', () => log.includes('+still') && log.includes('+no/more'))
    // It stores no session whose last CONNECT had Clean Start, so there is a second one.
    client.stop()
    await until('a stop', () => client.isStopped)
    client.start()
    await until('the session again', () => log.includes('A true'))
    // At SIGUSR1 Mosquitto writes its sessions down; at SIGTERM it gives them up before.
    const database = join(a['folder'], 'mosquitto.db')
    a['child']!.kill('SIGUSR1')
    await until('the sessions on disk', () => {
      return existsSync(database) && readFileSync(database).includes('still')
    })
    await a.end('SIGKILL')
    await until('the filters at B', () => log.filter((line) => line[0] === '+').length === 4)
    client.unsubscribe('no/more')
    await until('UNSUBACK of B', () => log.includes('-no/more'))
    await a.restart()
    await until('A, with its session', () => log.filter((line) => line === 'A true').length === 2)
    await until('UNSUBACK of A', () => log.filter((line) => line === '-no/more').length === 2)
    const peer = await mqtt.connectAsync(a.url)
    started.push(() => peer.endAsync(true))
    await peer.publishAsync('no/more', 'unwanted', { qos: 1 })
    await peer.publishAsync('still', 'wanted', { qos: 1 })
    await until('what is still wanted', () => received.includes('wanted'))
    assert.deepEqual(received, ['wanted'])
    client.stop()
    await until('the end', () => client.isStopped)
  })
}
