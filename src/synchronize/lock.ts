/**
 * Python's `multiprocessing.Lock` and `RLock`: one process at a time.
 */
import type { HolderEnd } from '../../index.js';
import { ProcessError } from '../errors.ts';
import { fast, native } from '../native.ts';
import { checkTimeout, checkWaitOptions, type WaitOptions } from '../options.ts';
import { currentProcess } from '../process.ts';
import { allocate, type Block } from '../shared/block.ts';
import { addKind, passable } from '../shared/passing.ts';
import { AbandonedLockError } from './abandoned.ts';
import { Acquirable, code, type LockOptions } from './acquirable.ts';

/** Somebody sleeps until the lock is given back; the rest of the word is the holder's number, 0 for nobody. */
const WANTED = 0x80000000;

/**
 * What `Lock` and `RLock` have in common: a word in shared memory that names the process that holds the lock.
 *
 * An uncontended `acquire` and `release` are one atomic instruction each.
 */
export abstract class HeldLock extends Acquirable {
  readonly #word: Int32Array;
  readonly #seat: Block['seat'];

  /** @internal */
  constructor(options: LockOptions | undefined) {
    let block!: Block;
    super(options, () => {
      block = allocate(64);
      return { kind: 'lock', handle: block.handle, acquire: fast.lockAcquire };
    });
    this.#word = new Int32Array(block.buffer);
    this.#seat = block.seat;
    passable(this, () => ({ kind: this.kind, handles: [this.handle], details: this.options }));
  }

  /** @internal */
  protected abstract get kind(): 'Lock' | 'RLock';

  /** Python: `locked` (3.14). Whether anybody holds the lock; a dead holder holds it still. */
  locked(): boolean {
    return this.holder !== 0;
  }

  /**
   * Makes a lock whose holder has died free again; what it protects should have been set right before. Python has none.
   *
   * @returns false if its holder lives or nobody holds it: nothing is done then.
   */
  recover(): boolean {
    return native.lockRecover(this.handle);
  }

