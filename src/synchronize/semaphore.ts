/**
 * Python's `multiprocessing.Semaphore` and `BoundedSemaphore`: a number of permits.
 */
import { ProcessError, invalidArgument } from '../errors.ts';
import { fast, native } from '../native.ts';
import { checkInteger } from '../options.ts';
import { allocate, hasBlocks } from '../shared/block.ts';
import { addKind, passable } from '../shared/passing.ts';
import { Acquirable, type LockOptions } from './acquirable.ts';

/**
 * Python: `multiprocessing.Semaphore(value=1)`. A counter of permits: `acquire` takes one, waiting while there is none;
 * `release` gives permits back, and anybody may do that, also beyond the first value.
 *
 * Different from Python: each process's permits are counted. Those of a process that has died are not lost: whoever would
 * have to wait gets an `AbandonedLockError` until `recover()` gives them back.
 */
export class Semaphore extends Acquirable {
  readonly #value: number;
  // Shared memory lives as long as this.
  readonly #buffer: ArrayBuffer;

  /**
   * @param value permits at first, 0 to 2,147,483,647. @default 1
   * @throws RangeError (`ERR_MP_INVALID_ARG`; Python: OSError) for a negative value or one that is too large, TypeError for
   *   a wrong type; ProcessError `ERR_MP_WORKER_THREAD` in a worker thread.
   */
  constructor(value = 1, options?: LockOptions) {
    if (checkInteger(value, 'value') < 0) {
      throw invalidArgument(`value must be at least 0, not ${value}`, RangeError);
    }
    let buffer!: ArrayBuffer;
    super(options, () => {
      const block = allocate(native.SEMAPHORE_SIZE);
      ({ buffer } = block);
      return { kind: 'semaphore', handle: block.handle, acquire: fast.semaphoreAcquire };
    });
    this.#buffer = buffer;
    this.#value = value;
    if (!hasBlocks()) native.semaphoreBegin(this.handle, value, this.highest(value));
    passable(this, () => ({ kind: this.kind, handles: [this.handle], details: [value, this.options] }));
  }

  /** @internal */
  protected get kind(): string {
    return 'Semaphore';
  }

  /** @internal The highest value that `release` may lead to. */
  protected highest(_value: number): number {
    return native.SEMAPHORE_MAX;
  }

  /**
   * Python: `release`. Gives permits back, whoever took them, and wakes as many that wait.
   *
   * @param n how many. @default 1
   * @throws ProcessError `ERR_MP_NOT_LOCKED` (Python: ValueError) if there are more permits then than there may be; nothing is
   *   given back.
   */
  release(n = 1): void {
    if (n !== 1 && checkInteger(n, 'n') < 1) throw invalidArgument(`n must be at least 1, not ${n}`, RangeError);
    if (fast.semaphoreRelease(this.handle, n) === 1) return;
    throw new ProcessError(
      'ERR_MP_NOT_LOCKED',
      `release() of a ${this.constructor.name} beyond ${this.highest(this.#value)} permits: it was released too many times`,
    );
  }

  /** Python: `get_value`. Permits that are there for the taking now. */
  getValue(): number {
    return native.semaphoreValue(this.handle);
  }

  /** Python: `locked` (3.14). Whether there is no permit. */
  locked(): boolean {
    return this.getValue() === 0;
  }

  /** Gives back the permits of processes that have died. Python has none. @returns how many there were. */
  recover(): number {
    return native.semaphoreRecover(this.handle);
  }

  /** Python's printable form: `<Semaphore(value=3)>`. */
  override toString(): string {
    return `<${this.constructor.name}(value=${this.getValue()})>`;
  }

  /** @internal The native call is the shortest way. */
  protected override tryTake(): boolean {
    void this.#buffer;
    return false;
  }
}

/** Python: `multiprocessing.BoundedSemaphore(value=1)`. As `Semaphore`, but never has more permits than at first. */
export class BoundedSemaphore extends Semaphore {
  /** @internal */
  protected override get kind(): string {
    return 'BoundedSemaphore';
  }

  /** @internal */
  protected override highest(value: number): number {
    return value;
  }

  /** Python's printable form: `<BoundedSemaphore(value=3)>`. */
  override toString(): string {
    return super.toString();
  }
}

type Details = [value: number, options: LockOptions];
addKind<Details>('Semaphore', (details) => new Semaphore(...details));
addKind<Details>('BoundedSemaphore', (details) => new BoundedSemaphore(...details));
