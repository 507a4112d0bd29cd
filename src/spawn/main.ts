/**
 * What a spawned child runs: it takes over what its parent has given it, and runs the target.
 */
import { Connection } from '../connection.ts';
import { EOFError } from '../connection/errors.ts';
import { closeAll } from '../connection/handles.ts';
import { fail, targetDone, tellErrors } from '../fork/child.ts';
import { native } from '../native.ts';
import { Process } from '../process.ts';
import { decode } from '../serialize/index.ts';
import { setOwnName } from '../shared/block.ts';
import { findMethod, settleMethod } from '../start-methods.ts';
import { whileImporting } from './importing.ts';
import { load } from './locate.ts';
import type { Preparation } from './spawn.ts';

async function main(): Promise<void> {
  const channel = new Connection(native.SPAWN_CHANNEL);
  const first = received(channel);
  const { seats, name, daemon, parent, argv, modules } = JSON.parse(first.bytes.toString()) as Preparation;
  if (daemon) native.endWithParent(parent.pid);
  native.adoptArenas(first.descriptors, [...seats]);
  setOwnName(name);
  tellErrors(name);
  process.argv.splice(0, Infinity, ...argv);
  Process.becomeChild(name, parent);
  settleMethod(findMethod('spawn'));
  try {
    await whileImporting(async () => {
      for (const module of modules) await load(module);
    });
    const { bytes, descriptors } = received(channel);
    channel.close();
    const left = [...descriptors];
    const work = decode(bytes, 0, bytes.length, true, () => left.shift() as number);
    closeAll(left);
    await Process.revive(work as never).run();
    targetDone();
  } catch (error) {
    fail(error);
  }
}

/** What the parent has sent. Without a parent there is nothing to do, and nobody to tell. */
function received(channel: Connection): ReturnType<Connection['recvMessage']> {
  try {
    return channel.recvMessage();
  } catch (error) {
    if (error instanceof EOFError) process.exit(1);
    throw error;
  }
}

void main();
