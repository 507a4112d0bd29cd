// `npm run check:pack`: what `npm publish` would upload, and nothing else. An addon that slipped in would be loaded in
// place of the platform package; a loader that is missing shows only after the release.
// With `--publish` (the prepublishOnly script) it also refuses to run outside CI, where the platform packages have been
// published first, and without a repository in package.json.
import { Failure, runProgram } from './lib/failure.mjs';
import { npm } from './lib/npm.mjs';
import { at, readJson } from './lib/paths.mjs';

const REQUIRED = [
  'LICENSE',
  'README.md',
  'dist/index.d.ts',
  'dist/index.js',
  'dist/spawn/main.js',
  'dist/forkserver/server.js',
  'dist/pool/thread.js',
  'dist/pool/worker.js',
  'index.cjs',
  'package.json',
];
const ALLOWED = [
  /^(LICENSE|README(\.zh-CN)?\.md|CHANGELOG\.md|package\.json|index\.cjs|index\.d\.ts)$/,
  /^dist\/.+\.(js|d\.ts)(\.map)?$/,
];

await runProgram(async () => {
  if (process.argv.includes('--publish') && !process.env.CI) {
    throw new Failure('Releases are published by the release workflow only: see CONTRIBUTING.md.');
  }
  if (process.argv.includes('--publish') && !readJson(at('package.json')).repository) {
    throw new Failure(
      'package.json names no repository, and npm publishes with provenance only from the one it names.',
    );
  }
  const { ok, output, stdout } = await npm('pack', '--dry-run', '--json', '--ignore-scripts');
  if (!ok) throw new Failure(`${output.trimEnd()}\npack: \`npm pack\` failed, see above.`);
  const [{ files }] = Object.values(JSON.parse(stdout));
  const paths = files.map(({ path }) => path);
  const problems = [
    ...REQUIRED.filter((path) => !paths.includes(path)).map((path) => `is missing: ${path}`),
    ...paths.filter((path) => !ALLOWED.some((rule) => rule.test(path))).map((path) => `does not belong there: ${path}`),
  ];
  if (problems.length > 0) throw new Failure(problems.map((problem) => `pack: ${problem}`).join('\n'));
  console.log(`pack: ${paths.length} files, all as expected`);
});
