/**
 * Tests of the text of the code: layers, language subset, sizes. The rules stand in shared form in
 * docs/DESIGN.md; each message says what to do.
 */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { it } from 'node:test'
import ts from 'typescript'

const root = join(dirname(fileURLToPath(import.meta.url)), '../..')

/** What a part of the core may import, itself and status aside. An arrow never runs upward. */
const LAYERS: Record<string, string[]> = {
  codec: [],
  store: ['codec', 'hal'],
  queue: ['store', 'codec', 'hal'],
  session: ['queue', 'store', 'codec', 'hal', 'shared'],
  shared: ['queue', 'store', 'codec', 'hal'],
  client: ['session', 'queue', 'store', 'codec', 'hal', 'shared'],
  ecma419: ['client', 'session', 'queue', 'store', 'codec', 'hal', 'shared'],
  // The small client shares bytes, records and windows with the full one, and no session.
  small: ['store', 'codec', 'hal', 'shared'],
  status: [],
  hal: [],
}
/** Files of src that stand beside the layers: what session and client both use. */
const SHARED = [
  'topic.ts',
  'events.ts',
  'extensions.ts',
  'inbound-message.ts',
  'options.ts',
  'checks.ts',
  'lanes.ts',
  'broker-url.ts',
]

const MAX_FILE_LINES = 400
const MAX_FUNCTION_LINES = 70
const MAX_COLUMNS = 100

interface Source {
  path: string
  text: string
  tree: ts.SourceFile
}

function files(folder: string): Source[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && !name.endsWith('.d.ts'))
    .map((name) => {
      const path = join(folder, name)
      const text = readFileSync(join(root, path), 'utf8')
      return { path, text, tree: ts.createSourceFile(path, text, ts.ScriptTarget.ES2022, true) }
    })
}

const core = files('src')
const hal = files('hal')
const all = [...core, ...hal, ...files('targets'), ...files('test')]
/** Folders of hal that speak Node; everything else speaks the common subset. */
const isNode = (path: string) => path.startsWith('hal/node/')
const subset = [...core, ...hal.filter(({ path }) => !isNode(path))]

function layerOf(path: string): string {
  const [top, second] = path.split('/')
  if (top === 'hal') return path.split('/').length === 2 ? 'hal' : `hal/${second}`
  if (top !== 'src') return top!
  if (path === 'src/status.ts') return 'status'
  if (SHARED.includes(second!)) return 'shared'
  return path.split('/').length === 2 ? 'client' : second!
}

function importsOf({ path, tree }: Source): { target: string; line: number }[] {
  const found: { target: string; line: number }[] = []
  tree.forEachChild((node) => {
    if (!ts.isImportDeclaration(node) && !ts.isExportDeclaration(node)) return
    const name = node.moduleSpecifier
    if (!name || !ts.isStringLiteral(name)) return
    const target = name.text.startsWith('.')
      ? normalize(join(dirname(path), name.text)).replace(/\.js$/, '.ts')
      : name.text
    found.push({ target, line: lineOf(tree, node) })
  })
  return found
}

function lineOf(tree: ts.SourceFile, node: ts.Node): number {
  return tree.getLineAndCharacterOfPosition(node.getStart(tree)).line + 1
}

function report(problems: string[]): void {
  assert.deepEqual(problems, [], '\n' + problems.join('\n'))
}

it('an import never runs upward, and src knows no platform', () => {
  const problems: string[] = []
  for (const source of core) {
    const layer = layerOf(source.path)
    for (const { target, line } of importsOf(source)) {
      const to = layerOf(target)
      if (!target.startsWith('src/') && !target.startsWith('hal/')) {
        problems.push(`${source.path}:${line} src imports "${target}"`)
      } else if (to !== layer && to !== 'status' && !LAYERS[layer]!.includes(to)) {
        problems.push(`${source.path}:${line} src/${layer} may not import ${to}`)
      } else if (layer === 'codec' && to !== 'codec') {
        problems.push(`${source.path}:${line} src/codec imports nothing outside itself`)
      }
    }
  }
  report(problems)
})

