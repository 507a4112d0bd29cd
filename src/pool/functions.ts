/**
 * The functions that a pool's tasks call, by number. A forked worker has those that were there when it was forked; another
 * is told where they can be imported.
 */
import { whileImporting } from '../spawn/importing.ts';
import { load, locate, resolve, type Place } from '../spawn/locate.ts';
import { allocate } from '../shared/block.ts';
import { passable } from '../shared/passing.ts';
import { ProcessError } from '../errors.ts';

/** Any function. */
export type AnyFunction = (...args: never[]) => unknown;

/** Bytes for the places of functions. */
const SIZE = 1 << 18;

/** Functions by number. */
export class FunctionTable {
  readonly #numbers = new Map<AnyFunction, number>();
  readonly #functions: (AnyFunction | undefined)[] = [];

  get length(): number {
    return this.#functions.length;
  }

  /** The number of `fn`. */
  numberOf(fn: AnyFunction): number | undefined {
    return this.#numbers.get(fn);
  }

  /** Gives `fn` a number. */
  add(fn: AnyFunction): number {
    const number = this.#functions.push(fn) - 1;
    this.#numbers.set(fn, number);
    return number;
  }

  /** The function of that number. */
  get(number: number): AnyFunction | Promise<AnyFunction> {
    const fn = this.#functions[number];
    if (fn === undefined)
      throw new ProcessError('ERR_MP_CORRUPT', `a task is for function ${number}, which there is not`);
    return fn;
  }

  /** Worker: puts it where it will be found. */
  protected keep(number: number, fn: AnyFunction): void {
    this.#functions[number] = fn;
  }
}

/** Functions that each worker imports when it first needs them. Their places lie in shared memory. */
export class ImportedFunctions extends FunctionTable {
  readonly #bytes: Buffer;
  /** How many places there are, and where they end. */
  readonly #words: Int32Array;
  readonly #places: Place[] = [];
  #end = 8;

  constructor() {
    super();
    const { buffer, handle } = allocate(SIZE);
    this.#bytes = Buffer.from(buffer);
    this.#words = new Int32Array(buffer, 0, 2);
    passable(this, () => ({ kind: 'ImportedFunctions', handles: [handle], details: null }));
  }

  /** @throws ProcessError `ERR_MP_NOT_IMPORTABLE` for a function that no module exports. */
  override add(fn: AnyFunction): number {
    const place = locate(fn);
    const bytes = Buffer.from(JSON.stringify(place));
    const end = this.#words[1] || this.#end;
    if (end + 4 + bytes.length > SIZE) {
      throw new ProcessError(
        'ERR_MP_EXHAUSTED',
        `a pool cannot know more than ${this.length} functions: make another one`,
      );
    }
    this.#bytes.writeUInt32LE(bytes.length, end);
    bytes.copy(this.#bytes, end + 4);
    this.#words[1] = end + 4 + bytes.length;
    Atomics.store(this.#words, 0, this.length + 1);
    return super.add(fn);
  }

  override get(number: number): AnyFunction | Promise<AnyFunction> {
    try {
      return super.get(number);
    } catch (error) {
      this.#read();
      const place = this.#places[number];
      if (place === undefined) throw error;
      return this.#import(number, place);
    }
  }

  async #import(number: number, place: Place): Promise<AnyFunction> {
    await whileImporting(() => load(place.module));
    const fn = resolve(place) as AnyFunction;
    this.keep(number, fn);
    return fn;
  }

  #read(): void {
    const count = Atomics.load(this.#words, 0);
    while (this.#places.length < count) {
      const length = this.#bytes.readUInt32LE(this.#end);
      const begin = this.#end + 4;
      this.#end = begin + length;
      this.#places.push(JSON.parse(this.#bytes.toString('utf8', begin, this.#end)) as Place);
    }
  }
}
