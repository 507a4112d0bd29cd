/**
 * The Node side of the samples: `ours` loads the package, `rivals` does not, so that it cannot be in their way. Requests are
 * served from the event loop, as in a real program. See ../harness/helper.ts for the protocol.
 */

import childProcess from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';

import type { Kernel, kernels as Kernels } from './kernels.ts';
import { nothing, stay } from './nothing.ts';

type Package = typeof import('node-multiprocessing');
type Answer = Record<string, unknown>;
type Sample = () => Answer | Promise<Answer>;

const [role = '', emptyScript = '', scratchFile = '', idleScript = ''] = process.argv.slice(2);

const SLICES = 40;
const PAUSE_MS = 10;
const ballast: unknown[] = [];

let library: Package | undefined;
let copies = 0;

function ours(): Package {
  if (library === undefined) throw new Error("only the 'ours' helper has the package");
  return library;
}

const elapsedSince = (started: bigint): number => Number(process.hrtime.bigint() - started);

/** One child that is no copy of this process, some time after the one before. */
async function otherWay(method: 'forkserver' | 'spawn'): Promise<Answer> {
  const { Process } = ours().getContext(method);
  // A spare needs a moment to be there; programs rarely start children one after the other without a pause.
  await delay(PAUSE_MS);
  const started = process.hrtime.bigint();
  const child = new Process({ target: nothing });
  child.start();
  child.join();
  const ns = elapsedSince(started);
  if (child.exitCode !== 0) throw new Error(`the child ended with ${child.exitCode}`);
  return { ns };
}

