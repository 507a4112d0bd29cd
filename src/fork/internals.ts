/**
 * Objects of Node's own modules that hold what a program has pending: timers, immediates, ticks, rejections.
 *
 * They live in closures. An inspector session can read closures; one is opened once, before the first fork. Names are
 * the same in Node 20 to 26; what is missing is reported before any process is made.
 */
import { createRequire } from 'node:module';

import { ForkError } from '../errors.ts';

const require = createRequire(import.meta.url);

/** What Node's `ImmediateList` and lists of timers are linked by. */
export interface Linked {
  _idleNext: Linked | null;
  _destroyed?: boolean;
  _onImmediate?: unknown;
  _onTimeout?: unknown;
  _idleTimeout?: number | undefined;
}

/** What the child has to empty. */
export interface Internals {
  readonly tickQueue: { shift(): unknown; isEmpty(): boolean; push(tick: unknown): void };
  readonly tickInfo: Uint8Array;
  readonly processPromiseRejections: () => unknown;
  readonly clearAsyncIdStack: () => void;
  readonly immediateInfo: Uint32Array;
  /** How many timers keep the event loop alive. */
  readonly timeoutInfo: Int32Array;
  readonly immediateQueue: { head: Linked | null; tail: Linked | null };
  readonly timerListMap: Record<string, Linked>;
}

type Found = Record<string, unknown>;
const handover = Symbol.for('node-multiprocessing.handover');
type Handover = { [handover]?: { function?: unknown; value?: unknown } };

interface RemoteObject {
  objectId?: string;
  description?: string;
}
interface Property {
  name: string;
  value?: RemoteObject;
}

/** Reads variables from the closure of a function. */
class ClosureReader {
  readonly #session: import('node:inspector').Session;

  constructor() {
    let inspector: typeof import('node:inspector');
    try {
      inspector = require('node:inspector') as typeof import('node:inspector');
      this.#session = new inspector.Session();
      this.#session.connect();
    } catch (cause) {
      throw new ForkError(
        'ERR_MP_FORK_INTERNALS',
        "fork() reads Node's timers and ticks through node:inspector, which this Node does not offer " +
          '(built without it, or denied by --permission)',
        { cause },
      );
    }
  }

  #post<T>(method: string, params: object): T {
    let answer: T | undefined;
    let failure: Error | null = null;
    // In one thread the answer comes before post() returns.
    this.#session.post(method, params, (error: Error | null, result?: object) => {
      failure = error;
      answer = result as T;
    });
    if (failure !== null || answer === undefined) {
      throw new ForkError('ERR_MP_FORK_INTERNALS', `node:inspector did not answer ${method}`, { cause: failure });
    }
    return answer;
  }

  #properties(objectId: string): { result: Property[]; internalProperties?: Property[] } {
    return this.#post('Runtime.getProperties', { objectId, ownProperties: true });
  }

  /** The variables called `names` that the closures of `fn` hold; those that are not objects are left out. */
  read(fn: unknown, names: readonly string[]): Found {
    const found: Found = {};
    const box: { function?: unknown; value?: unknown } = { function: fn };
    Object.defineProperty(globalThis, handover, { value: box, configurable: true });
    try {
      const expression = "globalThis[Symbol.for('node-multiprocessing.handover')].function";
      const { result } = this.#post<{ result: RemoteObject }>('Runtime.evaluate', { expression });
      const scopes = this.#properties(result.objectId ?? '').internalProperties?.find(
        ({ name }) => name === '[[Scopes]]',
      );
      for (const { name: index, value: scope } of this.#properties(scopes?.value?.objectId ?? '').result) {
        if (!/^\d+$/.test(index) || !scope?.objectId || scope.description === 'Global') continue;
        for (const { name, value } of this.#properties(scope.objectId).result) {
          if (!names.includes(name) || name in found || !value?.objectId) continue;
          this.#post('Runtime.callFunctionOn', {
            objectId: value.objectId,
            functionDeclaration: "function () { globalThis[Symbol.for('node-multiprocessing.handover')].value = this }",
          });
          found[name] = box.value;
        }
      }
    } finally {
      delete (globalThis as Handover)[handover];
    }
    return found;
  }

  [Symbol.dispose](): void {
    this.#session.disconnect();
  }
}

/** Reads from closures and closes the inspector session again. */
function readClosures<T>(action: (reader: ClosureReader) => T): T {
  const reader = new ClosureReader();
  try {
    return action(reader);
  } finally {
    reader[Symbol.dispose]();
  }
}

function required<T>(found: Found, name: string): T {
  if (found[name] === undefined) {
    throw new ForkError(
      'ERR_MP_FORK_INTERNALS',
      `fork() does not find Node's ${name} in Node ${process.version}: this version is not supported yet`,
    );
  }
  return found[name] as T;
}

/** The class of timers, whose methods share a closure with all that Node knows of timers. */
function timerPrototype(): { ref: unknown } {
  const timer = setTimeout(() => {}, 0);
  clearTimeout(timer);
  return Object.getPrototypeOf(timer) as { ref: unknown };
}

let internals: Internals | undefined;

/** Node's pending work; found at the first call. */
export function nodeInternals(): Internals {
  internals ??= readClosures((reader) => {
    const ticks = reader.read(process.nextTick, ['queue', 'tickInfo', 'processPromiseRejections']);
    const pending = reader.read(timerPrototype().ref, [
      'immediateInfo',
      'immediateQueue',
      'timeoutInfo',
      'timerListMap',
    ]);
    const { _fatalException } = process as unknown as { _fatalException: unknown };
    const exceptions = reader.read(_fatalException, ['clearAsyncIdStack']);
    return {
      clearAsyncIdStack: required<() => void>(exceptions, 'clearAsyncIdStack'),
      tickQueue: required<Internals['tickQueue']>(ticks, 'queue'),
      tickInfo: required<Uint8Array>(ticks, 'tickInfo'),
      processPromiseRejections: required<() => unknown>(ticks, 'processPromiseRejections'),
      immediateInfo: required<Uint32Array>(pending, 'immediateInfo'),
      timeoutInfo: required<Int32Array>(pending, 'timeoutInfo'),
      immediateQueue: required<Internals['immediateQueue']>(pending, 'immediateQueue'),
      timerListMap: required<Internals['timerListMap']>(pending, 'timerListMap'),
    };
  });
  return internals;
}

let randomCaches: Uint8Array[] | undefined;

/** The caches behind `crypto.randomUUID` and `crypto.randomInt`. */
export function cryptoCaches(): Uint8Array[] {
  if (randomCaches === undefined) {
    const crypto = require('node:crypto') as typeof import('node:crypto');
    // The first calls make and fill the caches. An asynchronous filling under way at the fork would never end in the child.
    crypto.randomUUID();
    crypto.randomInt(2);
    randomCaches = readClosures((reader) => {
      const found = reader.read(crypto.randomUUID, ['uuidData', 'randomCache']);
      return [required<Uint8Array>(found, 'uuidData'), required<Uint8Array>(found, 'randomCache')];
    });
  }
  return randomCaches;
}

/** The ES module loader behind `module.register`, if this Node has one that can be told to stop asking its thread. */
export function cascadedLoader(): { setCustomizations?: (value: undefined) => void } | undefined {
  const { register } = require('node:module') as { register?: unknown };
  if (register === undefined) return undefined;
  return readClosures((reader) => reader.read(register, ['cascadedLoader'])['cascadedLoader']) as never;
}
