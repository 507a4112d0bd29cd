// `node scripts/npm-dirs.mjs npm` lays out a folder for the package of each platform, as `napi create-npm-dirs` does, and
// puts the licence into it. The addons come from `napi artifacts`.
import { copyFileSync, readdirSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { Failure, runProgram } from './lib/failure.mjs';
import { npm } from './lib/npm.mjs';
import { at, isProgram, root } from './lib/paths.mjs';

/** `folder` must be inside the working tree: the napi command writes nowhere else. */
export async function makePackageFolders(folder) {
  const { ok, output } = await npm(
    'exec',
    '--no',
    '--',
    'napi',
    'create-npm-dirs',
    '--npm-dir',
    relative(root, folder),
  );
  if (!ok) throw new Failure(`${output.trimEnd()}\nnpm-dirs: \`napi create-npm-dirs\` failed, see above.`);
  for (const platform of readdirSync(folder)) copyFileSync(at('LICENSE'), join(folder, platform, 'LICENSE'));
}

if (isProgram(import.meta.url)) await runProgram(() => makePackageFolders(resolve(process.argv[2] ?? 'npm')));
