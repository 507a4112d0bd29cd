/** Our own contenders: `our-pool` blocks, as Python's does; the others are asynchronous, as those from npm are. */
import * as library from 'node-multiprocessing';

import { Unavailable } from '../harness/helper.ts';
import type { Contender, Task } from './contender.ts';
import * as functions from './tasks.ts';

const SIZE = 2;

type Fn = (argument: never) => unknown;

/** What is used of the package here. TODO: its own types, once it has a pool. */
interface Pool {
  apply(fn: Fn, args: readonly unknown[]): unknown;
  applyAsync(fn: Fn, args: readonly unknown[]): PromiseLike<unknown>;
  map(fn: Fn, items: readonly unknown[], chunksize?: number): unknown[];
  mapAsync(fn: Fn, items: readonly unknown[]): PromiseLike<unknown[]>;
  terminate(): void;
  join(): void;
}
interface Executor {
  submit(fn: Fn, ...args: readonly unknown[]): Promise<unknown>;
  map(fn: Fn, items: readonly unknown[], options: { chunksize: number }): Iterable<unknown> | AsyncIterable<unknown>;
  shutdown(): unknown;
}
interface Library {
  getContext(method: string): { readonly Pool: new (size: number) => Pool };
  readonly ProcessPoolExecutor: new (options: { maxWorkers: number }) => Executor;
}

const { getContext, ProcessPoolExecutor } = library as unknown as Library;
const tasks: Readonly<Record<Task, Fn>> = functions;

function poolOf(method: string): () => Pool {
  const { Pool } = getContext(method);
  if (Pool === undefined) throw new Unavailable('the package has no pool yet');
  return () => new Pool(SIZE);
}

function close(pool: Pool): void {
  pool.terminate();
  pool.join();
}

async function collect(results: AsyncIterable<unknown>): Promise<unknown[]> {
  const list: unknown[] = [];
  for await (const result of results) list.push(result);
  return list;
}

function blocking(method: string): Contender {
  const create = poolOf(method);
  return {
    memory: 'inherited',
    open() {
      const pool = create();
      return {
        run: (task, argument) => pool.apply(tasks[task], [argument]),
        chunks: (task, list) => pool.map(tasks[task], list),
        each: (task, list) => pool.map(tasks[task], list, 1),
        close: () => close(pool),
      };
    },
  };
}

export const ours: Record<string, () => Promise<Contender>> = {
  'our-pool': async () => blocking('fork'),
  'our-pool-forkserver': async () => blocking('forkserver'),
  'our-pool-spawn': async () => blocking('spawn'),

  async 'our-pool-async'() {
    const create = poolOf('fork');
    const open: Contender['open'] = () => {
      const pool = create();
      return {
        run: (task, argument) => pool.applyAsync(tasks[task], [argument]),
        chunks: (task, list) => pool.mapAsync(tasks[task], list),
        close: () => close(pool),
      };
    };
    return { memory: 'inherited', open };
  },

  async 'our-executor'() {
    if (ProcessPoolExecutor === undefined) throw new Unavailable('the package has no executor yet');
    const open: Contender['open'] = () => {
      const executor = new ProcessPoolExecutor({ maxWorkers: SIZE });
      return {
        run: (task, argument) => executor.submit(tasks[task], argument),
        chunks(task, list) {
          // As many chunks as Pool's map() makes: the executor leaves their size to the caller.
          const results = executor.map(tasks[task], list, { chunksize: Math.ceil(list.length / SIZE / 4) });
          return Symbol.iterator in results ? Array.from(results) : collect(results);
        },
        close: () => executor.shutdown(),
      };
    };
    return { memory: 'inherited', open };
  },
};
