/**
 * Python's `multiprocessing.Event`: a flag to wait for.
 */
import { inspect } from 'node:util';

import { refuseToSerialize } from '../inherit-only.ts';
import { native } from '../native.ts';
import { checkTimeout, checkWaitOptions, type WaitOptions } from '../options.ts';
import { allocate } from '../shared/block.ts';
import { addKind, passable } from '../shared/passing.ts';
import { checkInterrupted, code } from './acquirable.ts';
import { waitSettled } from './waits.ts';

const SET = 1;

/**
 * Python: `multiprocessing.Event`. A flag, not set at first, that any number of processes can wait for.
 *
 * Different from Python: `set()` never waits for those that it wakes, and a flag that is set and cleared again at once is
 * missed by nobody who was waiting.
 */
export class Event {
  readonly #word: Int32Array;
  readonly #handle: number;

  /** @throws ProcessError `ERR_MP_WORKER_THREAD` in a worker thread. */
  constructor() {
    const { buffer, handle } = allocate(64);
    this.#word = new Int32Array(buffer);
    this.#handle = handle;
    passable(this, () => ({ kind: 'Event', handles: [handle], details: null }));
  }

  /** Python: `is_set`. */
  isSet(): boolean {
    return (Atomics.load(this.#word, 0) & SET) !== 0;
  }

  /** Python: `set`. Sets the flag and wakes everybody who waits for it. Returns at once, whatever becomes of them. */
  set(): void {
    if (!this.isSet()) native.eventSet(this.#handle);
  }

  /** Python: `clear`. Whoever waits from now on waits for the next `set()`. */
  clear(): void {
    native.eventClear(this.#handle);
  }

  /**
   * Python: `wait(timeout=None)`. Waits asleep until the flag is set. The event loop does not turn meanwhile.
   *
   * @param timeoutMs milliseconds; negative is 0; without it the wait has no end. (Python: seconds.)
   * @returns true if the flag is, or was, set; false after the timeout.
   * @throws InterruptedError when the program's own SIGINT, SIGTERM or SIGHUP listener has to run.
   */
  wait(timeoutMs?: number): boolean {
    const timeout = checkTimeout(timeoutMs);
    if (this.isSet()) return true;
    const result = native.eventWait(this.#handle, timeout);
    checkInterrupted(result, 'wait() for an Event');
    return result === code.taken;
  }

  /**
   * `wait` that leaves the event loop turning.
   *
   * @returns true if the flag is, or was, set; false after `timeoutMs` milliseconds.
   * @throws the reason of `signal`, once it is aborted.
   */
  async waitAsync(options?: WaitOptions): Promise<boolean> {
    const { timeoutMs, signal } = checkWaitOptions(options);
    signal?.throwIfAborted();
    if (this.isSet()) return true;
    const begin = (): number => native.awaitShared('event', this.#handle, false);
    return (await waitSettled(begin, timeoutMs, signal)) !== undefined;
  }

  /** Always refused, as in Python. @throws ProcessError `ERR_MP_INHERIT_ONLY`. */
  toJSON(): never {
    return refuseToSerialize(this);
  }

  /** Python's printable form: `<Event at 0x… set>`; here without the address. */
  toString(): string {
    return `<${this.constructor.name} ${this.isSet() ? 'set' : 'unset'}>`;
  }

  /** @internal */
  [inspect.custom](): string {
    return this.toString();
  }
}

addKind('Event', () => new Event());
