/**
 * What the workers of a pool run: tasks, one after the other.
 */
import { ShutDown } from '../errors.ts';
import { native } from '../native.ts';
import { Process, currentProcess, parentProcess } from '../process.ts';
import { addKind } from '../shared/passing.ts';
import { callFor, isThenable } from './calls.ts';
import { Channel, FACTS, type Message } from './channel.ts';
import { ImportedFunctions, type AnyFunction, type FunctionTable } from './functions.ts';
import { privateMemory } from './memory.ts';
import { prefixOutput } from './output.ts';
import { List, encode } from '../serialize/index.ts';
import { Mode, Said, answerFacts, answerSince, answerTook, taskFacts, type Failure } from './protocol.ts';
import { Slots } from './slots.ts';

/** What a worker needs. */
export interface Kit {
  readonly tasks: Channel;
  readonly answers: Channel;
  readonly functions: FunctionTable;
  readonly slots: Slots;
  /** Its own slot. */
  readonly slot: number;
  /** Its number among all workers of the pool. */
  readonly worker: number;
  readonly initializer: AnyFunction | undefined;
  readonly initargs: readonly unknown[];
  /** It ends after so many tasks. */
  readonly maxTasks: number;
  /** It ends after a task that leaves it with more private memory than this, in bytes. */
  readonly maxMemory: number;
  /** Lines that it prints begin with its name. */
  readonly prefixesOutput: boolean;
}

// What a worker is given that is not forked.
addKind<number>('Channel', (handle, claim) => Channel.open(handle, claim()));
addKind<number>('Slots', (length) => new Slots(length));
addKind('ImportedFunctions', () => new ImportedFunctions());

/** How long a worker without work blocks before it lets its event loop turn, in milliseconds. */
const BLOCK_MS = 2;
/** For how long tasks may follow each other without a turn of the event loop, in milliseconds. */
const TURN_MS = 10;
/** How often it looks how much memory it has, in milliseconds; more often, where there is a limit and a look costs little. */
const LOOK_MS = 200;
/** The part of its time that it may look. */
const LOOK_PART = 1 / 20;

const facts = new Uint8Array(FACTS);
const view = new DataView(facts.buffer);

/** Runs tasks until there are no more. */
export async function serve(kit: Kit): Promise<never> {
  const { slots, slot, initializer, initargs } = kit;
  const sentinel = parentProcess()?.openSentinel();
  // Without a parent there is nothing to do.
  if (sentinel === undefined) return process.exit(1);
  native.leadGroup(sentinel);
  Process.allowChildren();
  if (kit.prefixesOutput) prefixOutput(currentProcess().name);
  view.setUint32(4 * answerFacts.worker, kit.worker, true);
  if (initializer !== undefined) {
    try {
      await initializer(...(initargs as never[]));
    } catch (error) {
      sayFailure(kit, Said.notReady, 0, 0, { error, item: 0 });
      throw error;
    }
  }
  slots.setMemory(slot, process.memoryUsage.rss());
  slots.setReady(slot);
  try {
    await work(kit);
  } catch (error) {
    if (!(error instanceof ShutDown)) throw error;
  }
  // Whatever its tasks have left in the event loop is not to keep it.
  process.exit(0);
}

async function work(kit: Kit): Promise<void> {
  const { tasks, slots, slot, maxTasks } = kit;
  const claim = slots.claimOf(slot);
  let turned = performance.now();
  let looked = -Infinity;
  let pause = LOOK_MS;
  for (let done = 0; done < maxTasks; done += 1) {
    let message = tasks.take(claim, BLOCK_MS);
    const now = performance.now();
    if (message === undefined) {
      message = (await tasks.takeAsync(claim)) as Message;
      turned = performance.now();
    } else if (now - turned > TURN_MS) {
      // Others may use the memory for messages.
      message = message.keep();
      await new Promise(setImmediate);
      turned = performance.now();
    }
    const running = run(kit, message, performance.now());
    if (running !== undefined) await running;
    const end = performance.now();
    if (end - looked > pause) {
      const isLimited = kit.maxMemory < Infinity;
      const memory = isLimited ? privateMemory() : process.memoryUsage.rss();
      slots.setMemory(slot, memory);
      if (memory > kit.maxMemory) return;
      looked = performance.now();
      if (isLimited) pause = Math.min(LOOK_MS, (looked - end) / LOOK_PART);
    }
  }
}

/** Runs a task and says what has come of it. */
function run(kit: Kit, message: Message, begin: number): Promise<void> | undefined {
  const number = kit.slots.claimed(kit.slot) as number;
  const mode = message.word(taskFacts.mode) as Mode;
  let item = 0;
  kit.slots.setItem(kit.slot, 0);
  const begins = (next: number): void => {
    item = next;
    kit.slots.setItem(kit.slot, next);
  };
  const succeed = (value: unknown): void => {
    finish(kit, number);
    const took = performance.now() - begin;
    try {
      say(kit, Said.value, number, took, mode === Mode.apply ? value : new List(value as readonly unknown[]));
    } catch (error) {
      const culprit = mode === Mode.apply ? 0 : (value as readonly unknown[]).findIndex((each) => !isCarried(each));
      sayFailure(kit, Said.error, number, took, { error, item: Math.max(culprit, 0) });
    }
  };
  const fail = (error: unknown): void => {
    finish(kit, number);
    const took = performance.now() - begin;
    if (error instanceof Undecodable) sayFailure(kit, Said.undecodable, number, took, { error: error.cause, item });
    else sayFailure(kit, Said.error, number, took, { error, item });
  };
  let value: unknown;
  try {
    const fn = kit.functions.get(message.word(taskFacts.fn));
    // The arguments may be of classes that its module registers.
    if (isThenable(fn)) {
      const kept = message.keep();
      value = fn.then((found) => callFor(found as AnyFunction, mode, argsOf(kept), begins));
    } else value = callFor(fn, mode, argsOf(message), begins);
  } catch (error) {
    fail(error);
    return undefined;
  }
  if (isThenable(value)) return Promise.resolve(value).then(succeed, fail);
  succeed(value);
  return undefined;
}

/** A task cannot be read; `cause` says why. */
class Undecodable extends Error {}

function argsOf(message: Message): readonly unknown[] {
  try {
    return message.value() as readonly unknown[];
  } catch (cause) {
    throw new Undecodable(undefined, { cause });
  }
}

function isCarried(value: unknown): boolean {
  try {
    encode(Buffer.alloc(0), 0, value);
    return true;
  } catch {
    return false;
  }
}

/** The task is done with, unless this worker is to die for it: then the end is on its way. */
function finish({ slots, slot }: Kit, number: number): void {
  if (slots.finish(slot, number)) return;
  process.kill(process.pid, 'SIGKILL');
}

/** Says something of task `number`. @throws if `value` cannot be carried. */
function say({ answers, slots, slot }: Kit, said: number, number: number, took: number, value: unknown): void {
  view.setUint32(4 * answerFacts.said, said, true);
  view.setUint32(4 * answerFacts.number, number, true);
  view.setFloat64(8 * answerSince, slots.since(slot), true);
  view.setFloat64(8 * answerTook, took, true);
  answers.put(facts, value);
}

/** Says why it went wrong, as far as that can be carried. */
function sayFailure(kit: Kit, said: number, number: number, took: number, failure: Failure): void {
  try {
    say(kit, said, number, took, failure);
  } catch (error) {
    say(kit, said, number, took, { ...failure, error } satisfies Failure);
  }
}
