/**
 * `npm run build:esp32` and `npm run flash:esp32`: what can be checked without the SDK is checked
 * first, then Moddable's mcconfig makes the image and, for flash, puts it on the device. Whatever
 * is missing is said with its remedy. The type check has been done by `npm run build`.
 */
import { spawnSync } from 'node:child_process'
import * as fs from 'node:fs'
import * as path from 'node:path'
import { fileURLToPath } from 'node:url'
import { BundleError, bundleManifest } from './bundle.js'

const USAGE = `usage: npm run build:esp32 -- [options] [name=value …]
       npm run flash:esp32 -- [options] name=value …

  --variant sensor   targets/sensor.ts; also "tls" (mqtts://) and "sleep" (deep sleep)
  --target NAME      one of Moddable's, "nodemcu" unless given: esp32c3, esp32s3, moddable_two …
  --debug            with xsbug, Moddable's debugger, where trace output is to be seen
  name=value         a setting: wifiSsid, wifiPassword, broker, clientId, protocol, timeServer,
                     sleepMs, awakeMs. wifiSsid, broker and clientId are needed to flash`

const VARIANTS: Record<string, string> = {
  sensor: 'targets/esp32/manifest.json',
  tls: 'targets/esp32/tls/manifest.json',
  sleep: 'targets/esp32/sleep/manifest.json',
}
const NEEDED = ['wifiSsid', 'broker', 'clientId']

/** Ends the run with words; the code is 1. */
class Missing extends Error {}

interface Options {
  isDeploy: boolean
  isDebug: boolean
  variant: string
  target: string
  settings: string[]
}