  /** @internal The holder's number, 0 for nobody. */
  protected get holder(): number {
    return Atomics.load(this.#word, 0) & ~WANTED;
  }

  /** @internal Whether this process holds it. */
  get isMine(): boolean {
    return this.holder === this.#seat.id;
  }

  /** @internal Gives it back, however often it was taken. @returns what `takeBack` needs to know. */
  abstract giveUp(): number;

  /** @internal Takes it back as often as it was taken before `giveUp`; nothing interrupts that. */
  takeBack(_depth: number): void {
    if (!this.tryTake()) this.finish(native.lockReacquire(this.handle, this.recovers));
  }

  /** @internal */
  protected override tryTake(): boolean {
    return Atomics.compareExchange(this.#word, 0, 0, this.#seat.id) === 0;
  }

  /** @internal Gives it back. */
  protected giveBack(): void {
    const { id } = this.#seat;
    if (Atomics.compareExchange(this.#word, 0, id, 0) === id) return;
    const result = fast.lockRelease(this.handle);
    if (result === code.wasFree) {
      throw new ProcessError(
        'ERR_MP_NOT_LOCKED',
        `release() of a ${this.constructor.name} that nobody holds: it was released too many times`,
      );
    }
    if (result === code.abandoned) {
      throw new AbandonedLockError(`this ${this.constructor.name}`, native.lastHolderEnd() as HolderEnd);
    }
  }
}

/**
 * Python: `multiprocessing.Lock`. At most one process holds it at a time. Processes forked after it was made share it, by
 * closure or through `args`.
 *
 * ```ts
 * const lock = new Lock();
 * new Process({ target: () => lock.with(() => console.log('one at a time')) }).start();
 * ```
 *
 * As in Python it is not recursive, any process may release it, and whoever waits for one that it holds itself waits for
 * ever (Ctrl-C ends that). Different from Python: if its holder dies, the others get an `AbandonedLockError`.
 */
export class Lock extends HeldLock {
  /** @throws TypeError (`ERR_MP_INVALID_ARG`) for a bad option; ProcessError `ERR_MP_WORKER_THREAD` in a worker thread. */
  constructor(options?: LockOptions) {
    super(options);
  }

  /**
   * Python: `release`. Gives the lock back, whichever process holds it.
   *
   * @throws ProcessError `ERR_MP_NOT_LOCKED` (Python: ValueError) if nobody holds it.
   * @throws AbandonedLockError if its holder has died with it: `recover()` is the way then.
   */
  release(): void {
    this.giveBack();
  }

  /** @internal */
  override giveUp(): number {
    this.giveBack();
    return 1;
  }

  /** @internal */
  protected override get kind(): 'Lock' {
    return 'Lock';
  }

  /** Python's printable form: `<Lock(owner=MainProcess)>`, `None` or `SomeOtherProcess`. */
  override toString(): string {
    return `<${this.constructor.name}(owner=${ownerName(this.holder, this.isMine)})>`;
  }
}

/**
 * Python: `multiprocessing.RLock`. As `Lock`, but the process that holds it can take it again; it is free when it was
 * released as often as it was taken. Only its holder can release it.
 */
export class RLock extends HeldLock {
  #depth = 0;

  /** @throws TypeError (`ERR_MP_INVALID_ARG`) for a bad option; ProcessError `ERR_MP_WORKER_THREAD` in a worker thread. */
  constructor(options?: LockOptions) {
    super(options);
  }

  override acquire(block = true, timeoutMs?: number): boolean {
    if (this.isMine) {
      checkTimeout(timeoutMs);
      this.#depth += 1;
      return true;
    }
    const taken = super.acquire(block, timeoutMs);
    if (taken) this.#depth = 1;
    return taken;
  }

  /** As of `Lock`; this process's own tasks do not exclude each other, since the holder is the process. */
  override async acquireAsync(options?: WaitOptions): Promise<boolean> {
    checkWaitOptions(options).signal?.throwIfAborted();
    if (this.isMine) return this.acquire();
    const taken = await super.acquireAsync(options);
    if (taken) this.#depth = 1;
    return taken;
  }

  /**
   * Python: `release`. One `acquire` less; the last one frees the lock.
   *
   * @throws ProcessError `ERR_MP_NOT_OWNER` (Python: AssertionError) if this process does not hold it.
   */
  release(): void {
    if (!this.isMine) {
      throw new ProcessError(
        'ERR_MP_NOT_OWNER',
        `release() of an ${this.constructor.name} that this process does not hold: only its holder can release it`,
      );
    }
    this.#depth -= 1;
    if (this.#depth <= 0) this.giveBack();
  }

  /** @internal */
  override giveUp(): number {
    const depth = this.#depth;
    this.#depth = 0;
    this.giveBack();
    return depth;
  }

  /** @internal */
  override takeBack(depth: number): void {
    super.takeBack(depth);
    this.#depth = depth;
  }

  /** @internal */
  protected override get kind(): 'RLock' {
    return 'RLock';
  }

  /** @internal A wait without blocking has taken it back. */
  setDepth(depth: number): void {
    this.#depth = depth;
  }

  /** Python's printable form: `<RLock(MainProcess, 2)>`, `<RLock(None, 0)>`, `<RLock(SomeOtherProcess, nonzero)>`. */
  override toString(): string {
    const { holder, isMine } = this;
    const depth = isMine ? this.#depth : holder === 0 ? 0 : 'nonzero';
    return `<${this.constructor.name}(${ownerName(holder, isMine)}, ${depth})>`;
  }
}

addKind<LockOptions>('Lock', (options) => new Lock(options));
addKind<LockOptions>('RLock', (options) => new RLock(options));

function ownerName(holder: number, isMine: boolean): string {
  if (isMine) return currentProcess().name;
  return holder === 0 ? 'None' : 'SomeOtherProcess';
}
