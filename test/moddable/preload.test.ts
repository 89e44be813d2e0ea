/**
 * What Moddable runs at build time and puts into ROM holds no state: the bodies of the modules that
 * the manifests preload, as compiled, declare constants, functions and classes, and do nothing.
 */
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { ModuleTable } from '../../targets/esp32/tool/bundle.js'
import { manifests } from '../../targets/esp32/tool/manifests.js'

const root = join(dirname(fileURLToPath(import.meta.url)), '../../..')
const MANIFESTS = [...manifests(root).keys()]

/** A number or a string that is known at build time. */
function isPrimitive(node: ts.Expression): boolean {
  if (ts.isNumericLiteral(node) || ts.isStringLiteralLike(node) || ts.isIdentifier(node))
    return true
  if (node.kind === ts.SyntaxKind.TrueKeyword || node.kind === ts.SyntaxKind.FalseKeyword)
    return true
  if (ts.isPrefixUnaryExpression(node)) return isPrimitive(node.operand)
  if (ts.isParenthesizedExpression(node)) return isPrimitive(node.expression)
  return ts.isBinaryExpression(node) && isPrimitive(node.left) && isPrimitive(node.right)
}

/** What is wrong with a module body, with lines. */
function stateIn(name: string, text: string): string[] {
  const tree = ts.createSourceFile(name, text, ts.ScriptTarget.ES2022, true)
  const problems: string[] = []
  const report = (node: ts.Node, what: string): void => {
    const { line } = tree.getLineAndCharacterOfPosition(node.getStart(tree))
    problems.push(`${name}:${line + 1} ${what}`)
  }
  for (const statement of tree.statements) {
    if (ts.isImportDeclaration(statement) || ts.isExportDeclaration(statement)) continue
    if (ts.isFunctionDeclaration(statement)) continue
    if (ts.isExportAssignment(statement) && ts.isIdentifier(statement.expression)) continue
    if (ts.isClassDeclaration(statement)) {
      for (const member of statement.members) {
        const isStatic = ts.canHaveModifiers(member) && member.modifiers?.some(isStaticKeyword)
        if (ts.isClassStaticBlockDeclaration(member)) report(member, 'a static block')
        if (isStatic && ts.isPropertyDeclaration(member)) report(member, 'a static field')
      }
    } else if (ts.isVariableStatement(statement)) {
      const isConst = (statement.declarationList.flags & ts.NodeFlags.Const) !== 0
      if (!isConst) report(statement, 'a variable that changes')
      for (const { initializer } of statement.declarationList.declarations) {
        if (initializer && !isPrimitive(initializer)) report(statement, 'an object made at load')
      }
    } else report(statement, 'a statement that runs at load')
  }
  return problems
}

function isStaticKeyword(modifier: ts.ModifierLike): boolean {
  return modifier.kind === ts.SyntaxKind.StaticKeyword
}

test('the modules that are preloaded hold no state and run nothing', () => {
  let count = 0
  for (const manifest of MANIFESTS) {
    const table = new ModuleTable(join(root, manifest))
    const { preload } = JSON.parse(readFileSync(join(root, manifest), 'utf8'))
    for (const name of preload as string[]) {
      const file = table.files.get(name)
      assert.ok(file !== undefined, `${manifest}: preload of "${name}", which is no module of it`)
      const compiled = join(root, 'dist', relative(root, file)) + '.js'
      assert.ok(existsSync(compiled), compiled)
      assert.deepEqual(stateIn(relative(root, compiled), readFileSync(compiled, 'utf8')), [])
      count += 1
    }
  }
  assert.ok(count > 50)
})

test('state in a module body is found', () => {
  const found = (text: string): string => stateIn('x.js', text).join('; ')
  assert.equal(found('export const A = 1 << 3\nfunction f() {}\nclass C { x = [] }\n'), '')
  assert.match(found('let count = 0'), /x\.js:1 a variable that changes/)
  assert.match(found('const table = new Uint8Array(4)'), /an object made at load/)
  assert.match(found('const list = [1, 2]'), /an object made at load/)
  assert.match(found('class C { static last = null }'), /a static field/)
  assert.match(found('\nstart()'), /x\.js:2 a statement that runs at load/)
})
