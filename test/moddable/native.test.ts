/**
 * `native.c` compiled for the processors of the boards, against the headers of the Moddable SDK:
 * Xtensa (ESP32, S2, S3; the compiler is for another core of the family) and RISC-V (C3, C6, H2).
 * ESP-IDF's headers are stood in for by the few declarations that are needed. Needs the SDK
 * (sdk.ts) and a compiler, of which Debian has both.
 */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import * as path from 'node:path'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { findSdk, run } from './sdk.js'

const root = path.join(path.dirname(fileURLToPath(import.meta.url)), '../../..')
const scratch = fs.mkdtempSync(path.join(tmpdir(), 'holdfast-native-'))
after(() => fs.rmSync(scratch, { recursive: true }))

/** What ESP-IDF declares, and mcconfig writes; `esp_deep_sleep` does not come back. */
const HEADERS: Record<string, string> = {
  'freertos/FreeRTOS.h': 'typedef struct { unsigned long owner; } portMUX_TYPE;\n',
  'freertos/task.h': 'typedef void* TaskHandle_t;\n',
  'esp_partition.h': 'typedef struct esp_partition esp_partition_t;\n',
  'esp_random.h': '#include <stdint.h>\nuint32_t esp_random(void);\n',
  'esp_sleep.h':
    '#include <stdint.h>\n__attribute__((noreturn)) void esp_deep_sleep(uint64_t us);\n',
  'mc.xs.h': '#include "xs.h"\n',
}

interface Processor {
  name: string
  prefix: string
  flags: string[]
  /** Headers of a C library. */
  library: string
  /** ESP32 in the SDK's makefiles: which chip. */
  chips: number[]
  packages: string
}

const PROCESSORS: Processor[] = [
  {
    name: 'Xtensa',
    prefix: 'xtensa-lx106-elf-',
    flags: ['-mlongcalls'],
    library: '/usr/lib/xtensa-lx106-elf/include',
    chips: [1, 2, 3],
    packages: 'gcc-xtensa-lx106 picolibc-xtensa-lx106-elf',
  },
  {
    name: 'RISC-V',
    prefix: 'riscv64-unknown-elf-',
    flags: ['-march=rv32imc', '-mabi=ilp32'],
    library: '/usr/lib/picolibc/riscv64-unknown-elf/include',
    chips: [4, 5, 6],
    packages: 'gcc-riscv64-unknown-elf picolibc-riscv64-unknown-elf',
  },
]

function isThere({ name, prefix, library, packages }: Processor): boolean {
  const isCompiler = spawnSync(prefix + 'gcc', ['--version']).error === undefined
  if (isCompiler && fs.existsSync(library)) return true
  console.log(`left out: native.c for ${name}: no compiler (apt-get install ${packages})`)
  return false
}

/** Compiles and returns the object file; what is not to gcc's liking is an error. */
function compile(sdk: string, { prefix, flags, library }: Processor, chip: number): string {
  for (const [name, text] of Object.entries(HEADERS)) {
    fs.mkdirSync(path.dirname(path.join(scratch, name)), { recursive: true })
    fs.writeFileSync(path.join(scratch, name), text)
  }
  const xs = path.join(sdk, 'xs')
  // As in the SDK's makefile for the ESP32; its headers are not ours to warn of.
  const defines = [
    '-D__ets__',
    '-U__STRICT_ANSI__',
    `-DESP32=${chip}`,
    '-DmxUseDefaultSharedChunks=1',
  ]
  const headers = ['includes', 'platforms/esp', 'platforms'].map((one) => path.join(xs, one))
  const system = [...headers, library].flatMap((one) => ['-isystem', one])
  const warnings = ['-Wall', '-Wextra', '-Wcast-align=strict', '-Wstack-usage=128', '-Werror']
  const source = path.join(root, 'hal/moddable/native.c')
  const words = [...flags, '-std=gnu17', '-Os', ...warnings, ...defines, '-I.', ...system]
  run(prefix + 'gcc', [...words, '-c', source, '-o', 'native.o'], scratch)
  return path.join(scratch, 'native.o')
}

const sdk = findSdk('native.c for Xtensa and RISC-V')
for (const processor of sdk === null ? [] : PROCESSORS.filter(isThere)) {
  for (const chip of processor.chips) {
    test(`native.c compiles for ${processor.name}, chip ${chip}, with no warning`, () => {
      const object = compile(sdk!, processor, chip)
      const symbols = run(processor.prefix + 'nm', [object], scratch)
      for (const name of ['copy', 'crc32', 'random', 'deepSleep']) {
        assert.match(symbols, new RegExp(` T xs_holdfast_${name}\\n`))
      }
      assert.match(symbols, / U esp_random\n/)
      assert.match(symbols, / U esp_deep_sleep\n/)
      // Bytes of RAM that it would keep for itself: none, and no code in the scarce IRAM.
      const sizes = run(processor.prefix + 'size', ['-A', object], scratch)
      for (const [, size] of sizes.matchAll(/^\.s?(?:data|bss)\S* +(\d+)/gm))
        assert.equal(size, '0')
      assert.doesNotMatch(sizes, /iram/)
    })
  }
}
