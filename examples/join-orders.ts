// An exercise: three children print 1, 2 and 3, the parent prints 4. Where does the 4 come?
import { randomInt } from 'node:crypto';
import { Process } from 'node-multiprocessing';
import { sleep } from './lib/sleep.ts';

function task(n: number): void {
  sleep(randomInt(1, 4) * 300); // 1 to 3 beats, of 300 ms
  console.log(`-------->${n}`);
}

const three = () => [1, 2, 3].map((n) => new Process({ target: task, args: [n] }));

console.log('效果一: 4 first');
const a = three();
for (const p of a) p.start();
console.log('-------->4');
for (const p of a) p.join(); // only so that the next part begins on its own

console.log('效果二: 4 last');
const b = three();
for (const p of b) p.start(); // all run at the same time …
for (const p of b) p.join(); // … and all have ended here
console.log('-------->4');

console.log('效果三: strictly in order');
for (const p of three()) {
  p.start();
  p.join(); // one by one: the next starts when this one has ended
}
console.log('-------->4');
