// A zombie is a child that has ended while its parent has not yet asked how: the kernel keeps its line in the
// process table, in state Z. Run with CHILDREN=300 (or a number as argument) for fewer than ten thousand in part 2.
import { setTimeout as delay } from 'node:timers/promises';
import { fork, Process, waitpid, waitstatusToExitcode } from 'node-multiprocessing';
import { childrenOf, psLine } from './lib/process-table.ts';
import { sleep } from './lib/sleep.ts';

const count = Number(process.argv[2] ?? process.env.CHILDREN ?? 10_000);
const look = (pid: number) => console.log(psLine(pid) ?? `${pid} is not in the process table`);

console.log('1. a child ends at once, the parent goes on and does not wait');
const p = new Process({ target: () => console.log('子', process.pid) });
p.start();
const child = p.pid!;
console.log('主', process.pid);
sleep(500); // the parent stands still: its event loop does not turn, no call of the library runs, nothing is reaped
console.log('PID PPID STAT COMMAND');
look(child);
p.join();
console.log('joined');
look(child);

console.log(`2. ${count} children one after the other, none of them joined`);
for (let i = 0; i < count; i++) {
  new Process({ target: () => {} }).start();
  await delay(0); // the event loop turns, and the library reaps whoever has ended
}
for (let i = 0; i < 500 && childrenOf(process.pid).length > 0; i++) await delay(10); // until the last one has ended
console.log(`zombies: ${childrenOf(process.pid).length}`);

console.log('3. a raw fork() is all yours: its child stays until you waitpid()');
const pid = fork();
if (pid === 0) process.exit(7); // the child
await delay(500); // even though the event loop turns
look(pid);
console.log(`waitpid: exit code ${waitstatusToExitcode(waitpid(pid).status)}`);
look(pid);