it('hal imports contracts, status numbers and its own folder; nothing imports a target', () => {
  const problems: string[] = []
  for (const source of hal) {
    const layer = layerOf(source.path)
    for (const { target, line } of importsOf(source)) {
      const to = layerOf(target)
      const isOwn = to === layer || to === 'hal' || to === 'status'
      const isHelp = to === 'hal/memory' && /crc32|storage-checks/.test(target)
      const isBus = target === 'hal/spi-nor/spi-bus.ts'
      // The store's part of encryption comes with the hooks: a store without has none of it.
      const isSeal = /^hal\/encrypt/.test(source.path) && /^src\/store\/seal/.test(target)
      // ECMA-419's class with the platform in it; by the name of its module it was one before, too.
      const isPattern =
        /moddable\/ecma419\.ts$/.test(source.path) && /mqtt-client\.ts$/.test(target)
      const isChecks = to === 'hal/memory' && isNode(source.path)
      const isPackage = !target.startsWith('src/') && !target.startsWith('hal/')
      if (!isOwn && !isHelp && !isBus && !isSeal && !isPattern && !isChecks && !isPackage) {
        problems.push(`${source.path}:${line} ${layer} may not import ${target}`)
      }
      if (isPackage && target.startsWith('node:') && !isNode(source.path)) {
        problems.push(`${source.path}:${line} only hal/node imports "${target}"`)
      }
    }
  }
  for (const source of all) {
    if (source.path.startsWith('targets/') || source.path.startsWith('test/')) continue
    for (const { target, line } of importsOf(source)) {
      if (target.startsWith('targets/')) problems.push(`${source.path}:${line} imports a target`)
    }
  }
  report(problems)
})

it('there is no import cycle', () => {
  const graph = new Map(
    [...core, ...hal].map((source) => [source.path, importsOf(source).map(({ target }) => target)]),
  )
  const done = new Set<string>()
  const visit = (path: string, trail: string[]): void => {
    if (trail.includes(path)) {
      assert.fail(`import cycle: ${[...trail.slice(trail.indexOf(path)), path].join(' > ')}`)
    }
    if (done.has(path)) return
    for (const next of graph.get(path) ?? []) visit(next, [...trail, path])
    done.add(path)
  }
  for (const path of graph.keys()) visit(path, [])
})

it('files, functions and lines stay within a few screens', () => {
  const problems: string[] = []
  for (const { path, text, tree } of all) {
    const lines = text.split('\n')
    const isTable = path.startsWith('test/') // tests may be long tables
    if (!isTable && lines.length - 1 > MAX_FILE_LINES) {
      problems.push(`${path} is a file of ${lines.length - 1} lines`)
    }
    lines.forEach((line, index) => {
      if (line.length > MAX_COLUMNS)
        problems.push(`${path}:${index + 1} has ${line.length} columns`)
    })
    if (isTable) continue
    const visit = (node: ts.Node): void => {
      if (ts.isFunctionLike(node) && 'body' in node && node.body) {
        const first = lineOf(tree, node)
        const size = tree.getLineAndCharacterOfPosition(node.end).line + 2 - first
        if (size > MAX_FUNCTION_LINES) problems.push(`${path}:${first} a function of ${size} lines`)
      }
      node.forEachChild(visit)
    }
    visit(tree)
  }
  report(problems)
})

