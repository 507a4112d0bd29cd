/**
 * Asynchronous attempts at something, one after the other: one native wait for all of them in a process.
 */
import type { Kind } from '../../index.js';
import { native } from '../native.ts';
import { race } from '../wait.ts';
import { waitSettled } from './waits.ts';

/** Somebody whose attempt has not succeeded yet. */
interface Waiter {
  /** Whether it is over with him. */
  attempt(): boolean;
}

/** Those of this process who wait for the same. */
export class AsyncTurns {
  readonly #kind: Kind;
  readonly #handle: number;
  #waiters: Waiter[] = [];
  /** Ends the native wait; undefined while there is none. */
  #stop: AbortController | undefined;
  /** A forked child begins anew: who waited was the parent's. */
  #pid = process.pid;

  constructor(kind: Kind, handle: number) {
    this.#kind = kind;
    this.#handle = handle;
  }

  /**
   * Attempts until that succeeds.
   *
   * @param attempt returns undefined if it has to be made again later.
   * @returns what `attempt` returned; undefined after the timeout.
   * @throws what `attempt` throws, or the reason of `signal`.
   */
  async take<T>(
    attempt: () => T | undefined,
    timeoutMs: number,
    signal: AbortSignal | undefined,
  ): Promise<T | undefined> {
    signal?.throwIfAborted();
    this.#begin();
    let result: T | undefined;
    if (this.#waiters.length === 0) {
      result = attempt();
      if (result !== undefined || timeoutMs === 0) return result;
    }
    let failure: { error: unknown } | undefined;
    await race(
      (done) => {
        const waiter: Waiter = {
          attempt() {
            try {
              result = attempt();
            } catch (error) {
              failure = { error };
            }
            if (result === undefined && failure === undefined) return false;
            done();
            return true;
          },
        };
        this.#waiters.push(waiter);
        this.#wait();
        return () => this.#leave(waiter);
      },
      timeoutMs,
      signal,
    );
    if (failure) throw failure.error;
    return result;
  }

  /** Everybody's next attempt is the last. */
  end(): void {
    this.#begin();
    this.#serve();
  }

  #begin(): void {
    if (this.#pid === process.pid) return;
    this.#pid = process.pid;
    this.#waiters = [];
    this.#stop = undefined;
  }

  #leave(waiter: Waiter): void {
    const index = this.#waiters.indexOf(waiter);
    if (index >= 0) this.#waiters.splice(index, 1);
    if (this.#waiters.length === 0) this.#stop?.abort();
  }

  /** Lets them have what there is, the first one first. */
  #serve(): void {
    while (this.#waiters[0]?.attempt()) {
      // He has left.
    }
  }

  #wait(): void {
    if (this.#stop !== undefined) return;
    const stop = (this.#stop = new AbortController());
    const over = (): void => {
      if (this.#stop !== stop) return;
      this.#stop = undefined;
      this.#serve();
      if (this.#waiters.length > 0) this.#wait();
    };
    waitSettled(() => native.awaitShared(this.#kind, this.#handle, false), Infinity, stop.signal).then(over, over);
  }
}
