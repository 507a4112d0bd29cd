// A child has its own copy of the memory: what it changes there, the parent never sees.
import { Process } from 'node-multiprocessing';

let n = 100;

function work(): void {
  n = 0;
  console.log(`子进程内: ${n}`);
}

const p = new Process({ target: work });
p.start();
console.log(`主进程内: ${n}`);
p.join();
console.log(`主进程内: ${n}`); // also after the child has ended
