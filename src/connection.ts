/**
 * Python's `multiprocessing.Pipe` and `multiprocessing.connection.Connection`: messages between processes.
 */
import { constants } from 'node:buffer';
import { inspect, types } from 'node:util';

import { BufferTooShort, EOFError } from './connection/errors.ts';
import { Passage, closeAll, passNow } from './connection/handles.ts';
import { Turns, endWaits, waitReady, whenReady } from './connection/ready.ts';
import { InterruptedError, ProcessError, TimeoutError, invalidArgument } from './errors.ts';
import { inheritedOnly } from './inherit-only.ts';
import { native } from './native.ts';
import { checkInteger, checkTimeout, checkWaitOptions, type WaitOptions } from './options.ts';
import { addFamily } from './serialize/forms.ts';
import { decode, encode } from './serialize/index.ts';
import { signalName } from './signals.ts';
import { race } from './wait.ts';

/** Which way a connection goes; options of `new Connection()`. */
export interface ConnectionOptions {
  /** Whether messages can be received. @default true */
  readonly readable?: boolean | undefined;
  /** Whether messages can be sent. @default true */
  readonly writable?: boolean | undefined;
}

/** What bytes can be sent from, and received into. */
export type Bytes = ArrayBufferView | ArrayBufferLike;

type Held = ReturnType<typeof native.openConnection>;
type Arrived = ReturnType<typeof native.connectionTake>;

/** @internal A message to be sent. */
export interface Outgoing {
  /** Its bytes: these, then those of the parts. */
  readonly head: Uint8Array;
  readonly parts: readonly Uint8Array[];
  readonly descriptors: readonly number[];
  /** To be told whether it was sent. */
  readonly settle?: (sent: boolean) => void;
  /** The head lies in memory that the serialiser may use again. */
  readonly isBorrowed?: boolean;
}

/** What becomes of a message that was received. */
interface Reading<T> {
  /** Of one that lies in memory which the next one will overwrite. */
  borrowed(bytes: Buffer): T;
  /** Of one that is the reader's own. */
  arrived(message: Arrived): T;
}

/** What `native.connectionReceive` returns; see src-rs/node/connection.rs. */
const code = { nothing: -1, end: -2, endInside: -3, message: -4, tooLong: -5, interrupted: -100 } as const;

const NONE: readonly never[] = [];
const EMPTY = new Uint8Array();

/** Memory to receive into, and to write messages in, unless somebody is using it. */
let scratch: Buffer | undefined;
let writing: Buffer | undefined;

const asValue: Reading<unknown> = {
  borrowed: (bytes) => decode(bytes, 0, bytes.length, false),
  arrived: ({ bytes, descriptors }) =>
    descriptors.length === 0 ? decode(bytes, 0, bytes.length, true) : decodeWith(descriptors, bytes),
};

function decodeWith(descriptors: readonly number[], bytes: Buffer): unknown {
  const left = [...descriptors];
  const unclaimed = (): ProcessError =>
    new ProcessError(
      'ERR_MP_CORRUPT',
      'descriptors have arrived that no value refers to: receive them with recvHandle()',
    );
  try {
    if (bytes.length === 0) throw unclaimed();
    const value = decode(bytes, 0, bytes.length, true, () => {
      const fd = left.shift();
      if (fd === undefined) throw new ProcessError('ERR_MP_CORRUPT', 'a message has fewer descriptors than it needs');
      return fd;
    });
    if (left.length > 0) throw unclaimed();
    return value;
  } finally {
    closeAll(left);
  }
}

const asBytes: Reading<Buffer> = {
  borrowed: (bytes) => Buffer.from(bytes),
  arrived: ({ bytes, descriptors }) => {
    closeAll(descriptors);
    return bytes;
  },
};

const asMessage: Reading<Arrived> = {
  borrowed: (bytes) => ({ bytes: Buffer.from(bytes), descriptors: [] }),
  arrived: (message) => message,
};

