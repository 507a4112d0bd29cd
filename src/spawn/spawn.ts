/**
 * Starting a child that is a fresh program of its own: Python's `spawn`.
 */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { inspect } from 'node:util';

import { toMessage, type Connection, type Outgoing, Pipe } from '../connection.ts';
import { InterruptedError, ProcessError, invalidArgument } from '../errors.ts';
import type { Child } from '../fork/fork.ts';
import { native } from '../native.ts';
import { whileStartingChild } from '../shared/passing.ts';
import { gatherModules } from './functions.ts';

/** What a child needs before it can read the rest. */
export interface Preparation {
  /** Its seats in the parent's arenas, whose files come with this. */
  readonly seats: readonly number[];
  readonly name: string;
  readonly daemon: boolean;
  readonly parent: { readonly name: string; readonly pid: number };
  readonly argv: readonly string[];
  readonly modules: readonly string[];
}

/** The program that children run before their target. */
const entry = fileURLToPath(new URL('./main.js', import.meta.url));

let executable = process.execPath;

/**
 * Python: `multiprocessing.set_executable`. The Node that children are started with, by `spawn` and `forkserver`.
 *
 * @param path of a Node of the same major version as this one; a URL will do. @default `process.execPath`
 * @throws TypeError (`ERR_MP_INVALID_ARG`) if there is no such file.
 */
export function setExecutable(path: string | URL): void {
  const file = path instanceof URL ? fileURLToPath(path) : path;
  if (typeof file !== 'string' || !existsSync(file)) {
    throw invalidArgument(`the executable must be the path of a Node program, not ${inspect(path)}`);
  }
  executable = file;
}

/** Options of Node's that are for this process alone, with what follows them. */
const alone = /^(-e|--eval|-p|--print|-pe|-c|--check|-i|--interactive|--test|--watch|--run)(=|$)/;
/** Of these the argument after them is part. */
const withValue = new Set(['-e', '--eval', '-p', '--print', '-pe', '--run']);
/** Each process needs a port of its own: children are debugged by `--inspect=0` in NODE_OPTIONS, if at all. */
const inspecting = /^--(inspect|inspect-brk|inspect-wait|inspect-port|debug-port|inspect-publish-uid)(=|$)/;
/** That of tests and watches, with all their options. */
const testing = /^--(test|watch|experimental-test)-/;

/** The options of Node's that a child has, too. */
export function childOptions(options: readonly string[] = process.execArgv): string[] {
  const kept: string[] = [];
  for (let at = 0; at < options.length; at += 1) {
    const option = options[at] as string;
    if (alone.test(option)) {
      if (withValue.has(option)) at += 1;
    } else if (!inspecting.test(option) && !testing.test(option)) {
      kept.push(option);
    }
  }
  return kept;
}

function environment(): string[] {
  return Object.entries(process.env).map(([name, value = '']) => {
    const text = name === 'NODE_OPTIONS' ? childOptions(value.split(/\s+/)).join(' ') : value;
    return `${name}=${text}`;
  });
}

/** Starts a child; returns its pid. */
export function startBySpawn(child: Child): number {
  // Whatever cannot be carried is refused before there is a process.
  const { result: work, modules } = gatherModules(() => whileStartingChild(() => ownMessage(child.describe())));
  const [here, there] = Pipe();
  try {
    const command = [executable, ...childOptions(), entry];
    const { pid, arenas, seats } = native.spawnProgram(
      executable,
      command,
      environment(),
      there.fileno(),
      child.daemon,
    );
    there.close();
    const { name, daemon, parent } = child;
    const preparation: Preparation = { seats, name, daemon, parent, argv: process.argv, modules };
    const head = Buffer.from(JSON.stringify(preparation));
    handOver(here, pid, [{ head, parts: [], descriptors: arenas }, work]);
    return pid;
  } finally {
    here.close();
    there.close();
  }
}

/** A message that stays as it is while others are made. */
function ownMessage(value: unknown): Outgoing {
  const message = toMessage(value);
  return message.isBorrowed === true ? { ...message, head: Uint8Array.from(message.head), isBorrowed: false } : message;
}

function handOver(channel: Connection, pid: number, messages: readonly Outgoing[]): void {
  try {
    for (const message of messages) channel.sendMessage(message);
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
