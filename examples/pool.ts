// A pool of three: one call, calls at once, a call for each item, callbacks, results as they come. A worker that is killed costs one task.
import { Pool, WorkerLostError } from 'node-multiprocessing';
import { sleep } from './lib/sleep.ts';

function cook(dish: string, minutes = 1): string {
  sleep(0.05 * minutes);
  return `${dish}好了`;
}

const pool = new Pool(3, { functions: [cook] });

console.log(pool.apply(cook, ['米饭'])); // blocks, as in Python

const soup = pool.applyAsync(cook, ['汤', 3], { callback: (text) => console.log(`callback: ${text}`) });
const fish = pool.applyAsync(cook, ['鱼', 2]);
console.log(await fish, soup.get(), fish.ready());

console.log(pool.map(cook, ['包子', '饺子', '面条', '馒头']));
console.log(pool.starmap(cook, [['粥', 2] as [string, number], ['茶', 1] as [string, number]]));

const slowFirst = [3, 2, 1];
console.log([...pool.imap(wait, slowFirst)]); // in order
const asTheyCome: number[] = [];
for await (const n of pool.imapUnordered(wait, slowFirst)) asTheyCome.push(n);
console.log(asTheyCome.toSorted().join()); // any order

function wait(n: number): number {
  sleep(0.05 * n);
  return n;
}

const spoilt = pool.applyAsync(() => process.kill(process.pid, 'SIGKILL'), []);
try {
  await spoilt;
} catch (error) {
  if (!(error instanceof WorkerLostError)) throw error;
  console.log(`lost: ${error.signal}`);
}
console.log(pool.apply(cook, ['汤圆'])); // the pool goes on

pool.close();
pool.join();
console.log(pool.stats().workers.length);
