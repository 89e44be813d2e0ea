/** Every TypeScript block of the documents compiles against the package as a user sees it. */
import assert from 'node:assert/strict'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { it } from 'node:test'
import ts from 'typescript'

const root = join(dirname(fileURLToPath(import.meta.url)), '../..')
const readme = readFileSync(join(root, 'README.md'), 'utf8')
const pages = readme + readFileSync(join(root, 'docs/TLS.md'), 'utf8')
const blocks = [...pages.matchAll(/```ts\n([^]*?)```/g)].map((match) => match[1]!)

it('the TypeScript blocks of README.md and docs/TLS.md compile', () => {
  assert.ok(blocks.length >= 3)
  const folder = join(root, 'dist/readme')
  mkdirSync(folder, { recursive: true })
  const files = blocks.map((block, index) => {
    const file = join(folder, `block${index + 1}.ts`)
    writeFileSync(file, block)
    return file
  })
  const program = ts.createProgram(files, {
    strict: true,
    noEmit: true,
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    exactOptionalPropertyTypes: true,
    skipLibCheck: true,
    types: ['node'],
    typeRoots: [join(root, 'node_modules/@types')],
  })
  const problems = ts.getPreEmitDiagnostics(program).map(({ file, start, messageText }) => {
    const line = file && file.getLineAndCharacterOfPosition(start!).line + 1
    return `${file?.fileName}:${line} ${ts.flattenDiagnosticMessageText(messageText, '\n')}`
  })
  assert.deepEqual(problems, [])
})

it('the commands of README.md are scripts of package.json', () => {
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const named = [...readme.matchAll(/npm (?:run )?(\w[\w:-]*)/g)].map((match) => match[1]!)
  for (const name of new Set(named)) {
    assert.ok(name === 'ci' || name in scripts || name === 'are', `npm ${name}`)
  }
})
