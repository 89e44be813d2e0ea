/**
 * `npm run manifest`: writes the manifests that are made from the modules' imports. A test holds
 * that they are the ones that would be written now.
 */
import * as fs from 'node:fs'
import * as path from 'node:path'
import { fileURLToPath } from 'node:url'
import * as prettier from 'prettier'
import { manifests } from './manifests.js'

let folder = path.dirname(fileURLToPath(import.meta.url))
while (!fs.existsSync(path.join(folder, 'package.json'))) folder = path.dirname(folder)
for (const [name, manifest] of manifests(folder)) {
  const text = await prettier.format(JSON.stringify(manifest), { parser: 'json', printWidth: 100 })
  fs.writeFileSync(path.join(folder, name), text)
  console.log(`${name} preloads ${manifest.preload.length} modules`)
}
