/**
 * What locks and semaphores have in common: taking, waiting for one's turn, and what happens when a holder dies.
 */
import { inspect } from 'node:util';

import type { HolderEnd, Kind } from '../../index.js';
import { channels } from '../diagnostics.ts';
import { InterruptedError, TimeoutError, invalidArgument } from '../errors.ts';
import { refuseToSerialize } from '../inherit-only.ts';
import { native } from '../native.ts';
import { checkFunction, checkTimeout, checkWaitOptions, type WaitOptions } from '../options.ts';
import { signalName } from '../signals.ts';
import { AbandonedLockError, announceRecovery, type OnAbandoned } from './abandoned.ts';
import { waitSettled } from './waits.ts';

/** Options of `new Lock()`, `new RLock()` and the semaphores; Python has none. */
export interface LockOptions {
  /**
   * What an attempt to acquire does when a holder has died: `'throw'` an `AbandonedLockError`, or `'recover'`: take its
   * place, and say so in a warning and on the channel `node-multiprocessing:lock:abandoned`. @default 'throw'
   */
  readonly onAbandoned?: OnAbandoned | undefined;
}

/**
 * What native calls answer; one below `interrupted` is that minus the signal, one from `broken` down is that minus the
 * reason, one from `passed` up is that plus the index.
 */
export const code = {
  timedOut: 0,
  taken: 1,
  recovered: 2,
  passed: 10,
  abandoned: -1,
  wasFree: -2,
  broken: -10,
  interrupted: -100,
} as const;

/** @throws InterruptedError if that is what `result` says. */
export function checkInterrupted(result: number, what: string): void {
  if (result <= code.interrupted) throw new InterruptedError(what, signalName(code.interrupted - result));
}

/** How a kind of lock does it. */
export interface Mechanism {
  readonly kind: Kind;
  readonly handle: number;
  /** Waits asleep, up to `timeoutMs` milliseconds. */
  readonly acquire: (handle: number, timeoutMs: number, recover: boolean) => number;
}

/** Something that is held by processes, and that one can wait for. */
export abstract class Acquirable {
  readonly #mechanism: Mechanism;
  readonly #recovers: boolean;

  /** @internal */
  constructor(options: LockOptions | undefined, mechanism: () => Mechanism) {
    if (options !== undefined && (typeof options !== 'object' || options === null)) {
      throw invalidArgument(`expected { onAbandoned }, not ${inspect(options)}`);
    }
    const onAbandoned = options?.onAbandoned ?? 'throw';
    if (onAbandoned !== 'throw' && onAbandoned !== 'recover') {
      throw invalidArgument(`onAbandoned must be 'throw' or 'recover', not ${inspect(onAbandoned)}`);
    }
    this.#recovers = onAbandoned === 'recover';
    this.#mechanism = mechanism();
  }

