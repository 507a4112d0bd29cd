/**
 * Child that is no copy of its parent: what it is given becomes this process.
 */
import type { Connection } from '../connection.ts';
import { EOFError } from '../connection/errors.ts';
import { closeAll } from '../connection/handles.ts';
import { native } from '../native.ts';
import { Process } from '../process.ts';
import { decode } from '../serialize/index.ts';
import { setOwnName } from '../shared/block.ts';
import { findMethod, settleMethod, type StartMethodName } from '../start-methods.ts';
import { whileImporting } from './importing.ts';
import { load } from './locate.ts';
import type { Preparation } from './preparation.ts';
import { applySettings } from './settings.ts';

/** How it differs from start method to start method. */
export interface Way {
  readonly method: StartMethodName;
  /** Called as soon as it is known what the process is. */
  begin(preparation: Preparation): void;
  /** This is the rehearsal of a helper, which has its shared memory. */
  readonly isRehearsal?: boolean;
  /** A descriptor that tells of the parent's end, if that is not the process that made this one. */
  readonly parentSentinel?: number;
}

/** Takes over from `channel` what this process is to be, and runs its target. */
export async function takeOver(channel: Connection, way: Way): Promise<unknown> {
  const first = received(channel);
  const preparation = JSON.parse(first.bytes.toString()) as Preparation;
  const { seats, name, parent, argv, modules, settings = {}, cwd, environment } = preparation;
  way.begin(preparation);
  if (way.isRehearsal !== true) native.adoptArenas(first.descriptors, [...seats]);
  setOwnName(name);
  process.argv.splice(0, Infinity, ...argv);
  if (cwd !== undefined) process.chdir(cwd);
  for (const [variable, value] of Object.entries(environment ?? {})) {
    if (value === null) Reflect.deleteProperty(process.env, variable);
    else process.env[variable] = value;
  }
  Process.becomeChild(name, parent, way.parentSentinel);
  settleMethod(findMethod(way.method));
  await whileImporting(async () => {
    for (const module of modules) await load(module);
  });
  applySettings(settings);
  const { bytes, descriptors } = received(channel);
  channel.close();
  const left = [...descriptors];
  const work = decode(bytes, 0, bytes.length, true, () => left.shift() as number);
  closeAll(left);
  return Process.revive(work as never).run();
}

/** What the parent has sent. Without a parent there is nothing to do, and nobody to tell. */
export function received(channel: Connection): ReturnType<Connection['recvMessage']> {
  try {
    return channel.recvMessage();
  } catch (error) {
    if (error instanceof EOFError) process.exit(1);
    throw error;
  }
}
