/**
 * Makes of each part of `dist` that a device may load a package of its own within the package, for
 * `mcpack` of the Moddable SDK: it names a module by the name of the nearest package.json and the
 * path from there, and includes the manifest.json beside that. So modules have the names that the
 * manifests give them, only what is imported is in the image, and the top-level manifest.json, with
 * all its modules, stays out.
 *
 * Node, TypeScript and bundlers read of these packages `type` and `sideEffects` alone.
 */
import * as fs from 'node:fs'
import * as path from 'node:path'

const BASE = '$(MODDABLE)/examples/manifest_base.json'

/** Folder in `dist`, and the manifest that mcpack includes if a module of it is imported. */
const PACKAGES: Record<string, object | null> = {
  // JavaScript: here a star preloads. The names without `src` are what mcpack makes of exports.
  src: { preload: ['holdfast', 'holdfast/*'] },
  hal: null,
  // `native.c` alone: mcpack finds the modules. The base first, which sets $(MODULES).
  'hal/moddable': {
    include: [BASE, '../../../hal/moddable/manifest-platform.json'],
    modules: { 'holdfast/hal/moddable/*': '../../../hal/moddable/native.c' },
  },
  'hal/moddable/tls': {
    include: [BASE, '$(MODDABLE)/examples/io/tcp/tlssocket/manifest.json'],
  },
}

/** Writes them into `dist` of the checkout at `root`. */
export function writePackages(root: string): void {
  const write = (file: string, value: object): void =>
    fs.writeFileSync(path.join(root, 'dist', file), JSON.stringify(value, null, 2) + '\n')
  for (const [folder, manifest] of Object.entries(PACKAGES)) {
    write(`${folder}/package.json`, {
      name: 'holdfast/' + folder,
      type: 'module',
      private: true,
      sideEffects: false,
    })
    if (manifest !== null) write(`${folder}/manifest.json`, manifest)
  }
}
