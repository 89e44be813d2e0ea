/**
 * Leaves out what a flattened file never reads: fields, variables, parameters with their arguments.
 * Knows nothing of what they were.
 */
import ts from 'typescript'
import { isPure, MARKER, parse } from './flatten.js'
import { applyEdits } from './switches.js'

interface Edit {
  readonly at: number
  readonly end: number
  readonly text: string
}

/** True for an identifier that stands for a variable: no name of a property. */
function isVariable(node: ts.Node): node is ts.Identifier {
  if (!ts.isIdentifier(node)) return false
  const { parent } = node
  if (ts.isPropertyAccessExpression(parent)) return parent.expression === node
  if (ts.isPropertyAssignment(parent)) return parent.initializer === node
  return !ts.isMethodDeclaration(parent) && !ts.isAccessor(parent)
}

/** How often each variable stands anywhere below `root`. */
function countsIn(root: ts.Node): Map<string, number> {
  const counts = new Map<string, number>()
  const visit = (node: ts.Node): void => {
    if (isVariable(node)) counts.set(node.text, (counts.get(node.text) ?? 0) + 1)
    ts.forEachChild(node, visit)
  }
  visit(root)
  return counts
}

function removal(node: ts.Node): Edit {
  return { at: node.getStart(), end: node.end, text: '' }
}

/** `$$n = …;` as a statement. */
function assignmentOf(node: ts.Node): ts.BinaryExpression | null {
  if (!ts.isExpressionStatement(node) || !ts.isBinaryExpression(node.expression)) return null
  const { left, operatorToken } = node.expression
  const isAssignment = operatorToken.kind === ts.SyntaxKind.EqualsToken
  const isField = ts.isIdentifier(left) && left.text.startsWith(MARKER)
  return isAssignment && isField ? node.expression : null
}

/** Fields that are only set. */
function fieldEdits(file: ts.SourceFile): Edit[] {
  const counts = countsIn(file)
  const assignments: ts.BinaryExpression[] = []
  const visit = (node: ts.Node): void => {
    const assignment = assignmentOf(node)
    if (assignment) {
      assignments.push(assignment)
      const name = assignment.left.getText()
      counts.set(name, counts.get(name)! - 1)
    }
    ts.forEachChild(node, visit)
  }
  visit(file)
  const declared = (node: ts.BinaryExpression): boolean => counts.get(node.left.getText()) === 1
  return assignments.filter(declared).map((node) => {
    if (isPure(node.right)) return removal(node.parent)
    return { at: node.getStart(), end: node.right.getStart(), text: '' }
  })
}

/** Functions that nobody calls. */
function functionEdits(file: ts.SourceFile): Edit[] {
  const counts = countsIn(file)
  return file.statements
    .filter((node) => ts.isFunctionDeclaration(node) && isMember(node.name!.text))
    .filter((node) => counts.get((node as ts.FunctionDeclaration).name!.text) === 1)
    .map(removal)
}

/** True for what `flattened` made. */
function isMember(name: string): boolean {
  return name.startsWith(MARKER) || name.endsWith('$new')
}

/** Variables of functions that nobody reads. */
function variableEdits(file: ts.SourceFile): Edit[] {
  const edits: Edit[] = []
  const visit = (node: ts.Node, counts: Map<string, number> | null): void => {
    if (ts.isFunctionLike(node)) counts = countsIn(node)
    if (counts && ts.isVariableStatement(node)) {
      const { declarations } = node.declarationList
      const [only] = declarations
      const isUnread = counts.get(only!.name.getText()) === 1
      if (declarations.length === 1 && isUnread && only!.initializer) {
        if (isPure(only!.initializer)) edits.push(removal(node))
        else edits.push({ at: node.getStart(), end: only!.initializer.getStart(), text: '' })
        return
      }
    }
    ts.forEachChild(node, (child) => visit(child, counts))
  }
  visit(file, null)
  return edits
}

