/**
 * Reads the ledger conformance.md: looks for each test it names in the source of the tests, and
 * for each statement of both specifications in its lists. It knows how many statements appendix B
 * of each has, and nothing of what they say.
 */
import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { it } from 'node:test'
import ts from 'typescript'

const folder = process.env.HOLDFAST_TESTS ?? sourceFolder()

interface Line {
  /** The list: 'MQTT 5', 'MQTT 3.1.1' or that of the small client. */
  version: string
  /** Empty in a line that gives one more test for the statement above it. */
  id: string
  statement: string
  file: string
  name: string
}

/** Statements in appendix B of each specification. */
const COUNTS: Record<string, number> = { 'MQTT 5': 251, 'MQTT 3.1.1': 141 }
const SMALL = 'The small client'
const ID = /^\d\.\d+\.\d+-\d+$/

/** The folder `test` of the source, from where the compiled test runs: dist/test. */
function sourceFolder(): string {
  let at = dirname(fileURLToPath(import.meta.url))
  while (!existsSync(join(at, 'package.json'))) at = dirname(at)
  return join(at, 'test')
}

/** The part of the ledger under this heading of the second order. */
function part(version: string): string[] {
  const lines = readFileSync(join(folder, 'conformance.md'), 'utf8').split('\n')
  const start = lines.indexOf(`## ${version}`)
  assert.ok(start > 0, `no heading ${version}`)
  const size = lines.slice(start + 1).findIndex((line) => line.startsWith('## '))
  return lines.slice(start + 1, size < 0 ? lines.length : start + 1 + size)
}