const asHandle: Reading<number> = {
  borrowed: () => {
    throw new ProcessError(
      'ERR_MP_NO_DESCRIPTOR',
      'a message without a descriptor was received (and is lost): recvHandle() is for what sendHandle() has sent',
    );
  },
  arrived: ({ bytes, descriptors: [first, ...others] }) => {
    closeAll(others);
    if (first === undefined) return asHandle.borrowed(bytes);
    if (bytes.length === 0 && others.length === 0) return first;
    closeAll([first]);
    throw new ProcessError(
      'ERR_MP_NO_DESCRIPTOR',
      'a value with sockets or connections was received (and is lost): recv() is for that',
    );
  },
};

/**
 * Python: `multiprocessing.connection.Connection`. One end of a pipe: messages in, messages out, each of which arrives whole
 * or not at all. Made by `Pipe()`, or over a descriptor.
 *
 * A forked child has a copy of each end that its parent had. The end of messages is told (`EOFError`) once *all* copies of
 * the other end are closed, so let each process close the ends that it does not use; processes that die close theirs.
 *
 * Any number of processes may share an end of a `Pipe()`. A message of up to 64 KiB is sent and received in one piece, whoever
 * else sends and receives. Longer ones come in parts: several may be sent at the same time by several processes, and are
 * received whole; but while more than one process *receives* from an end, hold a `Lock` around `recv()`. Over other
 * descriptors (see the constructor) hold one around both.
 */
export class Connection {
  readonly #held: Held;
  readonly #fd: number;
  readonly #writable: boolean;
  #readable: boolean;
  #closed = false;
  /** Waits for messages. */
  readonly #inbox: Turns;
  /** Messages that wait to be sent; of the first, a part may have been. */
  readonly #outbox: Turns;

  /**
   * Takes over a descriptor: a connected socket, or an end of a pipe, which is closed with this object. Over anything but a
   * `Pipe()`'s, messages have the form that Python's connections give them (as bytes; pickles are not understood).
   *
   * @param handle the descriptor.
   * @throws TypeError (`ERR_MP_INVALID_ARG`) for a bad argument, and for a connection that goes neither way.
   * @throws Error of the system: `EBADF` if it is not open.
   */
  constructor(handle: number, options: ConnectionOptions = {}) {
    if (typeof options !== 'object' || options === null) {
      throw invalidArgument(`expected { readable, writable }, not ${inspect(options)}`);
    }
    const { readable = true, writable = true } = options;
    for (const [key, value] of Object.entries({ readable, writable })) {
      if (typeof value !== 'boolean') throw invalidArgument(`${key} must be true or false, not ${inspect(value)}`);
    }
    if (!readable && !writable) throw invalidArgument('a connection must be readable or writable');
    // Pipe() passes what it has made already.
    this.#held = types.isExternal(handle)
      ? (handle as unknown as object)
      : native.openConnection(checkDescriptor(handle));
    this.#fd = native.connectionFileno(this.#held);
    this.#readable = readable;
    this.#writable = writable;
    this.#inbox = new Turns(this.#fd, 'read');
    this.#outbox = new Turns(this.#fd, 'write');
    inheritedOnly(this);
  }

  /**
   * Python: `send`. Sends a value, blocking while there is no room. What can be sent: see `Queue.put`; also connections, and
   * `net.Socket`s, `net.Server`s and `dgram.Socket`s, in the value at any depth of arrays, plain objects, Maps and Sets. They
   * arrive as objects of the same kind on the same open file. A `net.Socket` is this process's no more then: it is destroyed
   * here, without an end for the connection, and what it has read already goes with it. The others stay open: `close()` them.
   *
   * @throws what the serialiser throws for a value that cannot be sent; nothing is sent then.
   * @throws Error `EPIPE` if nobody is left to receive.
   * @throws ProcessError `ERR_MP_CLOSED`, `ERR_MP_WRONG_DIRECTION`.
   * @throws InterruptedError when the program's own SIGINT, SIGTERM or SIGHUP listener has to run. If a part was sent by
   *   then, the event loop, or the next call that sends, sends the rest.
   */
  send(value: unknown): void {
    this.#checkWritable();
    this.#sendNow(toMessage(value), 'send()');
  }

