// The Node versions we test on, from npm packages that hold the official binaries.
//
//   node scripts/nodes.mjs            installs all of them and prints "<major>\t<path>" for each
//   node scripts/nodes.mjs 22 24      only these
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { Failure, runProgram } from './lib/failure.mjs';
import { withLock } from './lib/lock.mjs';
import { npm } from './lib/npm.mjs';
import { at, isProgram, readJson } from './lib/paths.mjs';

export const versions = { 20: '20.20.2', 22: '22.23.3', 24: '24.21.0', 26: '26.10.0' };

const CACHE = at('.cache', 'nodes');

/** Resolves with a Map from major version to the path of its binary. What is there already is not fetched again. */
export async function installNodes(majors = Object.keys(versions)) {
  const { platform, arch } = process;
  if (platform !== 'linux' || !['x64', 'arm64'].includes(arch)) {
    throw new Failure(`No npm package holds all of these Node versions for ${platform}-${arch}: install them by hand.`);
  }
  const name = `node-linux-${arch}`;
  const paths = new Map();
  const onWait = () => console.error('nodes: waiting for another installation');
  await withLock(at('.cache', 'nodes', 'lock'), onWait, async () => {
    for (const major of majors) paths.set(major, await installNode(name, major));
  });
  return paths;
}

async function installNode(name, major) {
  const version = versions[major];
  if (!version) throw new Failure(`Node ${major} is not among ${Object.keys(versions).join(', ')}.`);
  const prefix = `${CACHE}/${major}`;
  const folder = `${prefix}/node_modules/${name}`;
  const binary = `${folder}/bin/node`;
  if (existsSync(binary) && readJson(`${folder}/package.json`).version === version) return binary;
  mkdirSync(prefix, { recursive: true });
  const { ok, output } = await npm(
    'install',
    '--prefix',
    prefix,
    '--no-save',
    '--no-package-lock',
    `${name}@${version}`,
  );
  if (!ok) throw new Failure(`${output.trimEnd()}\nnodes: Node ${version} could not be installed, see above.`);
  const says = execFileSync(binary, ['--version'], { encoding: 'utf8' }).trim();
  if (says !== `v${version}`) throw new Failure(`nodes: ${binary} says it is ${says}, not v${version}.`);
  return binary;
}

if (isProgram(import.meta.url)) {
  await runProgram(async () => {
    const majors = process.argv.slice(2);
    const paths = await installNodes(majors.length > 0 ? majors : undefined);
    for (const [major, path] of paths) console.log(`${major}\t${path}`);
  });
}
