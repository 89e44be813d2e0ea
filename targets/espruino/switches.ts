/**
 * Compile-time switches of the build for Espruino, as edits of the sources: one protocol version
 * only, and no words in errors. The sources themselves know of neither, so other builds pay
 * nothing; a source that these edits no longer fit fails the build. Knows nothing of names.
 */
import * as path from 'node:path'
import ts from 'typescript'

export interface Switches {
  /** 4 or 5: the code of the other version is left out. 0: both stay. */
  readonly protocol: 0 | 4 | 5
  /** False: errors name the option only, `statusText` gives the number. */
  readonly words: boolean
  /** False: calls of functions named `assert…`, which tell a programming error, are left out. */
  readonly asserts?: boolean
}

export class SwitchError extends Error {}

/** A range of a source and what stands there instead. */
interface Edit {
  readonly at: number
  readonly end: number
  readonly text: string
}

export function applyEdits(text: string, edits: readonly Edit[]): string {
  let result = text
  for (const { at, end, text: part } of [...edits].sort((one, other) => other.at - one.at)) {
    result = result.slice(0, at) + part + result.slice(end)
  }
  return result
}

const VERSIONS: Record<string, number> = { V311: 4, V5: 5 }

function versionOf(node: ts.Node): number | undefined {
  return ts.isIdentifier(node) ? VERSIONS[node.text] : undefined
}

/** `x === V5` and `x !== V5` become what they are when only one version is left. */
function versionEdits(tree: ts.SourceFile, protocol: number): Edit[] {
  const edits: Edit[] = []
  const kept = protocol === 4 ? 'V311' : 'V5'
  const replace = (node: ts.Node, text: string): void => {
    edits.push({ at: node.getStart(tree), end: node.end, text })
  }
  // The check of the option goes on refusing the version that is not there.
  const isCheck = (node: ts.Node): boolean =>
    ts.isIfStatement(node) && node.thenStatement.getText(tree).includes("fail('protocol'")
  const visit = (node: ts.Node, isKept: boolean): void => {
    if (ts.isImportDeclaration(node) || ts.isVariableDeclaration(node.parent ?? node)) {
      if (ts.isImportDeclaration(node)) return
    }
    if (ts.isBinaryExpression(node) && versionOf(node.right) !== undefined && !isKept) {
      const operator = node.operatorToken.kind
      const isSame = versionOf(node.right) === protocol
      if (operator === ts.SyntaxKind.EqualsEqualsEqualsToken)
        return replace(node, `(${isSame} as boolean)`)
      if (operator === ts.SyntaxKind.ExclamationEqualsEqualsToken)
        return replace(node, `(${!isSame} as boolean)`)
      if (operator === ts.SyntaxKind.QuestionQuestionToken) return replace(node.right, kept)
      throw new SwitchError(`${tree.fileName}: a use of the protocol version that is not known`)
    }
    if (versionOf(node) !== undefined && isKept) return replace(node, kept)
    ts.forEachChild(node, (child) => visit(child, isKept || isCheck(node)))
  }
  ts.forEachChild(tree, (child) => visit(child, false))
  return edits
}

/** The last argument of these is words; the other two name what is wrong. */
const WORDY = new Set(['fail', 'required'])

function wordEdits(tree: ts.SourceFile): Edit[] {
  const edits: Edit[] = []
  const visit = (node: ts.Node): void => {
    if (ts.isCallExpression(node) && ts.isIdentifier(node.expression)) {
      const [, , words] = node.arguments
      if (WORDY.has(node.expression.text) && words) {
        edits.push({ at: words.getStart(tree), end: words.end, text: "''" })
        return
      }
    }
    if (ts.isFunctionDeclaration(node) && node.body) {
      const body = { at: node.body.getStart(tree), end: node.body.end }
      if (node.name?.text === 'statusText') {
        edits.push({ ...body, text: '{ return String(status) }' })
        return
      }
      // That of src/checks.ts; a driver's own tells what is wrong with the wiring.
      if (node.name?.text === 'fail' && node.parameters[0]?.name.getText(tree) === 'name') {
        edits.push({ ...body, text: '{ throw new Error(name) }' })
        return
      }
    }
    ts.forEachChild(node, visit)
  }
  visit(tree)
  return edits
}

function assertEdits(tree: ts.SourceFile): Edit[] {
  const edits: Edit[] = []
  const visit = (node: ts.Node): void => {
    const call = ts.isExpressionStatement(node) ? node.expression : undefined
    if (call && ts.isCallExpression(call) && /^assert[A-Z]/.test(call.expression.getText(tree))) {
      edits.push({ at: node.getStart(tree), end: node.end, text: '' })
    } else ts.forEachChild(node, visit)
  }
  visit(tree)
  return edits
}

/** The text of a source as this build wants it. */
export function switched(file: string, text: string, switches: Switches): string {
  const tree = ts.createSourceFile(file, text, ts.ScriptTarget.ES2022, true)
  const edits = switches.words ? [] : wordEdits(tree)
  if (switches.asserts === false) edits.push(...assertEdits(tree))
  const isProtocol = path.basename(file) === 'protocol.ts'
  if (switches.protocol !== 0 && !isProtocol) {
    const inWords = (edit: Edit): boolean =>
      edits.some(({ at, end }) => edit.at >= at && edit.end <= end)
    edits.push(...versionEdits(tree, switches.protocol).filter((edit) => !inWords(edit)))
  }
  return applyEdits(text, edits)
}