/** One parameter that nobody reads, with its arguments; those behind it move up. */
function parameterEdits(file: ts.SourceFile): Edit[] {
  for (const statement of file.statements) {
    if (!ts.isFunctionDeclaration(statement)) continue
    const name = statement.name!.text
    if (!isMember(name)) continue
    const counts = countsIn(statement)
    const { parameters } = statement
    for (let index = 0; index < parameters.length; index++) {
      if (counts.get(parameters[index]!.name.getText()) !== 1) continue
      const edits = argumentEdits(file, name, index)
      if (edits) return [...edits, itemRemoval(parameters, index)]
    }
  }
  return []
}

/** An item of a list, with one of the commas beside it. */
function itemRemoval(list: ts.NodeArray<ts.Node>, index: number): Edit {
  const next = list[index + 1]
  const before = list[index - 1]
  if (next) return { at: list[index]!.getStart(), end: next.getStart(), text: '' }
  return { at: before ? before.end : list[index]!.getStart(), end: list[index]!.end, text: '' }
}

/** The same argument of each call; null where the function is more than called. */
function argumentEdits(file: ts.SourceFile, name: string, index: number): Edit[] | null {
  const edits: Edit[] = []
  let canBe = true
  const visit = (node: ts.Node): void => {
    if (isVariable(node) && node.text === name && !ts.isFunctionDeclaration(node.parent)) {
      const call = node.parent
      if (!ts.isCallExpression(call) || call.expression !== node) canBe = false
      else if (call.arguments.length > index) {
        if (isPure(call.arguments[index]!)) edits.push(itemRemoval(call.arguments, index))
        else canBe = false
      }
    }
    ts.forEachChild(node, visit)
  }
  visit(file)
  return canBe ? edits : null
}

/** Functions without parameters that only return a short expression: it stands for the call. */
function inlineEdits(file: ts.SourceFile): Edit[] {
  const edits: Edit[] = []
  const counts = countsIn(file)
  for (const statement of file.statements) {
    if (!ts.isFunctionDeclaration(statement) || statement.parameters.length > 0) continue
    const name = statement.name!.text
    const [only] = statement.body!.statements
    const value = only && ts.isReturnStatement(only) ? only.expression : undefined
    if (!name.startsWith(MARKER) || !value || hasCall(value)) continue
    const isOnce = counts.get(name) === 2
    if (!isOnce && value.getText().length > 16) continue
    const visit = (node: ts.Node): void => {
      if (ts.isCallExpression(node) && node.expression.getText() === name) {
        edits.push({ at: node.getStart(), end: node.end, text: `(${value.getText()})` })
      } else ts.forEachChild(node, visit)
    }
    visit(file)
    edits.push(removal(statement))
    return edits
  }
  return edits
}

/** A function without parameters and results that is called once, as a statement, stands there. */
function onceEdits(file: ts.SourceFile): Edit[] {
  const counts = countsIn(file)
  for (const statement of file.statements) {
    if (!ts.isFunctionDeclaration(statement) || statement.parameters.length > 0) continue
    const name = statement.name!.text
    if (!isMember(name) || counts.get(name) !== 2 || hasReturn(statement.body!)) continue
    let call: ts.Node | undefined
    const visit = (node: ts.Node): void => {
      const isCall = ts.isCallExpression(node) && node.expression.getText() === name
      if (isCall && ts.isExpressionStatement(node.parent)) call = node.parent
      else ts.forEachChild(node, visit)
    }
    visit(file)
    if (!call || (call.pos >= statement.pos && call.end <= statement.end)) continue
    const text = statement.body!.getText()
    return [removal(statement), { at: call.getStart(), end: call.end, text }]
  }
  return []
}

function hasReturn(node: ts.Node): boolean {
  if (ts.isReturnStatement(node)) return true
  if (ts.isFunctionLike(node) || ts.isClassLike(node)) return false
  return ts.forEachChild(node, (child) => hasReturn(child) || undefined) ?? false
}