/** What not every runtime can parse or has; docs/DESIGN.md has the list with its reasons. */
function forbidden(node: ts.Node): string | null {
  if (ts.isParameter(node)) {
    if (node.initializer) return 'default parameter'
    if (node.dotDotDotToken) return 'rest parameter'
  }
  if (ts.isSpreadElement(node) || ts.isSpreadAssignment(node)) return 'spread'
  if (ts.isObjectBindingPattern(node) || ts.isArrayBindingPattern(node)) return 'destructuring'
  if (ts.isPrivateIdentifier(node)) return '#private'
  if (ts.isAwaitExpression(node) || ts.isYieldExpression(node)) return 'await or yield'
  if (ts.isLabeledStatement(node)) return 'label'
  if (ts.isForOfStatement(node)) return 'for-of: an iterator is garbage'
  if (ts.isTemplateExpression(node) || ts.isTaggedTemplateExpression(node)) return 'template string'
  if (ts.isBigIntLiteral(node)) return 'BigInt'
  if (ts.isFunctionLike(node) && 'asteriskToken' in node && node.asteriskToken) return 'generator'
  if ('questionDotToken' in node && node.questionDotToken) return '?.'
  if (ts.isClassExpression(node) && node.name) return 'named class expression'
  if (ts.isClassStaticBlockDeclaration(node)) return 'static block'
  if (ts.isHeritageClause(node) && /\bError\b/.test(node.getText()))
    return 'class that extends Error'
  if (ts.isDefaultClause(node) && node.parent.clauses.at(-1) !== node) return 'default not last'
  if (ts.isBinaryExpression(node)) {
    const operator = node.operatorToken.kind
    if (operator === ts.SyntaxKind.AsteriskAsteriskToken) return '**'
    if (
      operator >= ts.SyntaxKind.BarBarEqualsToken &&
      operator <= ts.SyntaxKind.QuestionQuestionEqualsToken
    )
      return 'logical assignment'
    if (operator === ts.SyntaxKind.EqualsToken && /\.length$/.test(node.left.getText()))
      return '.length = (Espruino throws)'
  }
  if (ts.isPropertyAccessExpression(node)) {
    if (/^(imul|clz32|trunc|sign)$/.test(node.name.text) && node.expression.getText() === 'Math')
      return `Math.${node.name.text}`
    if (node.name.text === 'copyWithin') return 'copyWithin'
  }
  return null
}

it('src and the common hal use only the language that all runtimes speak', () => {
  const problems: string[] = []
  for (const { path, tree } of subset) {
    const visit = (node: ts.Node): void => {
      const what = forbidden(node)
      if (what) problems.push(`${path}:${lineOf(tree, node)} ${what}`)
      if (!ts.isTypeNode(node)) node.forEachChild(visit)
    }
    visit(tree)
  }
  report(problems)
})

it('a module body holds constants, functions and classes: it is preloaded into ROM', () => {
  const problems: string[] = []
  for (const { path, tree } of core) {
    for (const statement of tree.statements) {
      const line = lineOf(tree, statement)
      if (ts.isVariableStatement(statement)) {
        if (!(statement.declarationList.flags & ts.NodeFlags.Const)) {
          problems.push(`${path}:${line} a module variable that changes`)
        }
        for (const { initializer } of statement.declarationList.declarations) {
          if (initializer && /^(new |\[|\{)/.test(initializer.getText())) {
            problems.push(`${path}:${line} a table or object made at load`)
          }
        }
      } else if (ts.isExpressionStatement(statement)) {
        problems.push(`${path}:${line} a statement that runs at load`)
      }
    }
  }
  report(problems)
})

it('each file of src and hal says first what it does', () => {
  report(
    [...core, ...hal]
      .filter(
        ({ text }) =>
          !/^(import [^;]*?\n)*\s*\/\*\*/.test(text.replace(/import[^]*?from '[^']+'\n/g, '')),
      )
      .map(({ path }) => `${path} begins without a comment`),
  )
})

it('each folder of the top level is one that the design names', () => {
  const allowed = ['src', 'hal', 'targets', 'test', 'docs', 'dist', 'node_modules']
  const folders = readdirSync(root, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
    .map((entry) => entry.name)
  report(folders.filter((name) => !allowed.includes(name)).map((name) => relative(root, name)))
})
