/**
 * Certificates for tests, made now: those that the commands of docs/TLS.md make, and beside them
 * those that must be refused. No key lies in the repository.
 */
import { spawnSync } from 'node:child_process'
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '../../..')
const page = readFileSync(join(root, 'docs/TLS.md'), 'utf8')

/** The one block of this language on the page. */
export function blockOf(language: string): string {
  const [, block] = new RegExp('```' + language + '\\n([^]*?)```').exec(page)!
  return block!
}

const CURVE = '-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes'

/** A certificate NAME.crt with NAME.key, signed by AUTHORITY. */
const signed = (name: string, authority: string, subject: string, days: number) => `
openssl req ${CURVE} ${subject} -keyout ${name}.key -out ${name}.csr
openssl x509 -req -in ${name}.csr -CA ${authority}.crt -CAkey ${authority}.key -CAcreateserial \\
  -copy_extensions copy -days ${days} -out ${name}.crt
`
const LOCALHOST = '-subj "/CN=broker" -addext "subjectAltName=DNS:localhost"'
const ELSEWHERE = '-subj "/CN=localhost" -addext "subjectAltName=DNS:elsewhere.example"'

const WRONG = `
openssl req -x509 ${CURVE} -days 2 -subj "/CN=Another authority" -keyout other.key -out other.crt
${signed('foreign', 'other', LOCALHOST, 2)}
${signed('expired', 'ca', LOCALHOST, -1)}
${signed('elsewhere', 'ca', ELSEWHERE, 2)}
openssl req -x509 ${CURVE} -days 2 ${LOCALHOST} -keyout self.key -out self.crt
${signed('old-device', 'ca', '-subj "/CN=greenhouse-7"', -1)}
${signed('foreign-device', 'other', '-subj "/CN=greenhouse-7"', 2)}
`

export class Certificates {
  readonly folder = mkdtempSync(join(tmpdir(), 'holdfast-certificates-'))

  /** Null where there is no openssl; a command that fails throws with its words. */
  static make(): Certificates | null {
    if (spawnSync('openssl', ['version']).status !== 0) return null
    const made = new Certificates()
    made.run(blockOf('sh'))
    made.run(WRONG)
    return made
  }

  run(commands: string): void {
    const options = { cwd: this.folder, encoding: 'utf8' } as const
    const { status, stderr } = spawnSync('sh', ['-ec', commands], options)
    if (status !== 0) throw new Error(`openssl failed: ${stderr}`)
    // Started by root, Mosquitto reads as a user of its own. These keys live for a minute.
    chmodSync(this.folder, 0o755)
    for (const name of readdirSync(this.folder)) chmodSync(this.path(name), 0o644)
  }

  path(name: string): string {
    return join(this.folder, name)
  }

  read(name: string): Buffer {
    return readFileSync(this.path(name))
  }

  /** `cert` and `key` of this name. */
  identity(name: string): { cert: Buffer; key: Buffer } {
    return { cert: this.read(name + '.crt'), key: this.read(name + '.key') }
  }

  remove(): void {
    rmSync(this.folder, { recursive: true })
  }
}