  /**
   * `send` that leaves the event loop turning.
   *
   * @throws the reason of `signal`, once it is aborted; `ERR_MP_TIMEOUT` after `timeoutMs` milliseconds; otherwise as `send`. If
   *   a part was sent by then, the rest is sent all the same.
   */
  async sendAsync(value: unknown, options?: WaitOptions): Promise<void> {
    this.#checkWritable();
    checkWaitOptions(options).signal?.throwIfAborted();
    return this.#sendLater(toMessage(value), options);
  }

  /**
   * Python: `send_bytes`. Sends bytes as one message, of any length, 0 too; without a copy in this process.
   *
   * @param buffer any buffer or view.
   * @param offset where to begin, in bytes.
   * @param size how many bytes. @default all from `offset` on
   * @throws RangeError (`ERR_MP_INVALID_ARG`) for a range that is not inside; otherwise as `send`.
   */
  sendBytes(buffer: Bytes, offset?: number, size?: number): void {
    const head = sliceOf(buffer, offset, size);
    this.#checkWritable();
    this.#sendNow({ head, parts: NONE, descriptors: NONE }, 'sendBytes()');
  }

  /** `sendBytes` that leaves the event loop turning. Do not change the bytes before it is done. @throws as `sendAsync`. */
  async sendBytesAsync(buffer: Bytes, options?: WaitOptions & { offset?: number; size?: number }): Promise<void> {
    const head = sliceOf(buffer, options?.offset, options?.size);
    this.#checkWritable();
    return this.#sendLater({ head, parts: NONE, descriptors: NONE }, options, 'offset', 'size');
  }

  /**
   * Python: `recv`. Receives a value, blocking until one is there. The event loop does not turn meanwhile: use `recvAsync`
   * where it must.
   *
   * @throws EOFError (`ERR_MP_EOF`) when nothing more can come, also if a process that was sending has been killed.
   * @throws ProcessError `ERR_MP_CLOSED`, `ERR_MP_WRONG_DIRECTION`; `ERR_MP_CORRUPT` if what comes is no message.
   * @throws InterruptedError when the program's own SIGINT, SIGTERM or SIGHUP listener has to run.
   */
  recv(): unknown {
    return this.#receiveNow(asValue, constants.MAX_LENGTH, 'recv()');
  }

  /**
   * `recv` that leaves the event loop turning. Any number of them costs no thread. They are served in the order of the calls.
   *
   * @throws the reason of `signal`, once it is aborted; `ERR_MP_TIMEOUT` after `timeoutMs` milliseconds; otherwise as `recv`.
   */
  async recvAsync(options?: WaitOptions): Promise<unknown> {
    return this.#receiveLater(asValue, constants.MAX_LENGTH, options);
  }

  /**
   * Python: `recv_bytes`. Receives the bytes of one message.
   *
   * @param maxLength most bytes that it may have.
   * @throws ProcessError `ERR_MP_MESSAGE_TOO_LONG` for a longer one; nothing can be received any more then, and a connection
   *   that is only for that is closed. Otherwise as `recv`.
   * @throws RangeError (`ERR_MP_INVALID_ARG`) for a bad `maxLength`.
   */
  recvBytes(maxLength?: number): Buffer {
    return this.#receiveNow(asBytes, checkLimit(maxLength), 'recvBytes()');
  }

  /** `recvBytes` that leaves the event loop turning. @throws as `recvAsync` and `recvBytes`. */
  async recvBytesAsync(options?: WaitOptions & { maxLength?: number }): Promise<Buffer> {
    return this.#receiveLater(asBytes, checkLimit(options?.maxLength), options, 'maxLength');
  }

