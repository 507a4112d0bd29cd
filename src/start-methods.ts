/**
 * The ways in which a child process comes to be: Python's start methods, and which of them is in use.
 */
import { inspect } from 'node:util';

import { ProcessError, invalidArgument } from './errors.ts';
import { startByFork, type Child } from './fork/fork.ts';
import { startByForkserver } from './forkserver/forkserver.ts';
import { startBySpawn } from './spawn/spawn.ts';

/** Name of a start method. */
export type StartMethodName = 'fork' | 'forkserver' | 'spawn';

/** A way to start a child. */
export interface StartMethod {
  readonly name: StartMethodName;
  /** Whether it works on this system. */
  available(): boolean;
  /** What it needs, for people. */
  readonly needs: string;
  /** Starts a child and returns its pid. In a forked child it does not return. */
  start(child: Child): number;
}

/** All of them, the default first. */
const methods: readonly StartMethod[] = [
  { name: 'fork', available: () => process.platform === 'linux', needs: 'Linux', start: startByFork },
  { name: 'spawn', available: () => true, needs: 'Linux or macOS', start: startBySpawn },
  { name: 'forkserver', available: () => process.platform === 'linux', needs: 'Linux', start: startByForkserver },
];

/** Key under which a context keeps its method. */
export const boundMethod = Symbol('start method');

/** What is bound to a start method. */
export interface Bound {
  /** @internal */
  readonly [boundMethod]: StartMethod;
}

/** What is bound to a method and nothing else. */
export const boundTo = (name: StartMethodName): Bound => ({ [boundMethod]: findMethod(name) });

/** The method of a context. */
export function methodOf(context: unknown): StartMethod {
  const method = (context as Partial<Bound> | null | undefined)?.[boundMethod];
  if (method === undefined) throw invalidArgument(`ctx must be a context from getContext(), not ${inspect(context)}`);
  return method;
}

/** Names of the methods that work here, the default first. */
export function availableMethods(): StartMethodName[] {
  return methods.filter((method) => method.available()).map(({ name }) => name);
}

const quoted = (names: readonly string[]): string => names.map((name) => `'${name}'`).join(', ') || 'none';

/** The method called `name`, if it works here. */
export function findMethod(name: unknown): StartMethod {
  if (typeof name !== 'string') throw invalidArgument(`a start method is named by a string, not ${inspect(name)}`);
  const method = methods.find((each) => each.name === name);
  if (method?.available()) return method;
  const here = `available here: ${quoted(availableMethods())}`;
  let why = `unknown start method ${inspect(name)}: the known ones are ${quoted(methods.map((each) => each.name))}; ${here}`;
  if (method)
    why = `the start method '${name}' needs ${method.needs} and does not work on ${process.platform}; ${here}`;
  throw new ProcessError('ERR_MP_START_METHOD', why);
}

/** The method that this program uses, once that is settled. */
let settled: StartMethod | undefined;

/** The method in use; null while nothing has settled it. */
export function settledMethod(): StartMethod | null {
  return settled ?? null;
}

/** The method in use; settles the default. */
export function currentMethod(): StartMethod {
  return (settled ??= findMethod(availableMethods()[0] ?? 'fork'));
}

/** Makes `method` the one in use; undefined unsettles it. */
export function settleMethod(method: StartMethod | undefined): void {
  settled = method;
}
