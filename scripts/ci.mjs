// What `.ci/run` runs: everything that must hold before a change lands, from a clone with nothing installed. All of it
// is done even if a part fails. The last line counts the tests of all suites; a check that fails (lint, the committed
// declarations, the package) counts as one failure.
import { runInGroup } from './lib/exec.mjs';
import { Failure, runProgram } from './lib/failure.mjs';
import { prepare } from './lib/prepare.mjs';
import { checkBuildTools } from './lib/requirements.mjs';
import { runCargoTests, runVitest, sum, summaryLine } from './lib/runners.mjs';
import { checkTargets } from './check-targets.mjs';
import { installNodes, versions } from './nodes.mjs';

const MINUTE = 60_000;
/** Characters of each failure that the summary repeats. */
const FAILURE_LENGTH = 1_200;
const results = [];

await runProgram(async () => {
  const isSetUp = await check('set-up', async () => {
    checkBuildTools();
    await prepare({ extras: ['examples', 'bench'] });
  });
  if (isSetUp) {
    await check('lint', () => command('npm', 'run', '--silent', 'lint'));
    await check('index.d.ts', committedDeclarations);
    await check('package', () => command('npm', 'run', '--silent', 'check:pack'));
    await check('tarball', () => command('npm', 'run', '--silent', 'check:tarball'));
    await suite('Rust code of other platforms', otherTargets);
    await suite(`node ${process.versions.node}`, () => runVitest([]));
    await suite('cargo', () => runCargoTests());
    await check('models of the protocols', () => command('npm', 'run', '--silent', 'harden', '--', 'models'));
    await check('soak', () => command('npm', 'run', '--silent', 'soak', '--', '--minutes', '0.5'));
    await systemTests();
  }
  console.log('\n== summary');
  // Whoever reads only the end of the log must find what failed.
  for (const { line, counts } of results) {
    for (const failure of counts.failures ?? []) console.log(`\n--- ${line}\n${failure.slice(0, FAILURE_LENGTH)}`);
  }
  for (const { line, counts } of results) {
    console.log(`${counts.failed > 0 ? 'FAILED' : 'ok    '} ${line}`);
    for (const failure of counts.failures ?? []) console.log(`       ${failure.split('\n', 1)[0]}`);
  }
  const total = sum(results.map(({ counts }) => counts));
  console.log(`\n${summaryLine(total)}`);
  process.exitCode = total.failed > 0 ? 1 : 0;
});

/** Runs the system tests once more on each other supported Node. */
async function systemTests() {
  let binaries;
  const areInstalled = await check('node binaries', async () => {
    binaries = await installNodes();
  });
  if (!areInstalled) return;
  for (const [major, node] of binaries) {
    // Just done, with all the others.
    if (versions[major] === process.versions.node) continue;
    await suite(`system tests, node ${versions[major]}`, () =>
      runVitest(['test/system/'], { node, timeoutMs: 20 * MINUTE }),
    );
  }
}

/** What could not be looked at is counted as skipped, never as passed. */
async function otherTargets() {
  const outcomes = await checkTargets();
  const of = (wanted) => outcomes.filter(({ outcome }) => outcome === wanted);
  return {
    passed: 0,
    failed: of('failed').length,
    skipped: of('skipped').length,
    failures: of('failed').map(({ target }) => `${target}: see above`),
  };
}

/** The declarations of the addon are committed, so that a review sees each change of the native interface. */
async function committedDeclarations() {
  await command('git', 'ls-files', '--error-unmatch', 'index.d.ts');
  await command('git', 'diff', '--exit-code', '--', 'index.d.ts');
}

async function command(name, ...args) {
  const { code } = await runInGroup(name, args, { timeoutMs: 15 * MINUTE });
  if (code !== 0) throw new Failure(`failed: ${[name, ...args].join(' ')}`);
}

async function suite(title, run) {
  heading(title);
  const counts = await run();
  results.push({ line: `${title}: ${summaryLine(counts)}`, counts });
}

/** Passes unless `run` throws. */
async function check(title, run) {
  heading(title);
  let failed = 0;
  try {
    await run();
  } catch (error) {
    console.error(error instanceof Failure ? error.message : error);
    failed = 1;
  }
  results.push({ line: title, counts: { passed: 0, failed, skipped: 0 } });
  return failed === 0;
}

function heading(title) {
  console.log(`\n== ${title}`);
}