  /**
   * Python: `recv_bytes_into`. Receives the bytes of one message into a buffer.
   *
   * @param buffer any buffer or view.
   * @param offset where in it, in bytes.
   * @returns how many bytes the message had.
   * @throws BufferTooShort (`ERR_MP_BUFFER_TOO_SHORT`) if it does not fit; the error has the message. Otherwise as `recv`.
   * @throws RangeError (`ERR_MP_INVALID_ARG`) for a bad `offset`.
   */
  recvBytesInto(buffer: Bytes, offset?: number): number {
    return this.#receiveNow(into(sliceOf(buffer, offset)), constants.MAX_LENGTH, 'recvBytesInto()');
  }

  /** `recvBytesInto` that leaves the event loop turning. @throws as `recvAsync` and `recvBytesInto`. */
  async recvBytesIntoAsync(buffer: Bytes, options?: WaitOptions & { offset?: number }): Promise<number> {
    return this.#receiveLater(into(sliceOf(buffer, options?.offset)), constants.MAX_LENGTH, options, 'offset');
  }

  /**
   * Python: `poll`. Whether something can be received, an empty message too, or the end has come.
   *
   * @param timeoutMs milliseconds to wait for that; negative is 0, `Infinity` or null waits without end. (Python: seconds.)
   * @throws ProcessError `ERR_MP_CLOSED`, `ERR_MP_WRONG_DIRECTION`.
   * @throws InterruptedError when the program's own SIGINT, SIGTERM or SIGHUP listener has to run.
   */
  poll(timeoutMs: number | null = 0): boolean {
    const timeout = checkTimeout(timeoutMs);
    this.#checkReadable();
    return waitReady([this.#fd], 'read', timeout, 'poll() of a connection').ready.length > 0;
  }

  /**
   * `poll` that leaves the event loop turning.
   *
   * @throws the reason of `signal`, once it is aborted; otherwise as `poll`.
   */
  async pollAsync(options?: WaitOptions): Promise<boolean> {
    const { timeoutMs, signal } = checkWaitOptions(options);
    signal?.throwIfAborted();
    if (this.poll()) return true;
    if (timeoutMs === 0) return false;
    await race((done) => whenReady(this.#fd, 'read', done), timeoutMs, signal);
    return this.poll();
  }

  /**
   * Python: `fileno`. The descriptor, for `wait()` and for handing it to other programs. It stays this object's.
   *
   * @throws ProcessError `ERR_MP_CLOSED`.
   */
  fileno(): number {
    this.#checkOpen();
    return this.#fd;
  }

  /**
   * Python: `close`. Lets go of the descriptor; done by itself when the object is garbage. May be called again. What is still
   * waiting to be sent or received fails with `ERR_MP_CLOSED`.
   */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#inbox.run();
    this.#outbox.run();
    endWaits(this.#fd);
    native.closeConnection(this.#held);
  }

  /** Python: `closed`. Whether it is. */
  get closed(): boolean {
    return this.#closed;
  }

  /** Python: `readable`. Whether messages can be received over it. */
  get readable(): boolean {
    return this.#readable;
  }

  /** Python: `writable`. Whether messages can be sent over it. */
  get writable(): boolean {
    return this.#writable;
  }

  /** Values as they come, until nothing more can come. */
  async *[Symbol.asyncIterator](): AsyncGenerator<unknown, void, undefined> {
    for (;;) {
      let value: unknown;
      try {
        value = await this.recvAsync();
      } catch (error) {
        if (error instanceof EOFError && !error.insideMessage) return;
        throw error;
      }
      yield value;
    }
  }

  /** `using`: closes it. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** `await using`: closes it. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
  }

  /** Always refused. @throws ProcessError `ERR_MP_INHERIT_ONLY`. */
  toJSON(): never {
    throw new ProcessError(
      'ERR_MP_INHERIT_ONLY',
      'a Connection is not text: use it in a forked child, pass it in args, or send it over another connection',
    );
  }

  /** A printable form, such as `<Connection readable writable fd=21>`. */
  toString(): string {
    const words = [
      this.#readable && 'readable',
      this.#writable && 'writable',
      this.#closed ? 'closed' : `fd=${this.#fd}`,
    ];
    return `<${this.constructor.name} ${words.filter(Boolean).join(' ')}>`;
  }

  /** @internal */
  [inspect.custom](): string {
    return this.toString();
  }

  /** @internal Sends a message that was made by `toMessage`, and its descriptors. */
  sendMessage(message: Outgoing): void {
    this.#checkWritable();
    this.#sendNow(message, 'start()');
  }

  /** @internal Receives the bytes and descriptors of a message, which are the caller's. */
  recvMessage(): Arrived {
    return this.#receiveNow(asMessage, constants.MAX_LENGTH, 'start()');
  }

  /** @internal Sends a descriptor by itself. */
  sendDescriptor(fd: number): void {
    this.#checkWritable();
    this.#sendNow({ head: EMPTY, parts: NONE, descriptors: [fd] }, 'sendHandle()');
  }

  /** @internal */
  async sendDescriptorLater(fd: number, options?: WaitOptions): Promise<void> {
    this.#checkWritable();
    return this.#sendLater({ head: EMPTY, parts: NONE, descriptors: [fd] }, options);
  }

  /** @internal Receives a descriptor that came by itself. */
  recvDescriptor(): number {
    return this.#receiveNow(asHandle, constants.MAX_LENGTH, 'recvHandle()');
  }

  /** @internal */
  async recvDescriptorLater(options?: WaitOptions): Promise<number> {
    return this.#receiveLater(asHandle, constants.MAX_LENGTH, options);
  }

  #checkOpen(): void {
    if (this.#closed) throw new ProcessError('ERR_MP_CLOSED', 'the connection is closed in this process');
  }

  #checkWritable(): void {
    this.#checkOpen();
    if (!this.#writable)
      throw new ProcessError('ERR_MP_WRONG_DIRECTION', 'the connection is read-only: send over the other end');
  }

  #checkReadable(): void {
    this.#checkOpen();
    if (this.#readable) return;
    throw new ProcessError('ERR_MP_WRONG_DIRECTION', 'the connection is write-only: receive from the other end');
  }

  /** Goes on sending, without waiting. Whether all of it is sent. */
  #transmit({ head, parts, descriptors, settle }: Outgoing): boolean {
    try {
      this.#checkOpen();
      // The usual case has a short way.
      const isSent =
        parts.length === 0 && descriptors.length === 0
          ? native.connectionSend(this.#held, head)
          : native.connectionSendParts(this.#held, [head, ...parts], descriptors as number[]);
      if (isSent) settle?.(true);
      return isSent;
    } catch (error) {
      settle?.(false);
      throw explained(error);
    }
  }

  #sendNow(message: Outgoing, what: string): void {
    if (this.#outbox.isEmpty && this.#transmit(message)) return;
    // Messages before this one come first.
    let outcome: { readonly error?: unknown } | undefined;
    const giveUp = this.#enqueue(message, (result) => (outcome = result));
    try {
      for (;;) {
        this.#outbox.run();
        if (outcome) break;
        waitReady([this.#fd], 'write', Number.POSITIVE_INFINITY, `${what} of a connection`);
      }
    } catch (error) {
      giveUp();
      throw error;
    }
    if ('error' in outcome) throw outcome.error;
  }

  async #sendLater(message: Outgoing, options: WaitOptions | undefined, ...others: string[]): Promise<void> {
    const { timeoutMs, signal } = checkWaitOptions(options, ...others);
    signal?.throwIfAborted();
    if (this.#outbox.isEmpty && this.#transmit(message)) return;
    let outcome: { readonly error?: unknown } | undefined;
    await race(
      (done) =>
        this.#enqueue(message, (result) => {
          outcome = result;
          done();
        }),
      timeoutMs,
      signal,
    );
    if (outcome === undefined) throw timedOut('the message was not sent');
    if ('error' in outcome) throw outcome.error;
  }

  /** Has a message sent when its turn comes. Returns what takes it back, unless a part of it has been sent. */
  #enqueue(message: Outgoing, settle: (outcome: { error?: unknown }) => void): () => void {
    let begun = this.#outbox.isEmpty && native.connectionIsSending(this.#held);
    const owned = ownedBy(message);
    const end = (outcome: { error?: unknown }): true => {
      closeAll(owned.descriptors.splice(0));
      settle(outcome);
      return true;
    };
    const remove = this.#outbox.add(() => {
      try {
        if (this.#transmit(owned)) return end({});
        begun = native.connectionIsSending(this.#held);
        return false;
      } catch (error) {
        return end({ error });
      }
    });
    return () => {
      if (begun) return;
      remove();
      closeAll(owned.descriptors.splice(0));
      owned.settle?.(false);
    };
  }

  /** What there is to receive; undefined if that is nothing yet. */
  #receive<T>(reading: Reading<T>, limit: number, block: boolean, what: string): { readonly value: T } | undefined {
    this.#checkReadable();
    const memory = scratch ?? Buffer.allocUnsafeSlow(native.CONNECTION_SCRATCH);
    scratch = undefined;
    try {
      let result: number;
      try {
        result = native.connectionReceive(this.#held, memory, limit, block);
      } catch (error) {
        // The rest of the message is still to come.
        if (/^(ERR_MP_CORRUPT|ENOMEM)$/.test((error as { code?: string }).code ?? '')) this.#endReading();
        throw explained(error);
      }
      if (result >= 0) {
        const start = native.CONNECTION_HEADER;
        return { value: reading.borrowed(memory.subarray(start, start + result)) };
      }
      return this.#received(result, reading, limit, what);
    } finally {
      scratch = memory;
    }
  }

  /** What a result says that is no message in the scratch memory. */
  #received<T>(result: number, reading: Reading<T>, limit: number, what: string): { readonly value: T } | undefined {
    if (result <= code.interrupted)
      throw new InterruptedError(`${what} of a connection`, signalName(code.interrupted - result));
    switch (result) {
      case code.nothing:
        return undefined;
      case code.message:
        return { value: reading.arrived(native.connectionTake(this.#held)) };
      case code.tooLong:
        this.#endReading();
        throw new ProcessError(
          'ERR_MP_MESSAGE_TOO_LONG',
          `a message has more than ${limit} bytes: nothing more can be received over this connection`,
        );
      default:
        throw new EOFError(result === code.endInside);
    }
  }

  /** Nothing can be received any more, as nobody knows where the next message begins. */
  #endReading(): void {
    this.#readable = false;
    if (!this.#writable) this.close();
  }

  #receiveNow<T>(reading: Reading<T>, limit: number, what: string): T {
    for (;;) {
      const received = this.#receive(reading, limit, true, what);
      if (received) return received.value;
    }
  }

  async #receiveLater<T>(
    reading: Reading<T>,
    limit: number,
    options: WaitOptions | undefined,
    ...others: string[]
  ): Promise<T> {
    const { timeoutMs, signal } = checkWaitOptions(options, ...others);
    signal?.throwIfAborted();
    const received = this.#inbox.isEmpty ? this.#receive(reading, limit, false, '') : undefined;
    if (received) return received.value;
    let outcome: (() => T) | undefined;
    const attempt = (): (() => T) | undefined => {
      try {
        const next = this.#receive(reading, limit, false, '');
        return next && (() => next.value);
      } catch (error) {
        return () => {
          throw error;
        };
      }
    };
    await race(
      (done) =>
        this.#inbox.add(() => {
          outcome = attempt();
          if (outcome) done();
          return outcome !== undefined;
        }),
      timeoutMs,
      signal,
    );
    if (outcome === undefined) throw timedOut('no message was there');
    return (outcome as () => T)();
  }
}

/** What Pipe() takes besides `duplex` itself. */
export interface PipeOptions {
  /** Whether both ends send and receive. @default true */
  readonly duplex?: boolean | undefined;
}

/** The type of `Pipe`. */
export interface PipeFactory {
  (duplex?: boolean | PipeOptions): [Connection, Connection];
  new (duplex?: boolean | PipeOptions): [Connection, Connection];
}

/**
 * Python: `multiprocessing.Pipe(duplex=True)`. Two connected ends, to be shared with children by a closure or in `args`.
 *
 * ```ts
 * const [parent, child] = Pipe();
 * new Process({ target: () => child.send('hello') }).start();
 * child.close(); // the child has its own copy
 * console.log(parent.recv());
 * ```
 *
 * `Pipe(false)`, or `Pipe({ duplex: false })`: the first end only receives and the second only sends. `new Pipe()` is the same.
 *
 * @throws TypeError (`ERR_MP_INVALID_ARG`) for a bad argument; Error of the system, such as `EMFILE`.
 */
export const Pipe: PipeFactory = function (duplex: boolean | PipeOptions = true): [Connection, Connection] {
  const both = typeof duplex === 'object' && duplex !== null ? (duplex.duplex ?? true) : duplex;
  if (typeof both !== 'boolean') throw invalidArgument(`duplex must be true or false, not ${inspect(both)}`);
  const [first, second] = native.createPipe() as [unknown, unknown] as [number, number];
  return [new Connection(first, { writable: both }), new Connection(second, { readable: both })];
} as unknown as PipeFactory;

/**
 * Python: `multiprocessing.reduction.send_handle(conn, handle, destination_pid)`. Sends a descriptor, for the other end's
 * `recvHandle`. This process's stays open; both are the same open file.
 *
 * @throws Error of the system: `EBADF` if it is not open, `ENOTSOCK` over a connection that is no socket; otherwise as
 *   `Connection.send`.
 */
export function sendHandle(connection: Connection, handle: number): void {
  checkConnection(connection).sendDescriptor(checkDescriptor(handle));
}

/** `sendHandle` that leaves the event loop turning. @throws as `Connection.sendAsync`. */
export async function sendHandleAsync(connection: Connection, handle: number, options?: WaitOptions): Promise<void> {
  return checkConnection(connection).sendDescriptorLater(checkDescriptor(handle), options);
}

/**
 * Python: `multiprocessing.reduction.recv_handle(conn)`. Receives a descriptor that `sendHandle` has sent. It is the
 * caller's to close, and closed in programs that this one starts.
 *
 * @throws ProcessError `ERR_MP_NO_DESCRIPTOR` if the next message is any other; that is lost. Otherwise as `Connection.recv`.
 */
export function recvHandle(connection: Connection): number {
  return checkConnection(connection).recvDescriptor();
}

/** `recvHandle` that leaves the event loop turning. @throws as `recvHandle` and `Connection.recvAsync`. */
export async function recvHandleAsync(connection: Connection, options?: WaitOptions): Promise<number> {
  return checkConnection(connection).recvDescriptorLater(options);
}

addFamily<Connection, Pick<Connection, 'readable' | 'writable'>>((object) => object instanceof Connection, {
  name: 'Connection',
  take: (connection, pass) => {
    passNow(pass, connection, connection.fileno());
    return { readable: connection.readable, writable: connection.writable };
  },
  make: ({ readable, writable }, claim) => new Connection(claim(), { readable, writable }),
  discard: (connection) => connection.close(),
});

function checkConnection(connection: unknown): Connection {
  if (connection instanceof Connection) return connection;
  throw invalidArgument(`expected a Connection, not ${inspect(connection)}`);
}

function checkDescriptor(value: unknown): number {
  if (checkInteger(value, 'the descriptor') >= 0) return value as number;
  throw invalidArgument(`the descriptor must not be negative: ${inspect(value)}`, RangeError);
}

function checkLimit(maxLength: number | undefined): number {
  if (maxLength === undefined) return constants.MAX_LENGTH;
  if (typeof maxLength !== 'number' || Number.isNaN(maxLength)) {
    throw invalidArgument(`maxLength must be a number of bytes, not ${inspect(maxLength)}`);
  }
  if (maxLength < 0) throw invalidArgument(`maxLength must not be negative: ${maxLength}`, RangeError);
  return Math.min(maxLength, constants.MAX_LENGTH);
}

/** Bytes of a buffer. */
function sliceOf(buffer: Bytes, offset = 0, size?: number): Uint8Array {
  let bytes: Uint8Array;
  if (ArrayBuffer.isView(buffer)) bytes = new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength);
  else if (types.isAnyArrayBuffer(buffer)) bytes = new Uint8Array(buffer);
  else throw invalidArgument(`expected a Buffer, TypedArray, DataView or ArrayBuffer, not ${inspect(buffer)}`);
  for (const [name, value] of Object.entries({ offset, size: size ?? 0 })) {
    if (typeof value !== 'number') throw invalidArgument(`${name} must be a number of bytes, not ${inspect(value)}`);
    if (!Number.isSafeInteger(value) || value < 0) {
      throw invalidArgument(`${name} must be a number of bytes from 0 on, not ${value}`, RangeError);
    }
  }
  if (offset + (size ?? 0) > bytes.length) {
    throw invalidArgument(
      `${offset} + ${size ?? 0} is beyond the end of a buffer of ${bytes.length} bytes`,
      RangeError,
    );
  }
  return offset === 0 && size === undefined
    ? bytes
    : bytes.subarray(offset, size === undefined ? undefined : offset + size);
}

function into(place: Uint8Array): Reading<number> {
  const put = (bytes: Uint8Array, own: () => Buffer): number => {
    if (bytes.length > place.length) throw new BufferTooShort(own(), place.length);
    place.set(bytes);
    return bytes.length;
  };
  return {
    borrowed: (bytes) => put(bytes, () => Buffer.from(bytes)),
    arrived: (message) => {
      const bytes = asBytes.arrived(message);
      return put(bytes, () => bytes);
    },
  };
}

/** @internal The message that a value is. */
export function toMessage(value: unknown): Outgoing {
  // What is read in the course of it, a getter for instance, may send something itself.
  const memory = writing ?? Buffer.allocUnsafeSlow(native.CONNECTION_SCRATCH);
  writing = undefined;
  const passage = new Passage();
  try {
    const { descriptors, settle } = passage;
    const encoded = encode(memory, 0, value, passage.pass);
    if (typeof encoded === 'number') {
      return { head: memory.subarray(0, encoded), parts: NONE, descriptors, settle, isBorrowed: true };
    }
    const [head = EMPTY, ...parts] = encoded;
    return { head, parts, descriptors, settle };
  } catch (error) {
    passage.settle(false);
    throw error;
  } finally {
    writing = memory;
  }
}

/** The same message, whatever happens to what it was made of; its descriptors are to be closed. */
function ownedBy(message: Outgoing): Outgoing & { descriptors: number[] } {
  const { head, descriptors, isBorrowed = false } = message;
  return {
    ...message,
    head: isBorrowed ? Uint8Array.from(head) : head,
    descriptors: descriptors.map((fd) => native.duplicateDescriptor(fd)),
  };
}

function timedOut(what: string): TimeoutError {
  return new TimeoutError(`${what} within timeoutMs`);
}

/** What native errors mean here. */
function explained(error: unknown): unknown {
  const { code: name, errno, syscall, message } = error as NodeJS.ErrnoException;
  if (name === 'ERR_MP_CORRUPT') {
    return new ProcessError(
      name,
      `${message}: hold a Lock around recv() where several processes receive from one end; nothing more can be received ` +
        'over this connection here',
      { cause: error },
    );
  }
  if (name !== 'EPIPE') return error;
  const text = `EPIPE: nobody is left to receive what is sent over this connection, ${syscall}`;
  return Object.assign(new Error(text, { cause: error }), { code: name, errno, syscall });
}
