/**
 * Python's contexts and start methods: how children are started, by default and by each object.
 */
import { inspect } from 'node:util';

import { Pipe } from './connection.ts';
import { ProcessError } from './errors.ts';
import { setForkserverPreload } from './forkserver/preload.ts';
import { getLogger, logToStderr } from './logging.ts';
import { cpuCount } from './os.ts';
import { Pool, type PoolOptions } from './pool.ts';
import {
  Process,
  activeChildren,
  addPlainClass,
  currentProcess,
  isMainProcess,
  parentProcess,
  type ProcessOptions,
} from './process.ts';
import { JoinableQueue, Queue, SimpleQueue } from './queues.ts';
import { RawArray, SharedArray } from './shared-array.ts';
import { checkNotImporting } from './spawn/importing.ts';
import { setExecutable } from './spawn/spawn.ts';
import {
  availableMethods,
  boundMethod,
  currentMethod,
  findMethod,
  settleMethod,
  settledMethod,
  type Bound,
  type StartMethod,
  type StartMethodName,
} from './start-methods.ts';
import { Barrier } from './synchronize/barrier.ts';
import { Condition } from './synchronize/condition.ts';
import { Event } from './synchronize/event.ts';
import { Lock, RLock } from './synchronize/lock.ts';
import { BoundedSemaphore, Semaphore } from './synchronize/semaphore.ts';
import { RawValue, Value } from './value.ts';

/** Class names of contexts and their processes begin with these, as Python's. */
const prefixes = { fork: 'Fork', forkserver: 'ForkServer', spawn: 'Spawn' } as const;

/**
 * Python: a context object. The package's API, bound to one start method; from `getContext()`.
 *
 * Its members can be taken out of it: `const { Process } = getContext('fork')`.
 */
export class Context implements Bound {
  /** @internal */
  readonly [boundMethod]: StartMethod;
  /** `Process` whose children are started by this context's method. They have that method as their default, too. */
  readonly Process: typeof Process;
  /** As `Pipe` of the package. */
  readonly Pipe = Pipe;
  /** As `activeChildren` of the package. */
  readonly activeChildren = activeChildren;
  /** As `cpuCount` of the package. */
  readonly cpuCount = cpuCount;
  /** As `currentProcess` of the package. */
  readonly currentProcess = currentProcess;
  /** As `getLogger` of the package. */
  readonly getLogger = getLogger;
  /** As `isMainProcess` of the package. */
  readonly isMainProcess = isMainProcess;
  /** As `logToStderr` of the package. */
  readonly logToStderr = logToStderr;
  /** As `parentProcess` of the package. */
  readonly parentProcess = parentProcess;
  /** As `Lock` of the package. So all that processes share: it does not depend on how they are started. */
  readonly Lock = Lock;
  /** As `RLock` of the package. */
  readonly RLock = RLock;
  /** As `Semaphore` of the package. */
  readonly Semaphore = Semaphore;
  /** As `BoundedSemaphore` of the package. */
  readonly BoundedSemaphore = BoundedSemaphore;
  /** As `Condition` of the package. */
  readonly Condition = Condition;
  /** As `Event` of the package. */
  readonly Event = Event;
  /** As `Barrier` of the package. */
  readonly Barrier = Barrier;
  /** As `Value` of the package. */
  readonly Value = Value;
  /** As `RawValue` of the package. */
  readonly RawValue = RawValue;
  /** As `SharedArray` of the package (Python: `Array`). */
  readonly SharedArray = SharedArray;
  /** As `RawArray` of the package. */
  readonly RawArray = RawArray;
  /** As `Queue` of the package. */
  readonly Queue = Queue;
  /** As `JoinableQueue` of the package. */
  readonly JoinableQueue = JoinableQueue;
  /** As `SimpleQueue` of the package. */
  readonly SimpleQueue = SimpleQueue;
  /** `Pool` whose workers are started by this context's method. */
  readonly Pool: typeof Pool;
  /** As `ProcessError` of the package. */
  readonly ProcessError = ProcessError;

  /** @internal */
  constructor(method: StartMethod) {
    this[boundMethod] = method;
    this.Process = processOf(this);
    this.Pool = poolOf(this);
  }

  /** This context; with a name, the context of that method. */
  readonly getContext = (method?: StartMethodName | null): Context => contextOf(method ?? this.getStartMethod());

  /** As `setExecutable` of the package. */
  readonly setExecutable = setExecutable;

  /** As `setForkserverPreload` of the package. */
  readonly setForkserverPreload = setForkserverPreload;

