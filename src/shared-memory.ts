/**
 * Python's `multiprocessing.shared_memory.SharedMemory`: a block of memory that processes attach to by name.
 */
import { constants } from 'node:buffer';
import { inspect } from 'node:util';
import { isMainThread } from 'node:worker_threads';

import { ProcessError, invalidArgument } from './errors.ts';
import { Finalize } from './finalize.ts';
import { native } from './native.ts';
import { addClass } from './serialize/forms.ts';
import { checkName, withFreshName } from './shared/names.ts';
import { explained } from './system-errors.ts';

/** Options of `new SharedMemory()`. */
export interface SharedMemoryOptions {
  /** The name, without a leading slash: 1 to 255 bytes (30 on macOS) without `/` and NUL. @default for a new block: made up */
  readonly name?: string | undefined;
  /** Makes a new block instead of attaching to one that exists. @default false */
  readonly create?: boolean | undefined;
  /** Bytes of a new block. One that exists has the size that it has. */
  readonly size?: number | undefined;
  /**
   * At its end (by itself, by `process.exit()` or an uncaught error, not by a signal) this process unlinks the block with a
   * warning, if nobody has by then. @default false (Python: true)
   */
  readonly track?: boolean | undefined;
}

/** What `JSON.stringify` makes of shared memory, and `fromJSON` takes. */
export interface SharedMemoryDescriptor {
  /** The block's name. */
  readonly name: string;
}

type NativeBlock = ReturnType<typeof native.createSharedMemory>;

/**
 * Python: `multiprocessing.shared_memory.SharedMemory`. A block of memory that any process of the same user can attach to by
 * its name, related or not.
 *
 * ```ts
 * const shm = new SharedMemory({ create: true, size: 1024 });
 * new Process({ target: (name) => { new SharedMemory({ name }).buf[0] = 7; }, args: [shm.name] }).start();
 * // …
 * shm.close();
 * shm.unlink();
 * ```
 *
 * A block that was given a name is a POSIX shared memory object, as Python's are, and lasts until `unlink()`, whatever
 * happens to the processes. One with a made-up name lasts until `unlink()` or until the last process that made, attached or
 * inherited it ends, by whatever means. (On macOS: until its creator ends, if that is not killed.)
 *
 * Nothing orders what processes read and write: use a `Lock`, or `Atomics` on a typed array over `buf.buffer`.
 */
export class SharedMemory {
  readonly #block: NativeBlock;
  #name: string;
  readonly #size: number;
  #isPublished = false;
  #buf: Buffer<ArrayBuffer> | undefined;
  #tracker: Finalize | undefined;

