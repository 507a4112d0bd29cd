/**
 * A task of a pool, seen from the process that the pool is in.
 */
import type { AnyFunction } from './functions.ts';
import type { Generation } from './generation.ts';
import type { Mode } from './protocol.ts';

/** What has come of a task. */
export type Outcome = { readonly value: unknown } | { readonly error: unknown };

/** Who is told what has come of a task. */
export interface Owner {
  settle(outcome: Outcome): void;
}

/** What a task is to be. */
export interface TaskOptions {
  readonly fn: AnyFunction;
  readonly mode: Mode;
  readonly args: readonly unknown[];
  /** Place of its first item among those of the call. */
  readonly index: number;
  /** How long it may run, in milliseconds. */
  readonly timeoutMs: number;
  /** How often it may be run again if its worker is lost. */
  readonly retries: number;
  readonly owner: Owner;
}

/** A task. */
export class Task {
  readonly fn: AnyFunction;
  readonly mode: Mode;
  readonly index: number;
  readonly timeoutMs: number;
  readonly owner: Owner;
  /** Kept for as long as it may have to be sent. */
  args: readonly unknown[] | undefined;
  retries: number;
  /** Where it was put, and its number there; see `Slots`. */
  generation: Generation | undefined;
  number = 0;

  constructor({ fn, mode, args, index, timeoutMs, retries, owner }: TaskOptions) {
    this.fn = fn;
    this.mode = mode;
    this.args = args;
    this.index = index;
    this.timeoutMs = timeoutMs;
    this.retries = retries;
    this.owner = owner;
  }
}
