/** Checks of arguments that several modules share. */
import { inspect } from 'node:util';

import { invalidArgument } from './errors.ts';

/** What every waiting call ending in `Async` takes. */
export interface WaitOptions {
  /** Milliseconds to wait at most; negative is 0. @default Infinity */
  readonly timeoutMs?: number | undefined;
  /** Ends the wait early: the promise is rejected with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** Refuses options of other names: one that is misspelt would be ignored. */
export function checkNames(options: object, known: readonly string[], what: string): void {
  const unknown = Object.keys(options).find((name) => !known.includes(name));
  if (unknown === undefined) return;
  throw invalidArgument(`${what} has no option ${inspect(unknown)}; there are ${known.join(', ')}`);
}

/** A timeout in milliseconds; `undefined` and `null` wait for ever, negative values not at all. */
export function checkTimeout(value: unknown, name = 'timeoutMs'): number {
  if (value === undefined || value === null) return Number.POSITIVE_INFINITY;
  if (typeof value !== 'number' || Number.isNaN(value)) {
    throw invalidArgument(
      `${name} must be a number of milliseconds (or undefined to wait for ever), not ${inspect(value)}`,
    );
  }
  return Math.max(0, value);
}

/** The options of a waiting call, which may have `others`. */
export function checkWaitOptions(
  options: WaitOptions | undefined,
  ...others: string[]
): {
  timeoutMs: number;
  signal: AbortSignal | undefined;
} {
  if (options === undefined) return { timeoutMs: Number.POSITIVE_INFINITY, signal: undefined };
  if (typeof options !== 'object' || options === null) {
    throw invalidArgument(`expected { timeoutMs, signal }, not ${inspect(options)}: milliseconds go into timeoutMs`);
  }
  checkNames(options, ['timeoutMs', 'signal', ...others], 'the call');
  const { signal } = options;
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw invalidArgument(`signal must be an AbortSignal, not ${inspect(signal)}`);
  }
  return { timeoutMs: checkTimeout(options.timeoutMs), signal };
}

/** An integer that fits a C int. */
export function checkInteger(value: unknown, name: string): number {
  if (typeof value !== 'number' || !Number.isInteger(value)) {
    throw invalidArgument(`${name} must be an integer, not ${inspect(value)}`);
  }
  if (Math.abs(value) > 0x7fff_ffff) throw invalidArgument(`${name} must be at most ${0x7fff_ffff}, not ${value}`);
  return value;
}

/** A function, if given. */
export function checkFunction(value: unknown, name: string): void {
  if (value !== undefined && typeof value !== 'function') {
    throw invalidArgument(`${name} must be a function, not ${inspect(value)}`);
  }
}
