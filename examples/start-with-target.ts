// Four processes, each from a target and its args. The parent does not wait for them to print 主,
// but the program ends only when all four have ended: nobody has to join them for that.
import { randomInt } from 'node:crypto';
import { Process } from 'node-multiprocessing';
import { sleep } from './lib/sleep.ts';

function piao(name: string): void {
  console.log(`${name} piaoing`);
  sleep(randomInt(1, 5) * 1000); // 1 to 4 seconds
  console.log(`${name} piao end`);
}

const p1 = new Process({ target: piao, args: ['egon'] });
const p2 = new Process({ target: piao, args: ['alex'] });
const p3 = new Process({ target: piao, args: ['wupeqi'] });
const p4 = new Process({ target: piao, args: ['yuanhao'] });

p1.start();
p2.start();
p3.start();
p4.start();
console.log('主');
