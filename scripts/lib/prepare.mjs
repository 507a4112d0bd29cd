// Makes the working tree ready to run: npm packages, the Rust addon, and the TypeScript. Each step is done only if its
// inputs or its outputs changed since it was last done, so a run with nothing to do costs some milliseconds.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { Failure } from './failure.mjs';
import { fingerprint, listFiles } from './fingerprint.mjs';
import { withLock } from './lock.mjs';
import { npm } from './npm.mjs';
import { at, readJson, root } from './paths.mjs';
import { checkBuildTools, checkSystem } from './requirements.mjs';

const STATE = at('.cache', 'setup');

const packages = {
  title: 'installing npm packages',
  isCurrent: () => packagesAreInstalled(root),
  // `--include=dev`, because an inherited NODE_ENV=production would leave the tools out.
  run: () => npm('ci', '--include=dev', '--no-audit', '--no-fund'),
};

const addon = buildStep('addon', {
  title: 'building the Rust addon',
  inputs: ['src-rs', 'build.rs', 'Cargo.toml', 'Cargo.lock', '.cargo/config.toml'],
  outputs: () => ['index.cjs', 'index.d.ts', ...readdirSync(root).filter((name) => name.endsWith('.node'))],
  required: ['index.cjs', 'index.d.ts', '.node'],
  check: checkBuildTools,
  script: 'build:native',
});

const library = typescriptStep('src', 'dist', 'build:ts', ['tsconfig.build.json', 'index.d.ts', 'scripts/bundle.mjs']);
const examples = typescriptStep('examples', 'dist-examples', 'build:examples', ['tsconfig.examples.json', 'dist']);
const bench = typescriptStep('bench', 'dist-bench', 'build:bench', ['tsconfig.bench.json', 'dist']);

/** Brings everything up to date; `extras` names what to compile besides the library: `examples`, `bench`. */
export async function prepare({ extras = [] } = {}) {
  checkSystem();
  const steps = [packages, addon, library, ...[examples, bench].filter((step) => extras.includes(step.source))];
  if (steps.every((step) => step.isCurrent())) return;
  const onWait = () => console.error('setup: waiting for another set-up of this folder');
  // Exit handlers release the lock and stop the running step; a signal alone would run none.
  const exit = (signal) => process.exit(128 + constants.signals[signal]);
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
  for (const signal of signals) process.on(signal, exit);
  try {
    await withLock(join(STATE, 'lock'), onWait, async () => {
      for (const step of steps) {
        // Asked again: whoever held the lock may have done the work.
        if (!step.isCurrent()) await perform(step);
      }
    });
  } finally {
    for (const signal of signals) process.removeListener(signal, exit);
  }
}

async function perform(step) {
  step.check?.();
  const started = performance.now();
  process.stderr.write(`setup: ${step.title} ... `);
  const { ok, output } = await step.run();
  process.stderr.write(ok ? `${((performance.now() - started) / 1000).toFixed(1)} s\n` : 'failed\n');
  if (!ok) throw new Failure(`${output.trimEnd()}\nsetup: ${step.title} failed, see above.`);
  step.done?.();
}

/**
 * Compares what npm last installed, as its hidden lockfile tells, with package-lock.json. An own stamp would not notice
 * an `npm install` by hand; this does.
 */
export function packagesAreInstalled(folder) {
  const hidden = join(folder, 'node_modules', '.package-lock.json');
  if (!existsSync(hidden)) return false;
  const installed = readJson(hidden).packages;
  return Object.entries(readJson(join(folder, 'package-lock.json')).packages).every(([path, wanted]) => {
    if (path === '') return true;
    const found = installed[path];
    if (!found) return Boolean(wanted.optional || wanted.peer);
    return found.version === wanted.version && existsSync(join(folder, path));
  });
}

/** A step that runs an npm script, and remembers the contents of its inputs and outputs in a stamp file. */
function buildStep(name, { inputs, outputs, required, script, ...rest }) {
  const stamp = join(STATE, name);
  const files = (paths) => paths.flatMap((path) => listFiles(at(path)));
  const inputState = () => {
    const { scripts, version, exports, napi, devDependencies } = readJson(at('package.json'));
    const manifest = [scripts[script], version, exports, napi, devDependencies['@napi-rs/cli']];
    return fingerprint(root, files(inputs), manifest, process.platform, process.arch);
  };
  const outputState = () => {
    const built = files(outputs());
    return required.every((end) => built.some((file) => file.endsWith(end))) && fingerprint(root, built);
  };
  let before;
  return {
    ...rest,
    isCurrent: () => existsSync(stamp) && readFileSync(stamp, 'utf8') === `${inputState()}\n${outputState()}\n`,
    run: () => {
      rmSync(stamp, { force: true });
      // Taken first: a file that is edited while the build runs must count as changed.
      before = inputState();
      return npm('run', '--silent', script);
    },
    done: () => {
      rest.done?.();
      const after = outputState();
      if (!after) throw new Failure(`setup: \`npm run ${script}\` made no ${required.join(', ')}.`);
      mkdirSync(dirname(stamp), { recursive: true });
      writeFileSync(stamp, `${before}\n${after}\n`);
    },
  };
}

function typescriptStep(source, output, script, inputs) {
  const step = buildStep(output, {
    source,
    title: `compiling ${source}/`,
    inputs: [source, ...inputs, 'tsconfig.json', 'package-lock.json'],
    outputs: () => [output],
    required: ['.js'],
    script,
    done: () => removeStale(at(source), at(output)),
  });
  const isEmpty = () => !listFiles(at(source)).some((file) => /\.[cm]?ts$/.test(file));
  return source === 'src' ? step : { ...step, isCurrent: () => isEmpty() || step.isCurrent() };
}

/**
 * tsc never deletes: what it once made from a file that is gone would still be imported and published. What scripts/bundle.mjs makes
 * of several files it sees to itself.
 */
function removeStale(source, output) {
  const sources = new Set(listFiles(source).map((file) => relative(source, file).replace(/\.([cm]?)ts$/, '.$1js')));
  for (const file of listFiles(output)) {
    const made = relative(output, file).replace(/(\.d)?\.([cm]?)[jt]s(\.map)?$/, '.$2js');
    if (sources.has(made) || made.startsWith('chunks/')) continue;
    rmSync(file);
    for (let folder = dirname(file); folder !== output && readdirSync(folder).length === 0; folder = dirname(folder)) {
      rmdirSync(folder);
    }
  }
}
