/**
 * Python's `multiprocessing.util.Finalize`: callbacks that run once, at the end of an object or of the process.
 */
import { inspect } from 'node:util';
import { isMainThread } from 'node:worker_threads';

import { invalidArgument } from './errors.ts';
import { native } from './native.ts';
import { checkFunction, checkInteger } from './options.ts';

/** Options of `new Finalize()`. */
export interface FinalizeOptions<A extends unknown[] = unknown[]> {
  /** Arguments of the callback. @default [] */
  readonly args?: A | readonly unknown[] | undefined;
  /** Passed as the last argument, the JavaScript way of keyword arguments. */
  readonly kwargs?: Readonly<Record<string, unknown>> | undefined;
  /** An integer: run at the process's end, higher ones first. Without it, the end of the process does not run it. */
  readonly exitPriority?: number | undefined;
}

/** Still to be run in this process, oldest first. */
const registry = new Set<Finalize>();
/** The process that `registry` belongs to. */
let owner = process.pid;

const collected = new FinalizationRegistry<Finalize>((finalizer) => finalizer.callAndReport());

/**
 * Python: `multiprocessing.util.Finalize`. Runs a callback once: when an object has been collected as garbage, by
 * `call()`, or at the end of the process if it has an exit priority.
 *
 * At the end of the process (natural, by `process.exit()` or by an uncaught exception; not by a signal) those with a
 * priority run from high to low, at equal priority the newest first, and those without are skipped. Negative
 * priorities run after the process's children have ended. What a callback leaves to the event loop is lost then.
 *
 * Belongs to the process that made it: elsewhere it does nothing. A child runs those that it made itself.
 */
export class Finalize<A extends unknown[] = never[], R = unknown> {
  readonly #pid = process.pid;
  readonly #exitPriority: number | undefined;
  readonly #name: string;
  #run: (() => R) | undefined;

  /**
   * @param obj whose collection runs the callback, or null. Neither the callback nor its arguments may refer to it, or
   *   it is never collected.
   * @throws TypeError (`ERR_MP_INVALID_ARG`) for an argument of the wrong type, and without both object and priority.
   */
  constructor(obj: object | null, callback: (...args: A) => R, options: FinalizeOptions<A> = {}) {
    if (typeof options !== 'object' || options === null) {
      throw invalidArgument(`expected { args, kwargs, exitPriority }, not ${inspect(options)}`);
    }
    const { args = [], kwargs, exitPriority } = options;
    if (obj !== null && typeof obj !== 'object' && typeof obj !== 'function') {
      throw invalidArgument(`obj must be an object or null, not ${inspect(obj)}`);
    }
    if (callback === undefined) throw invalidArgument('callback must be a function, not undefined');
    checkFunction(callback, 'callback');
    if (!Array.isArray(args)) throw invalidArgument(`args must be an array, not ${inspect(args)}`);
    if (kwargs !== undefined && (typeof kwargs !== 'object' || kwargs === null)) {
      throw invalidArgument(`kwargs must be an object, not ${inspect(kwargs)}`);
    }
    if (exitPriority !== undefined) checkInteger(exitPriority, 'exitPriority');
    else if (obj === null)
      throw invalidArgument('without an object, Finalize needs an exitPriority: nothing else would run it');
    const all = (kwargs === undefined ? [...args] : [...args, { ...kwargs }]) as A;
    this.#run = () => callback(...all);
    this.#name = callback.name || 'a callback';
    this.#exitPriority = exitPriority;
    register(this as unknown as Finalize);
    if (obj !== null) collected.register(obj, this as unknown as Finalize, this);
  }

  /**
   * Runs the callback now, if it has not run and was not cancelled, and returns its result. Undefined otherwise, and in
   * another process than the one that made this object.
   */
  call(): R | undefined {
    const run = this.stillActive() ? this.#run : undefined;
    this.cancel();
    return run?.();
  }

  /** Python: `Finalize.cancel`. The callback will not run. */
  cancel(): void {
    registry.delete(this as unknown as Finalize);
    collected.unregister(this);
    this.#run = undefined;
  }

  /** Python: `Finalize.still_active`. Whether the callback can still run, in this process. */
  stillActive(): boolean {
    return this.#run !== undefined && this.#pid === process.pid;
  }

  /** @internal `call` where nobody could catch an error. */
  callAndReport(): void {
    try {
      this.call();
    } catch (error) {
      console.error('%s', `Error in ${this.#name}, run by Finalize:\n${inspect(error)}`);
    }
  }

  /** @internal */
  get exitPriority(): number | undefined {
    return this.#exitPriority;
  }

  /** Printable form. */
  toString(): string {
    if (!this.stillActive()) return '<Finalize object, dead>';
    return `<Finalize object, callback=${this.#name}${this.#exitPriority === undefined ? '' : `, exitPriority=${this.#exitPriority}`}>`;
  }

  /** @internal */
  [inspect.custom](): string {
    return this.toString();
  }
}

function register(finalizer: Finalize): void {
  if (owner !== process.pid) {
    owner = process.pid;
    registry.clear();
  }
  registry.add(finalizer);
  // A child has lost its parent's listeners; one of a raw fork() has not.
  if (!process.listeners('exit').includes(runAtExit)) process.on('exit', runAtExit);
}

function runAtExit(): void {
  if (owner !== process.pid) return;
  runFrom(0);
  const left = [...registry].some(({ exitPriority }) => exitPriority !== undefined);
  if (left) {
    if (isMainThread) native.endChildren();
    runFrom(Number.NEGATIVE_INFINITY);
  }
}

/** Runs those with at least this priority. An error in one does not stop the others. */
function runFrom(priority: number): void {
  const due = [...registry].reverse().filter(({ exitPriority = Number.NaN }) => exitPriority >= priority);
  due.sort((a, b) => (b.exitPriority ?? 0) - (a.exitPriority ?? 0));
  for (const finalizer of due) finalizer.callAndReport();
}
