// `npm run check:glibc -- <file.node>...`: what the addons that are published need of the system that loads them. One that was
// linked against the libraries of the machine that built it loads there, and fails elsewhere.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { basename } from 'node:path';
import { Failure, runProgram } from './lib/failure.mjs';

/** The oldest glibc that docs/platforms.md promises; the suffix of the gnu targets in ci.yml asks for it. */
const OLDEST_GLIBC = '2.17';

/** Libraries that are there wherever Node runs. */
const LIBRARIES = {
  gnu: /^(lib(c|m|dl|rt|pthread)\.so\.\d|ld-linux-.+\.so\.\d)$/,
  musl: /^libc\.so$/,
};

await runProgram(() => {
  const files = process.argv.slice(2);
  if (files.length === 0) throw new Failure('glibc: name the addons to look at: npm run check:glibc -- <file.node>...');
  const problems = files.flatMap(check);
  if (problems.length > 0) throw new Failure(problems.join('\n'));
});

function check(file) {
  const libc = /\.linux-\w+-(gnu|musl)\.node$/.exec(file)?.[1];
  if (!libc || !existsSync(file)) throw new Failure(`glibc: ${file} is no addon for Linux.`);
  // Of the machine's own linker, which knows the files of other processors too.
  const { stdout, stderr, status, error } = spawnSync(
    'readelf',
    ['--wide', '--dynamic', '--dyn-syms', '--version-info', file],
    {
      encoding: 'utf8',
    },
  );
  if (status !== 0) throw new Failure(`glibc: readelf failed: ${error?.message ?? stderr.trim()}`);
  const libraries = [...stdout.matchAll(/\(NEEDED\).*\[(.+)\]/g)].map(([, name]) => name);
  const versions = [...stdout.matchAll(/Name: GLIBC_(\d[\d.]*)/g)].map(([, version]) => version).sort(compare);
  const newest = versions.at(-1);
  // What zig does not find in that glibc it leaves to be found without a version, and then a newer one is needed all the same.
  const unversioned = [...stdout.matchAll(/ GLOBAL +DEFAULT +UND ([^@\s]+)$/gm)].map(([, name]) => name);

  const problems = libraries.filter((name) => !LIBRARIES[libc].test(name)).map((name) => `needs ${name}`);
  if (libraries.length === 0) problems.push('names no library at all');
  if (libc === 'gnu' && !newest) problems.push('names no version of glibc');
  if (libc === 'gnu' && newest && compare(newest, OLDEST_GLIBC) > 0) {
    problems.push(`needs glibc ${newest}, and ${OLDEST_GLIBC} is promised`);
  }
  if (libc === 'gnu' && unversioned.length > 0) {
    problems.push(`needs what glibc ${OLDEST_GLIBC} does not have: ${unversioned.join(' ')}`);
  }
  if (libc === 'musl' && newest) problems.push(`needs glibc ${newest}`);
  console.log(`glibc: ${basename(file)}: ${newest ? `glibc ${newest}` : 'no glibc'}, ${libraries.join(' ')}`);
  return problems.map((problem) => `glibc: ${basename(file)} ${problem}`);
}

/** By the numbers between the dots. */
function compare(a, b) {
  return a.localeCompare(b, 'en', { numeric: true });
}
