/**
 * What a child that is no copy of its parent is told, and how.
 */
import type { Seat } from '../../index.js';
import { toMessage, type Connection, type Outgoing } from '../connection.ts';
import { InterruptedError, ProcessError } from '../errors.ts';
import type { Child as ForkedChild } from '../fork/fork.ts';
import { native } from '../native.ts';
import { whileStartingChild } from '../shared/passing.ts';
import { gatherModules, thisPackage } from './functions.ts';
import { changedSettings } from './settings.ts';

/** A child to be started. */
type Child = Pick<ForkedChild, 'name' | 'daemon' | 'parent' | 'describe'>;

/** What a child needs before it can read the rest. */
export interface Preparation {
  /** Its seats in the parent's arenas, whose files come with this. */
  readonly seats: readonly Seat[];
  readonly name: string;
  readonly daemon: boolean;
  readonly parent: { readonly name: string; readonly pid: number };
  readonly argv: readonly string[];
  readonly modules: readonly string[];
  /** Settings of the parent's; see settings.ts. */
  readonly settings?: Readonly<Record<string, unknown>> | undefined;
  /** The directory to go to. */
  readonly cwd?: string | undefined;
  /** Variables to set, or (null) to remove. */
  readonly environment?: Readonly<Record<string, string | null>> | undefined;
}

/** What a child is to do, as a message, and the modules that it needs for that. */
export interface Work {
  readonly message: Outgoing;
  readonly modules: string[];
  readonly settings: Readonly<Record<string, unknown>>;
}

/** The work of a child. @throws whatever cannot be carried, before there is a process. */
export function pack(child: Child): Work {
  const { result: message, modules } = gatherModules(() => whileStartingChild(() => toMessage(child.describe())));
  // It is to stay as it is while others are made.
  const head = message.isBorrowed === true ? Uint8Array.from(message.head) : message.head;
  const settings = changedSettings();
  const needed = Object.keys(settings).length > 0 ? new Set([thisPackage, ...modules]) : modules;
  return { message: { ...message, head, isBorrowed: false }, modules: [...needed], settings };
}

/** Tells a child all that it needs. */
export function handOver(
  channel: Connection,
  pid: number,
  child: Child,
  work: Work,
  { arenas, seats }: { readonly arenas: readonly number[]; readonly seats: readonly Seat[] },
  elsewhere: Pick<Preparation, 'cwd' | 'environment'> = {},
): void {
  const { name, daemon, parent } = child;
  const { modules, settings } = work;
  const preparation: Preparation = { seats, name, daemon, parent, argv: process.argv, modules, settings, ...elsewhere };
  const head = Buffer.from(JSON.stringify(preparation));
  try {
    channel.sendMessage({ head, parts: [], descriptors: arenas });
    channel.sendMessage(work.message);
  } catch (error) {
    // It has ended already: its exit code says so.
    if ((error as NodeJS.ErrnoException).code === 'EPIPE') return;
    native.signalChild(pid, 9);
    if (error instanceof InterruptedError) throw error;
    throw new ProcessError(
      'ERR_MP_START_FAILED',
      `the child could not be given its work: ${(error as Error).message}`,
      {
        cause: error,
      },
    );
  }
}
