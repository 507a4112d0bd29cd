/**
 * What pools and executors have in common: workers that are started, replaced and ended, tasks for them, and their answers.
 *
 * Tasks and answers are in shared memory: workers go on by themselves while the event loop of this process is held up. What this
 * process has to do, it does whenever it waits for a task: from its event loop, or in a call that blocks.
 */
import { channels } from '../diagnostics.ts';
import { ForkError, ProcessError } from '../errors.ts';
import type { Process } from '../process.ts';
import { currentMethod, methodOf, type Bound, type StartMethodName } from '../start-methods.ts';
import { waitUntil } from './blocking.ts';
import { Channel, type Message } from './channel.ts';
import { Crew } from './crew.ts';
import { Deadlines } from './deadlines.ts';
import { traced, type WorkerLostError } from './errors.ts';
import { FunctionTable, ImportedFunctions, type AnyFunction } from './functions.ts';
import { Generation, type Worker } from './generation.ts';
import { Inputs, type Input } from './inputs.ts';
import { Said, answerFacts, answerSince, answerTook, type Failure } from './protocol.ts';
import type { Runner, RunnerState, WorkerStats } from './runner.ts';
import type { Outcome, Task } from './task.ts';
import { Timeline } from './timeline.ts';
import { race } from '../wait.ts';
import { startSoon } from './start-soon.ts';

/** So often in a row a worker may end by itself before it is ready. */
const MOST_FAILURES = 3;
/** The same, if it is killed. */
const MOST_KILLS = 100;
/** How long workers have to end when they are asked to, in milliseconds. */
const GRACE_MS = 1000;
/** How long it is until a start is tried again that the system has refused, in milliseconds. */
const RETRY_MS = 50;
/** So many generations of workers are no accident. */
const MANY_GENERATIONS = 20;

/** What an engine is to be. */
export interface EngineOptions {
  /** How it is called in messages. */
  readonly title: string;
  readonly processes: number;
  readonly context: Bound | undefined;
  readonly initializer: AnyFunction | undefined;
  readonly initargs: readonly unknown[];
  /** Functions that forked workers are to know besides. */
  readonly functions: readonly AnyFunction[];
  /** A worker ends after so many tasks. */
  readonly maxTasks: number;
  /** A worker ends once it has so much private memory, in bytes. */
  readonly maxMemory: number;
  readonly prefixesOutput: boolean;
  /** Workers are started when there is work for them, and not before. */
  readonly onDemand: boolean;
  /** Called when a worker has ended that should not have; true if nothing may be done with the others any more. */
  readonly breaks: (error: ProcessError) => boolean;
  /** What waits when the workers cannot be used any more is told so. */
  readonly broken: (cause: ProcessError) => ProcessError;
}

/** Why a worker is not ready; if that cannot be read, why not. */
function failureIn(message: Message): unknown {
  try {
    return (message.value() as Failure).error;
  } catch (error) {
    return error;
  }
}

/** Workers and their tasks. */
export class Engine implements Runner {
  readonly timeline = new Timeline();
  readonly #options: EngineOptions;
  readonly #method: StartMethodName;
  readonly #functions: FunctionTable;
  readonly #answers: Channel;
  readonly #owner = process.pid;
  readonly #inputs = new Inputs();
  /** What was taken together, the last one first: a callback of the first one may wait for another. */
  #unheard: Message[] = [];
  #state: RunnerState = 'open';
  #failure: ProcessError | undefined;
  #current: Generation | undefined;
  readonly #generations = new Set<Generation>();
  #generationCount = 0;
  readonly #crew: Crew;
  #restarts = 0;
  /** Ends of workers in a row that were not ready yet. */
  #failures = 0;
  #kills = 0;
  #watch: AbortController | undefined;
  #isResting = false;
  #isPuttingBack = false;
  readonly #deadlines: Deadlines;
  #retry: NodeJS.Timeout | undefined;
  #killAt = Infinity;
  /** Its workers were let go. */
  #isDismissed = false;
  #isOver = false;

