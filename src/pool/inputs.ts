/**
 * What the tasks of a pool are made of as there is room for them: the inputs of `imap`, which are read on after `close()`.
 */
import { ProcessError } from '../errors.ts';

/** Something that tasks are made of. */
export interface Input {
  /** Makes tasks of it though nobody reads what has come of others. */
  readOn(): void;
  /** Only the event loop can read it. */
  readonly isAsync: boolean;
}

/** The inputs of a pool that have not come to their end. */
export class Inputs {
  readonly #inputs = new Set<Input>();
  #isReadingOn = false;

  get isEmpty(): boolean {
    return this.#inputs.size === 0;
  }

  add(input: Input): void {
    this.#inputs.add(input);
  }

  /** It has come to its end. Whether it was there. */
  remove(input: Input): boolean {
    return this.#inputs.delete(input);
  }

  /** Somebody waits for the end: inputs are read on, whether somebody reads what comes of them or not. */
  readOn(): void {
    this.#isReadingOn = true;
    for (const input of this.#inputs) input.readOn();
  }

  /** There is room again. */
  goOn(): void {
    if (this.#isReadingOn) this.readOn();
  }

  /** @throws ProcessError `ERR_MP_INVALID_STATE` if an input cannot be read while this process blocks. */
  checkCanBlock(what: string): void {
    for (const { isAsync } of this.#inputs) {
      if (!isAsync) continue;
      throw new ProcessError(
        'ERR_MP_INVALID_STATE',
        `${what}: items come from an asynchronous iterable, which cannot be read while this process blocks; wait with the Async twin`,
      );
    }
  }
}
