/**
 * The helper of the start method `forkserver`: a clean process that forks on request. It runs nothing but the modules that it imports,
 * waits in one native call, and has children forked ahead of need.
 */
import { closeSync } from 'node:fs';

import { Connection, Pipe } from '../connection.ts';
import { EOFError } from '../connection/errors.ts';
import { closeAll } from '../connection/handles.ts';
import { relabel } from '../fork/child.ts';
import { DEFAULT_QUIET_TIMEOUT_MS, startByFork } from '../fork/fork.ts';
import { native } from '../native.ts';
import { Process } from '../process.ts';
import { whileImporting } from '../spawn/importing.ts';
import { isLoaded, load } from '../spawn/locate.ts';
import { received, takeOver } from '../spawn/take-over.ts';
import type { Hello, Reply, Request } from './protocol.ts';

const control = new Connection(native.SPAWN_CHANNEL);
let owner: Hello['owner'];

/** A child that waits for something to do. */
interface Spare {
  readonly pid: number;
  readonly channel: Connection;
}

let spares: Spare[] = [];
/** Descriptors of the request under way. */
let inHand: readonly number[] = [];
/** By pid of each child at work: where its end is to be told. */
const relays = new Map<number, number>();

/** Child: nothing of the helper's, and nothing of earlier children, is its business. */
function leaveHelper(): void {
  control.close();
  for (const { channel } of spares) channel.close();
  closeAll([...relays.values(), ...inHand]);
  native.ignoreInterrupt(false);
}

/** Child: waits for its work and does it. */
function work(channel: Connection): Promise<unknown> {
  const [fd] = received(channel).descriptors;
  channel.close();
  return takeOver(new Connection(fd as number), {
    method: 'forkserver',
    begin({ name, daemon, parent }) {
      relabel(name);
      if (daemon) native.endWith(native.openExitWatch(parent.pid));
    },
    parentSentinel: ({ parent }) => native.openExitWatch(parent.pid),
  });
}

function forkSpare(): Spare {
  const [channel, its] = Pipe();
  try {
    const pid = startByFork({
      name: 'a child of the forkserver',
      daemon: false,
      quietTimeoutMs: DEFAULT_QUIET_TIMEOUT_MS,
      parent: owner,
      describe: () => undefined,
      handedOver: [],
      program: {
        begin() {
          channel.close();
          leaveHelper();
        },
        run: () => work(its),
      },
      rehearse: (run) => run({ begin() {}, run() {} }),
    });
    return { pid, channel };
  } catch (error) {
    channel.close();
    throw error;
  } finally {
    its.close();
  }
}

/** Has `count` spares wait. What keeps it from that is told when one is asked for. */
function refill(count: number): void {
  try {
    while (spares.length < count) spares.push(forkSpare());
  } catch {
    // As said above.
  }
}

/** Imports modules for all children to come. What goes wrong is for the child to find and to tell. */
async function preload(modules: readonly string[]): Promise<void> {
  const missing = modules.filter((url) => !isLoaded(url));
  if (missing.length === 0) return;
  await whileImporting(async () => {
    for (const url of missing) await load(url).catch(() => {});
  });
  // They lack these modules.
  for (const { channel } of spares) channel.close();
  spares = [];
}

/** Gives a spare its work. @returns its pid. */
function employ(channel: number): number {
  for (;;) {
    const spare = spares.shift() ?? forkSpare();
    try {
      spare.channel.sendMessage({ head: Buffer.of(1), parts: [], descriptors: [channel] });
      return spare.pid;
    } catch (error) {
      // It has been killed.
      if ((error as NodeJS.ErrnoException).code !== 'EPIPE') throw error;
    } finally {
      spare.channel.close();
    }
  }
}

async function answer({ bytes, descriptors }: ReturnType<Connection['recvMessage']>): Promise<void> {
  const [channel, relay] = descriptors as [number, number];
  inHand = descriptors;
  let reply: Reply;
  const passed: number[] = [];
  try {
    const { modules } = JSON.parse(bytes.toString()) as Request;
    await preload(modules);
    const pid = employ(channel);
    relays.set(pid, relay);
    // It is not reaped before this.
    passed.push(native.openExitWatch(pid));
    reply = { pid };
  } catch (error) {
    const { code = 'ERR_MP_START_FAILED', message } = error as NodeJS.ErrnoException;
    reply = { code, message };
    closeSync(relay);
  } finally {
    closeSync(channel);
    inHand = [];
  }
  control.sendMessage({ head: Buffer.from(JSON.stringify(reply)), parts: [], descriptors: passed });
  closeAll(passed);
}

/** Tells how children have ended. */
function reap(): void {
  for (const { pid, status } of native.reapEnded()) {
    const relay = relays.get(pid);
    spares = spares.filter((spare) => {
      if (spare.pid !== pid) return true;
      spare.channel.close();
      return false;
    });
    if (relay === undefined) continue;
    relays.delete(pid);
    const word = Buffer.from(Int32Array.of(status ?? 255 << 8).buffer);
    try {
      native.writeAll(relay, word);
    } catch {
      // Nobody wants to know.
    }
    closeSync(relay);
  }
}

async function serve(): Promise<void> {
  const hello = JSON.parse(control.recvBytes().toString()) as Hello;
  ({ owner } = hello);
  native.endWithParent(owner.pid);
  native.ignoreInterrupt(true);
  process.argv.splice(0, Infinity, ...hello.argv);
  Process.becomeChild('forkserver', owner);
  await preload(hello.preload);
  for (;;) {
    refill(hello.spares);
    if (native.awaitRequest(control.fileno())) await answer(control.recvMessage());
    reap();
  }
}

serve().catch((error: unknown) => {
  // Its owner is gone, or has another one. Its children are their parent's to wait for.
  if (!(error instanceof EOFError) && (error as NodeJS.ErrnoException).code !== 'EPIPE') {
    process.stderr.write(
      `node-multiprocessing: the forkserver has failed: ${String((error as Error)?.stack ?? error)}\n`,
    );
  }
  native.exitNow(1);
});
