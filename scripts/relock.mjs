// `npm run relock` after a change of the dependencies in a package.json: brings its package-lock.json up to date in an empty
// folder. Beside an existing node_modules npm copies what is installed there, and leaves out the hashes of the packages
// and those that other platforms need. `--check` only says whether the lockfile is whole.
import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { Failure, runProgram } from './lib/failure.mjs';
import { npm } from './lib/npm.mjs';
import { at, readJson } from './lib/paths.mjs';
import { withTempFolder } from './lib/temp.mjs';

/** The package itself, what the benchmark compares it with, and the tools of `npm run check:tarball`. */
const folders = ['.', 'bench/foreign/pools', 'scripts/smoke'];

await runProgram(async () => {
  if (!process.argv.includes('--check')) {
    for (const folder of folders) await withTempFolder((temporary) => relock(folder, temporary));
  }
  const problems = folders.flatMap((folder) => inspect(readJson(at(folder, 'package-lock.json')).packages));
  if (problems.length > 0)
    throw new Failure(`${problems.join('\n')}\nlockfile: not whole, \`npm run relock\` mends it.`);
});

async function relock(folder, temporary) {
  const lockfile = at(folder, 'package-lock.json');
  copyFileSync(at(folder, 'package.json'), join(temporary, 'package.json'));
  copyFileSync(at('.npmrc'), join(temporary, '.npmrc'));
  // A lockfile that is whole keeps its versions; one that is not is made anew.
  if (inspect(readJson(lockfile).packages).length === 0) copyFileSync(lockfile, join(temporary, 'package-lock.json'));
  const { ok, output } = await npm('install', '--prefix', temporary, '--package-lock-only', '--no-audit', '--no-fund');
  if (!ok) throw new Failure(`${output.trimEnd()}\nlockfile: npm could not make one, see above.`);
  copyFileSync(join(temporary, 'package-lock.json'), lockfile);
}

function inspect(packages) {
  const names = Object.keys(packages);
  return Object.entries(packages).flatMap(([path, entry]) => {
    const absent = Object.keys(entry.optionalDependencies ?? {}).filter(
      (name) => !names.some((other) => other.endsWith(`node_modules/${name}`)),
    );
    return [
      ...absent.map((name) => `lockfile: ${path || 'package.json'} wants ${name}, which is missing`),
      ...(path && !entry.integrity ? [`lockfile: ${path} has no integrity hash`] : []),
      // It would tie everyone to the registry of whoever wrote it.
      ...(entry.resolved ? [`lockfile: ${path} names its registry`] : []),
    ];
  });
}
