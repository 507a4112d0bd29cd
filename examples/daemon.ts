// A daemon ends with its parent, in the middle of whatever it does; any other child is waited for.
import { Process } from 'node-multiprocessing';
import { sleep } from './lib/sleep.ts';

function foo(): void {
  console.log('123');
  sleep(1000);
  console.log('end123'); // never comes: the parent has ended before
}

function bar(): void {
  console.log('456');
  sleep(2000);
  console.log('end456');
}

// A daemon may have no children of its own: they would be left behind.
function parentToBe(): void {
  try {
    new Process({ target: bar }).start();
  } catch (error) {
    console.log((error as Error).message);
  }
}

const p = new Process({ target: parentToBe, daemon: true });
p.start();
try {
  p.daemon = false; // too late: it runs already
} catch (error) {
  console.log((error as Error).message);
}
p.join();

const p1 = new Process({ target: foo });
const p2 = new Process({ target: bar });
p1.daemon = true; // before start()
p1.start();
p2.start();
sleep(500); // time for 123 and 456
console.log('main-------'); // here the parent's program is over: p1 is ended, p2 is waited for
