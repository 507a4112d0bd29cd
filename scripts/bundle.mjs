// `node scripts/bundle.mjs` makes the JavaScript in dist/ out of src/: few files, as each costs a program that imports the package half a
// millisecond, and every child that is a fresh program as well. The declarations come from tsc.
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
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
  'pool/thread',
  // Tests look inside by these.
  'at-fork',
  'native',
  'shared/names',
];

/**
 * Gives classes the names back that esbuild changes where a class refers to itself: `var A = class _A`. Inside of it, its own name is the
 * class as well. (esbuild's option for that costs each function that is made at run time more than all else about it.)
 */
function named(text) {
  const names = [...text.matchAll(/^var (\w+) = class _\1\b/gm)].map(([, name]) => name);
  return names.reduce((all, name) => all.replaceAll(new RegExp(`\\b_${name}\\b`, 'g'), name), text);
}

for (const file of readdirSync(join(root, 'dist'), { recursive: true })) {
  if (/\.js(\.map)?$/.test(file)) rmSync(join(root, 'dist', file));
}
const { outputFiles } = await build({
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
  sourcemap: true,
  logLevel: 'warning',
  write: false,
});
for (const { path, text, contents } of outputFiles) {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, path.endsWith('.js') ? named(text) : contents);
}
