/**
 * Python's `multiprocessing.Process`: a child process as an object.
 */
import { EventEmitter } from 'node:events';
import { closeSync } from 'node:fs';
import { inspect } from 'node:util';
import { isMainThread } from 'node:worker_threads';

import type { Ended } from '../index.js';
import { AuthenticationString } from './authkey.ts';
import type { Context } from './context.ts';
import { channels } from './diagnostics.ts';
import { InterruptedError, ProcessError, invalidArgument } from './errors.ts';
import { DEFAULT_QUIET_TIMEOUT_MS, checkMainThread, type Child } from './fork/fork.ts';
import { native } from './native.ts';
import { checkFunction, checkNames, checkTimeout, checkWaitOptions, type WaitOptions } from './options.ts';
import { handedTo, receiversIn } from './shared/handed-to.ts';
import { importedTarget, type ImportedTarget } from './spawn/imported-target.ts';
import { checkNotImporting } from './spawn/importing.ts';
import { signalName } from './signals.ts';
import { currentMethod, methodOf, settleMethod, type StartMethod } from './start-methods.ts';
import { race } from './wait.ts';

/** The arguments of a target whose last one is `kwargs`. */
type ButLast<A extends unknown[]> = A extends [...infer Others, _?: unknown] ? Others : A;

/** Options of `new Process()`. */
export interface ProcessOptions<A extends unknown[] = unknown[]> {
  /**
   * What the child runs; a promise that it returns is awaited. Without it, `run` must be overridden. Under `fork` any
   * function will do, closures too; under `spawn` it must be exported by its module. Where that is not found by itself, say
   * `{ module: import.meta.url, export: 'name' }`.
   */
  readonly target?: ((...args: A) => unknown) | ImportedTarget | undefined;
  /** Arguments of the target. Sockets and servers among them are handed over to the child. @default [] */
  readonly args?: Readonly<A> | Readonly<ButLast<A>> | undefined;
  /** Passed as the last argument, the JavaScript way of keyword arguments. */
  readonly kwargs?: Readonly<Record<string, unknown>> | undefined;
  /** @default class name and number: `Process-1`, `Process-1:2` in a child, `Piao-1` for a subclass */
  readonly name?: string | undefined;
  /** Ends with its parent, whatever happens, and may have no children. @default that of the creating process */
  readonly daemon?: boolean | undefined;
  /** Milliseconds that other threads may take to come to rest before a fork is refused. @default 5000 */
  readonly quietTimeoutMs?: number | undefined;
  /** A context from `getContext()`, whose start method is used. @default the start method in use at `start()` */
  readonly ctx?: Context | undefined;
}

const OPTIONS = ['target', 'args', 'kwargs', 'name', 'daemon', 'quietTimeoutMs', 'ctx'];

interface ProcessEvents {
  exit: [exitCode: number, signal: string | null];
  error: [error: ProcessError];
}

type State = 'initial' | 'started' | 'stopped' | 'closed';

/** Exit code of a child whose status somebody else has taken, as in Python's forkserver. */
const STATUS_LOST = 255;

/** What a process knows of itself, its parent and its children; a child begins with a fresh one. */
class Family {
  /** Numbers in default names. */
  counter = 0;
  /** Children that were started here and are not known to have ended, by pid. */
  readonly running = new Map<number, Process>();
  /** Ends that came before `start()` had returned: its hooks may reap. */
  readonly early = new Map<number, Ended>();
  /** Waits of `joinAsync` that keep the event loop alive. */
  asyncWaits = 0;
  /** The event loop has run dry. */
  ending = false;
  /** It may have children though it is a daemon. */
  mayHaveChildren = false;
  readonly parent: ParentProcess | null;
  /** Set at once for all but the first, whose object is made with it. */
  self: Process | undefined;

  constructor(self: Process | undefined, parent: ParentProcess | null) {
    this.self = self;
    this.parent = parent;
  }
}

let family: Family;

/**
 * Python: `multiprocessing.Process`. A child process that runs a function, made by a real `fork()`.
 *
 * ```ts
 * const p = new Process({ target: (name) => console.log(`hello ${name}`), args: ['bob'] });
 * p.start();
 * p.join();
 * ```
 *
 * Subclasses override `run()`. Events: `exit` with the exit code and the signal's name (or null); `error` with a
 * `ProcessError` (`ERR_MP_PROCESS_FAILED`) when it ended with anything but 0, if somebody listens for that.
 *
 * A process that is not a daemon keeps its parent alive until it has ended, as in Python.
 */
