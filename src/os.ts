/**
 * Python's `os` functions for processes: the raw calls, as the kernel has them.
 */
import { inspect } from 'node:util';

import { InterruptedError, ProcessError, invalidArgument } from './errors.ts';
import { DEFAULT_QUIET_TIMEOUT_MS, rawFork } from './fork/fork.ts';
import { native } from './native.ts';
import { checkInteger, checkTimeout } from './options.ts';
import { becomeRawChild } from './process.ts';
import { signalName, signalNumber } from './signals.ts';

/** Options of `fork()`. */
export interface ForkOptions {
  /**
   * Keep the parent's timers, immediates, requests and sockets working in the child as well. Both processes then read
   * from the same connections: rarely what one wants. @default false
   */
  readonly keepPending?: boolean | undefined;
  /** Milliseconds that other threads may take to come to rest before the fork is refused. @default 5000 */
  readonly quietTimeoutMs?: number | undefined;
}

/**
 * Python: `os.fork()`. Copies this process; returns the child's pid in the parent and 0 in the child.
 *
 * Both go on after the call, with the same variables. The child has an event loop of its own in which the parent's
 * timers, sockets and requests are gone (unless `keepPending`); listeners on `process` stay. It ends when it has nothing
 * left to do, or by `process.exit()` or `_exit()`. It is the caller's to wait for, with `waitpid()`; until then a child
 * that has ended is a zombie, as in Python.
 *
 * @throws ForkError (`ERR_MP_FORK_…`) when the fork could not be made safely; no process was made then.
 */
export function fork(options: ForkOptions = {}): number {
  if (typeof options !== 'object' || options === null) {
    throw invalidArgument(`fork() takes { keepPending, quietTimeoutMs }, not ${inspect(options)}`);
  }
  const { keepPending = false, quietTimeoutMs = DEFAULT_QUIET_TIMEOUT_MS } = options;
  if (typeof keepPending !== 'boolean') {
    throw invalidArgument(`keepPending must be true or false, not ${inspect(keepPending)}`);
  }
  return rawFork(keepPending, checkTimeout(quietTimeoutMs, 'quietTimeoutMs'), becomeRawChild);
}

const waitOptions = native.waitOptions();

/** Python: `os.WNOHANG`. Option of `waitpid`: return at once, with pid 0, if nothing has changed. */
export const WNOHANG: number = waitOptions.nohang;
/** Python: `os.WUNTRACED`. Option of `waitpid`: also report children that were stopped. */
export const WUNTRACED: number = waitOptions.untraced;
/** Python: `os.WCONTINUED`. Option of `waitpid`: also report children that were continued. */
export const WCONTINUED: number = waitOptions.continued;

/** What a wait reports. */
export interface WaitResult {
  /** The child; 0 when `WNOHANG` was given and nothing had changed. */
  readonly pid: number;
  /** Its status word, to be read with `WIFEXITED` and its family or `waitstatusToExitcode`. */
  readonly status: number;
}

/**
 * Python: `os.waitpid(pid, options)`. Waits for child `pid` to end; -1 means any child, 0 any of this process group,
 * `-n` any of process group `n`. Blocks unless `options` has `WNOHANG`.
 *
 * A child of `node:child_process` that is waited for here never gets its `exit` event: pass -1 with care.
 *
 * @throws Error `ECHILD` when there is no such child.
 * @throws InterruptedError when the program's own SIGINT, SIGTERM or SIGHUP listener has to run.
 */
export function waitpid(pid: number, options = 0): WaitResult {
  checkInteger(pid, 'pid');
  checkInteger(options, 'options');
  const { pid: waited, status, interruptedBy } = native.waitpid(pid, options);
  if (interruptedBy !== undefined) throw new InterruptedError('waitpid()', signalName(interruptedBy));
  return { pid: waited, status };
}

const facts = (status: number): ReturnType<typeof native.statusFacts> =>
  native.statusFacts(checkInteger(status, 'status'));

/** Python: `os.WIFEXITED`. True if the child ended by exiting. */
export const WIFEXITED = (status: number): boolean => facts(status).exited;
/** Python: `os.WEXITSTATUS`. The exit code, if `WIFEXITED`. */
export const WEXITSTATUS = (status: number): number => facts(status).exitStatus;
/** Python: `os.WIFSIGNALED`. True if a signal ended the child. */
export const WIFSIGNALED = (status: number): boolean => facts(status).signaled;
/** Python: `os.WTERMSIG`. The signal that ended the child, if `WIFSIGNALED`. */
export const WTERMSIG = (status: number): number => facts(status).termSignal;
/** Python: `os.WCOREDUMP`. True if the child left a core dump. */
export const WCOREDUMP = (status: number): boolean => facts(status).signaled && facts(status).coreDumped;
/** Python: `os.WIFSTOPPED`. True if the child was stopped (only with `WUNTRACED`). */
export const WIFSTOPPED = (status: number): boolean => facts(status).stopped;
/** Python: `os.WSTOPSIG`. The signal that stopped the child, if `WIFSTOPPED`. */
export const WSTOPSIG = (status: number): number => facts(status).stopSignal;
/** Python: `os.WIFCONTINUED`. True if the child was continued (only with `WCONTINUED`). */
export const WIFCONTINUED = (status: number): boolean => facts(status).continued;

/**
 * Python: `os.waitstatus_to_exitcode`. The exit code of a child that exited, `-N` of one that signal N ended.
 *
 * @throws ProcessError (`ERR_MP_NOT_ENDED`) if the status says that the child was stopped or continued.
 */
export function waitstatusToExitcode(status: number): number {
  const { exited, exitStatus, signaled, termSignal } = facts(status);
  if (exited) return exitStatus;
  if (signaled) return -termSignal;
  throw new ProcessError(
    'ERR_MP_NOT_ENDED',
    `status ${status} is not that of a process which has ended: it was stopped or continued`,
  );
}

/**
 * Python: `os.kill(pid, signal)`. Sends a signal, by number or name; 0 only asks whether it could be sent.
 *
 * @throws Error `ESRCH` if there is no such process, `EPERM` if it belongs to somebody else.
 */
export function kill(pid: number, signal: number | NodeJS.Signals): void {
  checkInteger(pid, 'pid');
  const number = signalNumber(signal);
  if (number === undefined)
    throw invalidArgument(`unknown signal ${inspect(signal)}: expected a name such as 'SIGTERM' or a number`);
  process.kill(pid, number);
}

/** Python: `os.getpid()`. */
export const getpid = (): number => process.pid;
/** Python: `os.getppid()`. The parent; once that is gone, the process that adopted this one (often 1). */
export const getppid = (): number => process.ppid;

/**
 * Python: `os._exit(code)`. Ends this process at once: no exit handlers, no flushing, no ending of children. For a raw
 * `fork()` child that must not run the rest of the program.
 */
export function _exit(code = 0): never {
  native.exitNow(checkInteger(code, 'code') & 0xff);
  throw new ProcessError('ERR_MP_NOT_ENDED', '_exit() returned');
}

/** Python: `multiprocessing.cpu_count()`. CPUs of the machine; see `os.availableParallelism()` for those usable here. */
export function cpuCount(): number {
  return native.cpuCount();
}
