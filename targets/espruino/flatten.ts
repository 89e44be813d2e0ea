/**
 * Flattens classes of which a program makes one object only: their fields become variables, their
 * methods functions. Espruino runs the source text, and `this.` is a seventh of it. What is never
 * read after that is left out: fields, variables, parameters.
 *
 *   class Wire { constructor(s) { this.$$1 = s.$$9 }      let $$1
 *     $$2() { return this.$$1 } }                     →   function Wire$new() { $$1 = $$9 }
 *   new Wire(s).$$2()                                     function $$2() { return $$1 }
 *
 * It works on one file of JavaScript in which the members of these classes, and nothing else, have
 * names that begin with `$$`: `renamed` gave them. Knows nothing of types.
 */
import ts from 'typescript'
import { applyEdits } from './switches.js'

export class FlattenError extends Error {}

/** What the names of members begin with that `flattened` takes for variables and functions. */
export const MARKER = '$$'

interface Edit {
  readonly at: number
  readonly end: number
  readonly text: string
}

export function parse(text: string): ts.SourceFile {
  return ts.createSourceFile('flat.js', text, ts.ScriptTarget.ES2022, true)
}

function isMarked(name: ts.Node | undefined): name is ts.Identifier {
  return name !== undefined && ts.isIdentifier(name) && name.text.startsWith(MARKER)
}

/** True where leaving an expression out changes nothing. */
export function isPure(node: ts.Expression): boolean {
  if (ts.isPropertyAccessExpression(node)) return isPure(node.expression)
  if (ts.isParenthesizedExpression(node)) return isPure(node.expression)
  if (ts.isArrayLiteralExpression(node)) return node.elements.every(isPure)
  if (ts.isNewExpression(node)) {
    const isTyped = ts.isIdentifier(node.expression) && /^Uint\d+Array$/.test(node.expression.text)
    return isTyped && (node.arguments ?? []).every(isPure)
  }
  if (ts.isBinaryExpression(node) && node.operatorToken.kind !== ts.SyntaxKind.EqualsToken) {
    return isPure(node.left) && isPure(node.right)
  }
  return (
    ts.isIdentifier(node) ||
    ts.isLiteralExpression(node) ||
    node.kind === ts.SyntaxKind.ThisKeyword ||
    node.kind === ts.SyntaxKind.NullKeyword ||
    node.kind === ts.SyntaxKind.TrueKeyword ||
    node.kind === ts.SyntaxKind.FalseKeyword
  )
}

/** A class all of whose methods are marked, with its name; not one that extends another. */
function singleOf(node: ts.Statement): { name: string; body: ts.ClassLikeDeclaration } | null {
  let name = ''
  let body: ts.Node | undefined
  if (ts.isClassDeclaration(node)) {
    name = node.name!.text
    body = node
  } else if (ts.isVariableStatement(node) && node.declarationList.declarations.length === 1) {
    const declaration = node.declarationList.declarations[0]!
    name = declaration.name.getText()
    body = declaration.initializer
  }
  if (!body || !ts.isClassLike(body) || body.heritageClauses) return null
  const methods = body.members.filter((member) => !ts.isConstructorDeclaration(member))
  const isMade = methods.length > 0 || body.getText().includes(`this.${MARKER}`)
  const isSingle = isMade && methods.every((member) => isMarked(member.name))
  return isSingle ? { name, body } : null
}

class Flattener {
  private readonly file: ts.SourceFile
  private readonly edits: Edit[] = []
  private readonly getters = new Set<string>()
  private readonly functions = new Set<string>()
  private readonly fields = new Set<string>()
  private readonly singles = new Set<string>()

  constructor(text: string) {
    this.file = parse(text)
    for (const statement of this.file.statements) {
      const single = singleOf(statement)
      if (!single) continue
      this.singles.add(single.name)
      for (const member of single.body.members) {
        if (ts.isGetAccessor(member)) this.getters.add(member.name.getText())
        else if (ts.isMethodDeclaration(member)) this.functions.add(member.name.getText())
      }
    }
  }

  run(): string {
    for (const statement of this.file.statements) {
      const single = singleOf(statement)
      if (single) this.class(statement, single.name, single.body)
      else this.visit(statement, false)
    }
    const fields = [...this.fields]
    const text = applyEdits(this.file.text, this.edits)
    return (fields.length > 0 ? `let ${fields.join(', ')};\n` : '') + text
  }

  private replace(at: number, end: number, text: string): void {
    this.edits.push({ at, end, text })
  }

  private class(statement: ts.Statement, name: string, body: ts.ClassLikeDeclaration): void {
    const { members } = body
    this.replace(statement.getStart(), members[0]!.getStart(), '')
    this.replace(members[members.length - 1]!.end, statement.end, '')
    for (const member of members) {
      const at = member.getStart()
      if (ts.isConstructorDeclaration(member)) {
        this.replace(at, at + 'constructor'.length, `function ${name}$new`)
      } else if (ts.isMethodDeclaration(member) || ts.isGetAccessor(member)) {
        this.replace(at, member.name.end, `function ${member.name.getText()}`)
      } else throw new FlattenError(`class ${name} has a member that is no method`)
      ts.forEachChild(member, (child) => {
        if (child !== member.name) this.visit(child, true)
      })
    }
  }

  private visit(node: ts.Node, isInside: boolean): void {
    if (ts.isPropertyAccessExpression(node) && isMarked(node.name)) {
      if (!isPure(node.expression)) throw new FlattenError('not pure: ' + node.getText())
      const name = node.name.text
      this.replace(node.getStart(), node.name.getStart(), '')
      if (this.getters.has(name)) this.replace(node.end, node.end, '()')
      else if (!this.functions.has(name)) this.fields.add(name)
      return
    }
    if (ts.isNewExpression(node) && this.singles.has(node.expression.getText())) {
      const { parent } = node
      // Where others keep the object, there must be one.
      const isKept =
        ts.isBinaryExpression(parent) &&
        ts.isPropertyAccessExpression(parent.left) &&
        !isMarked(parent.left.name)
      this.replace(
        node.getStart(),
        node.expression.end,
        (isKept ? '(' : '') + node.expression.getText() + '$new',
      )
      if (isKept) this.replace(node.end, node.end, ', {})')
    } else if (isInside && node.kind === ts.SyntaxKind.ThisKeyword) {
      this.replace(node.getStart(), node.end, '0')
      return
    } else if (ts.isClassLike(node)) isInside = false
    else if (ts.isPropertyAssignment(node) && isMarked(node.name)) {
      throw new FlattenError('a literal makes an object of a class: ' + node.getText())
    }
    ts.forEachChild(node, (child) => this.visit(child, isInside))
  }
}

/** The text with its single objects flat. */
export function flattened(text: string): string {
  return new Flattener(text).run()
}
