// The two test runners, and what they counted. A runner that ends badly without naming a failed test (a crash, a hang, a
// report that is missing) counts as one failure: no summary may be better than the run.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { runInGroup } from './exec.mjs';
import { at } from './paths.mjs';
import { withTempFolder } from './temp.mjs';

const TIMEOUT_MS = 25 * 60_000;

export const summaryLine = ({ passed, failed, skipped }) =>
  `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;

/** Adds up counts, and collects what they say about each failure. */
export const sum = (counts) =>
  counts.reduce(
    (total, { passed, failed, skipped, failures = [] }) => ({
      passed: total.passed + passed,
      failed: total.failed + failed,
      skipped: total.skipped + skipped,
      failures: [...total.failures, ...failures],
    }),
    { passed: 0, failed: 0, skipped: 0, failures: [] },
  );

/** Runs vitest; `args` are its own: filters and flags. `node` is the Node binary the system tests start programs with. */
export function runVitest(args, { node, timeoutMs = TIMEOUT_MS } = {}) {
  return withTempFolder(async (folder) => {
    const report = join(folder, 'report.json');
    const env = { MP_TEST_REPORT: report, ...(node && { MP_NODE: node }) };
    const cli = at('node_modules', 'vitest', 'vitest.mjs');
    const { code } = await runInGroup(process.execPath, [cli, 'run', ...args], { env, timeoutMs });
    return withCrash(readVitestReport(report), code);
  });
}

function readVitestReport(file) {
  const counts = { passed: 0, failed: 0, skipped: 0, failures: [] };
  let files;
  try {
    files = JSON.parse(readFileSync(file, 'utf8')).testResults;
  } catch {
    return counts;
  }
  for (const { name, message, status, assertionResults } of files) {
    for (const test of assertionResults) {
      if (test.status === 'passed') counts.passed++;
      else if (['skipped', 'todo', 'disabled'].includes(test.status)) counts.skipped++;
      // 'failed', and 'pending': a test that had not ended when its worker did.
      else {
        counts.failed++;
        counts.failures.push([test.fullName, ...(test.failureMessages ?? [])].join('\n'));
      }
    }
    const named = assertionResults.some((test) => test.status === 'failed' || test.status === 'pending');
    // A file that could not be loaded, or whose hooks failed.
    if (status === 'failed' && !named) {
      counts.failed++;
      counts.failures.push(`${name}\n${message}`);
    }
  }
  return counts;
}

/** Runs the tests of all crates. */
export async function runCargoTests({ timeoutMs = TIMEOUT_MS } = {}) {
  const args = ['test', '--workspace', '--locked', '--no-fail-fast'];
  // We stand between cargo and the terminal, so it cannot see that there is one.
  const env = process.stdout.isTTY && !process.env.NO_COLOR ? { CARGO_TERM_COLOR: 'always' } : {};
  const { code, output } = await runInGroup('cargo', args, { env, capture: true, timeoutMs });
  return withCrash(readCargoOutput(output), code);
}

export function readCargoOutput(output) {
  const plain = stripVTControlCharacters(output);
  const results = [...plain.matchAll(/^test result: \w+\. (\d+) passed; (\d+) failed; (\d+) ignored/gm)];
  const started = plain.match(/^\s+(Running|Doc-tests) /gm)?.length ?? 0;
  const counts = sum(results.map(([, ...n]) => ({ passed: +n[0], failed: +n[1], skipped: +n[2] })));
  counts.failures.push(...[...plain.matchAll(/^test (.+) \.\.\. FAILED$/gm)].map(([, name]) => name));
  // A test binary that was started and gave no result has crashed.
  counts.failed += Math.max(0, started - results.length);
  return counts;
}

const withCrash = (counts, code) => (code !== 0 && counts.failed === 0 ? { ...counts, failed: 1 } : counts);
