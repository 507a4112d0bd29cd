/**
 * Python's `multiprocessing.Barrier`: processes that go on once all have come.
 */
import { inspect } from 'node:util';

import { BrokenBarrierError, invalidArgument } from '../errors.ts';
import { refuseToSerialize } from '../inherit-only.ts';
import { native } from '../native.ts';
import { checkFunction, checkInteger, checkTimeout, checkWaitOptions, type WaitOptions } from '../options.ts';
import { allocate, hasBlocks, type Block } from '../shared/block.ts';
import { handedTo } from '../shared/handed-to.ts';
import { addKind, passable } from '../shared/passing.ts';
import { checkInterrupted, code } from './acquirable.ts';
import { waitSettled } from './waits.ts';

/** Options of `new Barrier()`. */
export interface BarrierOptions {
  /** Runs in the last one to arrive, before all go on. If it throws, the barrier breaks. */
  readonly action?: (() => void) | undefined;
  /** Milliseconds that `wait()` waits if it is given no time of its own. @default Infinity */
  readonly timeoutMs?: number | undefined;
}

/** By the number that native calls give. */
const reasons = [
  'it was aborted',
  'one of its parties gave up waiting',
  'a process that takes part in it has died',
  'it was reset while others waited',
] as const;

/**
 * Python: `multiprocessing.Barrier(parties, action=None, timeout=None)`. Each of `parties` processes that comes to it waits
 * until all have come; then all go on, and it can be used again.
 *
 * Different from Python: it breaks for the others when a process dies that waits at it, that has taken part before, or that
 * was given it in `args` or as a property of its own. (Of one that has it by closure and dies before it ever came, it does
 * not know: that takes a timeout.)
 */
export class Barrier {
  readonly #block: Block;
  readonly #parties: number;
  readonly #action: (() => void) | undefined;
  readonly #timeoutMs: number;

  /** @throws TypeError or RangeError (`ERR_MP_INVALID_ARG`) for an argument of the wrong type, or parties not in 1 to 65,535. */
  constructor(parties: number, options: BarrierOptions = {}) {
    if (checkInteger(parties, 'parties') < 1 || parties > native.BARRIER_MAX_PARTIES) {
      throw invalidArgument(`parties must be between 1 and ${native.BARRIER_MAX_PARTIES}, not ${parties}`, RangeError);
    }
    if (typeof options !== 'object' || options === null) {
      throw invalidArgument(`expected { action, timeoutMs }, not ${inspect(options)}`);
    }
    checkFunction(options.action, 'action');
    this.#timeoutMs = checkTimeout(options.timeoutMs);
    this.#action = options.action;
    this.#parties = parties;
    this.#block = allocate(native.BARRIER_SIZE);
    if (!hasBlocks()) native.barrierBegin(this.#block.handle, parties);
    const details: Details = [parties, { action: options.action, timeoutMs: this.#timeoutMs }];
    passable(this, () => ({ kind: 'Barrier', handles: [this.#block.handle], details }));
  }

  /**
   * Python: `wait(timeout=None)`. Waits asleep until all have come. The event loop does not turn meanwhile.
   *
   * @param timeoutMs milliseconds; negative is 0. (Python: seconds.) Once they have passed, the barrier is broken for all.
   *   @default that of the constructor
   * @returns a number from 0 to `parties` - 1, another one for each.
   * @throws BrokenBarrierError if the barrier is broken, or breaks meanwhile.
   * @throws InterruptedError when the program's own SIGINT, SIGTERM or SIGHUP listener has to run; that breaks the barrier.
   * @throws what `action` throws, in the process in which it runs.
   */
  wait(timeoutMs?: number): number {
    const timeout = timeoutMs === undefined ? this.#timeoutMs : checkTimeout(timeoutMs);
    const result = native.barrierWait(this.#block.handle, timeout);
    checkInterrupted(result, 'wait() at a Barrier');
    return this.#pass(result, native.barrierRound());
  }

  /**
   * `wait` that leaves the event loop turning.
   *
   * @throws the reason of `signal`, once it is aborted; that breaks the barrier, as a timeout does. Otherwise as `wait`.
   */
  async waitAsync(options?: WaitOptions): Promise<number> {
    const { timeoutMs, signal } = checkWaitOptions(options);
    signal?.throwIfAborted();
    const begin = (): number => native.awaitShared('barrier', this.#block.handle, false);
    const timeout = options?.timeoutMs === undefined ? this.#timeoutMs : timeoutMs;
    const settled = await waitSettled(begin, timeout, signal);
    if (settled === undefined) throw new BrokenBarrierError(reasons[1]);
    return this.#pass(settled.code, settled.round);
  }

  /** @internal In the parent: a child has this barrier from it. */
  [handedTo](pid: number): void {
    native.barrierExpect(this.#block.handle, pid);
  }

  /** Python: `reset`. Makes the barrier as new; whoever waits at it gets a `BrokenBarrierError`. */
  reset(): void {
    native.barrierReset(this.#block.handle);
  }

  /** Python: `abort`. Breaks the barrier until `reset()`, for those who wait and those who come. */
  abort(): void {
    native.barrierAbort(this.#block.handle);
  }

  /** Python: `parties`. How many must come. */
  get parties(): number {
    return this.#parties;
  }

  /** Python: `n_waiting`. How many wait now. */
  get nWaiting(): number {
    return native.barrierState(this.#block.handle).waiting;
  }

  /** Python: `broken`. */
  get broken(): boolean {
    return native.barrierState(this.#block.handle).broken;
  }

  /** Always refused, as in Python. @throws ProcessError `ERR_MP_INHERIT_ONLY`. */
  toJSON(): never {
    return refuseToSerialize(this);
  }

  /** Printable form: `<Barrier 1/3>`, `<Barrier broken>`. */
  toString(): string {
    const state = this.broken ? 'broken' : `${this.nWaiting}/${this.#parties}`;
    return `<${this.constructor.name} ${state}>`;
  }

  /** @internal */
  [inspect.custom](): string {
    return this.toString();
  }

  /** What a wait came to. The last one opens the barrier. */
  #pass(result: number, round: number): number {
    if (result <= code.broken) throw new BrokenBarrierError(reasons[code.broken - result] ?? reasons[0]);
    const index = result - code.passed;
    if (index === this.#parties - 1) {
      try {
        this.#action?.();
      } catch (error) {
        this.abort();
        throw error;
      }
      if (!native.barrierComplete(this.#block.handle, round)) throw new BrokenBarrierError(reasons[0]);
    }
    return index;
  }
}

type Details = [parties: number, options: BarrierOptions];
addKind<Details>('Barrier', (details) => new Barrier(...details));