  constructor(options: EngineOptions) {
    this.#options = options;
    this.#method = (options.context === undefined ? currentMethod() : methodOf(options.context)).name;
    this.#functions = this.#method === 'fork' ? new FunctionTable() : new ImportedFunctions();
    for (const fn of options.functions) this.#functions.add(fn);
    // After all that can fail.
    this.#answers = new Channel();
    const { initializer, initargs, maxTasks, maxMemory, prefixesOutput } = options;
    const kit = { initializer, initargs, maxTasks, maxMemory, prefixesOutput };
    const commonKit = { ...kit, answers: this.#answers, functions: this.#functions };
    this.#crew = new Crew(this.#method, options.context, commonKit, (worker) => this.#ended(worker));
    this.#deadlines = new Deadlines(
      () => this.#crew.values(),
      (task, error) => task.generation && this.#stopTask(task.generation, task, error),
    );
  }

  get state(): RunnerState {
    return this.#state;
  }

  get method(): StartMethodName {
    return this.#method;
  }

  /** How many tasks have not been answered. */
  get outstanding(): number {
    let count = 0;
    for (const generation of this.#generations) count += generation.outstanding.size;
    return count;
  }

  /** Workers that were started in place of others. */
  get restarts(): number {
    return this.#restarts;
  }

  stats(): WorkerStats[] {
    return this.#crew.stats();
  }

  /** Live workers. */
  get workers(): Process[] {
    return [...this.#crew.values()].map((worker) => worker.process);
  }

  /** @throws ProcessError unless tasks can be given to it, in this process. */
  checkOpen(what: string): void {
    this.checkMine(what);
    if (this.#failure) throw this.#options.broken(this.#failure);
    if (this.#state === 'open') return;
    const how = this.#state === 'closing' ? 'was closed' : 'was terminated';
    throw new ProcessError('ERR_MP_CLOSED', `${what}: the ${this.#options.title} ${how}; make a new one`);
  }

  /** Whether this process made it. */
  get isMine(): boolean {
    return process.pid === this.#owner;
  }

  /** @throws ProcessError in another process than that which made it. */
  checkMine(what: string): void {
    if (process.pid === this.#owner) return;
    throw new ProcessError(
      'ERR_MP_NOT_MY_CHILD',
      `${what}: this ${this.#options.title} belongs to process ${this.#owner}; make another one in process ${process.pid}`,
    );
  }

  /** Gives tasks to the workers. What cannot be carried is the task's error. */
  submit(tasks: readonly Task[]): void {
    this.checkMine('a task');
    let generation: Generation | undefined;
    for (const task of tasks) {
      try {
        if (this.#state === 'terminated') throw this.#terminated();
        if (this.#state !== 'open' && (this.#state !== 'closing' || this.#isDismissed)) this.checkOpen('a task');
        const fn = this.#number(task.fn);
        generation = this.#generationFor(fn);
        generation.put(task, fn);
      } catch (error) {
        task.owner.settle({ error });
        continue;
      }
      this.#deadlines.add(task);
    }
    if (generation === undefined) return;
    try {
      this.start();
    } catch (error) {
      for (const task of tasks) this.giveUp(task, error, false);
    }
    this.#watchAnswers();
    this.#deadlines.arm();
  }

  /**
   * Starts the workers, where they need not wait for the function of the first task. Forked ones do: until there is one, until the
   * event loop turns, or until this process blocks.
   */
  open(): void {
    if (this.#options.onDemand) return;
    if (this.#method !== 'fork') this.start();
    else startSoon(() => this.#startIfNotYet());
  }

  #startIfNotYet(): void {
    if (this.#crew.started > 0 || process.pid !== this.#owner) return;
    try {
      this.start();
    } catch {
      // Whoever has a task for them is told.
    }
  }

  /** Starts the workers that there should be. @throws what the system says, if it cannot start even one. */
  start(): void {
    if (this.#state === 'terminated' || this.#state === 'broken' || this.#isOver) return;
    this.#generationFor(0);
    this.#replenish();
  }

  #number(fn: AnyFunction): number {
    return this.#functions.numberOf(fn) ?? this.#functions.add(fn);
  }

  /** Workers that know function `fn`. */
  #generationFor(fn: number): Generation {
    let current = this.#current;
    if (current?.known !== undefined && fn >= current.known && this.#method === 'fork') {
      current.retire();
      current = undefined;
    }
    if (current === undefined) {
      this.#generationCount += 1;
      if (this.#generationCount === MANY_GENERATIONS) {
        process.emitWarning(
          `a ${this.#options.title} has got a function that its workers do not know for the ${MANY_GENERATIONS - 1}th time, and forks ` +
            'new workers for each: define functions once and pass what differs as arguments, or name them in { functions }',
        );
      }
      current = this.#current = new Generation(this.#options.processes);
      this.#generations.add(current);
    }
    return current;
  }

  /** How many workers a generation should have. */
  #wanted(generation: Generation): number {
    const { processes, onDemand } = this.#options;
    if (generation.isRetired || this.#state === 'closing') {
      return Math.min(processes, generation.workers.size + generation.waiting);
    }
    return onDemand && this.#method !== 'fork' ? Math.min(processes, generation.outstanding.size) : processes;
  }

  #replenish(): void {
    for (const generation of this.#generations) {
      while (generation.workers.size < this.#wanted(generation)) {
        try {
          this.#crew.start(generation);
          generation.known ??= this.#functions.length;
        } catch (error) {
          // Nothing has ever worked: whoever asks is to know.
          if (this.#crew.started === 0) throw error;
          if (this.#crew.size === 0) this.#failures += 1;
          this.#checkFailures(error);
          if (this.#state !== 'broken') this.#retry ??= setTimeout(() => this.#startAgain(), RETRY_MS);
          return;
        }
      }
    }
  }

  #startAgain(): void {
    this.#retry = undefined;
    this.#replenish();
  }

  // ---- Answers ----

  /** Hears what has come, or comes in so many milliseconds. Whether that was anything. */
  look(timeoutMs = 0): boolean {
    return process.pid === this.#owner && this.#hear(timeoutMs);
  }

  /** Hears what workers have said. Whether they have said anything. */
  #hear(timeoutMs = 0): boolean {
    if (this.#unheard.length === 0) {
      if (this.#isOver) return false;
      this.#unheard = this.#answers.takeAll(timeoutMs).reverse();
    }
    let hasHeard = false;
    for (let message = this.#unheard.pop(); message !== undefined; message = this.#unheard.pop()) {
      hasHeard = true;
      this.#heard(message);
    }
    return hasHeard;
  }

  #heard(message: Message): void {
    const said = message.word(answerFacts.said);
    const worker = this.#crew.get(message.word(answerFacts.worker));
    if (said === Said.notReady) {
      if (worker) worker.failure = { error: failureIn(message) };
      return;
    }
    const generation = worker?.generation;
    const task = generation?.outstanding.get(message.word(answerFacts.number));
    if (worker === undefined || generation === undefined || task === undefined) return;
    const took = message.double(answerTook);
    worker.tasks += 1;
    worker.busyMs += took;
    this.#failures = 0;
    this.timeline.add(worker, task.index, message.double(answerSince), took);
    let outcome: Outcome;
    try {
      const value = message.value();
      if (said === Said.value) outcome = { value };
      else {
        if (said === Said.undecodable) this.#breakFor((value as Failure).error);
        const { error, item } = value as Failure;
        outcome = { error: traced(error, worker.name, worker.pid, task.index + item) };
      }
    } catch (error) {
      outcome = { error };
      this.#breakFor(error);
    }
    if (channels.poolTask.hasSubscribers) {
      const { name, pid } = worker;
      channels.poolTask.publish({ index: task.index, worker: name, pid, tookMs: took, failed: 'error' in outcome });
    }
    this.#settle(task, outcome);
  }

  /** What one side has sent, the other cannot read. */
  #breakFor(error: unknown): void {
    const cause =
      error instanceof ProcessError
        ? error
        : new ProcessError('ERR_MP_NOT_DESERIALIZABLE', `a value cannot be made anew: ${String(error)}`, {
            cause: error,
          });
    if (this.#options.breaks(cause)) this.#break(cause);
  }

  #settle(task: Task, outcome: Outcome): void {
    const { generation } = task;
    if (generation?.outstanding.get(task.number) !== task) return;
    generation.outstanding.delete(task.number);
    this.#deadlines.delete(task);
    task.args = undefined;
    generation.endIfRetired();
    task.owner.settle(outcome);
    this.#inputs.goOn();
    if (this.outstanding === 0) this.#rest();
  }

  /** There is nothing to wait for; but often there is more to do in the same turn of the event loop. */
  #rest(): void {
    this.#dismissAtEnd();
    if (this.#isResting) return;
    this.#isResting = true;
    setImmediate(() => {
      this.#isResting = false;
      if (this.outstanding > 0) return;
      this.#watch?.abort();
      this.#watch = undefined;
      this.#deadlines.disarm();
    });
  }

  /** Waits for answers from the event loop, which lives for as long as there are tasks. */
  #watchAnswers(): void {
    if (this.#watch !== undefined || this.outstanding === 0) return;
    const watch = (this.#watch = new AbortController());
    void (async () => {
      // In a forked child it is not to hear what is the parent's.
      while (!watch.signal.aborted && !this.#isOver && process.pid === this.#owner) {
        if (!this.#hear()) await this.#answers.itemsAsync(watch.signal);
      }
    })().catch((error: unknown) => {
      if (!watch.signal.aborted) throw error;
    });
  }

  /**
   * Blocks until `isDone`.
   *
   * @returns false after the timeout.
   * @throws InterruptedError
   */
  waitUntil(isDone: () => boolean, timeoutMs: number, what: string): boolean {
    if (!isDone()) this.checkMine(what);
    return waitUntil([this], isDone, timeoutMs, what);
  }

  /** Does what has to be done before this process blocks. How many milliseconds it may, at most. */
  prepareToBlock(): number {
    this.#putBack();
    const untilRetry = this.#retry ? RETRY_MS : Infinity;
    return Math.min(this.#deadlines.endLate(), this.#killAt - performance.now(), untilRetry);
  }

  /** What wakes a wait: the ends of workers, and answers. */
  get wakers(): { readonly workers: Worker[]; readonly answers: number } {
    return { workers: [...this.#crew.values()], answers: this.#answers.number };
  }

  /** Goes on after a wait, in which these workers have ended. */
  goOn(ended: readonly Worker[]): void {
    for (const worker of ended) this.#ended(worker);
    if (performance.now() >= this.#killAt) this.#endHard();
    if (this.#retry) {
      clearTimeout(this.#retry);
      this.#startAgain();
    }
  }

  // ---- Ends of workers ----

  #ended(worker: Worker): void {
    const { generation, slot } = worker;
    if (!generation.workers.has(worker)) return;
    const { exitCode } = worker.process;
    if (exitCode === null) return;
    const held = generation.lostWith(worker);
    while (this.#hear());
    const wasReady = generation.slots.isReady(slot);
    const memory = generation.slots.memory(slot);
    const item = generation.slots.item(slot);
    const lost = held && generation.outstanding.get(held.number) === held ? held : undefined;
    this.#crew.remove(worker);
    const isExpected =
      this.#state === 'terminated' || this.#state === 'broken' || (exitCode === 0 && lost === undefined);
    if (!isExpected || exitCode !== 0) this.#crew.endGroup(worker);
    if (!isExpected) {
      const error = this.#crew.lossOf(worker, exitCode, memory, lost && lost.index + item);
      if (this.#options.breaks(error)) this.#break(worker.failure ? this.#startFailure(worker.failure.error) : error);
      else if (lost) this.#lost(lost, error);
    }
    if (wasReady) this.#failures = this.#kills = 0;
    else if (!isExpected) {
      if (exitCode === -9 || exitCode === -15) this.#kills += 1;
      else this.#failures += 1;
      this.#checkFailures(worker.failure?.error ?? this.#crew.lossOf(worker, exitCode, memory, undefined));
    }
    if (this.#state === 'open' || this.#state === 'closing') {
      const before = this.#crew.started;
      this.#replenish();
      this.#restarts += this.#crew.started - before;
    }
    if (generation.isRetired && generation.workers.size === 0 && generation.outstanding.size === 0)
      this.#drop(generation);
    this.#deadlines.arm();
    if (this.#crew.size === 0 && this.outstanding === 0 && this.#state !== 'open') this.#over();
  }

  #lost(task: Task, error: WorkerLostError): void {
    if (task.retries === 0) {
      this.#settle(task, { error });
      return;
    }
    task.retries -= 1;
    task.generation?.outstanding.delete(task.number);
    task.generation?.endIfRetired();
    this.#deadlines.delete(task);
    // It is kept alive by the next attempt.
    this.submit([task]);
  }

  #checkFailures(cause: unknown): void {
    if (this.#failures < MOST_FAILURES && this.#kills < MOST_KILLS) return;
    this.#break(cause instanceof ForkError ? cause : this.#startFailure(cause));
  }

  #startFailure(cause: unknown): ProcessError {
    const reason = cause instanceof Error ? cause.message : String(cause);
    const message = `the workers of the ${this.#options.title} cannot be started: ${reason}`;
    return new ProcessError('ERR_MP_START_FAILED', message, { cause });
  }

  /** Nothing will be done any more. */
  #break(cause: ProcessError): void {
    if (this.#state === 'broken' || this.#state === 'terminated') return;
    this.#state = 'broken';
    this.#failure = cause;
    this.#stop('SIGTERM', () => this.#options.broken(cause));
  }

  // ---- Tasks that are given up ----

  /**
   * Gives a task up.
   *
   * @returns whether it had not been begun; undefined if it has been answered, or is another process's.
   */
  giveUp(task: Task, error: unknown, mayStop: boolean): boolean | undefined {
    if (process.pid !== this.#owner) return undefined;
    this.#hear();
    const { generation } = task;
    if (generation?.outstanding.get(task.number) !== task) return undefined;
    // Nobody wants it any more, if its worker has just been lost.
    if (mayStop) task.retries = 0;
    const isRecalled = generation.recall(task);
    // Others may have come back, even if this one did not.
    if (generation.hasRecalled) this.#putBackLater();
    if (isRecalled) {
      this.#settle(task, { error });
      return true;
    }
    if (mayStop) this.#stopTask(generation, task, error);
    return false;
  }

  /** Ends a task that is being run, unless it is being finished, or its worker has ended. */
  #stopTask(generation: Generation, task: Task, error: unknown): void {
    // Several: one that was killed as it was about to take it has left word of it, too.
    for (const holder of generation.holdersOf(task)) {
      if (!generation.slots.condemn(holder.slot, task.number)) continue;
      this.#crew.kill(holder);
      this.#settle(task, { error });
    }
  }

  /** Gives up all tasks that were not begun. */
  giveUpWaiting(error: unknown): void {
    for (const { outstanding } of this.#generations) {
      for (const task of outstanding.values()) this.giveUp(task, error, false);
    }
  }

  /** Whether a worker has begun with it. */
  isRunning(task: Task): boolean {
    return task.generation?.outstanding.get(task.number) === task && task.generation.isTaken(task);
  }

  #putBackLater(): void {
    if (this.#isPuttingBack) return;
    this.#isPuttingBack = true;
    queueMicrotask(() => {
      this.#isPuttingBack = false;
      this.#putBack();
    });
  }

  #putBack(): void {
    for (const generation of this.#generations) generation.putBack();
  }

  // ---- The end ----

  /** No tasks come any more; the workers end once all are done. */
  close(): void {
    if (this.#state !== 'open') return;
    // What its initializer does is to be done.
    if (this.#options.initializer !== undefined && !this.#options.onDemand) this.#startIfNotYet();
    this.#state = 'closing';
    this.#dismissAtEnd();
  }

  /** There is more to come of it, also after `close()`. */
  addInput(input: Input): void {
    this.#inputs.add(input);
  }

  /** It has come to its end. */
  removeInput(input: Input): void {
    if (this.#inputs.remove(input)) this.#dismissAtEnd();
  }

  /** Lets all workers go once all is done. */
  #dismissAtEnd(): void {
    if (this.#state !== 'closing' || this.outstanding > 0 || !this.#inputs.isEmpty) return;
    this.#isDismissed = true;
    for (const generation of this.#generations) generation.tasks.shutdown(false);
    if (this.#crew.size === 0) this.#over();
  }

  /** Ends the workers, whatever they do. Tasks that are not done fail with `error`. */
  terminate(signal: 'SIGKILL' | 'SIGTERM' = 'SIGTERM', error = (): ProcessError => this.#terminated()): void {
    if (this.#state === 'terminated' || this.#isOver) return;
    this.#state = 'terminated';
    this.#stop(signal, error);
  }

  #terminated(): ProcessError {
    return new ProcessError('ERR_MP_TERMINATED', `the ${this.#options.title} was terminated before this task was done`);
  }

  #stop(signal: 'SIGKILL' | 'SIGTERM', error: () => unknown): void {
    clearTimeout(this.#retry);
    this.#retry = undefined;
    for (const generation of this.#generations) generation.shutDown();
    this.#crew.killAll(signal);
    this.#killAt = performance.now() + GRACE_MS;
    setTimeout(() => this.#endHard(), GRACE_MS).unref();
    for (const generation of this.#generations) {
      for (const task of generation.outstanding.values()) this.#settle(task, { error: error() });
    }
    this.#rest();
    if (this.#crew.size === 0) this.#over();
  }

  /** The time is over in which they could end by themselves. */
  #endHard(): void {
    this.#killAt = Infinity;
    this.#crew.killAll('SIGKILL');
  }

  #drop(generation: Generation): void {
    this.#generations.delete(generation);
    generation.tasks.close();
  }

  #over(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#killAt = Infinity;
    for (const generation of this.#generations) this.#drop(generation);
    this.#current = undefined;
    this.#answers.close();
    this.timeline.end();
    for (const done of this.#overWaiters) done();
  }

  readonly #overWaiters = new Set<() => void>();

  /** Whether all workers have ended, and none will be started. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** Blocks until then. @returns false after the timeout. @throws InterruptedError */
  waitUntilOver(timeoutMs: number, what: string): boolean {
    if (this.#state === 'closing') {
      this.#inputs.checkCanBlock(what);
      this.#inputs.readOn();
    }
    return this.waitUntil(() => this.#isOver, timeoutMs, what);
  }

  /** Waits for that from the event loop. @returns false after the timeout. @throws the reason of `signal`. */
  async overAsync(timeoutMs: number, signal: AbortSignal | undefined): Promise<boolean> {
    signal?.throwIfAborted();
    if (this.#isOver) return true;
    if (this.#state === 'closing') this.#inputs.readOn();
    // While workers are awaited, the event loop lives.
    const stop = new AbortController();
    const awaitWorkers = async (): Promise<void> => {
      while (!stop.signal.aborted && this.#crew.size > 0) {
        const [worker] = this.#crew.values();
        await (worker as Worker).process.joinAsync({ signal: stop.signal });
        await new Promise(setImmediate);
      }
    };
    awaitWorkers().catch(() => {});
    try {
      return await race(
        (done) => {
          this.#overWaiters.add(done);
          return () => this.#overWaiters.delete(done);
        },
        timeoutMs,
        signal,
      );
    } finally {
      stop.abort();
    }
  }
}