  /** Name of this context's method. */
  readonly getStartMethod = (): StartMethodName => this[boundMethod].name;

  /**
   * Always refused: a context's method is fixed.
   *
   * @throws ProcessError `ERR_MP_START_METHOD_FIXED`.
   */
  readonly setStartMethod = (
    method: StartMethodName | null,
    _options?: { readonly force?: boolean | undefined },
  ): never => {
    throw new ProcessError(
      'ERR_MP_START_METHOD_FIXED',
      `cannot set the start method of a context to ${inspect(method)}: this one is bound to '${this.getStartMethod()}'; ` +
        'take another context from getContext(), or call setStartMethod() of the package',
    );
  };

  /** Printable form. */
  toString(): string {
    return `<${prefixes[this.getStartMethod()]}Context>`;
  }

  /** @internal */
  [inspect.custom](): string {
    return this.toString();
  }
}

/** `Process` with `context` as its `ctx`. */
function processOf(context: Context): typeof Process {
  const bound = class<A extends unknown[]> extends Process<A> {
    constructor(options: ProcessOptions<A> = {}) {
      // Anything but an object is Process's to refuse.
      super(typeof options === 'object' && options !== null ? { ...options, ctx: options.ctx ?? context } : options);
    }
  };
  addPlainClass(bound);
  Object.defineProperty(bound, 'name', { value: `${prefixes[context.getStartMethod()]}Process` });
  return bound;
}

/** `Pool` with `context` as its `context`. */
function poolOf(context: Context): typeof Pool {
  const bound = class extends Pool {
    constructor(processes?: number | null, options: PoolOptions = {}) {
      super(
        processes,
        typeof options === 'object' && options !== null ? { ...options, context: options.context ?? context } : options,
      );
    }
  };
  Object.defineProperty(bound, 'name', { value: 'Pool' });
  return bound;
}

const contexts = new Map<StartMethod, Context>();

function contextOf(name: unknown): Context {
  const method = name === undefined || name === null ? currentMethod() : findMethod(name);
  let context = contexts.get(method);
  if (context === undefined) contexts.set(method, (context = new Context(method)));
  return context;
}

/**
 * Python: `multiprocessing.get_context(method=None)`. The API bound to a start method; always the same object for the
 * same method. Without a name, that of the start method in use, which cannot be changed any more then.
 *
 * @throws ProcessError `ERR_MP_START_METHOD` if there is no such method, or none that works here.
 */
export function getContext(method?: StartMethodName | null): Context {
  return contextOf(method);
}

/**
 * Python: `multiprocessing.set_start_method(method, force=False)`. Says, once per program, how children are started.
 * `setStartMethod(null, { force: true })` goes back to "not said yet".
 *
 * @throws ProcessError `ERR_MP_START_METHOD` if there is no such method or it does not work here;
 *   `ERR_MP_START_METHOD_FIXED` if it was set, or used, before: pass `force` if that is meant;
 *   `ERR_MP_UNGUARDED_MAIN` in a child that imports the main program for its target.
 */
export function setStartMethod(
  method: StartMethodName | null,
  { force = false }: { readonly force?: boolean | undefined } = {},
): void {
  const settled = settledMethod();
  if (settled !== null && !force) {
    checkNotImporting('setStartMethod() was called', '');
    throw new ProcessError(
      'ERR_MP_START_METHOD_FIXED',
      `the start method is '${settled.name}' already, by setStartMethod() or by use of the default: set it once, at the ` +
        'top of the main program, or pass { force: true }',
    );
  }
  settleMethod(method === null && force ? undefined : contextOf(method)[boundMethod]);
}

/**
 * Python: `multiprocessing.get_start_method(allow_none=False)`. Name of the start method in use. Settles the default,
 * unless `allowNone` is given: then the result is null if nothing has settled it.
 *
 * @throws ProcessError `ERR_MP_START_METHOD` where no start method of this release works.
 */
export function getStartMethod(options?: { readonly allowNone?: false | undefined }): StartMethodName;
export function getStartMethod(options: { readonly allowNone?: boolean | undefined }): StartMethodName | null;
export function getStartMethod({
  allowNone = false,
}: { readonly allowNone?: boolean | undefined } = {}): StartMethodName | null {
  return (allowNone ? settledMethod() : currentMethod())?.name ?? null;
}

/**
 * Python: `multiprocessing.get_all_start_methods()`. Names of the start methods that work on this system, the default
 * first: `['fork', 'spawn', 'forkserver']` on Linux; `['spawn']` elsewhere.
 */
export function getAllStartMethods(): StartMethodName[] {
  return availableMethods();
}
