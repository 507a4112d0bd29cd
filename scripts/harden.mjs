// `npm run harden -- models | miri | address | thread | fuzz [seconds]`: checks of the Rust core that go beyond its tests.
//
// models:  loom runs the locks, semaphores, rings and queues in all orders that the memory model allows
// miri:    what needs no kernel, under Miri; needs `rustup toolchain install nightly -c miri -c rust-src`
// address: the core's tests under AddressSanitizer
// thread:  those of shared memory under ThreadSanitizer
// fuzz:    each fuzz target for so many seconds; needs `cargo install cargo-fuzz`
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync } from 'node:fs';
import { runInGroup } from './lib/exec.mjs';
import { Failure, runProgram } from './lib/failure.mjs';
import { at } from './lib/paths.mjs';

const CORE = ['test', '-p', 'node-multiprocessing-core', '--locked'];
/** Modules without a child process: the sanitizer knows only threads. */
const THREADED = ['queue::', 'shared::heap', 'shared::records', 'sys::semaphore', 'sys::sparse'];

/** Modules, or tests of them, that make no system call which Miri does not know. */
const PURE = [
  'queue::ring',
  'shared::heap',
  'shared::records::tests::who',
  'sync::barrier',
  'sys::semaphore',
  'sys::clock::tests::negative',
  'sys::entropy',
  'fork::maps::tests::difference',
  'fork::maps::tests::only',
  'uv::batch::tests::addresses',
  'v8::random::tests::the',
];
/** Needs more memory than the stand-in for shared memory has. */
const TOO_LARGE = ['--skip', 'no_pages_are_asked_for'];

/** Each check has a folder of its own: other flags build everything anew. */
const folder = (name) => ['--target-dir', at('target', name)];

const checks = {
  models,
  miri,
  address: () => sanitized('address'),
  thread: () => sanitized('thread', ['--', ...THREADED]),
  fuzz,
};

await runProgram(async () => {
  const [name, ...args] = process.argv.slice(2);
  if (!Object.hasOwn(checks, name ?? '')) throw new Failure(`harden: name one of ${Object.keys(checks).join(', ')}.`);
  await checks[name](...args);
});

async function cargo(args, env) {
  const { code } = await runInGroup('cargo', args, {
    env: { CARGO_PROFILE_DEV_DEBUG: '1', CARGO_PROFILE_DEV_OPT_LEVEL: '1', ...env },
  });
  if (code !== 0) throw new Failure(`failed: cargo ${args.join(' ')}`);
}

function models() {
  const env = { RUSTFLAGS: '--cfg loom' };
  return cargo([...CORE, '--test', 'loom', ...folder('loom'), '--', '--nocapture'], env);
}

function miri() {
  const tests = ['--lib', ...folder('miri'), '--', ...PURE, ...TOO_LARGE];
  return cargo(['+nightly', 'miri', ...CORE, ...tests], { MIRIFLAGS: '-Zmiri-disable-isolation' });
}

/** Sanitizers are not stable yet, and are there all the same. */
function sanitized(sanitizer, tests = []) {
  const host = /^host: (.*)$/m.exec(execFileSync('rustc', ['-vV'], { encoding: 'utf8' }))[1];
  const env = {
    RUSTC_BOOTSTRAP: '1',
    // The standard library comes without: it is not looked into.
    RUSTFLAGS: `-Zsanitizer=${sanitizer} -Cunsafe-allow-abi-mismatch=sanitizer`,
    // A forked child that ends at once leaks what its parent has.
    ASAN_OPTIONS: 'detect_leaks=0',
    TSAN_OPTIONS: `suppressions=${at('scripts', 'thread-sanitizer.txt')}`,
    HOSTILE_ROUNDS: '300',
  };
  const scope = tests.length > 0 ? ['--lib'] : [];
  return cargo([...CORE, ...scope, '--target', host, ...folder(sanitizer), ...tests], env);
}

async function fuzz(seconds = '20') {
  for (const target of readdirSync(at('fuzz', 'corpus')).toSorted()) {
    // What is found goes to the first folder: the one in the repository stays small.
    const found = at('.cache', 'fuzz', target);
    mkdirSync(found, { recursive: true });
    const args = ['fuzz', 'run', target, found, at('fuzz', 'corpus', target)];
    await cargo([...args, '--', `-max_total_time=${seconds}`, '-timeout=20', '-rss_limit_mb=4096', '-detect_leaks=0'], {
      RUSTC_BOOTSTRAP: '1',
    });
  }
}
