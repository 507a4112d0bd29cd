/**
 * Python's `_multiprocessing.SemLock`: a semaphore of the operating system that has a name.
 */
import { inspect } from 'node:util';

import { ProcessError, invalidArgument } from './errors.ts';
import { inheritedOnly, refuseToSerialize } from './inherit-only.ts';
import { native } from './native.ts';
import { checkInteger, checkTimeout } from './options.ts';
import { checkName } from './shared/names.ts';
import { explained } from './system-errors.ts';
import { checkInterrupted, code } from './synchronize/acquirable.ts';

/** glibc keeps them as files with this before the name, which leaves less room for it. */
const MAX_NAME_BYTES = 251;

const meanings: Record<string, string> = {
  EEXIST: 'there is a semaphore of that name',
  ENOENT: 'there is no semaphore of that name, or it was unlinked',
  EACCES: 'the semaphore of that name is not for this user',
};

function semaphoreName(name: unknown): string {
  const checked = checkName(name);
  if (Buffer.byteLength(checked) <= MAX_NAME_BYTES) return checked;
  throw invalidArgument(`name must have ${MAX_NAME_BYTES} bytes at most: ${inspect(checked)}`, RangeError);
}

/**
 * Python: `_multiprocessing.SemLock(kind, value, maxvalue, name, unlink)`. A POSIX semaphore of the operating system, which any
 * program of this user can open by its name. What `Lock` and `Semaphore` are there; here it is for sharing with programs that
 * are no descendants of one another (of any language: `sem_open`).
 *
 * Nobody knows who holds it: what a process that dies has taken is gone. Its name stays until `semUnlink`.
 */
export class SemLock {
  /** Only the process that has taken it can release it, and can take it again. */
  static readonly RECURSIVE_MUTEX = 0;
  /** Anybody can release it. */
  static readonly SEMAPHORE = 1;
  /** Highest value. */
  static readonly SEM_VALUE_MAX = 0x7fff_ffff;

  /** Python: `kind`. */
  readonly kind: 0 | 1;
  /** Python: `maxvalue`. */
  readonly maxValue: number;
  /** Python: `name`. */
  readonly name: string;
  readonly #native: object;
  #count = 0;
  #owner = 0;

  /**
   * Makes a semaphore.
   *
   * @param kind `SemLock.RECURSIVE_MUTEX` or `SemLock.SEMAPHORE`.
   * @param value permits at first.
   * @param maxValue most permits; `release` beyond is refused where the system says how many there are (not on macOS).
   * @param name without a slash, up to 251 bytes (29 on macOS).
   * @param unlink whether the name goes at once, so that only descendants have the semaphore. @default false
   * @throws TypeError or RangeError (`ERR_MP_INVALID_ARG`) for a bad argument.
   * @throws Error `EEXIST` (Python: FileExistsError) if the name is taken.
   */
  constructor(kind: 0 | 1, value: number, maxValue: number, name: string, unlink = false) {
    if (kind !== SemLock.RECURSIVE_MUTEX && kind !== SemLock.SEMAPHORE) {
      throw invalidArgument(`kind must be SemLock.RECURSIVE_MUTEX or SemLock.SEMAPHORE, not ${inspect(kind)}`);
    }
    const highest = checkInteger(maxValue, 'maxValue');
    if (highest < 1 || highest > SemLock.SEM_VALUE_MAX) {
      throw invalidArgument(`maxValue must be between 1 and ${SemLock.SEM_VALUE_MAX}, not ${highest}`, RangeError);
    }
    if (checkInteger(value, 'value') < 0 || value > highest) {
      throw invalidArgument(`value must be between 0 and ${highest}, not ${value}`, RangeError);
    }
    if (typeof unlink !== 'boolean') throw invalidArgument(`unlink must be true or false, not ${inspect(unlink)}`);
    this.kind = kind;
    this.maxValue = highest;
    this.name = semaphoreName(name);
    this.#native = attaching ?? explained(meanings, this.name, [], () => native.createNamedSemaphore(this.name, value));
    if (unlink) semUnlink(this.name);
    inheritedOnly(this);
  }

