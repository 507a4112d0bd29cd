/**
 * Threads that do the tasks of a pool. Each has one at a time; the others wait here.
 */
import { existsSync } from 'node:fs';
import { MessageChannel, Worker, receiveMessageOnPort, type MessagePort } from 'node:worker_threads';

import { waitReady } from '../connection/ready.ts';
import { ProcessError, TimeoutError } from '../errors.ts';
import { packageRoot } from '../package-root.ts';
import { decode } from '../serialize/index.ts';
import { locate } from '../spawn/locate.ts';
import { race } from '../wait.ts';
import { WorkerLostError, traced } from './errors.ts';
import type { AnyFunction } from './functions.ts';
import { Inputs, type Input } from './inputs.ts';
import { Life } from './protocol.ts';
import type { Runner, RunnerState, WorkerStats } from './runner.ts';
import type { Outcome, Task } from './task.ts';
import type { ThreadAnswer, ThreadKit, ThreadTask } from './thread.ts';
import { Timeline } from './timeline.ts';

/** So often in a row a thread may end before it is ready. */
const MOST_FAILURES = 3;

/** Longest sleep without a look for signals, in milliseconds. */
const LOOK_MS = 100;

/** What threads run. */
const program = new URL('dist/pool/thread.js', packageRoot);

interface Thread {
  readonly worker: Worker;
  readonly port: MessagePort;
  readonly id: number;
  readonly name: string;
  readonly pid: number;
  readonly life: Int32Array;
  /** Functions that it knows. */
  readonly known: Set<number>;
  task: Task | undefined;
  since: number;
  tasks: number;
  busyMs: number;
  isReady: boolean;
}

/** What threads are to be. */
export interface ThreadOptions {
  readonly threads: number;
  readonly initializer: AnyFunction | undefined;
  readonly initargs: readonly unknown[];
}

