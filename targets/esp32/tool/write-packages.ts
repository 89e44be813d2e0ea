/**
 * The part of `npm run build` that makes the packages within the package.
 */
import * as path from 'node:path'
import { fileURLToPath } from 'node:url'
import { writePackages } from './packages.js'

// This runs from dist/targets/esp32/tool.
writePackages(path.join(path.dirname(fileURLToPath(import.meta.url)), '../../../..'))