  /**
   * Python: `_rebuild`. Opens a semaphore that exists.
   *
   * @throws Error `ENOENT` (Python: FileNotFoundError) if there is none of that name.
   */
  static attach(kind: 0 | 1, maxValue: number, name: string): SemLock {
    const checked = semaphoreName(name);
    attaching = explained(meanings, checked, [], () => native.attachNamedSemaphore(checked));
    try {
      return new this(kind, 0, maxValue, checked);
    } finally {
      attaching = undefined;
    }
  }

  /**
   * Python: `acquire(block=True, timeout=None)`. Takes a permit, waiting for it without CPU; it is noticed within 10 ms.
   *
   * @param timeoutMs milliseconds; negative is 0; without it the wait has no end. (Python: seconds.)
   * @returns true if it has one now, false after the timeout.
   * @throws InterruptedError when the program's own SIGINT, SIGTERM or SIGHUP listener has to run.
   */
  acquire(block = true, timeoutMs?: number): boolean {
    if (typeof block !== 'boolean') throw invalidArgument(`block must be true or false, not ${inspect(block)}`);
    const timeout = checkTimeout(timeoutMs);
    if (this.kind !== SemLock.RECURSIVE_MUTEX || !this.isMine()) {
      const result = native.namedSemaphoreAcquire(this.#native, block ? timeout : 0);
      checkInterrupted(result, 'acquire() of a SemLock');
      if (result !== code.taken) return false;
    }
    this.#count = this.count() + 1;
    this.#owner = process.pid;
    return true;
  }

  /**
   * Python: `release`. Gives a permit back.
   *
   * @throws ProcessError `ERR_MP_NOT_OWNER` (Python: AssertionError) for a recursive one that this process has not taken.
   * @throws ProcessError `ERR_MP_NOT_LOCKED` (Python: ValueError) if there are `maxValue` permits.
   */
  release(): void {
    if (this.kind === SemLock.RECURSIVE_MUTEX) {
      if (!this.isMine()) {
        throw new ProcessError('ERR_MP_NOT_OWNER', 'release() of a SemLock that this process has not taken');
      }
      if (this.#count > 1) {
        this.#count -= 1;
        return;
      }
    } else if (process.platform !== 'darwin' && this.getValue() >= this.maxValue) {
      throw new ProcessError('ERR_MP_NOT_LOCKED', 'release() of a SemLock: semaphore or lock released too many times');
    }
    this.#count = this.count() - 1;
    native.namedSemaphoreRelease(this.#native);
  }

  /** Python: `_count`. How often this process has taken it, less its releases. */
  count(): number {
    return this.#owner === process.pid ? this.#count : 0;
  }

  /** Python: `_is_mine`. Whether this process has taken it. */
  isMine(): boolean {
    return this.count() > 0;
  }

  /** Python: `_get_value`. Permits that are there. @throws Error `ENOSYS` on macOS, which does not say. */
  getValue(): number {
    return Math.max(native.namedSemaphoreValue(this.#native), 0);
  }

  /** Python: `_is_zero`. Whether there is no permit. */
  isZero(): boolean {
    return this.getValue() === 0;
  }

  /** `lock.acquire(); using held = lock;` gives it back at the end of the block. */
  [Symbol.dispose](): void {
    this.release();
  }

  /** Always refused: others open it by its name. @throws ProcessError `ERR_MP_INHERIT_ONLY`. */
  toJSON(): never {
    return refuseToSerialize(this);
  }

  /** Printable form: `<SemLock name='queue-lock'>`. */
  toString(): string {
    return `<${this.constructor.name} name=${inspect(this.name)}>`;
  }

  /** @internal */
  [inspect.custom](): string {
    return this.toString();
  }
}

/** What the constructor finds instead of making it. */
let attaching: object | undefined;

/**
 * Python: `_multiprocessing.sem_unlink(name)`. Removes the name of a `SemLock`; those who have it open keep it.
 *
 * @throws Error `ENOENT` (Python: FileNotFoundError) if there is none of that name.
 */
export function semUnlink(name: string): void {
  const checked = semaphoreName(name);
  explained(meanings, checked, [], () => native.unlinkNamedSemaphore(checked));
}