/** Threads and their tasks. */
export class ThreadRunner implements Runner {
  readonly timeline = new Timeline();
  readonly #options: ThreadOptions;
  readonly #bell = new Int32Array(new SharedArrayBuffer(4));
  readonly #threads = new Set<Thread>();
  readonly #waiting = new Set<Task>();
  readonly #functions = new Map<AnyFunction, number>();
  readonly #overWaiters = new Set<() => void>();
  readonly #inputs = new Inputs();
  readonly #owner = process.pid;
  #state: RunnerState = 'open';
  #failure: ProcessError | undefined;
  #count = 0;
  #restarts = 0;
  #failures = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: ThreadOptions) {
    this.#options = options;
  }

  get state(): RunnerState {
    return this.#state;
  }

  get outstanding(): number {
    let busy = 0;
    for (const { task } of this.#threads) if (task) busy += 1;
    return this.#waiting.size + busy;
  }

  get restarts(): number {
    return this.#restarts;
  }

  get isOver(): boolean {
    return this.#state !== 'open' && this.#threads.size === 0;
  }

  stats(): WorkerStats[] {
    return [...this.#threads].map(({ name, pid, tasks, busyMs, task }) => {
      return { name, pid, tasks, busyMs, memory: 0, busy: task !== undefined };
    });
  }

  open(): void {
    // Whoever names a function that no thread can find is told at once.
    if (this.#options.initializer) locate(this.#options.initializer);
    this.#replenish();
  }

  checkMine(what: string): void {
    if (process.pid === this.#owner) return;
    throw new ProcessError(
      'ERR_MP_NOT_MY_CHILD',
      `${what}: the threads of this ThreadPool are those of process ${this.#owner}`,
    );
  }

  checkOpen(what: string): void {
    this.checkMine(what);
    if (this.#failure) throw this.#failure;
    if (this.#state !== 'open')
      throw new ProcessError('ERR_MP_CLOSED', `${what}: the ThreadPool was closed; make a new one`);
  }

  #replenish(): void {
    while (this.#threads.size < this.#options.threads) this.#start();
  }

  #start(): void {
    const { initializer, initargs } = this.#options;
    const { port1: port, port2: its } = new MessageChannel();
    const id = ++this.#count;
    const name = `ThreadPoolWorker-${id}`;
    const life = new Int32Array(new SharedArrayBuffer(8));
    const threadKit: ThreadKit = {
      port: its,
      bell: this.#bell,
      life,
      initializer: initializer && locate(initializer),
      initargs,
    };
    const worker = new Worker(program, { workerData: { threadKit }, transferList: [its], name });
    const thread: Thread = {
      worker,
      port,
      id,
      name,
      pid: process.pid,
      life,
      known: new Set(),
      task: undefined,
      since: 0,
      tasks: 0,
      busyMs: 0,
      isReady: false,
    };
    this.#threads.add(thread);
    port.on('message', (answer: ThreadAnswer) => this.#heard(thread, answer));
    // Told by the exit.
    worker.on('error', (error) => this.#ended(thread, 1, error));
    worker.on('exit', (code) => this.#ended(thread, code, undefined));
    this.#hold(thread);
  }

  /** The event loop lives for as long as there is a task for a thread. */
  #hold({ worker, port, task }: Thread): void {
    const isNeeded = task !== undefined || this.#waiting.size > 0;
    for (const each of [worker, port]) each[isNeeded ? 'ref' : 'unref']();
  }

  submit(tasks: readonly Task[]): void {
    for (const task of tasks) this.#waiting.add(task);
    this.#assign();
    for (const thread of this.#threads) this.#hold(thread);
  }

  #assign(): void {
    for (const thread of this.#threads) {
      while (thread.isReady && thread.task === undefined) {
        const [task] = this.#waiting;
        if (task === undefined) return;
        this.#waiting.delete(task);
        this.#give(thread, task);
      }
    }
  }

  #give(thread: Thread, task: Task): void {
    const { fn, mode, args } = task;
    try {
      let number = this.#functions.get(fn);
      const place = locate(fn);
      if (number === undefined) this.#functions.set(fn, (number = this.#functions.size));
      const message: ThreadTask = {
        fn: number,
        place: thread.known.has(number) ? undefined : place,
        mode,
        args: args as readonly unknown[],
      };
      thread.port.postMessage(message);
      thread.known.add(number);
    } catch (error) {
      task.owner.settle({ error });
      return;
    }
    thread.task = task;
    thread.since = performance.now();
    this.#hold(thread);
    this.#armTimer();
  }

  #heard(thread: Thread, { tookMs, value, failure, isReady }: ThreadAnswer): void {
    if (isReady !== undefined) {
      thread.isReady = isReady;
      if (isReady) this.#failures = 0;
      else {
        this.#failed(decodeError(failure?.error));
        this.#kill(thread, { error: undefined });
      }
      this.#assign();
      return;
    }
    const { task } = thread;
    if (task === undefined) return;
    thread.tasks += 1;
    thread.busyMs += tookMs;
    this.timeline.add(thread, task.index, monotonic(thread.since), tookMs);
    this.#settle(
      thread,
      failure
        ? { error: traced(decodeError(failure.error), thread.name, thread.pid, task.index + failure.item) }
        : { value },
    );
  }

  #settle(thread: Thread, outcome: Outcome): void {
    const { task } = thread;
    thread.task = undefined;
    this.#hold(thread);
    task?.owner.settle(outcome);
    this.#inputs.goOn();
    this.#assign();
    this.#rest();
  }

  #rest(): void {
    if (this.outstanding > 0) return;
    for (const thread of this.#threads) this.#hold(thread);
    if (this.#state === 'closing' && this.#inputs.isEmpty) this.#endAll();
  }

  /** A thread could not become ready. */
  #failed(cause: unknown): void {
    this.#failures += 1;
    if (this.#failures < MOST_FAILURES || this.#state === 'broken') return;
    const reason = cause instanceof Error ? cause.message : String(cause);
    this.#failure = new ProcessError(
      'ERR_MP_START_FAILED',
      `the threads of the ThreadPool cannot be started: ${reason}`,
      { cause },
    );
    this.#stop('broken', this.#failure);
  }

  #ended(thread: Thread, exitCode: number, cause: Error | undefined): void {
    if (!this.#threads.has(thread)) return;
    // What it has said before comes first.
    this.look();
    if (!this.#threads.delete(thread)) return;
    thread.port.close();
    const { task, name, pid } = thread;
    thread.task = undefined;
    if (task) {
      const why = cause ? `: ${cause.message}` : '';
      const facts = { taskIndex: task.index, pid, exitCode, signal: null, memory: 0, outOfMemory: false };
      const error = new WorkerLostError(
        `task ${task.index} was lost: its thread ${name} has ended with code ${exitCode}${why}`,
        facts,
      );
      if (task.retries > 0) {
        task.retries -= 1;
        this.#waiting.add(task);
      } else {
        task.owner.settle({ error });
      }
    }
    if (!thread.isReady && exitCode !== 0 && task === undefined)
      this.#failed(cause ?? `it exited with code ${exitCode}`);
    if (this.#state === 'open' || (this.#state === 'closing' && this.#waiting.size > 0)) {
      this.#restarts += 1;
      this.#replenish();
      this.#assign();
    }
    this.#rest();
    if (this.isOver) this.#over();
  }

  giveUp(task: Task, error: unknown, mayStop: boolean): boolean | undefined {
    this.look();
    if (this.#waiting.delete(task)) {
      task.owner.settle({ error });
      this.#rest();
      return true;
    }
    const thread = [...this.#threads].find((each) => each.task === task);
    if (thread === undefined) return undefined;
    if (mayStop) this.#kill(thread, { error });
    return false;
  }

  /** Ends a thread with its task. */
  #kill(thread: Thread, outcome: Outcome): void {
    const { task } = thread;
    thread.task = undefined;
    if (!this.#threads.delete(thread)) return;
    thread.port.close();
    void thread.worker.terminate();
    task?.owner.settle(outcome);
    if (this.#state === 'open' || this.#waiting.size > 0) {
      this.#restarts += 1;
      this.#replenish();
      this.#assign();
    }
    this.#rest();
    if (this.isOver) this.#over();
  }

  /** Ends tasks that have run for too long. How many milliseconds it is until the next one may have. */
  #endLate(): number {
    let next = Infinity;
    for (const thread of this.#threads) {
      const { task } = thread;
      if (task === undefined || task.timeoutMs === Infinity) continue;
      const left = thread.since + task.timeoutMs - performance.now();
      if (left > 0) next = Math.min(next, left);
      else {
        const message = `task ${task.index} has run for longer than ${task.timeoutMs} ms in ${thread.name}: it was ended`;
        this.#kill(thread, { error: new TimeoutError(message) });
      }
    }
    return next;
  }

  #armTimer(): void {
    if (this.#timer) return;
    const next = this.#endLate();
    if (next === Infinity) return;
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined;
        this.#armTimer();
      },
      Math.min(Math.max(next, 1), 0x7fff_ffff),
    );
  }

  look(): boolean {
    let hasHeard = false;
    for (const thread of this.#threads) {
      for (let got = receiveMessageOnPort(thread.port); got; got = receiveMessageOnPort(thread.port)) {
        hasHeard = true;
        this.#heard(thread, got.message as ThreadAnswer);
      }
    }
    return hasHeard;
  }

  waitUntil(isDone: () => boolean, timeoutMs: number, what: string): boolean {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      if (isDone()) return true;
      const seen = Atomics.load(this.#bell, 0);
      if (this.look()) continue;
      if (this.outstanding === 0 && timeoutMs === Infinity && !isDone()) {
        // Threads end from the event loop.
        throw new ProcessError('ERR_MP_INVALID_STATE', `${what}: it takes the event loop to turn; use the Async twin`);
      }
      const left = deadline - performance.now();
      if (left <= 0) return false;
      const pause = Math.min(left, this.#endLate(), LOOK_MS);
      // Threads ring no descriptor: signals that the program listens for are looked for in between.
      if (isDone() || Atomics.wait(this.#bell, 0, seen, pause) !== 'timed-out') continue;
      waitReady([], 'read', 1, what);
      this.#noticeEnds();
    }
  }

  /** The event loop tells of the ends of threads; a call that blocks has to look for them. */
  #noticeEnds(): void {
    for (const thread of this.#threads) {
      const exited = Atomics.load(thread.life, Life.exited);
      if (exited > 0) this.#ended(thread, exited - 1, undefined);
      else if (isGone(thread)) this.#ended(thread, 1, new Error('it has most likely run out of memory'));
    }
  }

  waitUntilOver(timeoutMs: number, what: string): boolean {
    if (this.#state === 'closing') {
      this.#inputs.checkCanBlock(what);
      this.#inputs.readOn();
    }
    return this.waitUntil(() => this.isOver, timeoutMs, what);
  }

  addInput(input: Input): void {
    this.#inputs.add(input);
  }

  removeInput(input: Input): void {
    if (this.#inputs.remove(input)) this.#rest();
  }

  close(): void {
    if (this.#state !== 'open') return;
    this.#state = 'closing';
    this.#rest();
  }

  terminate(): void {
    if (this.#state === 'terminated' || this.isOver) return;
    this.#stop('terminated', undefined);
  }

  #stop(state: 'broken' | 'terminated', failure: ProcessError | undefined): void {
    this.#state = state;
    const error = (): ProcessError =>
      failure ?? new ProcessError('ERR_MP_TERMINATED', 'the ThreadPool was terminated before this task was done');
    const tasks = [...this.#waiting];
    this.#waiting.clear();
    for (const task of tasks) task.owner.settle({ error: error() });
    for (const thread of this.#threads) {
      const { task } = thread;
      thread.task = undefined;
      task?.owner.settle({ error: error() });
    }
    this.#endAll();
  }

  /** Threads can be stopped at any moment, and need not be waited for. */
  #endAll(): void {
    for (const thread of this.#threads) {
      this.#threads.delete(thread);
      thread.port.close();
      void thread.worker.terminate();
    }
    this.#over();
  }

  #over(): void {
    clearTimeout(this.#timer);
    this.timeline.end();
    for (const done of this.#overWaiters) done();
  }

  async overAsync(timeoutMs: number, signal: AbortSignal | undefined): Promise<boolean> {
    signal?.throwIfAborted();
    if (this.isOver) return true;
    if (this.#state === 'closing') this.#inputs.readOn();
    return race(
      (done) => {
        this.#overWaiters.add(done);
        return () => this.#overWaiters.delete(done);
      },
      timeoutMs,
      signal,
    );
  }
}

/** Whether the system has no such thread any more. Where it does not tell, no thread counts as gone. */
function isGone({ life }: Thread): boolean {
  const id = Atomics.load(life, Life.id);
  return id > 0 && !existsSync(`/proc/self/task/${id}`);
}

function decodeError(bytes: Uint8Array | undefined): unknown {
  if (bytes === undefined) return undefined;
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  return decode(buffer, 0, buffer.length, false);
}

/** A time of `performance.now()` on the monotonic clock. */
function monotonic(at: number): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1000 + nanoseconds / 1e6 - (performance.now() - at);
}
