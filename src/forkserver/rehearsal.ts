/**
 * Helper: has all that a child will run compiled, and touched, before there is one. Otherwise each child does that anew.
 */
import { Pipe } from '../connection.ts';
import { packageRoot } from '../package-root.ts';
import { Process } from '../process.ts';
import { handOver, pack } from '../spawn/preparation.ts';
import { takeOver } from '../spawn/take-over.ts';
import { Queue, SimpleQueue } from '../queues.ts';
import { SharedArray } from '../shared-array.ts';
import { Barrier } from '../synchronize/barrier.ts';
import { Condition } from '../synchronize/condition.ts';
import { Event } from '../synchronize/event.ts';
import { Lock } from '../synchronize/lock.ts';
import { Semaphore } from '../synchronize/semaphore.ts';
import { RawValue, Value } from '../value.ts';

/** A target that does nothing. */
const nothing = { module: new URL('dist/forkserver/nothing.js', packageRoot) };

/** For how long V8 is trusted not to have thrown away what was compiled, in milliseconds. */
const LASTS_MS = 1000;
let rehearsedAt = Number.NEGATIVE_INFINITY;

/** How often it is done at first. */
const TIMES = 3;

/** What a child is given, of many kinds. */
let parts: readonly unknown[] | undefined;

function given(): readonly unknown[] {
  const lock = new Lock();
  const values = [new Value('i32', 1, { lock }), new SharedArray('f64', [1], { lock }), new RawValue('f64')];
  const waits = [new Event(), new Semaphore(), new Condition(), new Barrier(1)];
  return [
    lock,
    values,
    waits,
    new Queue(),
    new SimpleQueue(),
    new Error('an error'),
    new Map([[1, { of: 'many kinds' }]]),
  ];
}

/** Takes over a child's work that comes to nothing, in this process, which is then called `name` again. */
export async function rehearse(name: string, parent: { readonly name: string; readonly pid: number }): Promise<void> {
  const now = performance.now();
  if (now - rehearsedAt < LASTS_MS) return;
  const times = rehearsedAt === Number.NEGATIVE_INFINITY ? TIMES : 1;
  rehearsedAt = now;
  parts ??= given();
  const { argv } = process;
  const before = [...argv];
  for (let time = 0; time < times; time += 1) {
    const [here, there] = Pipe();
    try {
      const child = Process.description(new Process({ target: nothing, args: parts as never }));
      const work = pack(child);
      handOver(here, process.pid, child, work, { arenas: [], seats: [] });
      await takeOver(there, { method: 'forkserver', isRehearsal: true, begin() {} });
    } finally {
      here.close();
      there.close();
      argv.splice(0, Infinity, ...before);
      Process.becomeChild(name, parent);
    }
  }
}
