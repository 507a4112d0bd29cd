// `npm run check:targets`: type-checks and lints the Rust code for each platform that is published, also for those that cannot be
// built or run here. Rust needs no linker and no SDK for that, only the platform's standard library, which rustup has.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { runInGroup } from './lib/exec.mjs';
import { runProgram } from './lib/failure.mjs';
import { at, isProgram, readJson } from './lib/paths.mjs';
import { checkBuildTools } from './lib/requirements.mjs';

const MINUTE = 60_000;

/**
 * Resolves with the outcome of each platform: `passed`, `failed`, or `skipped` with the reason, where its standard library is not
 * to be had.
 */
export async function checkTargets() {
  checkBuildTools();
  const outcomes = [];
  let unavailable;
  for (const target of readJson(at('package.json')).napi.targets) {
    // What could not be fetched for one cannot be for the next: no use in waiting for it again.
    if (!hasStandardLibrary(target)) unavailable ??= await install(target);
    const skipped = !hasStandardLibrary(target) && unavailable;
    outcomes.push(skipped ? { target, outcome: 'skipped', reason: skipped } : await check(target));
    const { outcome, reason } = outcomes.at(-1);
    console.log(`targets: ${target}: ${outcome}${reason ? `, ${reason}` : ''}`);
  }
  return outcomes;
}

function hasStandardLibrary(target) {
  const { stdout } = spawnSync('rustc', ['--print', 'target-libdir', '--target', target], {
    cwd: at(),
    encoding: 'utf8',
  });
  return Boolean(stdout) && existsSync(stdout.trim());
}

/** Nothing, or why it could not be installed. */
async function install(target) {
  const { code } = await runInGroup('rustup', ['target', 'add', target], { timeoutMs: 3 * MINUTE });
  return code === 0 ? undefined : `its standard library could not be installed: rustup target add ${target}`;
}

async function check(target) {
  const args = ['clippy', '--workspace', '--all-targets', '--locked', '--quiet', '--target', target];
  // An addon for musl is linked with the system's musl, not with one of its own.
  const env = target.endsWith('musl') ? { RUSTFLAGS: '-C target-feature=-crt-static' } : {};
  const { code } = await runInGroup('cargo', [...args, '--', '-D', 'warnings'], { env, timeoutMs: 10 * MINUTE });
  return { target, outcome: code === 0 ? 'passed' : 'failed' };
}

if (isProgram(import.meta.url)) {
  await runProgram(async () => {
    const outcomes = await checkTargets();
    if (outcomes.some(({ outcome }) => outcome === 'failed')) process.exitCode = 1;
  });
}
