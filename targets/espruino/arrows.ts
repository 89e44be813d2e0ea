/**
 * Says the same in fewer characters, where Espruino's dialect allows what a general minifier must
 * not do: functions of the file become arrows, and values are compared with two characters.
 *
 *   function f(a){return a+1}function g(){return f(2)===3}   →   let f=a=>a+1,g=()=>f(2)==3;
 *
 * The input is minified; its functions are called after the whole file was run. Knows nothing of
 * names.
 */
import ts from 'typescript'
import { parse } from './flatten.js'
import { applyEdits } from './switches.js'

interface Edit {
  readonly at: number
  readonly end: number
  readonly text: string
}

/** True where `this` or `arguments` of the function itself are used: an arrow has none. */
function needsThis(node: ts.Node): boolean {
  if (node.kind === ts.SyntaxKind.ThisKeyword) return true
  if (ts.isIdentifier(node) && node.text === 'arguments') return true
  if (ts.isClassLike(node)) return false
  return ts.forEachChild(node, (child) => needsThis(child) || undefined) ?? false
}

/** The one expression that a body returns, if that is all it does. */
function returned(body: ts.Block): ts.Expression | undefined {
  const [only] = body.statements
  return body.statements.length === 1 && only && ts.isReturnStatement(only)
    ? only.expression
    : undefined
}

/** An expression as the body of an arrow. */
function asBody(node: ts.Expression, text: string): string {
  const isComma =
    ts.isBinaryExpression(node) && node.operatorToken.kind === ts.SyntaxKind.CommaToken
  return isComma || text.startsWith('{') ? `(${text})` : text
}

function arrowOf(node: ts.FunctionDeclaration): string {
  const parameters = node.parameters.map((parameter) => parameter.getText()).join(',')
  const head = node.parameters.length === 1 ? parameters : `(${parameters})`
  const value = returned(node.body!)
  const body = value ? asBody(value, value.getText()) : node.body!.getText()
  return `${node.name!.text}=${head}=>${body}`
}

/** What a statement of the file declares, as it stands behind `let`; '' for any other. */
function declared(statement: ts.Statement): string {
  if (ts.isVariableStatement(statement)) {
    return statement.declarationList.declarations.map((node) => node.getText()).join(',')
  }
  if (ts.isFunctionDeclaration(statement) && !needsThis(statement)) return arrowOf(statement)
  return ''
}

/** Functions become arrows, and declarations that follow each other become one. */
export function withArrows(text: string): string {
  let result = ''
  let isOpen = false
  for (const statement of parse(text).statements) {
    const part = declared(statement)
    if (part !== '') result += (isOpen ? ',' : 'let ') + part
    else result += (isOpen ? ';' : '') + statement.getText()
    isOpen = part !== ''
  }
  return result + (isOpen ? ';' : '')
}

/**
 * `==` for `===`, and `null` for `undefined` beside it. The sources are typed: where two values are
 * compared they have a type in common, so it makes a difference only for a null where undefined was
 * meant, which then counts as absent.
 */
export function withShortEquals(text: string): string {
  const edits: Edit[] = []
  const visit = (node: ts.Node): void => {
    if (ts.isBinaryExpression(node)) {
      const { kind } = node.operatorToken
      const isSame = kind === ts.SyntaxKind.EqualsEqualsEqualsToken
      if (isSame || kind === ts.SyntaxKind.ExclamationEqualsEqualsToken) {
        const at = node.operatorToken.getStart()
        edits.push({ at, end: at + 3, text: isSame ? '==' : '!=' })
        for (const side of [node.left, node.right]) {
          if (side.getText() === 'void 0') {
            edits.push({ at: side.getStart(), end: side.end, text: 'null' })
          }
        }
      }
    }
    ts.forEachChild(node, visit)
  }
  visit(parse(text))
  return applyEdits(text, edits)
}

/** One function that makes all arrays of bytes: `new Uint8Array` is long. The name must be free. */
export function withShortArrays(text: string): string {
  const name = '$U'
  const count = text.split('new Uint8Array(').length - 1
  if (count < 4 || text.includes(name)) return text
  const maker = `let ${name}=(a,b,c)=>new Uint8Array(a,b,c)`
  const rest = text.replaceAll('new Uint8Array(', name + '(')
  return maker + (rest.startsWith('let ') ? ',' + rest.slice(4) : ';' + rest)
}
