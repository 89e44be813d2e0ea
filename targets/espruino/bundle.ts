/**
 * Makes of sources the one file that Espruino runs: no function around it, nothing that Espruino
 * cannot parse, short names. Knows nothing of boards.
 */
import * as esbuild from 'esbuild'
import * as fs from 'node:fs'
import * as path from 'node:path'
import ts from 'typescript'
import { projectFolder } from '../simulator/bundle.js'
import { withArrows, withShortArrays, withShortEquals } from './arrows.js'
import { flattened } from './flatten.js'
import { pruned } from './prune.js'
import { renamed, type RenameOptions } from './rename.js'
import { switched, type Switches } from './switches.js'

/** What reads as ES5 and can more is what Espruino parses; esbuild refuses or rewrites the rest. */
const LANGUAGE: esbuild.BuildOptions = {
  target: 'es2015',
  supported: {
    class: true,
    'const-and-let': true,
    arrow: true,
    'object-extensions': true,
    'object-accessors': true,
    'nullish-coalescing': true,
  },
}

/** What `require` is called while esbuild looks: it would resolve the modules of the firmware. */
const REQUIRE = 'espruinoRequire'

export const PLAIN: Switches = { protocol: 0, words: true }

/** Names a script may not give to a variable: Espruino's lexer takes them for its own. */
const RESERVED = new Set(['of', 'static', 'debugger', 'E'])

/** esbuild drops it, and knows the two for globals then: no variable gets a name by chance. */
const NO_E = '\nif (false) E, of\n'

export class EspruinoError extends Error {}

export interface BundleOptions extends Switches {
  /** The file to begin with, an absolute path. */
  readonly entry: string
  /** False: names as in the sources. */
  readonly minify?: boolean
  /**
   * Classes and interfaces of which the program makes one object only: they become variables and
   * functions. Only what `entry` exports is public then.
   */
  readonly singles?: readonly string[]
}

/** The public names lead to the sources of this project. */
const PUBLIC: Record<string, string> = {
  holdfast: 'src/index.ts',
  'holdfast/storage': 'src/storage.ts',
}

function inProject(...names: string[]): string[] {
  return names.map((name) => path.join(projectFolder(), name))
}

/** What `renamed` must know of the project. */
function renaming({ entry, singles }: BundleOptions, edit: RenameOptions['edit']): RenameOptions {
  const globals = inProject('hal/espruino/globals.d.ts', 'targets/espruino/board/globals.d.ts')
  const faces = inProject(
    'src/index.ts',
    'src/storage.ts',
    'src/small/index.ts',
    'src/small/storage.ts',
    'hal/espruino/index.ts',
  )
  const paths: Record<string, string[]> = {}
  for (const [name, file] of Object.entries(PUBLIC)) paths[name] = inProject(file)
  const folders = inProject('src/', 'hal/')
  return {
    entries: [entry, ...globals],
    faces: singles ? [entry] : [entry, ...faces],
    folders,
    paths,
    singles: singles ?? [],
    edit,
  }
}

/** The text of the bundle: a module whose exports are set, or a script where there are none. */
export async function bundle(options: BundleOptions): Promise<string> {
  const isMinified = options.minify ?? true
  const edit = (file: string, text: string): string => switched(file, text, options)
  const texts = isMinified ? renamed(renaming(options, edit)) : new Map<string, string>()
  const sources: esbuild.Plugin = {
    name: 'sources',
    setup(build) {
      build.onResolve({ filter: /^holdfast($|\/)/ }, ({ path: name }) => {
        const file = PUBLIC[name]
        if (file !== undefined) return { path: path.join(projectFolder(), file) }
        return { errors: [{ text: `Espruino has no "${name}"` }] }
      })
      build.onLoad({ filter: /\.ts$/ }, ({ path: file }) => ({
        contents:
          (texts.get(file) ?? edit(file, fs.readFileSync(file, 'utf8'))).replace(
            /\brequire\('/g,
            REQUIRE + "('",
          ) + NO_E,
        loader: 'ts',
      }))
    },
  }
  const { outputFiles } = await esbuild.build({
    ...LANGUAGE,
    entryPoints: [options.entry],
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'neutral',
    minify: isMinified && !options.singles,
    charset: 'ascii',
    legalComments: 'none',
    plugins: [sources],
    tsconfigRaw: { compilerOptions: { useDefineForClassFields: false } },
    logLevel: 'silent',
  })
  let made = outputFiles[0]!.text
  if (isMinified && options.singles) made = await minified(pruned(flattened(made)))
  let text = withExports(made).replaceAll(REQUIRE, 'require')
  if (isMinified && options.singles) text = withShortArrays(withArrows(withShortEquals(text)))
  check(text, options.singles !== undefined)
  return text
}

async function minified(text: string): Promise<string> {
  const { outputFiles } = await esbuild.build({
    ...LANGUAGE,
    stdin: { contents: text + NO_E, loader: 'js' },
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'neutral',
    minify: true,
    charset: 'ascii',
    legalComments: 'none',
    logLevel: 'silent',
  })
  return outputFiles[0]!.text
}

/** Espruino's modules set their exports; it has no statement for them. */
function withExports(text: string): string {
  return text
    .replace(/export\s*\{([^}]*)\};?\s*$/, (_, list: string) =>
      list
        .split(',')
        .map((item) => item.trim().split(/\s+as\s+/))
        .filter(([name]) => name !== '')
        .map(([name, outer]) => `exports.${outer ?? name}=${name};`)
        .join('\n'),
    )
    .trimEnd()
}

/**
 * Refuses what esbuild lets through and Espruino does not run. `isFlat`: variables of the file are
 * set by functions that run later.
 */
function check(text: string, isFlat: boolean): void {
  const tree = ts.createSourceFile('bundle.js', text, ts.ScriptTarget.ES2022, true)
  const declared = (node: ts.Node): ts.Node | undefined =>
    ts.isVariableDeclaration(node) ||
    ts.isParameter(node) ||
    ts.isFunctionDeclaration(node) ||
    ts.isClassDeclaration(node)
      ? node.name
      : undefined
  const refuse = (node: ts.Node, what: string): never => {
    throw new EspruinoError(`Espruino does not run ${what}: ${node.getText().slice(0, 80)}`)
  }
  const visit = (node: ts.Node): void => {
    const name = declared(node)
    if (name && !ts.isIdentifier(name)) refuse(node, 'destructuring')
    if (name && RESERVED.has(name.getText())) refuse(node, `a variable named ${name.getText()}`)
    if (ts.isParameter(node) && (node.initializer || node.dotDotDotToken)) {
      refuse(node, 'default and rest parameters')
    }
    if (ts.isRegularExpressionLiteral(node) && /\{\d|\(\?/.test(node.text)) {
      refuse(node, '`{n}` and `(?` in patterns')
    }
    if (ts.isLabeledStatement(node)) refuse(node, 'labels')
    if (ts.isClassExpression(node) && node.name) refuse(node, 'named class expressions')
    if (ts.isDefaultClause(node) && node.parent.clauses.at(-1) !== node) {
      refuse(node, '`default` before `case`')
    }
    // `var` counts from where it stands only, and esbuild adds some at the end of a function.
    if (ts.isVariableDeclarationList(node) && !(node.flags & ts.NodeFlags.BlockScoped)) {
      const isTop = ts.isSourceFile(node.parent.parent)
      if (!isTop || (!isFlat && node.declarations.some(({ initializer }) => !initializer))) {
        refuse(node, '`var` before it stands')
      }
    }
    ts.forEachChild(node, visit)
  }
  visit(tree)
}
