/**
 * Checks of what pools are given.
 */
import { inspect } from 'node:util';

import { invalidArgument } from '../errors.ts';
import { checkFunction, checkInteger, checkNames, checkTimeout } from '../options.ts';
import { importedTarget, type ImportedTarget } from '../spawn/imported-target.ts';
import type { AnyFunction } from './functions.ts';
import type { Progress } from './progress.ts';

/** What is said of the tasks of a call. */
export interface TaskLimits {
  /**
   * Milliseconds that a task may run, from when a worker takes it. Then it is ended, with all that it has started, and fails
   * with TimeoutError. @default Infinity
   */
  readonly timeoutMs?: number | undefined;
  /** Gives the call up: tasks that run are ended, with all that they have started; it fails with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** How often a task whose worker is lost is run again. @default that of the pool */
  readonly retryLost?: number | undefined;
}

/** What is said of a call of `map` and the like. */
export interface MapLimits extends TaskLimits {
  /** How many items a worker gets at once. @default so many that there are four such chunks for each worker; 1 with `timeoutMs` */
  readonly chunksize?: number | undefined;
  /** Shows how far it is on the terminal, or calls a function with that. */
  readonly progress?: boolean | ((progress: Progress) => void) | undefined;
}

/** A function that workers can call. */
export type Callable<A extends unknown[], R> = ((...args: A) => R) | ImportedTarget;

const imported = new Map<string, AnyFunction>();

/** The function of a call. */
export function checkCallable(fn: unknown, what: string): AnyFunction {
  if (typeof fn === 'function') return fn as AnyFunction;
  if (typeof fn === 'object' && fn !== null && 'module' in fn) {
    const target = fn as ImportedTarget;
    const key = `${String(target.module)} ${target.export}`;
    let found = imported.get(key);
    if (found === undefined) imported.set(key, (found = importedTarget(target)));
    return found;
  }
  throw invalidArgument(`${what} takes a function, not ${inspect(fn)}`);
}

/** A number of at least 1, or `otherwise`. */
export function checkCount(value: unknown, name: string, otherwise: number): number {
  if (value === undefined || value === null) return otherwise;
  if (checkInteger(value, name) < 1)
    throw invalidArgument(`${name} must be at least 1, not ${inspect(value)}`, RangeError);
  return value as number;
}

/** The options of a call. */
export function checkLimits(
  options: TaskLimits,
  retryLost: number,
  what: string,
  ...others: string[]
): { timeoutMs: number; signal: AbortSignal | undefined; retries: number } {
  if (typeof options !== 'object' || options === null)
    throw invalidArgument(`${what}: expected options, not ${inspect(options)}`);
  checkNames(options, ['timeoutMs', 'signal', 'retryLost', ...others], what);
  const { signal, timeoutMs, retryLost: retries = retryLost } = options;
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw invalidArgument(`signal must be an AbortSignal, not ${inspect(signal)}`);
  }
  if (checkInteger(retries, 'retryLost') < 0)
    throw invalidArgument(`retryLost must not be negative: ${retries}`, RangeError);
  return { timeoutMs: checkTimeout(timeoutMs), signal, retries };
}

/** The functions that are called at the end. */
export function checkCallbacks(options: { readonly callback?: unknown; readonly errorCallback?: unknown }): void {
  checkFunction(options.callback, 'callback');
  checkFunction(options.errorCallback, 'errorCallback');
}

/** What is to tell how far a call is. */
export function checkProgress(progress: unknown): void {
  if (progress === undefined || typeof progress === 'boolean' || typeof progress === 'function') return;
  throw invalidArgument(`progress must be true, false or a function, not ${inspect(progress)}`);
}

/** The items of a call. */
export function checkItems<T>(items: Iterable<T>, what: string): T[] {
  if (typeof items === 'string' || (typeof items === 'object' && items !== null && Symbol.iterator in items))
    return [...items];
  const hint =
    typeof items === 'object' && items !== null && Symbol.asyncIterator in items
      ? '; imap() takes asynchronous ones, too'
      : '';
  throw invalidArgument(`${what} takes an iterable of items, not ${inspect(items)}${hint}`);
}