function parse(words: string[]): Options | null {
  const options = { isDeploy: false, isDebug: false, variant: 'sensor', target: 'nodemcu' }
  const settings: string[] = []
  const value = (name: string): string => {
    const next = words.shift()
    if (next === undefined) throw new Missing(`${name} needs a value\n\n${USAGE}`)
    return next
  }
  for (let word = words.shift(); word !== undefined; word = words.shift()) {
    if (word === '--help') return null
    if (word === '--deploy') options.isDeploy = true
    else if (word === '--debug') options.isDebug = true
    else if (word === '--variant') options.variant = value(word)
    else if (word === '--target') options.target = value(word).replace(/^esp32\//, '')
    else if (/^\w+=/.test(word)) settings.push(word)
    else throw new Missing(`"${word}" is not known\n\n${USAGE}`)
  }
  if (!(options.variant in VARIANTS)) {
    throw new Missing(`there is no variant "${options.variant}"\n\n${USAGE}`)
  }
  return { ...options, settings }
}

/** The folder of package.json, found upwards: this runs from `dist`. */
function projectFolder(): string {
  let folder = path.dirname(fileURLToPath(import.meta.url))
  while (!fs.existsSync(path.join(folder, 'package.json'))) folder = path.dirname(folder)
  return folder
}

function onPath(name: string): string | null {
  for (const folder of (process.env['PATH'] ?? '').split(path.delimiter)) {
    if (folder !== '' && fs.existsSync(path.join(folder, name))) return path.join(folder, name)
  }
  return null
}

/** mcconfig, and the SDK and the IDF it wants. Throws Missing for the first that is not there. */
function findMcconfig(): string {
  const sdk = process.env['MODDABLE']
  if (sdk === undefined || sdk === '') {
    throw new Missing(
      'MODDABLE is not set: the Moddable SDK makes the image. "npx xs-dev setup" and then\n' +
        '"npx xs-dev setup --device esp32" install it and ESP-IDF; then open a new terminal.\n' +
        'docs/BOARDS.md goes through it.',
    )
  }
  if (!fs.existsSync(path.join(sdk, 'examples/manifest_base.json'))) {
    throw new Missing(`MODDABLE is ${sdk}, and the Moddable SDK is not there (no examples)`)
  }
  const system = process.platform === 'darwin' ? 'mac' : 'lin'
  const built = path.join(sdk, 'build/bin', system, 'release/mcconfig')
  const found = onPath('mcconfig') ?? (fs.existsSync(built) ? built : null)
  if (found === null) {
    throw new Missing(
      `mcconfig is neither on PATH nor at ${built}: build the SDK's tools,\n` +
        `"make -C ${path.join(sdk, 'build/makefiles', system)}"`,
    )
  }
  if ((process.env['IDF_PATH'] ?? '') === '') {
    throw new Missing(
      'IDF_PATH is not set: ESP-IDF compiles for the chip. "npx xs-dev setup --device esp32"\n' +
        'installs the version that the SDK wants.',
    )
  }
  return found
}

/** What the firmware would only complain about once it runs. */
function checkSettings(options: Options, root: string): void {
  if (options.variant === 'tls' && !fs.existsSync(path.join(root, 'targets/esp32/tls/ca.der'))) {
    throw new Missing(
      'targets/esp32/tls/ca.der is missing, the certificate of the authority to trust:\n' +
        '"openssl x509 -in ca.pem -outform der -out targets/esp32/tls/ca.der"',
    )
  }
  if (!options.isDeploy) return
  const common = path.join(root, 'targets/esp32/manifest-common.json')
  const config = JSON.parse(fs.readFileSync(common, 'utf8')).config as Record<string, unknown>
  const missing = NEEDED.filter(
    (name) => config[name] === '' && !options.settings.some((one) => one.startsWith(name + '=')),
  )
  if (missing.length === 0) return
  throw new Missing(
    `the device needs ${missing.join(', ')}, e.g.\n` +
      'npm run flash:esp32 -- wifiSsid=home wifiPassword=secret ' +
      'broker=mqtt://192.168.1.2 clientId=s1',
  )
}

async function run(options: Options): Promise<number> {
  const root = projectFolder()
  const manifest = VARIANTS[options.variant]!
  const output = path.join(root, 'dist/esp32')
  fs.mkdirSync(output, { recursive: true })
  const bundle = path.join(output, options.variant + '.js')
  const size = await bundleManifest(path.join(root, manifest), bundle)
  console.log(`${options.variant}: types and imports are right; ${size} bytes of JavaScript`)
  checkSettings(options, root)
  const isSdkAbsent = (process.env['MODDABLE'] ?? '') === ''
  if (!options.isDeploy && isSdkAbsent) {
    console.log('No image was made: MODDABLE is not set. See docs/BOARDS.md for the SDK.')
    return 0
  }
  const mcconfig = findMcconfig()
  const made = path.join(output, options.variant)
  fs.mkdirSync(made, { recursive: true })
  const words = [...(options.isDebug ? ['-d'] : []), '-m', '-p', 'esp32/' + options.target]
  words.push('-t', 'build', ...(options.isDeploy ? ['-t', 'deploy'] : []), '-o', made)
  // A value may hold a blank; mcconfig is given each as one word.
  words.push(path.join(root, manifest), ...options.settings)
  const hidden = words.map((word) => word.replace(/^(wifiPassword=).*/, '$1…'))
  console.log(['mcconfig', ...hidden].join(' '))
  // It calls `tsc` from PATH, and ours is the version these sources are written for.
  const tools = path.join(root, 'node_modules/.bin') + path.delimiter + process.env['PATH']
  const env = { ...process.env, PATH: tools }
  const { status, error } = spawnSync(mcconfig, words, { stdio: 'inherit', env })
  if (error !== undefined) throw new Missing(`mcconfig did not start: ${error.message}`)
  if (status !== 0) console.error('mcconfig failed; what it said stands above.')
  return status ?? 1
}

try {
  const options = parse(process.argv.slice(2))
  if (options === null) console.log(USAGE)
  else process.exitCode = await run(options)
} catch (error) {
  if (!(error instanceof Missing) && !(error instanceof BundleError)) throw error
  console.error(error.message)
  process.exitCode = 1
}
