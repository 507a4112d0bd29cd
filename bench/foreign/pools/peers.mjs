// The pools on npm, each as a contender of bench/pool/contender.ts. Only the one that is asked for is loaded.
import { fileURLToPath } from 'node:url';

import tasks from './tasks.cjs';

const SIZE = 2;
const file = (name) => fileURLToPath(new URL(name, import.meta.url));
const tasksFile = file('tasks.cjs');

/** Piscina and tinypool would end a second thread as soon as it idles, so only a pool that is opened lazily may have less. */
const threads = (lazily) => ({ filename: tasksFile, minThreads: lazily ? 1 : SIZE, maxThreads: SIZE });

async function workerpool(options) {
  const { default: workerpool } = await import('workerpool');
  return (lazily) => {
    const minWorkers = lazily ? 0 : SIZE;
    const pool = workerpool.pool(file('workerpool-worker.cjs'), { ...options, minWorkers, maxWorkers: SIZE });
    return {
      run: (task, argument) => pool.exec(task, [argument]),
      close: () => pool.terminate(),
    };
  };
}

function poolifier(open) {
  return () => {
    const pool = open();
    return {
      run: (task, argument) => pool.execute(argument, task),
      close: () => pool.destroy(),
    };
  };
}

async function jestWorker(enableWorkerThreads) {
  const { Worker } = await import('jest-worker');
  return () => {
    const options = { numWorkers: SIZE, enableWorkerThreads, exposedMethods: Object.keys(tasks) };
    const worker = new Worker(tasksFile, options);
    return {
      run: (task, argument) => worker[task](argument),
      close: () => worker.end(),
    };
  };
}

export const peers = {
  async piscina() {
    const { Piscina } = await import('piscina');
    const open = (lazily) => {
      const pool = new Piscina(threads(lazily));
      return {
        run: (name, argument) => pool.run(argument, { name }),
        close: () => pool.destroy(),
      };
    };
    return { memory: 'shared', open };
  },

  async tinypool() {
    const { Tinypool } = await import('tinypool');
    const open = (lazily) => {
      const pool = new Tinypool(threads(lazily));
      return {
        run: (name, argument) => pool.run(argument, { name }),
        close: () => pool.destroy(),
      };
    };
    return { memory: 'shared', open };
  },

  async 'workerpool-thread'() {
    return { memory: 'shared', open: await workerpool({ workerType: 'thread' }) };
  },

  async 'workerpool-process'() {
    // Its default would be JSON, which knows no buffers.
    const options = { workerType: 'process', forkOpts: { serialization: 'advanced' } };
    return { memory: 'copied', open: await workerpool(options) };
  },

  async 'poolifier-thread'() {
    const { FixedThreadPool } = await import('poolifier');
    return { memory: 'shared', open: poolifier(() => new FixedThreadPool(SIZE, file('poolifier-thread.cjs'))) };
  },

  async 'poolifier-cluster'() {
    const { FixedClusterPool } = await import('poolifier');
    const options = { settings: { serialization: 'advanced' } };
    const open = poolifier(() => new FixedClusterPool(SIZE, file('poolifier-cluster.cjs'), options));
    return { memory: 'copied', open };
  },

  async 'jest-worker-thread'() {
    return { memory: 'shared', open: await jestWorker(true) };
  },

  async 'jest-worker-process'() {
    return { memory: 'copied', open: await jestWorker(false) };
  },

  async 'multiprocess-pool'() {
    const { Pool } = (await import('multiprocess-pool')).default;
    const open = () => {
      const pool = new Pool(SIZE);
      return {
        run: (task, argument) => pool.apply(argument, tasks[task]),
        chunks: (task, list) => pool.map(list, tasks[task]),
        each: (task, list) => pool.map(list, tasks[task], 1),
        close: () => pool.terminate(),
      };
    };
    return { memory: 'copied', open };
  },
};
