// `node scripts/bundle.mjs` makes the JavaScript in dist/ out of src/: few files, as each costs a program that imports the package half a
// millisecond, and every child that is a fresh program as well. The declarations come from tsc.
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { build } from 'esbuild';

/** Folder in dist/ of what the entries have in common. */
const CHUNKS = 'chunks';
const root = fileURLToPath(new URL('..', import.meta.url));

/** What is imported or run by itself; all else is in what these have in common. */
const entries = [
  'index',
  'spawn/main',
  'forkserver/server',
  'forkserver/nothing',
  'pool/worker',
  // Tests look inside by these.
  'at-fork',
  'native',
  'shared/names',
];

for (const file of readdirSync(join(root, 'dist'), { recursive: true })) {
  if (/\.js(\.map)?$/.test(file)) rmSync(join(root, 'dist', file));
}
await build({
  absWorkingDir: root,
  entryPoints: Object.fromEntries(entries.map((entry) => [entry, `src/${entry}.ts`])),
  outdir: 'dist',
  chunkNames: `${CHUNKS}/[hash]`,
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  packages: 'external',
  keepNames: true,
  sourcemap: true,
  logLevel: 'warning',
});
