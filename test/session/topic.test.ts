import assert from 'node:assert/strict'
import { it } from 'node:test'
import { isTopicFilter, isTopicName, matches, sharedPrefix } from '../../src/topic.js'

const bytes = (text: string) => new Uint8Array(Buffer.from(text))

/** Filter, topic, whether it matches: the examples of MQTT 5, section 4.7, and borders. */
const table: [string, string, boolean][] = [
  ['sport/tennis/player1/#', 'sport/tennis/player1', true],
  ['sport/tennis/player1/#', 'sport/tennis/player1/ranking', true],
  ['sport/tennis/player1/#', 'sport/tennis/player1/score/wimbledon', true],
  ['sport/#', 'sport', true],
  ['sport/#', 'sports', false],
  ['#', 'a/b', true],
  ['#', '$SYS/a', false],
  ['+/monitor', '$SYS/monitor', false],
  ['$SYS/#', '$SYS/monitor', true],
  ['$SYS/monitor/+', '$SYS/monitor/Clients', true],
  ['sport/tennis/+', 'sport/tennis/player1', true],
  ['sport/tennis/+', 'sport/tennis/player1/ranking', false],
  ['sport/+', 'sport', false],
  ['sport/+', 'sport/', true],
  ['+/+', '/finance', true],
  ['/+', '/finance', true],
  ['+', '/finance', false],
  ['a/b', 'a/b', true],
  ['a/b', 'a/B', false],
  ['a/b', 'a/bc', false],
  ['a/bc', 'a/b', false],
  ['+/b/+', 'a/b/c', true],
  ['+/b/#', 'a/b', true],
  ['a/+/#', 'a', false],
  ['a/+/#', 'a/b', true],
]

for (const [filter, topic, expected] of table) {
  it(`${filter} ${expected ? 'matches' : 'does not match'} ${topic}`, () => {
    const found = matches(bytes(filter), 0, bytes('xx' + topic), 2, bytes(topic).length)
    assert.equal(found, expected)
  })
}

it('names and filters are told apart', () => {
  const check = (text: string) => [
    isTopicName(bytes(text), 0, bytes(text).length),
    isTopicFilter(bytes(text), 0, bytes(text).length),
  ]
  assert.deepEqual(check('a/b'), [true, true])
  assert.deepEqual(check('a/+'), [false, true])
  assert.deepEqual(check('#'), [false, true])
  for (const text of ['', 'a#', 'a/#/b', 'a+', '+a', 'a/+b/c', 'a\u0000'])
    assert.deepEqual(check(text), [false, false], text)
})

it('a shared subscription is matched by what stands behind its name', () => {
  assert.equal(sharedPrefix(bytes('$share/group/a/b')), 13)
  assert.equal(sharedPrefix(bytes('a/b')), 0)
})
