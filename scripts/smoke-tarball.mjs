// `npm run check:tarball`: installs the packed packages into an empty folder, as a user would get them, and loads them
// with `import` and with `require`. Nothing else shows a file that is missing from the tarball, since in the working
// tree everything is there.
//
//   node scripts/smoke-tarball.mjs            makes the package for this platform out of the addon in the root
//   node scripts/smoke-tarball.mjs npm        takes it from there, where `napi artifacts` has laid them all
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { Failure, runProgram } from './lib/failure.mjs';
import { npm } from './lib/npm.mjs';
import { at, readJson, root } from './lib/paths.mjs';
import { prepare } from './lib/prepare.mjs';
import { withTempFolder } from './lib/temp.mjs';

const PROGRAM = `
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import * as imported from 'node-multiprocessing';

const required = createRequire(import.meta.url)('node-multiprocessing');
// Two copies would mean two tables of children.
assert.equal(required.Process, imported.Process, 'require and import give two different copies');
assert.ok(imported.cpuCount() >= 1, 'cpuCount() calls into the addon');
if (process.platform === 'linux') {
  const child = new imported.Process({ target: () => process.exit(7) });
  child.start();
  child.join();
  assert.equal(child.exitCode, 7);
}
console.log('smoke: imported, required, and ran a process on Node ' + process.versions.node);
`;

await runProgram(async () => {
  const given = process.argv[2];
  if (given) return withTempFolder((work) => smoke(resolve(given), work));
  await prepare();
  // Inside the working tree, because the napi command writes nowhere else.
  return withTempFolder(async (packages) => {
    await makePlatformPackages(packages);
    return withTempFolder((work) => smoke(packages, work));
  }, at('.cache'));
});

async function smoke(packages, work) {
  const tarballs = [];
  for (const folder of [root, platformPackage(packages)]) tarballs.push(await pack(folder, work));
  const app = join(work, 'app');
  mkdirSync(app);
  writeFileSync(join(app, 'package.json'), '{ "name": "app", "private": true, "type": "module" }\n');
  await mustRun('install', '--prefix', app, '--no-audit', '--no-fund', ...tarballs);
  writeFileSync(join(app, 'main.js'), PROGRAM);
  // Without what would let the working tree's files stand in for those of the tarball.
  const { NODE_PATH: _path, NAPI_RS_NATIVE_LIBRARY_PATH: _library, ...env } = process.env;
  const { status } = spawnSync(process.execPath, ['main.js'], { cwd: app, env, stdio: 'inherit' });
  if (status !== 0) throw new Failure('smoke: the packed package does not work, see above.');
}

/** Writes <platform>/package.json for all targets as the release does, and adds the addon that was built here. */
async function makePlatformPackages(folder) {
  await mustRun('exec', '--no', '--', 'napi', 'create-npm-dirs', '--npm-dir', relative(root, folder));
  const { binaryName } = readJson(at('package.json')).napi;
  for (const name of readdirSync(root)) {
    if (!name.startsWith(`${binaryName}.`) || !name.endsWith('.node')) continue;
    const platform = name.slice(binaryName.length + 1, -'.node'.length);
    copyFileSync(at(name), join(folder, platform, name));
  }
}

/** The folder of the one package that this platform would install. */
function platformPackage(packages) {
  const libc = process.report.getReport().header.glibcVersionRuntime ? 'gnu' : 'musl';
  const name = process.platform === 'linux' ? `linux-${process.arch}-${libc}` : `${process.platform}-${process.arch}`;
  const folder = join(packages, name);
  if (!existsSync(folder) || !readdirSync(folder).some((file) => file.endsWith('.node'))) {
    throw new Failure(`smoke: ${folder} holds no addon.`);
  }
  return folder;
}

async function pack(folder, destination) {
  const { stdout } = await mustRun('pack', folder, '--json', '--ignore-scripts', '--pack-destination', destination);
  return join(destination, Object.values(JSON.parse(stdout))[0].filename);
}

async function mustRun(...args) {
  const result = await npm(...args);
  if (!result.ok) throw new Failure(`${result.output.trimEnd()}\nsmoke: \`npm ${args[0]}\` failed, see above.`);
  return result;
}
