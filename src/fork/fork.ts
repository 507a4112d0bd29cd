/**
 * The fork: what both sides do in JavaScript around the native call.
 */
import { inspect } from 'node:util';
import { isMainThread, Worker } from 'node:worker_threads';

import { atForkHooks, runAtFork } from '../at-fork.ts';
import { ForkError, type ErrorCode } from '../errors.ts';
import { native } from '../native.ts';
import { setOwnName } from '../shared/block.ts';
import { installExits, onIdle, runTarget, type Program } from './child.ts';
import { clearImmediates, disarmOutstandingImmediates, endDisarming, kHasOutstanding } from './forget.ts';
import { handedOverDescriptors } from './hand-over.ts';
import { takeInventory } from './inventory.ts';
import { rehearse } from './rehearsal.ts';
import { abandonParent, becomeSelf, forgetPending, type World } from './world.ts';

/** How long other threads may take to come to rest before a fork is refused, in milliseconds. */
export const DEFAULT_QUIET_TIMEOUT_MS = 5000;

/** What to do instead when a condition of a safe fork does not hold. */
const cures: Partial<Record<string, string>> = {
  ERR_MP_FORK_THREAD_BUSY:
    'a fork now could copy a lock that this thread holds; wait until its work is done, raise quietTimeoutMs, ' +
    'or use the start method forkserver or spawn, which do not copy this process',
  ERR_MP_FORK_WORKER_THREAD: 'only the main thread can fork; fork before starting workers, or use child_process here',
  ERR_MP_FORK_NO_PROC: 'a safe fork needs to see the other threads in /proc: mount it in this container',
  ERR_MP_FORK_MISSING_SYMBOL: "this Node version is not supported by the 'fork' start method: use another Node",
  ERR_MP_FORK_UNSUPPORTED: "the 'fork' start method does not work here: see forkSupport()",
};

function explain(error: unknown): unknown {
  const { code, message } = error as { code?: string; message?: string };
  if (code?.startsWith('ERR_MP_') !== true) return error;
  return new ForkError(code as ErrorCode, `fork refused: ${message}; ${cures[code] ?? ''}`, { cause: error });
}

interface ProcessInternals {
  _exiting: boolean;
  _getActiveHandles(): ReturnType<World['activeHandles']>;
  _getActiveRequests(): ReturnType<World['activeRequests']>;
}

const processInternals = process as unknown as ProcessInternals;

/** What does not change from fork to fork. */
const constants = {
  process: process as unknown as World['process'],
  native,
  math: Math,
  global: globalThis as unknown as World['global'],
  workers: Worker.prototype,
  activeHandles: processInternals._getActiveHandles,
  activeRequests: processInternals._getActiveRequests,
  atFork: atForkHooks(),
};

/** Only the main thread can fork. */
export function checkMainThread(): void {
  if (isMainThread) return;
  throw new ForkError(
    'ERR_MP_FORK_WORKER_THREAD',
    `fork refused: called from a worker thread; ${cures['ERR_MP_FORK_WORKER_THREAD']}`,
  );
}

/** Everything that has to be known before a process is made. */
function prepare(): World {
  checkMainThread();
  if (processInternals._exiting) {
    throw new ForkError('ERR_MP_FORK_EXITING', 'fork refused: this process is exiting; fork before process.exit()');
  }
  return { ...constants, ...takeInventory() };
}

/** Where the functions of `vm` are. */
const vmFiles = new Set(['node:vm', 'node:internal/vm/module']);

/**
 * `vm` with a timeout or `breakOnSigint` (so does the REPL) has a watching thread that its C++ frame joins on the way
 * out. The child has no such thread, and its way out leads through that frame.
 */
function refuseInsideVm(): void {
  if (inspect.constructor !== Function) {
    throw new ForkError(
      'ERR_MP_FORK_INSIDE_VM',
      'fork refused: this package was loaded into a context of node:vm, as Jest does with all that a test imports; use the ' +
        'start method forkserver or spawn there, or test with node --test or Vitest',
    );
  }
  const { prepareStackTrace, stackTraceLimit } = Error;
  const holder: { stack?: NodeJS.CallSite[] } = {};
  try {
    // Node 26 aborts on an infinite one under --trace-uncaught.
    Error.stackTraceLimit = 10_000;
    Error.prepareStackTrace = (_, sites) => sites;
    Error.captureStackTrace(holder, refuseInsideVm);
    if (!holder.stack?.some((site) => vmFiles.has(site.getFileName() ?? ''))) return;
  } catch {
    // Under --frozen-intrinsics the stack cannot be asked for.
    return;
  } finally {
    Reflect.set(Error, 'prepareStackTrace', prepareStackTrace);
    Reflect.set(Error, 'stackTraceLimit', stackTraceLimit);
  }
  throw new ForkError(
    'ERR_MP_FORK_INSIDE_VM',
    'fork refused: called from code that node:vm is running (the REPL does, too), which can have a thread that a child ' +
      'lacks; start the process from a callback, such as setImmediate(() => p.start())',
  );
}