export class Process<A extends unknown[] = never[]> extends EventEmitter<ProcessEvents> {
  #identity: readonly number[];
  #parentPid: number;
  #parentName: string;
  readonly #quietTimeoutMs: number;
  readonly #method: StartMethod | undefined;
  #work: { target: ((...args: never[]) => unknown) | undefined; args: readonly unknown[] } | undefined;
  #name: string;
  #daemon: boolean;
  #authkey: AuthenticationString;
  #state: State = 'initial';
  #pid: number | undefined;
  #exitCode: number | null = null;
  /** A descriptor of this object's own. */
  #sentinel: number | undefined;
  readonly #waiters = new Set<() => void>();

  /** Nothing is started yet. @throws TypeError (`ERR_MP_INVALID_ARG`) for an option of the wrong type. */
  constructor(options: ProcessOptions<A> = {}) {
    super();
    if (typeof options !== 'object' || options === null) {
      throw invalidArgument(`new Process() takes one object { target, args, … }, not ${inspect(options)}`);
    }
    checkNames(options, OPTIONS, 'new Process()');
    const { target, args = [], kwargs, name, daemon, quietTimeoutMs = DEFAULT_QUIET_TIMEOUT_MS, ctx } = options;
    const callable = typeof target === 'object' && target !== null ? importedTarget(target) : target;
    checkFunction(callable, 'target');
    if (!Array.isArray(args)) throw invalidArgument(`args must be an array, not ${inspect(args)}`);
    if (kwargs !== undefined && (typeof kwargs !== 'object' || kwargs === null)) {
      throw invalidArgument(`kwargs must be an object, not ${inspect(kwargs)}`);
    }
    if (name !== undefined && typeof name !== 'string')
      throw invalidArgument(`name must be a string, not ${inspect(name)}`);
    if (daemon !== undefined && typeof daemon !== 'boolean') {
      throw invalidArgument(`daemon must be true or false, not ${inspect(daemon)}`);
    }
    const creator = family.self;
    this.#identity = creator === undefined ? [] : [...creator.#identity, ++family.counter];
    this.#parentPid = process.pid;
    this.#parentName = creator?.name ?? '';
    this.#quietTimeoutMs = checkTimeout(quietTimeoutMs, 'quietTimeoutMs');
    this.#method = ctx === undefined ? undefined : methodOf(ctx);
    this.#work = {
      target: callable as ((...args: never[]) => unknown) | undefined,
      args: kwargs === undefined ? [...args] : [...args, { ...kwargs }],
    };
    this.#name = name ?? `${new.target.name || 'Process'}-${this.#identity.join(':')}`;
    this.#daemon = daemon ?? creator?.daemon ?? false;
    this.#authkey = creator?.authkey ?? AuthenticationString.random();
  }

  /** Python: `Process.run`. What the child does: calls the target. Override it in a subclass. */
  run(): unknown {
    return this.#work?.target?.(...(this.#work.args as never[]));
  }

  /**
   * Python: `Process.start`. Starts the child, once; it calls `run()`. The parent goes on at once.
   *
   * @throws ProcessError `ERR_MP_ALREADY_STARTED`, `ERR_MP_CLOSED`, `ERR_MP_DAEMON_CHILDREN` in a daemon,
   *   `ERR_MP_NOT_MY_CHILD` in another process than the creator.
   * @throws ProcessError `ERR_MP_START_METHOD` where no start method of this release works.
   * @throws ForkError (`ERR_MP_FORK_…`) when the fork could not be made safely; no process was made then.
   * @throws Error of the system, such as `EAGAIN` or `EMFILE`, when it has no room for another process.
   */
  start(): void {
    this.#checkOpen();
    if (this.#state !== 'initial') {
      throw new ProcessError(
        'ERR_MP_ALREADY_STARTED',
        `${this.#name} was started before: cannot start a process twice; make a new one`,
      );
    }
    if (this.#parentPid !== process.pid) {
      throw new ProcessError(
        'ERR_MP_NOT_MY_CHILD',
        `${this.#name} was made in process ${this.#parentPid}: it can only be started there`,
      );
    }
    if (family.self?.daemon && !family.mayHaveChildren) {
      throw new ProcessError(
        'ERR_MP_DAEMON_CHILDREN',
        `daemonic processes are not allowed to have children: start ${this.#name} elsewhere, or make ${family.self.name} no daemon`,
      );
    }
    const method = this.#method ?? currentMethod();
    checkNotImporting();
    checkMainThread();
    watchChildren();
    reapEnded();
    const receivers = receiversIn([this.#work?.args, Object.values(this)]);
    const pid = method.start({
      ...Process.description(this as unknown as Process),
      quietTimeoutMs: this.#quietTimeoutMs,
      handedOver: this.#work?.args,
      program: Process.#program(this as unknown as Process),
      rehearse: Process.#rehearse,
    });
    this.#work = undefined;
    this.#pid = pid;
    this.#state = 'started';
    family.running.set(pid, this as unknown as Process);
    for (const receiver of receivers) receiver[handedTo](pid);
    keepLoopWhileNeeded();
    if (channels.start.hasSubscribers) channels.start.publish({ process: this, pid, name: this.#name });
    const end = family.early.get(pid);
    if (end && family.early.delete(pid)) this.ended(exitCodeOf(end));
  }

  /** Child: this object is now the current process. */
  #begin(): void {
    this.#pid = process.pid;
    if (this.#method) settleMethod(this.#method);
    family = new Family(this as unknown as Process, new ParentProcess(this.#parentName, this.#parentPid));
  }

  /** What this object is made of, for a child that is no copy of this process. */
  #describe(): Description {
    const { constructor } = this;
    const own = Object.entries(this).filter(([key]) => !emitters.has(key));
    return {
      class: plainClasses.has(constructor) ? undefined : constructor,
      work: this.#work,
      name: this.#name,
      daemon: this.#daemon,
      authkey: Uint8Array.from(this.#authkey),
      identity: this.#identity,
      parent: { name: this.#parentName, pid: this.#parentPid },
      own: Object.fromEntries(own),
    };
  }

  /** @internal What the child of a process that is not started needs. */
  static description(subject: Process): Omit<Child, 'program' | 'rehearse' | 'handedOver' | 'quietTimeoutMs'> {
    return {
      name: subject.#name,
      daemon: subject.#daemon,
      parent: { name: subject.#parentName, pid: subject.#parentPid },
      describe: () => subject.#describe(),
    };
  }

  /** @internal Child that was not forked: the object that its parent has described is the current process. */
  static revive({ class: Class, work, name, daemon, authkey, identity, parent, own }: Description): Process {
    const subject = Reflect.construct(Process, [{ name, daemon }], (Class ?? Process) as typeof Process) as Process;
    subject.#work = work;
    subject.#identity = identity;
    subject.#authkey = AuthenticationString.fromKey(authkey);
    subject.#parentPid = parent.pid;
    subject.#parentName = parent.name;
    Object.assign(subject, own);
    subject.#pid = process.pid;
    subject.#state = 'started';
    family = new Family(subject, family.parent);
    return subject;
  }

  /** @internal Child that was not forked: it is one, from now on. */
  static becomeChild(name: string, parent: { readonly name: string; readonly pid: number }, sentinel?: number): void {
    currentProcess().name = name;
    family = new Family(family.self, new ParentProcess(parent.name, parent.pid, sentinel));
  }

  /** @internal This process may have children, whatever it is: they end with it, as it ends with its parent. */
  static allowChildren(): void {
    family.mayHaveChildren = true;
  }

  /** What a child of `subject` runs. */
  static #program(subject: Process): { begin(): void; run(): unknown } {
    return {
      begin: () => subject.#begin(),
      run: () => subject.run(),
    };
  }

  static #standIn: Process | undefined;

  /** What a child runs, on a stand-in, to no effect; see fork/rehearsal.ts. */
  static #rehearse(run: (program: { begin(): void; run(): unknown }) => void): void {
    const before = family;
    family = new Family(before.self, null);
    try {
      run(Process.#program((Process.#standIn ??= new Process({ target: () => {} }) as Process)));
    } finally {
      family = before;
    }
  }

  /**
   * Python: `Process.join(timeout)`. Blocks until the process has ended, or for `timeoutMs` milliseconds. Burns no CPU.
   * The event loop does not turn meanwhile: use `joinAsync` where it must.
   *
   * @returns true if the process has ended (Python returns None; there one asks for the exit code).
   * @throws ProcessError `ERR_MP_NOT_STARTED`, `ERR_MP_NOT_MY_CHILD`, `ERR_MP_JOIN_SELF`, `ERR_MP_CLOSED`.
   * @throws InterruptedError when the program's own SIGINT, SIGTERM or SIGHUP listener has to run.
   */
  join(timeoutMs?: number): boolean {
    const timeout = checkTimeout(timeoutMs);
    const pid = this.#checkJoinable();
    if (this.#exitCode !== null) return true;
    const { ended, interruptedBy } = native.joinChild(pid, timeout);
    if (interruptedBy !== undefined) throw new InterruptedError(`join() of ${this.#name}`, signalName(interruptedBy));
    if (ended) childEnded(ended);
    return ended !== undefined;
  }

  /**
   * `join` that leaves the event loop turning. Any number of them costs no thread.
   *
   * @returns true if the process has ended, false after `timeoutMs` milliseconds.
   * @throws the reason of `signal`, once it is aborted; otherwise as `join`.
   */
  async joinAsync(options?: WaitOptions): Promise<boolean> {
    const { timeoutMs, signal } = checkWaitOptions(options);
    this.#checkJoinable();
    signal?.throwIfAborted();
    if (this.#poll() !== null) return true;
    family.asyncWaits += 1;
    keepLoopWhileNeeded();
    try {
      return await race(
        (done) => {
          this.#waiters.add(done);
          return () => this.#waiters.delete(done);
        },
        timeoutMs,
        signal,
      );
    } finally {
      family.asyncWaits -= 1;
      keepLoopWhileNeeded();
    }
  }

  /**
   * Python: `Process.is_alive`. True from start until the end. Reaps.
   *
   * @throws ProcessError `ERR_MP_NOT_MY_CHILD` if it is neither this process nor a child of it.
   */
  isAlive(): boolean {
    this.#checkOpen();
    if ((this as unknown as Process) === family.self) return true;
    this.#checkMine();
    return this.#state !== 'initial' && this.#poll() === null;
  }

  /**
   * Python: `Process.terminate`. Sends SIGTERM: a request, which a process in a loop obeys too, since a child starts
   * without its parent's listeners. Nothing if it has ended. Its own children live on.
   */
  terminate(): void {
    this.#signal('SIGTERM', 15);
  }

  /** Python: `Process.kill`. Sends SIGKILL, which cannot be refused. Nothing if it has ended. */
  kill(): void {
    this.#signal('SIGKILL', 9);
  }

  /** Python: `Process.interrupt` (3.14). Sends SIGINT, as Ctrl-C does. Nothing if it has ended. */
  interrupt(): void {
    this.#signal('SIGINT', 2);
  }

  /**
   * Python: `Process.close`. Lets go of all that belongs to an ended process; the object cannot be used afterwards.
   * May be called again, and on one that was never started.
   *
   * @throws ProcessError `ERR_MP_STILL_RUNNING` while it runs: `terminate()` and `join()` it first.
   */
  close(): void {
    if (this.#state === 'closed') return;
    if (this.#parentPid === process.pid && this.#pid !== undefined && this.#poll() === null) {
      throw new ProcessError(
        'ERR_MP_STILL_RUNNING',
        `cannot close ${this.#name} (pid ${this.#pid}) while it is running: terminate() and join() it first`,
      );
    }
    if (this.#sentinel !== undefined) {
      sentinels.unregister(this);
      closeSync(this.#sentinel);
      this.#sentinel = undefined;
    }
    this.#work = undefined;
    this.#state = 'closed';
  }

  /** Python: `Process.name`. For people; need not be unique. */
  get name(): string {
    return this.#name;
  }

  /** At any time; the child learns it if set before `start()`. */
  set name(name: string) {
    if (typeof name !== 'string') throw invalidArgument(`name must be a string, not ${inspect(name)}`);
    this.#name = name;
  }

  /**
   * Python: `Process.daemon`. A daemon ends with its parent and may have no children.
   *
   * @throws ProcessError `ERR_MP_DAEMON_FIXED` when set after `start()`.
   */
  get daemon(): boolean {
    return this.#daemon;
  }

  /** Before `start()` only. */
  set daemon(daemon: boolean) {
    this.#checkOpen();
    if (typeof daemon !== 'boolean') throw invalidArgument(`daemon must be true or false, not ${inspect(daemon)}`);
    if (this.#state !== 'initial' || (this as unknown as Process) === family.self) {
      throw new ProcessError('ERR_MP_DAEMON_FIXED', `${this.#name} has already started: set daemon before start()`);
    }
    this.#daemon = daemon;
  }

  /** Python: `Process.pid`. Null before `start()` (and in Python None). */
  get pid(): number | null {
    this.#checkOpen();
    return this.#pid ?? null;
  }

  /** Python: `Process.ident`. The same as `pid`. */
  get ident(): number | null {
    return this.pid;
  }

  /** Python: `Process.exitcode`. Null before the end; then the exit code, or `-N` if signal N ended it. Reaps. */
  get exitCode(): number | null {
    this.#checkOpen();
    if ((this as unknown as Process) === family.self || this.#state === 'initial') return null;
    this.#checkMine();
    return this.#poll();
  }

  /** Python: `Process.authkey`. Secret by which the processes of one program know each other; bytes. */
  get authkey(): AuthenticationString {
    this.#checkOpen();
    return this.#authkey;
  }

  /** Text is taken as UTF-8; children made later get the new one. */
  set authkey(key: Uint8Array | string) {
    this.#checkOpen();
    this.#authkey = AuthenticationString.fromKey(key);
  }

  /**
   * Python: `Process.sentinel`. A descriptor that becomes readable when the process ends (a pidfd on Linux). It is open
   * until `close()`; do not close it yourself.
   *
   * @throws ProcessError `ERR_MP_NOT_STARTED` before `start()`.
   */
  get sentinel(): number {
    this.#checkOpen();
    this.#checkMine();
    if (this.#pid === undefined) throw notStarted(this.#name, 'has no sentinel');
    if (this.#sentinel === undefined) {
      this.#sentinel = this.#poll() === null ? native.childSentinel(this.#pid) : native.endedSentinel();
      sentinels.register(this, this.#sentinel, this);
    }
    return this.#sentinel;
  }

  /** `await using`: terminates the process if it still runs, and waits for it. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#state === 'closed') return;
    if (this.#state === 'started' && this.#parentPid === process.pid && (this as unknown as Process) !== family.self) {
      this.terminate();
      if (!(await this.joinAsync({ timeoutMs: DISPOSE_GRACE_MS }))) {
        this.kill();
        await this.joinAsync();
      }
    }
    this.close();
  }

  /** Python's printable form: class, name, pid, parent, state, exit code or signal, daemon. */
  override toString(): string {
    const words = [`${this.constructor.name} name='${this.#name}'`];
    if (this.#pid !== undefined) words.push(`pid=${this.#pid}`);
    words.push(
      `parent=${(this as unknown as Process) === family.self && family.parent === null ? 'None' : this.#parentPid}`,
      this.#printedState(),
    );
    if (this.#exitCode !== null) {
      words.push(`exitcode=${this.#exitCode < 0 ? `-${signalName(-this.#exitCode)}` : this.#exitCode}`);
    }
    if (this.#daemon) words.push('daemon');
    return `<${words.join(' ')}>`;
  }

  #printedState(): string {
    if (this.#state === 'closed') return 'closed';
    if ((this as unknown as Process) === family.self) return 'started';
    if (this.#parentPid !== process.pid) return 'unknown';
    if (this.#state === 'started') this.#poll();
    return this.#state;
  }

  /** @internal */
  [inspect.custom](): string {
    return this.toString();
  }

  /** @internal The status has come, from whichever call noticed first. */
  ended(exitCode: number): void {
    if (this.#exitCode !== null) return;
    this.#exitCode = exitCode;
    if (this.#state === 'started') this.#state = 'stopped';
    const pid = this.#pid ?? 0;
    family.running.delete(pid);
    keepLoopWhileNeeded();
    const signal = exitCode < 0 ? signalName(-exitCode) : null;
    if (channels.exit.hasSubscribers) channels.exit.publish({ process: this, pid, name: this.#name, exitCode, signal });
    for (const done of this.#waiters) done();
    // Whoever learns of the end by a call of his own gets its result before the events come.
    process.nextTick(() => {
      this.emit('exit', exitCode, signal);
      if (exitCode !== 0 && this.listenerCount('error') > 0) {
        const how = signal === null ? `exited with code ${exitCode}` : `was ended by ${signal}`;
        this.emit('error', new ProcessError('ERR_MP_PROCESS_FAILED', `${this.#name} (pid ${pid}) ${how}`));
      }
    });
  }

  /** The exit code, asking the kernel if it is not known. */
  #poll(): number | null {
    if (this.#exitCode === null && this.#pid !== undefined && this.#state === 'started') {
      const end = native.pollChild(this.#pid);
      if (end) childEnded(end);
    }
    return this.#exitCode;
  }

  #signal(name: string, number: number): void {
    this.#checkOpen();
    this.#checkMine();
    if (this.#pid === undefined) throw notStarted(this.#name, `cannot get ${name}`);
    if (this.#poll() === null) native.signalChild(this.#pid, number);
  }

  #checkOpen(): void {
    if (this.#state === 'closed')
      throw new ProcessError('ERR_MP_CLOSED', `${this.#name} is closed: nothing can be done with it any more`);
  }

  #checkMine(): void {
    if (this.#parentPid !== process.pid) {
      throw new ProcessError(
        'ERR_MP_NOT_MY_CHILD',
        `${this.#name} is a child of process ${this.#parentPid}, not of this one (${process.pid}): only its parent can ask for it`,
      );
    }
  }

  #checkJoinable(): number {
    this.#checkOpen();
    if ((this as unknown as Process) === family.self) {
      throw new ProcessError('ERR_MP_JOIN_SELF', `${this.#name} is this process: a process cannot wait for itself`);
    }
    this.#checkMine();
    if (this.#pid === undefined) throw notStarted(this.#name, 'cannot be joined');
    return this.#pid;
  }

  /** @internal The object of the process that nobody started. */
  static main(): Process {
    const main = new Process({ name: 'MainProcess', daemon: false });
    main.#pid = process.pid;
    main.#state = 'started';
    return main as Process;
  }

  /** @internal The object for a child of a raw `fork()`. */
  static forked(parent: Process): Process {
    family = new Family(undefined, new ParentProcess(parent.name, parent.#pid ?? process.ppid));
    const child = new Process({ name: parent.name, daemon: parent.daemon });
    child.#pid = process.pid;
    child.#state = 'started';
    child.#authkey = parent.#authkey;
    family.self = child as Process;
    return child as Process;
  }
}

/** Classes of which a child needs to know nothing but that they are processes. */
const plainClasses = new WeakSet<object>([Process]);

/** @internal Such a class. */
export function addPlainClass(Class: object): void {
  plainClasses.add(Class);
}

/** Properties of each event emitter; listeners are the parent's. */
const emitters = new Set(['_events', '_eventsCount', '_maxListeners', 'domain']);

/** What a process is made of. */
interface Description {
  /** A subclass. */
  readonly class: object | undefined;
  readonly work: { target: ((...args: never[]) => unknown) | undefined; args: readonly unknown[] } | undefined;
  readonly name: string;
  readonly daemon: boolean;
  readonly authkey: Uint8Array;
  readonly identity: readonly number[];
  readonly parent: { readonly name: string; readonly pid: number };
  /** Its own properties. */
  readonly own: Record<string, unknown>;
}

/** How long `await using` lets a process take over SIGTERM, in milliseconds. */
const DISPOSE_GRACE_MS = 1000;

/** Closes the descriptors of ended processes that were thrown away without `close()`. */
const sentinels = new FinalizationRegistry<number>(closeSync);

function notStarted(name: string, what: string): ProcessError {
  return new ProcessError('ERR_MP_NOT_STARTED', `${name} ${what}: it was not started; call start() first`);
}

function exitCodeOf({ status }: Ended): number {
  if (status === undefined) return STATUS_LOST;
  const { exited, exitStatus, termSignal } = native.statusFacts(status);
  return exited ? exitStatus : -termSignal;
}

function childEnded(end: Ended): void {
  const child = family.running.get(end.pid);
  if (child) child.ended(exitCodeOf(end));
  else family.early.set(end.pid, end);
}

function reapEnded(): void {
  for (const end of native.reapEnded()) childEnded(end);
}

function watchChildren(): void {
  if (!process.listeners('beforeExit').includes(onBeforeExit)) process.on('beforeExit', onBeforeExit);
  native.watchChildren((ends: Ended[]) => {
    for (const end of ends) childEnded(end);
    letListenersRun();
  });
  native.endChildrenAtExit();
}

/**
 * Ctrl-C ends children and is told to the parent. If the loop sees a child's end first, and nothing keeps it alive any more, it
 * would end without another look, and the parent's listener would never run.
 */
function letListenersRun(): void {
  if (!interrupts.some((signal) => process.listenerCount(signal) > 0)) return;
  // The first comes before the loop's next look at the kernel, the second after it.
  setImmediate(() => setImmediate(() => {}));
}

const interrupts = ['SIGINT', 'SIGTERM', 'SIGHUP'];

/** The program has reached its end: daemons end now, and the loop stays alive until the other children have ended. */
function onBeforeExit(): void {
  for (const child of family.running.values()) if (child.daemon) child.terminate();
  family.ending = true;
  keepLoopWhileNeeded();
}

/** The event loop stays alive for whoever awaits a child, and at the end of the program for its children. */
function keepLoopWhileNeeded(): void {
  const children = family.ending ? [...family.running.values()] : [];
  native.keepLoopForChildren(family.asyncWaits > 0 || children.some((child) => !child.daemon));
}

/** Python: `multiprocessing.parent_process()`'s result: the parent, seen from its child. */
export class ParentProcess {
  /** The parent's name. */
  readonly name: string;
  /** The parent's process id. */
  readonly pid: number;

  /** Readable once the parent has ended, where that is not the process that made this one. */
  readonly #sentinel: number | undefined;

  /** @internal */
  constructor(name: string, pid: number, sentinel?: number) {
    this.name = name;
    this.pid = pid;
    this.#sentinel = sentinel;
  }

  /** Python: `ident`. The same as `pid`. */
  get ident(): number {
    return this.pid;
  }

  /** True while the parent lives. In a process that is no child of it any more, that is false. */
  isAlive(): boolean {
    if (this.#sentinel !== undefined) return !native.waitFd(this.#sentinel, 0).readable;
    return process.ppid === this.pid;
  }

  /** @internal A descriptor that is readable once it has ended; undefined if it has. The caller closes it. */
  openSentinel(): number | undefined {
    if (this.#sentinel !== undefined) return native.duplicateDescriptor(this.#sentinel);
    if (!this.isAlive()) return undefined;
    const watch = native.openExitWatch(this.pid);
    // The number may have been reused before it was opened; being somebody else's child by then tells.
    if (this.isAlive()) return watch;
    closeSync(watch);
    return undefined;
  }

  /**
   * Blocks until the parent has ended, or for `timeoutMs` milliseconds.
   *
   * @returns true if it has ended.
   * @throws InterruptedError when the program's own SIGINT, SIGTERM or SIGHUP listener has to run.
   */
  join(timeoutMs?: number): boolean {
    const timeout = checkTimeout(timeoutMs);
    const watch = this.openSentinel();
    if (watch === undefined) return true;
    try {
      const { readable, interruptedBy } = native.waitFd(watch, timeout);
      if (interruptedBy !== undefined) throw new InterruptedError('join() of the parent', signalName(interruptedBy));
      return readable || !this.isAlive();
    } finally {
      closeSync(watch);
    }
  }

  /** Printable form. */
  toString(): string {
    return `<ParentProcess name='${this.name}' parent=None ${this.isAlive() ? 'started' : 'unknown'}>`;
  }

  /** @internal */
  [inspect.custom](): string {
    return this.toString();
  }
}

family = new Family(undefined, null);
family.self = Process.main();

/** Python: `multiprocessing.current_process()`. The object for this process; `MainProcess` in one that nobody started. */
export function currentProcess(): Process {
  return family.self as Process;
}

/** Python: `multiprocessing.parent_process()`. The parent of a child; null in the main process. */
export function parentProcess(): ParentProcess | null {
  return family.parent;
}

/** Python: `parent_process() is None`. True in a process that was not started by this package. See `currentProcess`. */
export function isMainProcess(): boolean {
  return family.parent === null;
}

/** Python: `multiprocessing.active_children()`. A fresh list of this process's live children. Reaps. */
export function activeChildren(): Process[] {
  if (!isMainThread) return [];
  reapEnded();
  return [...family.running.values()];
}

/** @internal Child of a raw `fork()`. */
export function becomeRawChild(): void {
  Process.forked(currentProcess());
}
