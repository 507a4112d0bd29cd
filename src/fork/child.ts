/**
 * Child: how it ends. Always by `_exit`, after its own exit handlers and after its own children: Node's teardown would
 * join threads that a forked process does not have.
 */
import { inspect } from 'node:util';

import { runAtFork } from '../at-fork.ts';
import { native, type Native } from '../native.ts';
import { kRefCount } from './forget.ts';
import { isOfAbandonedFile } from './identity.ts';
import { nodeInternals } from './internals.ts';
import type { World } from './world.ts';

const originalFatalException = (process as unknown as { _fatalException: (e: unknown, p?: boolean) => boolean })
  ._fatalException;

/** Exit code of Node for a promise that can never settle. */
const UNSETTLED = 13;
/** Exit code of Node for an error in a listener for `uncaughtException`. */
const LISTENER_THREW = 7;

/** How this process stands. */
let state = { label: 'Process', awaitsTarget: false, endAnnounced: false };

/** Runs `action` and leaves this process standing as it did before. */
export function withoutEffect(action: () => void): void {
  const before = state;
  try {
    action();
  } finally {
    state = before;
  }
}

/** Ends this process: children first, as every end of a process does. */
function leave({ native }: Pick<World, 'native'>, code: number): never {
  native.endChildren();
  native.exitNow(code & 0xff);
  // Only a rehearsal gets here.
  return undefined as never;
}

/** The end that `process.exit` and a dry event loop lead to. */
export function exitProcess(world: Pick<World, 'native' | 'process'>): never {
  const { process: subject } = world;
  if (!subject._exiting) {
    subject._exiting = true;
    subject.emit('exit', Number(subject.exitCode ?? 0));
  }
  return leave(world, Number(subject.exitCode ?? 0));
}

const real = { native, process: process as unknown as World['process'] };

function reallyExit(code = 0): never {
  return leave(real, code);
}

/** `process.exit` in a child. */
function exit(...code: [code?: number | string | null]): never {
  if (code.length > 0) process.exitCode = code[0] as number;
  return exitProcess(real);
}

/** What Node calls for an error that nobody caught; true if a listener has handled it. */
function fatalException(error: unknown, fromPromise?: boolean): boolean {
  if (isOfAbandonedFile(error)) return true;
  let handled = false;
  try {
    handled = originalFatalException.call(process, error, fromPromise);
  } catch (second) {
    report(second);
    leave(real, LISTENER_THREW);
  }
  if (!handled) {
    report(error);
    leave(real, Number(process.exitCode ?? 1) || 1);
  }
  return handled;
}

/** Python's "Process NAME:" and the stack. */
function report(error: unknown): void {
  let text = 'an error that cannot be printed';
  try {
    text = error instanceof Error ? inspect(error) : `Uncaught ${inspect(error)}`;
  } catch {
    // A program's own way of printing may throw.
  }
  write(`Process ${state.label}:\n${text}\n`);
}

function write(text: string): void {
  try {
    native.writeAll(2, Buffer.from(text));
  } catch {
    // Standard error is closed: nobody to tell.
  }
}

/** Child of a helper: what it is called is known only now. */
export function relabel(label: string): void {
  state.label = label;
}

/** Child that was not forked: its errors are told as those of forked ones are. */
export function tellErrors(name: string): void {
  state = { label: name, awaitsTarget: true, endAnnounced: false };
  (process as unknown as { _fatalException: typeof fatalException })._fatalException = fatalException;
  process.once('beforeExit', () => {
    if (state.awaitsTarget) endUnsettled(real);
  });
}

/** The target's promise can never settle. */
function endUnsettled(world: Pick<World, 'native' | 'process'>): void {
  write(`Process ${state.label}: its target awaits a promise that nothing is left to settle\n`);
  process.exitCode ??= UNSETTLED;
  exitProcess(world);
}

/** Has every way out of this process lead through `leave`. */
export function installExits(name: string, subject: object = process): void {
  state = { label: name, awaitsTarget: false, endAnnounced: false };
  Object.assign(subject, { _exiting: false, reallyExit, exit, _fatalException: fatalException });
}

/** What a child runs. */
export interface Program {
  /** Before the target. */
  begin(): void;
  /** The target. */
  run(): unknown;
}

/** Runs a child's program. A promise that it returns belongs to it: the process lives until it settles. */
export function runTarget(program: Program, { native, atFork }: Pick<World, 'native' | 'atFork'>): void {
  state.awaitsTarget = true;
  let result: unknown;
  try {
    program.begin();
    runAtFork('afterInChild', atFork);
    result = program.run();
  } catch (error) {
    fail(error);
    return;
  }
  if (typeof (result as PromiseLike<unknown> | undefined)?.then === 'function') {
    (result as PromiseLike<unknown>).then(() => finish(native), fail);
  } else {
    finish(native);
  }
}

function finish({ stampFinished }: Pick<Native, 'stampFinished'>): void {
  state.awaitsTarget = false;
  stampFinished();
}

/** Child that was not forked: its target is done. */
export function targetDone(): void {
  state.awaitsTarget = false;
}

/** The target has thrown. A listener for `uncaughtException` that the child itself set may still catch it. */
export function fail(error: unknown): void {
  state.awaitsTarget = false;
  fatalException(error);
}

/** Called from the event loop whenever nothing is left that could run. */
export function onIdle(world: Pick<World, 'native' | 'process'> = real): void {
  if (state.awaitsTarget) {
    endUnsettled(world);
  }
  if (state.endAnnounced || world.process.listenerCount('beforeExit') === 0) {
    exitProcess(world);
    return;
  }
  process.emit('beforeExit', Number(process.exitCode ?? 0));
  // Ticks and microtasks of the listeners come first. If they have started anything, the end is announced anew.
  setImmediate(() => {
    state.endAnnounced = nodeInternals().immediateInfo[kRefCount] === 0 && native.hasOnlyImmediates();
  });
}