  /**
   * Python: `acquire(block=True, timeout=None)`. Takes the lock, waiting for it asleep, without CPU. The event loop does
   * not turn meanwhile: use `acquireAsync` where it must.
   *
   * @param block false: try once, whatever the timeout.
   * @param timeoutMs milliseconds; negative is 0; without it the wait has no end. (Python: seconds.)
   * @returns true if the lock is this process's now, false after the timeout.
   * @throws AbandonedLockError if its holder has died with it, until `recover()`; within a second of the death, at once
   *   if a process of this package has reaped the holder.
   * @throws InterruptedError when the program's own SIGINT, SIGTERM or SIGHUP listener has to run.
   * @throws TypeError (`ERR_MP_INVALID_ARG`) for an argument of the wrong type.
   */
  acquire(block = true, timeoutMs?: number): boolean {
    if (block === true && timeoutMs === undefined && this.tryTake()) return true;
    if (typeof block !== 'boolean') throw invalidArgument(`block must be true or false, not ${inspect(block)}`);
    const timeout = checkTimeout(timeoutMs);
    if (this.tryTake()) return true;
    const { acquire, handle } = this.#mechanism;
    const result = channels.wait.hasSubscribers
      ? this.#acquireObserved(block ? timeout : 0)
      : acquire(handle, block ? timeout : 0, this.#recovers);
    if (result <= code.interrupted) checkInterrupted(result, `acquire() of a ${this.constructor.name}`);
    return this.finish(result);
  }

  /**
   * `acquire` that leaves the event loop turning. Any number of them costs one thread in all.
   *
   * @returns true if the lock is this process's now, false after `timeoutMs` milliseconds.
   * @throws the reason of `signal`, once it is aborted; otherwise as `acquire`.
   */
  async acquireAsync(options?: WaitOptions): Promise<boolean> {
    const { timeoutMs, signal } = checkWaitOptions(options);
    signal?.throwIfAborted();
    if (this.tryTake()) return true;
    if (timeoutMs === 0) return this.acquire(false);
    const { kind, handle } = this.#mechanism;
    const begin = (): number => native.awaitShared(kind, handle, this.#recovers);
    const since = performance.now();
    const settled = await waitSettled(begin, timeoutMs, signal);
    this.#sayWaited(since, settled?.code ?? code.timedOut);
    return settled !== undefined && this.finish(settled.code, settled.end);
  }

  /** As the native call; says how long it took if that is more than no time. */
  #acquireObserved(timeoutMs: number): number {
    const { acquire, handle } = this.#mechanism;
    const atOnce = acquire(handle, 0, this.#recovers);
    if (atOnce !== code.timedOut || timeoutMs === 0) return atOnce;
    const since = performance.now();
    const result = acquire(handle, timeoutMs, this.#recovers);
    this.#sayWaited(since, result);
    return result;
  }

  #sayWaited(since: number, result: number): void {
    if (!channels.wait.hasSubscribers) return;
    const acquired = result === code.taken || result === code.recovered;
    channels.wait.publish({ lock: this, waitedMs: performance.now() - since, acquired });
  }

  /**
   * Python: `with lock:`. Takes the lock, calls `fn`, gives the lock back, whatever happens.
   *
   * @param fn gets true, as `with lock as x` does in Python. Must not return a promise: see `withAsync`.
   * @returns what `fn` returns.
   * @throws TypeError (`ERR_MP_INVALID_ARG`) if that is a promise, since the lock would be free before it is done.
   */
  with<T>(fn: (acquired: true) => T): T {
    checkFunction(fn ?? null, 'fn');
    this.acquire();
    let result: T;
    try {
      result = fn(true);
    } finally {
      this.release();
    }
    if (typeof (result as PromiseLike<unknown> | undefined)?.then === 'function') {
      throw invalidArgument(
        'with() was given a function that returns a promise, and the lock is free again: use withAsync()',
      );
    }
    return result;
  }

  /**
   * `with` for functions that return a promise: the lock is given back when that is settled.
   *
   * @returns what `fn`'s promise resolves with.
   */
  async withAsync<T>(fn: (acquired: true) => T | PromiseLike<T>, options?: WaitOptions): Promise<T> {
    checkFunction(fn ?? null, 'fn');
    if (!(await this.acquireAsync(options))) {
      throw new TimeoutError(`the ${this.constructor.name} was not free within ${options?.timeoutMs} ms`);
    }
    try {
      return await fn(true);
    } finally {
      this.release();
    }
  }

  /** Python: `locked` (3.14). Whether an `acquire` would have to wait. */
  abstract locked(): boolean;

  /** Gives it back. */
  abstract release(): void;

  /** @internal Takes it by the shortest way, if there is one. */
  protected abstract tryTake(): boolean;

  /** `lock.acquire(); using held = lock;` gives the lock back at the end of the block. */
  [Symbol.dispose](): void {
    this.release();
  }

  /** Always refused, as in Python. @throws ProcessError `ERR_MP_INHERIT_ONLY`. */
  toJSON(): never {
    return refuseToSerialize(this);
  }

  /** @internal */
  [inspect.custom](): string {
    return this.toString();
  }

  /** @internal */
  protected get handle(): number {
    return this.#mechanism.handle;
  }

  /** @internal What it was made with. */
  protected get options(): LockOptions {
    return { onAbandoned: this.#recovers ? 'recover' : 'throw' };
  }

  /** @internal Whether dead holders are replaced. */
  protected get recovers(): boolean {
    return this.#recovers;
  }

  /** @internal Says what became of an attempt. */
  protected finish(result: number, end: HolderEnd | null = null): boolean {
    if (result === code.taken) return true;
    const what = `this ${this.constructor.name}`;
    const dead = (): HolderEnd => end ?? (native.lastHolderEnd() as HolderEnd);
    if (result === code.abandoned) throw new AbandonedLockError(what, dead());
    if (result === code.recovered) announceRecovery(this, what, dead());
    return result === code.recovered;
  }
}