const samples: Readonly<Record<string, Sample>> = {
  process() {
    const { Process } = ours();
    const started = process.hrtime.bigint();
    const child = new Process({ target: nothing });
    child.start();
    child.join();
    const ns = elapsedSince(started);
    if (child.exitCode !== 0) throw new Error(`the child ended with ${child.exitCode}`);
    return { ns, split: splitOfLastFork() };
  },

  forkserver: () => otherWay('forkserver'),

  'forkserver-many': async () => {
    const { getContext } = ours();
    const { Process } = getContext('forkserver');
    const count = 20;
    const started = process.hrtime.bigint();
    const children = Array.from({ length: count }, () => new Process({ target: nothing }));
    for (const child of children) child.start();
    for (const child of children) child.join();
    const ns = elapsedSince(started) / count;
    if (children.some(({ exitCode }) => exitCode !== 0)) throw new Error('a child has failed');
    return { ns };
  },

  'spawn-process': () => otherWay('spawn'),

  'node-e-0'() {
    const started = process.hrtime.bigint();
    const { status } = childProcess.spawnSync(process.execPath, ['-e', '0'], { stdio: 'ignore' });
    const ns = elapsedSince(started);
    if (status !== 0) throw new Error(`node ended with ${status}`);
    return { ns };
  },

  fork() {
    const { fork, waitpid, _exit } = ours();
    const started = process.hrtime.bigint();
    const pid = fork();
    if (pid === 0) _exit(0);
    const { status } = waitpid(pid);
    const ns = elapsedSince(started);
    if (status !== 0) throw new Error(`the child ended with status ${status}`);
    return { ns };
  },

  async 'child_process.fork'() {
    const started = process.hrtime.bigint();
    const child = childProcess.fork(emptyScript, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
    const [code] = (await once(child, 'exit')) as [number | null];
    const ns = elapsedSince(started);
    if (code !== 0) throw new Error(`the child ended with ${code}`);
    return { ns };
  },

  async worker_threads() {
    const started = process.hrtime.bigint();
    const [code] = (await once(new Worker(emptyScript), 'exit')) as [number];
    const ns = elapsedSince(started);
    if (code !== 0) throw new Error(`the thread ended with ${code}`);
    return { ns };
  },

  async spawn() {
    const command = existsSync('/bin/true') ? '/bin/true' : '/usr/bin/true';
    const started = process.hrtime.bigint();
    const child = childProcess.spawn(command, { stdio: 'ignore' });
    const callNs = elapsedSince(started);
    const [code] = (await once(child, 'exit')) as [number | null];
    const ns = elapsedSince(started);
    if (code !== 0) throw new Error(`${command} ended with ${code}`);
    return { callNs, ns };
  },
};

/** Children and threads that stay, until they are released. */
const idlers: { release(): unknown }[] = [];

/** One that does nothing and stays, once it is up: its process id, if it has one of its own. */
const idle: Readonly<Record<string, () => number | undefined | Promise<number | undefined>>> = {
  fork: () => idleProcess('fork'),
  forkserver: () => idleProcess('forkserver'),
  spawn: () => idleProcess('spawn'),

  async 'child_process.fork'() {
    const child = childProcess.fork(idleScript, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
    idlers.push({ release: () => child.kill('SIGKILL') });
    await once(child, 'message');
    return child.pid;
  },

  async worker_threads() {
    const worker = new Worker(idleScript);
    idlers.push({ release: () => worker.terminate() });
    await once(worker, 'message');
    return undefined;
  },
};

function idleProcess(method: 'fork' | 'forkserver' | 'spawn'): number | undefined {
  const { Event, getContext } = ours();
  const isUp = new Event();
  const { Process } = getContext(method);
  const child = new Process({ target: stay, args: [isUp] });
  child.start();
  idlers.push({
    release() {
      child.kill();
      child.join();
    },
  });
  isUp.wait();
  return child.pid ?? undefined;
}

/** Not part of the public API: absent in builds that do not measure themselves. */
function splitOfLastFork(): unknown {
  const timings = (ours() as Record<string, unknown>)['lastForkTimings'];
  if (typeof timings !== 'function') return undefined;
  const record = timings() as Record<string, number | bigint> | null | undefined;
  return record && Object.fromEntries(Object.entries(record).map(([name, ns]) => [name, Number(ns)]));
}

function grow(kind: string, bytes: number): Answer {
  if (kind === 'buffers') {
    const block = 1 << 20;
    for (let done = 0; done < bytes; done += block) ballast.push(Buffer.alloc(block, 1));
    return {};
  }
  const before = process.memoryUsage().heapUsed;
  while (process.memoryUsage().heapUsed - before < bytes) {
    ballast.push(Array.from({ length: 10_000 }, (_, id) => ({ id, name: `item ${id}`, next: { id: id + 1 } })));
  }
  return {};
}

/** A copy of the kernel that the engine has seen once, with nothing to do, and never optimised. */
async function freshKernel(kind: string): Promise<{ run: Kernel; size: number }> {
  copies += 1;
  const file = new URL(import.meta.url.endsWith('.ts') ? './kernels.ts' : './kernels.js', import.meta.url);
  const { kernels } = (await import(`${file.href}?copy=${copies}`)) as { kernels: typeof Kernels };
  const kernel = kernels[kind];
  if (kernel === undefined) throw new Error(`no kernel '${kind}'`);
  kernel.run(0);
  return kernel;
}

function slicesOf({ run, size }: { run: Kernel; size: number }): number[] {
  return Array.from({ length: SLICES }, () => {
    const started = process.hrtime.bigint();
    run(size);
    return elapsedSince(started);
  });
}

async function cpu(kind: string, where: string): Promise<Answer> {
  const kernel = await freshKernel(kind);
  if (where === 'parent') return { slicesNs: slicesOf(kernel) };
  const { Process } = ours();
  writeFileSync(scratchFile, '');
  const child = new Process({ target: () => writeFileSync(scratchFile, JSON.stringify(slicesOf(kernel))) });
  child.start();
  child.join();
  if (child.exitCode !== 0) throw new Error(`the child ended with ${child.exitCode}`);
  return { slicesNs: JSON.parse(readFileSync(scratchFile, 'utf8')) as unknown };
}

async function answerTo(words: readonly string[]): Promise<Answer> {
  const [verb = '', first = '', second = ''] = words;
  if (verb === 'grow') return grow(first, Number(second));
  if (verb === 'idle') return { pid: (await idle[first]?.()) ?? null };
  if (verb === 'release') {
    for (const each of idlers.splice(0)) await each.release();
    return {};
  }
  if (verb === 'cpu') return cpu(first, second);
  const sample = samples[first];
  if (verb !== 'sample' || sample === undefined) throw new Error(`unknown request '${words.join(' ')}'`);
  return sample();
}

// Written directly: nothing may wait in a buffer of this process while it forks.
const say = (answer: Answer): number => writeSync(1, `${JSON.stringify(answer)}\n`);
const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

if (role === 'ours') {
  try {
    library = await import('node-multiprocessing');
  } catch (error) {
    say({ unavailable: `node-multiprocessing cannot be loaded: ${messageOf(error).split('\n')[0]}` });
    process.exit(0);
  }
}
say({ ready: true });
for await (const line of createInterface({ input: process.stdin })) {
  try {
    say(await answerTo(line.split(' ')));
  } catch (error) {
    say({ error: messageOf(error) });
  }
}
process.exit(0);
