// Every process has a name, its own or Class-N, and a pid as soon as it is started.
import { currentProcess, Process } from 'node-multiprocessing';
import { sleep } from './lib/sleep.ts';

class Piao extends Process {
  constructor(name?: string) {
    super(); // has set this.name to Piao-N
    if (name !== undefined) this.name = name;
  }

  override run(): void {
    console.log(`${this.name} is piaoing`);
    sleep(300);
    console.log(`${this.name} is piao end`);
  }
}

const p1 = new Piao();
const p2 = new Process({ target: () => console.log(`${currentProcess().name} has pid ${process.pid}`) });
const p3 = new Piao('egon');

for (const p of [p1, p2, p3]) {
  console.log(p.name, p.pid); // null: not started yet
  p.start();
  console.log('开始');
  console.log(p.name, p.pid);
  p.join();
}
