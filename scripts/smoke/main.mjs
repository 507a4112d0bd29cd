// `npm run check:tarball`: packs what a release would upload, installs it into an empty project as a user would get it,
// and uses it there in the ways that users do. Nothing else shows what is missing from a tarball, since in the working
// tree everything is there.
//
//   node scripts/smoke/main.mjs               makes the package for this platform out of the addon in the root
//   node scripts/smoke/main.mjs npm           takes it from there, where `napi artifacts` has laid them all
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { runProgram } from '../lib/failure.mjs';
import { at, root } from '../lib/paths.mjs';
import { prepare } from '../lib/prepare.mjs';
import { withTempFolder } from '../lib/temp.mjs';
import { createApp } from './app.mjs';
import { esbuild, webpack } from './consumers/bundlers.mjs';
import { everyNode, imports, readme, requires, tsx } from './consumers/runtime.mjs';
import { types } from './consumers/types.mjs';
import { vitest } from './consumers/vitest.mjs';
import { inspect, lintPackage } from './inspect.mjs';
import { makePlatformPackages, pack, platformPackage } from './packages.mjs';
import { installTools } from './tools.mjs';

/** What users have, and what often breaks: paths with a space and with letters that are not ASCII. */
const FOLDER = join('a folder 中文', 'app');

await runProgram(async () => {
  const given = process.argv[2];
  if (given) return withTempFolder((work) => smoke(resolve(given), work));
  await prepare();
  // Inside the working tree, as the napi command wants it.
  return withTempFolder(async (packages) => {
    await makePlatformPackages(packages);
    return withTempFolder((work) => smoke(packages, work));
  }, at('.cache'));
});

async function smoke(packages, work) {
  const tarballs = [];
  await step('pack', async () => {
    for (const folder of [root, platformPackage(packages)]) tarballs.push(await pack(folder, work));
    for (const tarball of tarballs) await withTempFolder((folder) => inspect(tarball, folder));
  });
  for (const { name, size, unpackedSize, files } of tarballs) {
    const [packed, unpacked] = [size, unpackedSize].map((bytes) => Math.round(bytes / 1000));
    console.log(`       ${name}: ${packed} kB packed, ${unpacked} kB in ${files.length} files`);
  }
  const paths = tarballs.map(({ path }) => path);
  const app = await step('install', () => createApp(join(work, FOLDER), paths));
  writeJavaScript(app);
  await step('import', () => imports(app));
  await step('require', () => requires(app));
  await step('README.md', () => readme(app));
  // From here on there is more than the package itself.
  await step('tools', async () => {
    await installTools();
    app.addTools();
  });
  await step('publint, attw', () => lintPackage(app, tarballs[0]));
  await step('TypeScript', () => types(app));
  await step('tsx', () => tsx(app));
  await step('esbuild', () => esbuild(app));
  await step('webpack', () => webpack(app));
  await step('vitest', () => vitest(app));
  if (process.platform === 'linux') await step('Node 20 to 26', () => everyNode(app));
  console.log('smoke: the packed package works');
}

/** The TypeScript program as a user would write it in JavaScript. */
function writeJavaScript(app) {
  const { transformSync } = createRequire(import.meta.url)('esbuild');
  const source = readFileSync(at('scripts', 'smoke', 'app', 'exercise.ts'), 'utf8');
  for (const [format, extension] of [
    ['esm', 'mjs'],
    ['cjs', 'cjs'],
  ]) {
    app.write(`exercise.${extension}`, transformSync(source, { loader: 'ts', format, target: 'es2022' }).code);
  }
}

async function step(title, work) {
  const started = performance.now();
  const result = await work();
  console.log(`smoke: ${title.padEnd(14)} ${((performance.now() - started) / 1000).toFixed(1).padStart(5)} s`);
  return result;
}
