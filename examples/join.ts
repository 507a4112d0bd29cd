// join() waits for a process to end. Three processes of one second each, started together, take one second and not three.
import { Process } from 'node-multiprocessing';
import { sleep } from './lib/sleep.ts';

function task(name: string): void {
  console.log(`${name} is running, parent is ${process.ppid}`);
  sleep(1000);
  console.log(`${name} is done`);
}

const p1 = new Process({ target: task, args: ['子1'] });
const p2 = new Process({ target: task, args: ['子2'] });
const p3 = new Process({ target: task, args: ['子3'] });
const begin = performance.now();

console.log('isAlive before start:', p1.isAlive(), p2.isAlive(), p3.isAlive());
p1.start();
p2.start();
p3.start();
console.log('isAlive before join:', p1.isAlive(), p2.isAlive(), p3.isAlive());
p1.join();
p2.join();
p3.join();
console.log('isAlive after join:', p1.isAlive(), p2.isAlive(), p3.isAlive());

console.log('主', process.pid, process.ppid);
console.log(`${((performance.now() - begin) / 1000).toFixed(1)} s`);
