/**
 * Starting a child that is a fresh program of its own: Python's `spawn`.
 */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { inspect } from 'node:util';

import type { Seat } from '../../index.js';
import { Pipe, type Connection } from '../connection.ts';
import { invalidArgument } from '../errors.ts';
import type { Child } from '../fork/fork.ts';
import { native } from '../native.ts';
import { packageRoot } from '../package-root.ts';
import { handOver, pack } from './preparation.ts';

/** The program that children run before their target. */
const entry = fileURLToPath(new URL('dist/spawn/main.js', packageRoot));

let executable = process.execPath;

/**
 * Python: `multiprocessing.set_executable`. The Node that children are started with, by `spawn` and `forkserver`.
 *
 * @param path of a Node of the same major version as this one: text, bytes or a file URL. @default `process.execPath`
 * @throws TypeError (`ERR_MP_INVALID_ARG`) if there is no such file.
 */
export function setExecutable(path: string | Uint8Array | URL): void {
  let file: unknown = path;
  if (path instanceof URL) file = fileURLToPath(path);
  else if (path instanceof Uint8Array) file = Buffer.from(path).toString();
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

/** NODE_OPTIONS for a child. Values with spaces are quoted in there, so only what must go is touched. */
function nodeOptions(value: string): string {
  const options = value.match(/(?:"(?:\\.|[^"])*"|\S)+/g) ?? [];
  return childOptions(options).join(' ');
}

function environment(): string[] {
  return Object.entries(process.env).map(
    ([name, value = '']) => `${name}=${name === 'NODE_OPTIONS' ? nodeOptions(value) : value}`,
  );
}

/** A program of this package's that was started. */
export interface Started {
  readonly pid: number;
  readonly arenas: number[];
  readonly seats: Seat[];
}

/** Starts a program of this package's, which finds `channel` under a number that it knows. */
export function startProgram(entry: string, channel: Connection, daemon: boolean, shares: boolean): Started {
  const command = [executable, ...childOptions(), entry];
  return native.spawnProgram(executable, command, environment(), channel.fileno(), daemon, shares);
}

/** Starts a child; returns its pid. */
export function startBySpawn(child: Child): number {
  const work = pack(child);
  const [here, there] = Pipe();
  try {
    const started = startProgram(entry, there, child.daemon, true);
    there.close();
    handOver(here, started.pid, child, work, started);
    return started.pid;
  } catch (error) {
    work.message.settle?.(false);
    throw error;
  } finally {
    here.close();
    there.close();
  }
}
