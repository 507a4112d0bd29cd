/** Our own contenders: `our-pool` blocks, as Python's does; the others are asynchronous, as those from npm are. */
import { ProcessPoolExecutor, getContext, type Pool, type StartMethodName } from 'node-multiprocessing';

import type { Contender, Task } from './contender.ts';
import * as functions from './tasks.ts';

const SIZE = 2;

const tasks = functions as Readonly<Record<Task, (argument: unknown) => unknown>>;

function close(pool: Pool): void {
  pool.terminate();
  pool.join();
}

function blocking(method: StartMethodName): Contender {
  const { Pool } = getContext(method);
  return {
    memory: 'inherited',
    open() {
      const pool = new Pool(SIZE);
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
    const { Pool } = getContext('fork');
    const open: Contender['open'] = () => {
      const pool = new Pool(SIZE);
      return {
        run: (task, argument) => pool.applyAsync(tasks[task], [argument]),
        chunks: (task, list) => pool.mapAsync(tasks[task], list),
        close: () => close(pool),
      };
    };
    return { memory: 'inherited', open };
  },

  async 'our-executor'() {
    const open: Contender['open'] = () => {
      const executor = new ProcessPoolExecutor({ maxWorkers: SIZE });
      return {
        run: (task, argument) => executor.submit(tasks[task], argument),
        chunks(task, list) {
          // As many chunks as Pool's map() makes: the executor leaves their size to the caller.
          const results = executor.map(tasks[task], list, { chunksize: Math.ceil(list.length / SIZE / 4) });
          return Array.from(results);
        },
        close: () => executor.shutdown(),
      };
    };
    return { memory: 'inherited', open };
  },
};
