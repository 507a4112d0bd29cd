// The same four processes as a class of their own: start() calls run() in the child.
import { randomInt } from 'node:crypto';
import { Process } from 'node-multiprocessing';
import { sleep } from './lib/sleep.ts';

class Piao extends Process {
  constructor(name: string) {
    super({ name });
  }

  override run(): void {
    console.log(`${this.name} piaoing`);
    sleep(randomInt(1, 5) * 1000); // 1 to 4 seconds
    console.log(`${this.name} piao end`);
  }
}

const p1 = new Piao('egon');
const p2 = new Piao('alex');
const p3 = new Piao('wupeqi');
const p4 = new Piao('yuanhao');

p1.start();
p2.start();
p3.start();
p4.start();
console.log('主');