interface NativeForkOptions {
  readonly keepPending: boolean;
  readonly handedOver: readonly number[];
  readonly quietTimeoutMs: number;
  readonly adopt: boolean;
  readonly daemon: boolean;
}

/** Forks; returns twice. In the child, nothing of JavaScript is its own yet, and signals are still held back. */
function fork(options: NativeForkOptions): number {
  runAtFork('before');
  let pid: number;
  try {
    // Makes the state of the generator exist if nobody has drawn a number yet.
    Math.random();
    pid = native.fork({ ...options, handedOver: [...options.handedOver], onIdle, random: Math.random });
  } catch (error) {
    runAtFork('afterInParent');
    throw explain(error);
  }
  if (pid !== 0) runAtFork('afterInParent');
  return pid;
}

/** A child to be started. */
export interface Child {
  readonly name: string;
  readonly daemon: boolean;
  readonly quietTimeoutMs: number;
  /** The process that it is a child of. */
  readonly parent: { readonly name: string; readonly pid: number };
  /** What it is made of, for a child that is no copy. */
  describe(): unknown;
  /** What is searched for sockets that stay the child's. */
  readonly handedOver: unknown;
  readonly program: Program;
  /** Has `run` called with a program that does the same to no effect. */
  rehearse(run: (program: Program) => void): void;
}

/** For how long V8 is trusted not to have thrown away what a rehearsal compiled, in milliseconds. */
const REHEARSAL_LASTS_MS = 1000;
let rehearsedAt = Number.NEGATIVE_INFINITY;

/** Child: what it runs; here because a closure would have to be compiled in the child. */
let childProgram: Program;

function runChild(program = childProgram, world: Pick<World, 'native' | 'atFork'> = constants): void {
  endDisarming();
  runTarget(program, world);
}

/** Starts a child; returns its pid in the parent. In the child it does not return. */
export function startByFork(child: Child): number {
  refuseInsideVm();
  const world = prepare();
  const now = performance.now();
  if (now - rehearsedAt > REHEARSAL_LASTS_MS) {
    child.rehearse((program) => rehearse(world.internals, program, runChild));
    rehearsedAt = now;
  }
  const handedOver = handedOverDescriptors(child.handedOver);
  const { daemon, quietTimeoutMs } = child;
  const pid = fork({ keepPending: false, handedOver, quietTimeoutMs, adopt: true, daemon });
  if (pid !== 0) return pid;
  try {
    becomeSelf(world);
    abandonParent(world, handedOver);
    installExits(child.name);
    setOwnName(child.name);
    childProgram = child.program;
    native.reborn(runChild);
  } catch (error) {
    endUnborn(error);
  }
  // V8 ends the frames at its next look for interrupts, which each turn of a loop has.
  for (;;);
}

/** Child of a raw fork: forgets what is pending, and what would follow in a round of immediates that is under way. */
function forgetRound(world: World): void {
  const { immediate } = world;
  clearImmediates(immediate?._idleNext ?? null);
  forgetPending(world, []);
  if (!immediate && world.internals.immediateInfo[kHasOutstanding] === 1) {
    disarmOutstandingImmediates();
    setImmediate(endDisarming);
  }
  native.restartTimer();
}

/** Child: ends at once if it could not become a process of its own; it must not go on with the parent's program. */
function endUnborn(error: unknown): never {
  try {
    native.writeAll(
      2,
      Buffer.from(`node-multiprocessing: a child could not be set up: ${String((error as Error)?.stack)}\n`),
    );
  } finally {
    native.exitNow(1);
  }
  throw error;
}

/** Forks as `os.fork` does; see `fork` in os.ts. */
export function rawFork(keepPending: boolean, quietTimeoutMs: number, begin: () => void): number {
  refuseInsideVm();
  const world = prepare();
  const pid = fork({ keepPending, handedOver: [], quietTimeoutMs, adopt: false, daemon: false });
  if (pid !== 0) return pid;
  try {
    becomeSelf(world);
    if (!keepPending) forgetRound(world);
    installExits(`forked by ${process.ppid}`);
    begin();
    native.unblockSignals();
    runAtFork('afterInChild');
  } catch (error) {
    endUnborn(error);
  }
  return 0;
}
