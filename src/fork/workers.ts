/**
 * Child: the parent's worker threads. Their objects are copied, their threads are not.
 *
 * Some programs post a message to a worker and block until it answers (compilers behind a module loader do): in the child
 * that would be for ever. So posting to a worker of the parent's throws.
 */
import { AsyncResource } from 'node:async_hooks';
import { Worker } from 'node:worker_threads';

import { ProcessError } from '../errors.ts';

/** What the class of workers has, as far as it is changed here. */
export interface Workers {
  postMessage(...args: never[]): void;
}

const { postMessage: post } = Worker.prototype as Workers;

/** Everything with a lower number was there before this process was forked. */
let firstOwnId = 0;

/** Parent: a number between those of its objects and those of a child to be forked. */
export const numberOfFork = (): number => new AsyncResource('fork').asyncId();

function isOfParent(worker: object): boolean {
  const kHandle = Object.getOwnPropertySymbols(worker).find(({ description }) => description === 'kHandle');
  const handle = kHandle && (worker as Record<symbol, { getAsyncId?(): number } | null>)[kHandle];
  return (handle?.getAsyncId?.() ?? firstOwnId) < firstOwnId;
}

function postMessage(this: object, ...args: never[]): void {
  if (isOfParent(this)) {
    throw new ProcessError(
      'ERR_MP_PARENTS_WORKER',
      `this worker thread belongs to the parent process (a forked child, pid ${process.pid}, has none of its parent's ` +
        'threads) and would never answer: start a worker in the child; if a module loader needs it, import or require ' +
        'before the fork',
    );
  }
  post.apply(this, args);
}

/** Has posting to a worker that existed at the fork throw. */
export function disownWorkers(workers: Workers, forkNumber: number): void {
  firstOwnId = Math.max(firstOwnId, forkNumber);
  workers.postMessage = postMessage;
}
