// terminate() asks a process to end and does not wait until it has: just after it, isAlive() is often still true.
import { Process } from 'node-multiprocessing';
import { sleep } from './lib/sleep.ts';

class Piao extends Process {
  override run(): void {
    console.log(`${this.name} is piaoing`);
    sleep(60_000);
    console.log(`${this.name} is piao end`); // never comes
  }
}

const p = new Piao({ name: 'egon' });
p.start();
sleep(300); // let it say its first line

p.terminate();
console.log(p.isAlive()); // true, or false if the child was very quick
console.log('开始');
sleep(300);
console.log(p.isAlive()); // false
console.log(p.exitCode); // -15: ended by signal 15, SIGTERM