function hasCall(node: ts.Node): boolean {
  if (ts.isCallExpression(node)) return true
  return ts.forEachChild(node, (child) => hasCall(child) || undefined) ?? false
}

/** What a constructor sets to a number or the like is that from the beginning. */
function initialEdits(file: ts.SourceFile): Edit[] {
  const initial = new Map<string, string>()
  const edits: Edit[] = []
  for (const statement of file.statements) {
    if (!ts.isFunctionDeclaration(statement) || !statement.name!.text.endsWith('$new')) continue
    for (const node of statement.body!.statements) {
      const assignment = assignmentOf(node)
      if (!assignment || !/^(-?\d+|""|true|false|null|\[\])$/.test(assignment.right.getText()))
        continue
      const name = assignment.left.getText()
      if (initial.has(name)) continue
      initial.set(name, assignment.right.getText())
      edits.push(removal(node))
    }
  }
  const fields = file.statements[0]!
  if (!ts.isVariableStatement(fields)) return edits
  for (const { name } of fields.declarationList.declarations) {
    const value = initial.get(name.getText())
    if (value) edits.push({ at: name.end, end: name.end, text: ' = ' + value })
  }
  return edits
}

/** Fields that are set where they are declared and nowhere else: the value stands for them. */
function constantEdits(file: ts.SourceFile): Edit[] {
  const fields = file.statements[0]!
  if (!ts.isVariableStatement(fields)) return []
  const values = new Map<string, string>()
  for (const { name, initializer } of fields.declarationList.declarations) {
    if (initializer && initializer.getText() !== '[]') {
      values.set(name.getText(), initializer.getText())
    }
  }
  const uses: ts.Identifier[] = []
  const visit = (node: ts.Node): void => {
    if (isVariable(node) && values.has(node.text) && !ts.isVariableDeclaration(node.parent)) {
      const { parent } = node
      const isLeft = ts.isBinaryExpression(parent) && parent.left === node
      const isSet = isLeft && parent.operatorToken.getText().endsWith('=')
      const isCompared = isLeft && /^[=!<>]=/.test(parent.operatorToken.getText())
      const isStepped = ts.isPrefixUnaryExpression(parent) || ts.isPostfixUnaryExpression(parent)
      const isNot = isStepped && parent.operator === ts.SyntaxKind.ExclamationToken
      if ((isSet && !isCompared) || (isStepped && !isNot)) values.delete(node.text)
      uses.push(node)
    }
    ts.forEachChild(node, visit)
  }
  visit(file)
  return uses
    .filter((node) => values.has(node.text))
    .map((node) => ({ at: node.getStart(), end: node.end, text: `(${values.get(node.text)})` }))
}

/** Edits that do not lie in each other: the outer ones. */
function outer(edits: Edit[]): Edit[] {
  const sorted = [...edits].sort((one, other) => one.at - other.at || other.end - one.end)
  let end = -1
  return sorted.filter((edit) => {
    if (edit.at < end) return false
    end = edit.end
    return true
  })
}

type Pass = (file: ts.SourceFile) => Edit[]

/** Applies passes until none finds anything; a later one only where the earlier found nothing. */
function settled(text: string, passes: readonly Pass[]): string {
  for (;;) {
    const file = parse(text)
    let edits: Edit[] = []
    for (const pass of passes) if (edits.length === 0) edits = outer(pass(file))
    if (edits.length === 0) return text
    text = applyEdits(text, edits)
  }
}

/** The text without what is never read. */
export function pruned(text: string): string {
  const removing = [functionEdits, fieldEdits, variableEdits, parameterEdits]
  text = settled(text, removing)
  text = applyEdits(text, initialEdits(parse(text)))
  text = applyEdits(text, constantEdits(parse(text)))
  return settled(text, [...removing, inlineEdits, onceEdits])
}
