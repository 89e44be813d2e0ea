/**
 * Gives every property that no application can see a short name. Espruino runs the source text, so
 * names are most of it; a minifier that goes by names alone must leave `topic` as it is everywhere
 * because an event has a `topic`. This one asks the type checker which `topic` it is, and then
 * compiles the result: where an inner type and a public one must fit each other, the compiler says
 * so, and the inner type keeps its names. Knows nothing of Espruino.
 */
import ts from 'typescript'
import { constantEdits } from './constants.js'
import { MARKER } from './flatten.js'
import { applyEdits } from './switches.js'

export class RenameError extends Error {}

/** One place where a property is named. */
interface Use {
  readonly file: ts.SourceFile
  readonly node: ts.Node
  readonly name: string
  /** What gets one short name: the name, or of a class that is to be flat `Class.name`. */
  readonly key: string
  readonly kind: 'name' | 'shorthand' | 'quoted'
}

const OPTIONS: ts.CompilerOptions = {
  target: ts.ScriptTarget.ES2022,
  module: ts.ModuleKind.NodeNext,
  moduleResolution: ts.ModuleResolutionKind.NodeNext,
  lib: ['lib.es5.d.ts'],
  types: [],
  strict: true,
  noUncheckedIndexedAccess: true,
  exactOptionalPropertyTypes: true,
  useDefineForClassFields: false,
  skipLibCheck: true,
  noEmit: true,
}
/** A public type is found at the second try, what it needs at the third. */
const TRY_LIMIT = 6

export interface RenameOptions {
  /** The files to begin with, and those that declare globals. */
  readonly entries: string[]
  /** The modules whose exports applications see. */
  readonly faces: string[]
  /** The folders whose properties get new names: what others wrote stays as it is. */
  readonly folders: string[]
  /** Where imports by a package's name lead. */
  readonly paths: Record<string, string[]>
  /** Classes and interfaces that stand for one object: `flattened` makes variables of members. */
  readonly singles: readonly string[]
  /** What each source goes through before. */
  edit(file: string, text: string): string
}

/** Files as they are on disk, parsed once: most of the time goes into the language's own types. */
const parsed = new Map<string, ts.SourceFile>()

/** The program, where `texts` has what differs from the files. */
function programOf({ entries, paths }: RenameOptions, texts: Map<string, string>): ts.Program {
  const host = ts.createCompilerHost(OPTIONS)
  const fromFile = host.getSourceFile.bind(host)
  host.getSourceFile = (file, version, ...rest) => {
    const text = texts.get(file)
    if (text === undefined) {
      const found = parsed.get(file) ?? fromFile(file, version, ...rest)
      if (found) parsed.set(file, found)
      return found
    }
    return ts.createSourceFile(file, text, version)
  }
  return ts.createProgram(entries, { ...OPTIONS, paths }, host)
}

/** Which properties an application, a board or the language names. */
class PublicNames {
  private readonly checker: ts.TypeChecker
  private readonly nodes = new Set<ts.Node>()
  private readonly known = new Map<ts.Symbol, boolean>()

  private readonly folders: string[]

  /** Public is what the modules `faces` export, and the types with a name in `kept`. */
  constructor(program: ts.Program, { faces, folders }: RenameOptions, kept: Set<string>) {
    this.checker = program.getTypeChecker()
    this.folders = folders
    for (const face of faces) {
      const file = program.getSourceFile(face)
      const module = file && this.checker.getSymbolAtLocation(file)
      if (!module) continue
      for (const symbol of this.checker.getExportsOfModule(module)) {
        const isAlias = (symbol.flags & ts.SymbolFlags.Alias) !== 0
        const target = isAlias ? this.checker.getAliasedSymbol(symbol) : symbol
        for (const node of target.declarations ?? []) this.nodes.add(node)
      }
    }
    for (const file of program.getSourceFiles()) {
      for (const node of file.isDeclarationFile ? [] : file.statements) {
        const { name } = node as ts.Statement & { name?: ts.Identifier }
        if (name && kept.has(name.text)) this.nodes.add(node)
      }
    }
  }

