/**
 * The helper of the start method `forkserver`: a clean process that forks on request. It runs nothing but the modules that it imports,
 * waits in one native call, and has children forked ahead of need.
 */
import { closeSync } from 'node:fs';

import { Connection, Pipe } from '../connection.ts';
import { EOFError } from '../connection/errors.ts';
import { closeAll } from '../connection/handles.ts';
import { waitReady } from '../connection/ready.ts';
import { relabel } from '../fork/child.ts';
import { DEFAULT_QUIET_TIMEOUT_MS, startByFork } from '../fork/fork.ts';
import { native } from '../native.ts';
import { Process } from '../process.ts';
import { whileImporting } from '../spawn/importing.ts';
import { isLoaded, load } from '../spawn/locate.ts';
import { takeOver } from '../spawn/take-over.ts';
import type { Hello, Offer, Request } from './protocol.ts';
import { rehearse } from './rehearsal.ts';

const control = new Connection(native.SPAWN_CHANNEL);
let owner: Hello['owner'];

/** By pid of each child: where its end is to be told. */
const relays = new Map<number, number>();

/** Child: nothing of the helper's (but that it ignores Ctrl-C until it has work), and nothing of earlier children, is its business. */
function leaveHelper(): void {
  control.close();
  closeAll([...relays.values()]);
}

/** Child: a descriptor that is readable once the owner has ended. If it has, there is nobody to work for. */
function watchOwner(): number {
  try {
    return native.openExitWatch(owner.pid);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') native.exitNow(1);
    throw error;
  }
}

/** Child: waits for its work and does it. */
function work(channel: Connection): Promise<unknown> {
  const sentinel = watchOwner();
  // Some forked child of the owner's may have a copy of the channel, too: then only the sentinel tells of the owner's end.
  const { ready } = waitReady([channel.fileno(), sentinel], 'read', Infinity, 'a child of the forkserver');
  if (!ready.includes(0)) native.exitNow(1);
  return takeOver(channel, {
    method: 'forkserver',
    begin({ name, daemon }) {
      native.ignoreInterrupt(false);
      relabel(name);
      if (daemon) native.endWith(native.duplicateDescriptor(sentinel));
    },
    parentSentinel: sentinel,
  });
}

/** Forks a child that waits for work, and offers it. */
function offerSpare(generation: number): void {
  const [channel, its] = Pipe();
  const [told, tells] = Pipe(false);
  let offer: Offer;
  const passed = [channel.fileno(), told.fileno()];
  let sentinel: number | undefined;
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
          for (const each of [channel, told, tells]) each.close();
          leaveHelper();
        },
        run: () => work(its),
      },
      rehearse: (run) => run({ begin() {}, run() {} }),
    });
    relays.set(pid, native.duplicateDescriptor(tells.fileno()));
    sentinel = native.openExitWatch(pid);
    passed.splice(1, 0, sentinel);
    offer = { generation, pid };
  } catch (error) {
    const { code = 'ERR_MP_START_FAILED', message } = error as NodeJS.ErrnoException;
    passed.length = 0;
    offer = { generation, code, message };
  }
  try {
    control.sendMessage({ head: Buffer.from(JSON.stringify(offer)), parts: [], descriptors: passed });
  } finally {
    if (sentinel !== undefined) closeSync(sentinel);
    for (const each of [channel, its, told, tells]) each.close();
  }
}

/** Imports modules for all children to come. What goes wrong is for the child to find and to tell. */
async function preload(modules: readonly string[]): Promise<void> {
  const missing = modules.filter((url) => !isLoaded(url));
  if (missing.length === 0) return;
  await whileImporting(async () => {
    for (const url of missing) await load(url).catch(() => {});
  });
}

async function answer({ bytes }: ReturnType<Connection['recvMessage']>): Promise<void> {
  const { generation, modules, count } = JSON.parse(bytes.toString()) as Request;
  await preload(modules);
  for (let i = 0; i < count; i += 1) {
    await rehearse('forkserver', owner).catch(() => {});
    offerSpare(generation);
  }
}

/** Tells how children have ended. */
function reap(): void {
  for (const { pid, status } of native.reapEnded()) {
    const relay = relays.get(pid);
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
