/**
 * Puts the numbers where the sources have their names. Espruino looks a name up in a list, each
 * time it comes by, and a constant takes memory there. Knows nothing of properties.
 */
import ts from 'typescript'

/** The number that a name stands for, as text; undefined where it is no constant number. */
function literalOf(symbol: ts.Symbol | undefined, checker: ts.TypeChecker): string | undefined {
  if (symbol === undefined) return undefined
  const isAlias = (symbol.flags & ts.SymbolFlags.Alias) !== 0
  const target = isAlias ? checker.getAliasedSymbol(symbol) : symbol
  const declaration = target.valueDeclaration
  if (!declaration || !ts.isVariableDeclaration(declaration)) return undefined
  const isTop = ts.isSourceFile(declaration.parent.parent.parent)
  if (!isTop || !(declaration.parent.flags & ts.NodeFlags.Const)) return undefined
  const { initializer } = declaration
  if (!initializer) return undefined
  if (ts.isNumericLiteral(initializer)) return initializer.text
  if (!ts.isPrefixUnaryExpression(initializer)) return undefined
  return ts.isNumericLiteral(initializer.operand) ? `(${initializer.getText()})` : undefined
}

/** Names that are no use of a value. */
function isUse(node: ts.Identifier): boolean {
  const { parent } = node
  if (ts.isImportSpecifier(parent) || ts.isExportSpecifier(parent)) return false
  if (ts.isTypeNode(parent) || ts.isTypeQueryNode(parent)) return false
  return (parent as { name?: ts.Node }).name !== node
}

/** The uses of constant numbers in a file, and the numbers. */
export function constantEdits(
  file: ts.SourceFile,
  checker: ts.TypeChecker,
): { at: number; end: number; text: string }[] {
  const edits: { at: number; end: number; text: string }[] = []
  const visit = (node: ts.Node): void => {
    if (ts.isIdentifier(node) && isUse(node)) {
      const text = literalOf(checker.getSymbolAtLocation(node), checker)
      if (text !== undefined) edits.push({ at: node.getStart(file), end: node.end, text })
    }
    ts.forEachChild(node, visit)
  }
  visit(file)
  return edits
}
