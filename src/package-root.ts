/**
 * Where the package is, whatever file of it this has become part of.
 */
import { existsSync, readFileSync } from 'node:fs';

import { ProcessError } from './errors.ts';

/** There when webpack, or a bundler like it, has put the address that a file had at build time for `import.meta.url`. */
declare const __webpack_require__: unknown;

const NAME = 'node-multiprocessing';

function find(): URL {
  // CommonJS made by a bundler has none.
  const here = import.meta.url as string | undefined;
  const root = here === undefined || typeof __webpack_require__ !== 'undefined' ? undefined : packageAbove(here);
  if (root?.name === NAME) return root.folder;
  // The addon and the programs of children are files of the package, and a child would have a second copy of it.
  throw new ProcessError(
    'ERR_MP_BUNDLED',
    `${NAME} was bundled into another file, and works only from its own folder: mark it as external in the bundler ` +
      `(esbuild: --external:${NAME}; webpack: externals) and install it beside the bundle`,
  );
}

function packageAbove(file: string): { folder: URL; name: unknown } | undefined {
  for (let folder = new URL('.', file); ; folder = new URL('..', folder)) {
    const manifest = new URL('package.json', folder);
    if (existsSync(manifest)) {
      return { folder, name: (JSON.parse(readFileSync(manifest, 'utf8')) as { name?: unknown }).name };
    }
    if (new URL('..', folder).href === folder.href) return undefined;
  }
}

/** URL of the folder of `package.json`, with a slash at its end. */
export const packageRoot = find();
