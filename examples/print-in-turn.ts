// Three processes and one terminal: without a lock all of them are running before the first is done; with one they take turns.
import { Lock, Process } from 'node-multiprocessing';
import { sleep } from './lib/sleep.ts';

function work(): void {
  console.log(`${process.pid} is running`);
  sleep(300);
  console.log(`${process.pid} is done`);
}

function workInTurn(lock: Lock): void {
  lock.with(work);
}

console.log('without a lock');
const free = [1, 2, 3].map(() => new Process({ target: work }));
for (const p of free) p.start();
for (const p of free) p.join();

console.log('with a lock');
const lock = new Lock();
const inTurn = [1, 2, 3].map(() => new Process({ target: workInTurn, args: [lock] }));
for (const p of inTurn) p.start();
for (const p of inTurn) p.join();