  has(symbol: ts.Symbol | undefined): boolean {
    // What an index signature allows may be any name of the outside.
    if (symbol === undefined || symbol.name === '__index') return true
    const known = this.known.get(symbol)
    if (known !== undefined) return known
    this.known.set(symbol, false) // ends a cycle
    const roots = this.checker.getRootSymbols(symbol).filter((root) => root !== symbol)
    const declarations = symbol.declarations ?? []
    const isPublic =
      roots.some((root) => this.has(root)) ||
      declarations.some((node) => this.isPublicNode(node) || this.isInherited(node, symbol.name)) ||
      (declarations.length === 0 && roots.length === 0)
    this.known.set(symbol, isPublic)
    return isPublic
  }

  private isPublicNode(node: ts.Declaration): boolean {
    const { fileName, isDeclarationFile } = node.getSourceFile()
    if (isDeclarationFile || !this.folders.some((folder) => fileName.startsWith(folder)))
      return true
    if (ts.getCombinedModifierFlags(node) & ts.ModifierFlags.Private) return false
    for (let parent: ts.Node | undefined = node.parent; parent; parent = parent.parent) {
      if (this.nodes.has(parent)) return true
    }
    return false
  }

  private isInherited(node: ts.Declaration, name: string): boolean {
    const owner = node.parent
    if (!ts.isClassLike(owner) && !ts.isInterfaceDeclaration(owner)) return false
    return (owner.heritageClauses ?? []).some(({ types }) =>
      types.some((type) => {
        const inherited = this.checker.getTypeAtLocation(type).getProperty(name)
        return inherited !== undefined && this.has(inherited)
      }),
    )
  }
}

/** The property that a name in an object literal stands for: that of the type asked for. */
function literalSymbol(
  checker: ts.TypeChecker,
  node: ts.ObjectLiteralElementLike,
): ts.Symbol | undefined {
  const type = checker.getContextualType(node.parent as ts.ObjectLiteralExpression)
  const name = node.name!
  const own = checker.getSymbolAtLocation(name)
  return (type && checker.getNonNullableType(type).getProperty(name.getText())) ?? own
}

/** The class or interface among `singles` that a property belongs to, with its name. */
function keyOf(symbol: ts.Symbol, checker: ts.TypeChecker, singles: readonly string[]): string {
  const owner = symbol.declarations?.[0]?.parent
  if (!owner || !(ts.isClassDeclaration(owner) || ts.isInterfaceDeclaration(owner))) {
    return symbol.name
  }
  // What a class has because it implements an interface has the interface's key.
  for (const { types } of owner.heritageClauses ?? []) {
    for (const type of types) {
      const inherited = checker.getTypeAtLocation(type).getProperty(symbol.name)
      if (inherited) return keyOf(inherited, checker, singles)
    }
  }
  return singles.includes(owner.name!.text) ? `${owner.name!.text}.${symbol.name}` : symbol.name
}

function usesIn(
  file: ts.SourceFile,
  checker: ts.TypeChecker,
  names: PublicNames,
  singles: readonly string[],
): Use[] {
  const uses: Use[] = []
  const note = (node: ts.Node, symbol: ts.Symbol | undefined, kind: Use['kind'] = 'name'): void => {
    if (names.has(symbol)) return
    const { name } = symbol!
    uses.push({ file, node, name, key: keyOf(symbol!, checker, singles), kind })
  }
  const visit = (node: ts.Node): void => {
    if (ts.isPropertyAccessExpression(node)) {
      note(node.name, checker.getSymbolAtLocation(node.name))
    } else if (ts.isShorthandPropertyAssignment(node)) {
      note(node.name, literalSymbol(checker, node), 'shorthand')
    } else if (ts.isObjectLiteralElementLike(node) && node.name && ts.isIdentifier(node.name)) {
      const isLiteral = ts.isObjectLiteralExpression(node.parent)
      note(
        node.name,
        isLiteral ? literalSymbol(checker, node) : checker.getSymbolAtLocation(node.name),
      )
    } else if ((ts.isClassElement(node) || ts.isTypeElement(node)) && node.name) {
      if (ts.isIdentifier(node.name)) note(node.name, checker.getSymbolAtLocation(node.name))
    } else if (ts.isIndexedAccessTypeNode(node) && ts.isLiteralTypeNode(node.indexType)) {
      const { literal } = node.indexType
      if (ts.isStringLiteral(literal)) {
        const type = checker.getTypeFromTypeNode(node.objectType)
        note(literal, type.getProperty(literal.text), 'quoted')
      }
    }
    ts.forEachChild(node, visit)
  }
  visit(file)
  return uses
}

