/** Reads the ledger conformance.md and looks for each test it names in the source of the tests. */
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { it } from 'node:test'
import ts from 'typescript'

const folder = process.env.HOLDFAST_TESTS ?? sourceFolder()

interface Line {
  ids: string
  statement: string
  file: string
  name: string
}

/** The folder `test` of the source, from where the compiled test runs: dist/test. */
function sourceFolder(): string {
  let at = dirname(fileURLToPath(import.meta.url))
  while (!existsSync(join(at, 'package.json'))) at = dirname(at)
  return join(at, 'test')
}

function ledger(): Line[] {
  return readFileSync(join(folder, 'conformance.md'), 'utf8')
    .split('\n')
    .filter((line) => /^\| (?!MQTT 5|---)/.test(line))
    .map((line) => {
      const cells = line.split(/(?<!\\)\|/).map((cell) => cell.trim())
      assert.equal(cells.length, 7, `not five cells: ${line}`)
      const [, five, three, statement, file, name] = cells as string[]
      return { ids: `${five} / ${three}`, statement, file: file.replace(/`/g, ''), name } as Line
    })
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
  assert.ok(lines.length > 120, `${lines.length} lines`)
  const missing = lines
    .filter(({ file }) => file !== '')
    .filter((line) => !exists(line))
    .map(({ ids, file, name }) => `${ids}: ${file} has no test "${name}"`)
  assert.deepEqual(missing, [], '\n' + missing.join('\n'))
})

it('each line of the ledger names a statement, and a test or a reason', () => {
  for (const { ids, statement, name } of ledger()) {
    assert.match(ids, /^(\d\.[\d.-]+ ?)* \/ (\d\.[\d.-]+ ?)*$/, ids)
    assert.match(ids, /\d/)
    assert.ok(statement.length > 3 && name.length > 10, ids)
  }
})

it('a name that no test has is noticed', () => {
  const line = { ids: '', statement: '', file: 'codec/malformed' }
  assert.ok(exists({ ...line, name: 'refuses PUBLISH to + (version 4; MQTT-3.3.2-2)' }))
  assert.ok(!exists({ ...line, name: 'refuses PUBLISH to the moon (version 4; MQTT-3.3.2-2)' }))
  assert.ok(!exists({ ...line, name: 'refuses nothing at all' }))
})