function ledger(): Line[] {
  return [...Object.keys(COUNTS), SMALL].flatMap((version) =>
    part(version)
      .filter((line) => /^\| (?!id |---)/.test(line) || /^\|  /.test(line))
      .map((line) => {
        const cells = line.split(/(?<!\\)\|/).map((cell) => cell.trim())
        assert.equal(cells.length, 6, `not four cells: ${line}`)
        const [, id, statement, file, name] = cells as [string, string, string, string, string]
        return { version, id, statement, file: file.replace(/`/g, ''), name }
      }),
  )
}

/** The identifiers of a version: those with a line, and those that bind a broker alone. */
function idsOf(version: string): { client: string[]; broker: string[] } {
  const text = part(version)
  const start = text.indexOf('### Of the broker alone')
  assert.ok(start > 0, `${version} has no list of the broker`)
  const ids = ledger().filter((line) => line.version === version && line.id !== '')
  const broker = text.slice(start + 1).join(' ')
  return { client: ids.map(({ id }) => id), broker: broker.split(/\s+/).filter(Boolean) }
}

interface Title {
  pattern: RegExp
  hasHoles: boolean
}

const escape = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
const known = new Map<string, { titles: Title[]; text: string }>()

/** The titles of the tests of a file; what a template fills in matches anything. */
function titlesOf(file: string): { titles: Title[]; text: string } {
  const seen = known.get(file)
  if (seen) return seen
  const path = join(folder, file + '.test.ts')
  assert.ok(existsSync(path), `no file ${file}.test.ts`)
  const text = readFileSync(path, 'utf8')
  const titles: Title[] = []
  const visit = (node: ts.Node): void => {
    if (ts.isCallExpression(node) && /^(it|test|seededTest)$/.test(node.expression.getText())) {
      const title = node.arguments[0]
      if (title && ts.isStringLiteralLike(title)) {
        titles.push({ pattern: new RegExp(`^${escape(title.text)}$`), hasHoles: false })
      } else if (title && ts.isTemplateExpression(title)) {
        const parts = title.templateSpans.map((span) => '(.*)' + escape(span.literal.text))
        const pattern = new RegExp(`^${escape(title.head.text)}${parts.join('')}$`)
        titles.push({ pattern, hasHoles: true })
      }
    }
    node.forEachChild(visit)
  }
  visit(ts.createSourceFile(path, text, ts.ScriptTarget.ES2022, true))
  const result = { titles, text: withImports(path, new Set()) }
  known.set(file, result)
  return result
}

/** The text of a file and of those beside it that it imports: tables of cases stand there. */
function withImports(path: string, read: Set<string>): string {
  if (read.has(path) || !existsSync(path)) return ''
  read.add(path)
  const text = readFileSync(path, 'utf8')
  const names = [...text.matchAll(/from '\.\/([^']+)\.js'/g)].map(([, name]) => name!)
  return [text, ...names.map((name) => withImports(join(dirname(path), name + '.ts'), read))].join()
}

function exists({ file, name }: Line): boolean {
  const { titles, text } = titlesOf(file)
  return titles.some(({ pattern, hasHoles }) => {
    const found = pattern.exec(name)
    if (!found || !hasHoles) return found !== null
    // What fills the holes must stand somewhere in the file, short words and numbers aside.
    return found.slice(1).every((part) => part.length < 6 || isWritten(part, text))
  })
}

/** The text itself, or, where a title shows JSON, its words. */
function isWritten(part: string, text: string): boolean {
  if (text.includes(part)) return true
  if (!part.startsWith('{')) return false
  return (part.match(/[A-Za-z]{3,}/g) ?? []).every((word) => text.includes(word))
}

it('each test that the ledger names exists', () => {
  const lines = ledger()
  assert.ok(lines.length > 300, `${lines.length} lines`)
  const missing = lines
    .filter((line) => !exists(line))
    .map(({ version, id, file, name }) => `${version}, ${id}: ${file} has no test "${name}"`)
  assert.deepEqual(missing, [], '\n' + missing.join('\n'))
})

it('each line of the ledger has a statement and a test, the first of a table an identifier', () => {
  let last = ''
  for (const { version, id, statement, file, name } of ledger()) {
    if (id !== '') last = version
    assert.equal(last, version, 'a line without identifier has nothing above it')
    assert.ok(statement.length > 3 && file.length > 5 && name.length > 10, `${version} ${id}`)
  }
})

for (const [version, count] of Object.entries(COUNTS)) {
  it(`each statement of ${version} is named once, with a test or for the broker`, () => {
    const { client, broker } = idsOf(version)
    const ids = [...client, ...broker]
    for (const id of ids) assert.match(id, ID)
    const twice = ids.filter((id, index) => ids.indexOf(id) !== index)
    assert.deepEqual(twice, [], 'named twice')
    assert.equal(ids.length, count)
    // Appendix B numbers each section from 1 on; MQTT 5 has no 2.2.1-1.
    const gaps = ids
      .map((id) => id.replace(/\d+$/, (n) => String(Number(n) - 1)))
      .filter((id) => !id.endsWith('-0') && !ids.includes(id) && id !== '2.2.1-1')
    assert.deepEqual(gaps, [], 'missing')
  })
}

it('each statement of MQTT 3.1.1 that binds a client has a test of the small client', () => {
  const lines = ledger().filter(({ version, id }) => version === SMALL && id !== '')
  const ids = lines.map(({ id }) => id)
  assert.equal(new Set(ids).size, ids.length, 'named twice')
  const { client } = idsOf('MQTT 3.1.1')
  const left = client.filter((id) => !ids.includes(id))
  assert.ok(ids.every((id) => client.includes(id)))
  assert.deepEqual(
    left,
    client.filter((id) => id.startsWith('6.0.0-')),
    'it has no WebSocket',
  )
  for (const { file } of lines) assert.match(file, /\/?small/)
})

it('each identifier that a comment or a test cites exists in one of the versions', () => {
  const known = new Set(
    Object.keys(COUNTS).flatMap((version) => Object.values(idsOf(version)).flat()),
  )
  const root = dirname(folder)
  const cited: string[] = []
  let count = 0
  for (const top of ['src', 'hal', 'targets', 'test', 'docs']) {
    for (const name of readdirSync(join(root, top), { recursive: true, encoding: 'utf8' })) {
      if (!/\.(ts|md)$/.test(name)) continue
      const text = readFileSync(join(root, top, name), 'utf8')
      for (const [, id] of text.matchAll(/\[?MQTT-(\d[\d.]*(?:-\d+)?)/g)) {
        count++
        if (!known.has(id!)) cited.push(`${top}/${name}: MQTT-${id}`)
      }
    }
  }
  assert.ok(count > 100, `${count} citations`)
  assert.deepEqual(cited, [])
})

it('a name that no test has is noticed', () => {
  const line = { version: '', id: '', statement: '', file: 'codec/malformed' }
  assert.ok(exists({ ...line, name: 'refuses PUBLISH to + (version 4; MQTT-3.3.2-2)' }))
  assert.ok(!exists({ ...line, name: 'refuses PUBLISH to the moon (version 4; MQTT-3.3.2-2)' }))
  assert.ok(!exists({ ...line, name: 'refuses nothing at all' }))
})