  /**
   * @throws TypeError or RangeError (`ERR_MP_INVALID_ARG`) for a bad option, for a new block without a size that is a
   *   positive integer, and for attaching without a name.
   * @throws Error of the system: `ENOENT` if there is no block of that name, `EEXIST` if a new one's name is taken, `EACCES`
   *   if it is another user's, `ENOSPC` or `ENOMEM` if there is no room for it, `EFBIG` beyond the limit on file sizes.
   * @throws ProcessError `ERR_MP_WORKER_THREAD` for `track` in a worker thread.
   */
  constructor(options: SharedMemoryOptions) {
    const { name, create, size, track } = checkOptions(options);
    const make = (given: string, anonymous: boolean): NativeBlock => {
      this.#name = given;
      return native.createSharedMemory(given, size, anonymous);
    };
    this.#name = name ?? '';
    this.#block = explained(meanings, name, size ? [`${size} bytes`] : [], () => {
      if (name === undefined) return withFreshName((madeUp) => make(madeUp, true));
      return create ? make(name, false) : native.attachSharedMemory(name);
    });
    this.#size = native.sharedMemorySize(this.#block);
    if (this.#size > constants.MAX_LENGTH) throw tooLarge(this.#size);
    this.#buf = Buffer.from(native.sharedMemoryBuffer(this.#block));
    if (track) this.#tracker = trackBlock(this.name, this.#block);
  }

  /**
   * Attaches to the block that `JSON.stringify` was given, in whichever process; takes the parsed form. Python: unpickling.
   *
   * @throws as the constructor, `ENOENT` above all.
   */
  static fromJSON(descriptor: SharedMemoryDescriptor): SharedMemory {
    return new SharedMemory({ name: descriptorName(descriptor) });
  }

  /**
   * Python: `buf`. The memory itself, `size` bytes; no copy. After `close()` all views of it are empty.
   *
   * @throws ProcessError `ERR_MP_CLOSED` after `close()` (Python: None).
   */
  get buf(): Buffer<ArrayBuffer> {
    if (this.#buf === undefined) {
      throw new ProcessError('ERR_MP_CLOSED', `${this} is closed: attach to it again by its name`);
    }
    return this.#buf;
  }

  /** Python: `name`. By which others can attach; without a leading slash. */
  get name(): string {
    // Whoever may know the name can rely on the block to stay.
    if (!this.#isPublished) native.publishSharedMemory(this.#block);
    this.#isPublished = true;
    return this.#name;
  }

  /** Python: `size`. Bytes of the block; on macOS, those of a block that was given a name are rounded up to whole pages. */
  get size(): number {
    return this.#size;
  }

  /**
   * Python: `close`. This object lets go of the memory; the block and other handles stay. May be called again. Buffers and
   * typed arrays over it are empty from then on (Python refuses with a BufferError while there are any).
   */
  close(): void {
    if (this.#buf === undefined) return;
    const { buffer } = this.#buf;
    this.#buf = undefined;
    native.closeSharedMemory(this.#block, buffer);
  }

  /**
   * Python: `unlink`. Nobody can attach any more; who is attached keeps the memory. To be called once, by any process, before
   * or after `close()`.
   *
   * @throws Error of the system: `ENOENT` if that was done before.
   */
  unlink(): void {
    explained(meanings, this.#name, [], () => native.unlinkSharedMemory(this.#block));
    this.#tracker?.cancel();
  }

  /** `using`: closes it. The block stays until `unlink()`. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** What `fromJSON` takes, in this or another process: the name. */
  toJSON(): SharedMemoryDescriptor {
    return { name: this.name };
  }

  /** Python's printable form: `SharedMemory('name', size=4096)`. */
  toString(): string {
    return `${this.constructor.name}(${inspect(this.name)}, size=${this.#size})`;
  }

  /** @internal */
  [inspect.custom](): string {
    return this.toString();
  }
}

/** @internal The name in what `JSON.stringify` made. */
export function descriptorName(descriptor: SharedMemoryDescriptor): string {
  if (typeof descriptor !== 'object' || descriptor === null) {
    throw invalidArgument(`fromJSON() takes { name }, which toJSON() gives, not ${inspect(descriptor)}`);
  }
  return checkName(descriptor.name);
}

interface Checked {
  readonly name: string | undefined;
  readonly create: boolean;
  readonly size: number;
  readonly track: boolean;
}

function checkOptions(options: SharedMemoryOptions): Checked {
  if (typeof options !== 'object' || options === null) {
    throw invalidArgument(`new SharedMemory() takes one object { name, create, size, track }, not ${inspect(options)}`);
  }
  const { name = undefined, create = false, size = 0, track = false } = options;
  for (const [key, value] of Object.entries({ create, track })) {
    if (typeof value !== 'boolean') throw invalidArgument(`${key} must be true or false, not ${inspect(value)}`);
  }
  if (typeof size !== 'number') throw invalidArgument(`size must be a number of bytes, not ${inspect(size)}`);
  if (!Number.isSafeInteger(size) || size < (create ? 1 : 0)) {
    throw invalidArgument(`size must be a positive integer, a number of bytes, not ${inspect(size)}`, RangeError);
  }
  if (create && size > constants.MAX_LENGTH) throw tooLarge(size);
  if (!create && (name === undefined || name === null)) {
    throw invalidArgument('name is needed to attach to shared memory; { create: true, size } makes a new block');
  }
  if (track && !isMainThread) {
    throw new ProcessError('ERR_MP_WORKER_THREAD', 'track works in the main thread only, which ends with the process');
  }
  return { name: name === undefined || name === null ? undefined : checkName(name), create, size, track };
}

function tooLarge(size: number): Error {
  return invalidArgument(
    `${size} bytes are more than a Buffer of this Node can have (${constants.MAX_LENGTH}); newer ones can have more`,
    RangeError,
  );
}

/** What errors of the system mean here. */
const meanings: Record<string, string> = {
  ENOENT: 'there is no shared memory of that name, or it was unlinked',
  EEXIST: 'there is shared memory of that name',
  EACCES: 'the shared memory of that name is not for this user',
  EINVAL: 'the shared memory of that name is empty, or its name is none',
  ENOSPC: 'there is not enough room for shared memory',
  ENOMEM: 'there is not enough memory or address space',
  EFBIG: 'files may not be that large (see ulimit -f)',
};

/** At the end of this process, after its children's, a block that is still there is unlinked. */
function trackBlock(name: string, block: NativeBlock): Finalize {
  const identity = native.sharedMemoryIdentity(block);
  const unlinkLeft = (): void => {
    // By now the name may be another block's.
    if (native.sharedMemoryIdentityOf(name) !== identity) return;
    native.unlinkSharedMemory(block);
    console.error(
      `node-multiprocessing: shared memory ${inspect(name)} was left by process ${process.pid} (track: true) and has been unlinked`,
    );
  };
  return new Finalize(null, unlinkLeft, { exitPriority: -100 });
}

// Python pickles them by name.
addClass(SharedMemory.prototype, {
  name: 'SharedMemory',
  take: (memory) => memory.toJSON(),
  make: (descriptor) => SharedMemory.fromJSON(descriptor),
  discard: (memory) => memory.close(),
});
