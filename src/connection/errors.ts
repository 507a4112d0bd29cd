/** Errors of connections that carry more than a code. */
import { ProcessError } from '../errors.ts';

/** Python: `EOFError`. Nothing more will come: every process that could send has closed its end or is gone, however it ended. */
export class EOFError extends ProcessError {
  /** Whether the last sender was gone before all of a message was sent; that part is lost. */
  readonly insideMessage: boolean;

  /** @internal */
  constructor(insideMessage: boolean) {
    super(
      'ERR_MP_EOF',
      insideMessage
        ? 'the last process that could send was gone in the middle of a message, which is lost'
        : 'every process that could send has closed its end of the connection, or is gone',
    );
    this.insideMessage = insideMessage;
  }
}

/** Python: `multiprocessing.BufferTooShort`. A message was longer than the buffer for it; it is here instead. */
export class BufferTooShort extends ProcessError {
  /** The whole message (Python: `args[0]`). */
  readonly buffer: Buffer;

  /** @internal */
  constructor(buffer: Buffer, room: number) {
    super(
      'ERR_MP_BUFFER_TOO_SHORT',
      `a message of ${buffer.length} bytes does not fit into ${room}: it is in the error's buffer`,
    );
    this.buffer = buffer;
  }
}