/** In order of how often they stand in scripts: what a minifier names its variables after too. */
const LETTERS = 'etnraisocldupmhfgvybwxkTSEACDRIPMLNOFBUqjGzHVWQKXYJZ_$'

function* shortNames(): Generator<string> {
  const further = LETTERS + '0123456789'
  for (const first of LETTERS) yield first
  for (const first of LETTERS) for (const second of further) yield first + second
  throw new RenameError('more than 3,000 properties: let names have three letters')
}

/** A short name for each, the shortest for the most frequent; none that a public type may have. */
function namesFor(uses: readonly Use[], program: ts.Program): Map<string, string> {
  const counts = new Map<string, number>()
  const names = new Map<string, string>()
  for (const { key } of uses) {
    if (!key.includes('.')) counts.set(key, (counts.get(key) ?? 0) + 1)
    else if (!names.has(key)) names.set(key, MARKER + names.size)
  }
  const taken = new Set(['do', 'if', 'in', 'of', 'is', 'as', 'on'])
  for (const file of program.getSourceFiles()) {
    const visit = (node: ts.Node): void => {
      if (ts.isIdentifier(node) && node.text.length <= 2) taken.add(node.text)
      ts.forEachChild(node, visit)
    }
    visit(file)
  }
  const free = shortNames()
  for (const [name] of [...counts].sort((one, other) => other[1] - one[1])) {
    let short = free.next().value as string
    while (taken.has(short)) short = free.next().value as string
    names.set(name, short)
  }
  return names
}

function renamedTexts(
  uses: readonly Use[],
  names: Map<string, string>,
  program: ts.Program,
): Map<string, string> {
  const edits = new Map<ts.SourceFile, { at: number; end: number; text: string }[]>()
  for (const file of program.getSourceFiles()) {
    if (!file.isDeclarationFile) edits.set(file, constantEdits(file, program.getTypeChecker()))
  }
  for (const { file, node, name, key, kind } of uses) {
    const short = names.get(key)!
    let text = short
    if (kind === 'shorthand') text = `${short}: ${name}`
    if (kind === 'quoted') text = `'${short}'`
    edits.get(file)!.push({ at: node.getStart(file), end: node.end, text })
  }
  return new Map([...edits].map(([file, list]) => [file.fileName, applyEdits(file.text, list)]))
}

/** Types that a complaint of the compiler names: the two that no longer fit each other. */
function typesOf(text: string): string[] {
  const required = /required in type '(\w+)'/.exec(text)
  const missing = /[Tt]ype '(\w+)' is missing the following properties from type '(\w+)'/.exec(text)
  return [...(required?.slice(1) ?? []), ...(missing?.slice(1) ?? [])]
}

/** The texts of all sources, with short names and with numbers for constants. */
export function renamed(options: RenameOptions): Map<string, string> {
  const texts = new Map<string, string>()
  for (const file of programOf(options, texts).getSourceFiles()) {
    if (!file.isDeclarationFile) texts.set(file.fileName, options.edit(file.fileName, file.text))
  }
  const program = programOf(options, texts)
  const checker = program.getTypeChecker()
  const kept = new Set<string>()
  for (let count = 0; count < TRY_LIMIT; count++) {
    const names = new PublicNames(program, options, kept)
    const files = program.getSourceFiles().filter((file) => !file.isDeclarationFile)
    const uses = files.flatMap((file) => usesIn(file, checker, names, options.singles))
    const result = new Map([...texts, ...renamedTexts(uses, namesFor(uses, program), program)])
    const complaints = ts
      .getPreEmitDiagnostics(programOf(options, result))
      .map(({ file, messageText }) => {
        const words = ts.flattenDiagnosticMessageText(messageText, ' ')
        return `${file?.fileName}: ${words}`
      })
    if (complaints.length === 0) return result
    const before = kept.size
    for (const text of complaints) for (const type of typesOf(text)) kept.add(type)
    if (kept.size === before) throw new RenameError('types do not fit:\n' + complaints.join('\n'))
  }
  throw new RenameError('types do not fit after ' + TRY_LIMIT + ' tries')
}
