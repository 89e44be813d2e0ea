/**
 * `npm run manifest`: writes into the `preload` of manifest.json the name of each module it has.
 * Stars would do for JavaScript; of TypeScript, mcconfig 8.2 preloads only what is named. A test
 * holds it.
 */
import * as fs from 'node:fs'
import * as path from 'node:path'
import { fileURLToPath } from 'node:url'
import { ModuleTable } from './bundle.js'

let folder = path.dirname(fileURLToPath(import.meta.url))
while (!fs.existsSync(path.join(folder, 'package.json'))) folder = path.dirname(folder)
const file = path.join(folder, 'manifest.json')
const manifest = JSON.parse(fs.readFileSync(file, 'utf8')) as { preload: string[] }
manifest.preload = [...new ModuleTable(file).files.keys()].sort()
fs.writeFileSync(file, JSON.stringify(manifest, null, 2) + '\n')
console.log(`manifest.json preloads ${manifest.preload.length} modules`)
