/**
 * What a spawned child runs: it takes over what its parent has given it, and runs the target.
 */
import { Connection } from '../connection.ts';
import { closeAll } from '../connection/handles.ts';
import { native } from '../native.ts';
import { Process } from '../process.ts';
import { decode } from '../serialize/index.ts';
import { setOwnName } from '../shared/block.ts';
import { findMethod, settleMethod } from '../start-methods.ts';
import { whileImporting } from './importing.ts';
import { load } from './locate.ts';
import { report } from './report.ts';
import type { Preparation } from './spawn.ts';

/** Exit code of Node for a promise that can never settle. */
const UNSETTLED = 13;

async function main(): Promise<void> {
  const channel = new Connection(native.SPAWN_CHANNEL);
  const first = channel.recvMessage();
  const { seats, name, daemon, parent, argv, modules } = JSON.parse(first.bytes.toString()) as Preparation;
  if (daemon) native.endWithParent(parent.pid);
  native.adoptArenas(first.descriptors, [...seats]);
  setOwnName(name);
  process.argv.splice(0, Infinity, ...argv);
  Process.becomeChild(name, parent);
  settleMethod(findMethod('spawn'));
  let target: Promise<unknown>;
  let isDone = false;
  process.once('beforeExit', () => {
    if (isDone) return;
    process.stderr.write(`Process ${name}: its target awaits a promise that nothing is left to settle\n`);
    process.exit(process.exitCode ?? UNSETTLED);
  });
  try {
    await whileImporting(async () => {
      for (const module of modules) await load(module);
    });
    const { bytes, descriptors } = channel.recvMessage();
    channel.close();
    const left = [...descriptors];
    const work = decode(bytes, 0, bytes.length, true, () => left.shift() as number);
    closeAll(left);
    target = Promise.resolve(Process.revive(work as never).run());
    await target;
  } catch (error) {
    report(name, error);
  }
  isDone = true;
}

void main();
