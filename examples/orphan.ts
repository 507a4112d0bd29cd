// An orphan has lost its parent. It goes on, and the system's first process (pid 1, or a nearer one that has asked for
// orphans) becomes its parent and reaps it in the end: an orphan does no harm.
import { fork } from 'node-multiprocessing';
import { sleep } from './lib/sleep.ts';

console.log('im father', 'pid', process.pid, 'ppid', process.ppid);

const pid = fork(); // returns twice: 0 in the child, the child's pid in the father
if (pid > 0) {
  console.log('father died..');
  process.exit(0);
}

sleep(1000); // by now the father is surely gone
console.log('im child', process.pid, process.ppid);
