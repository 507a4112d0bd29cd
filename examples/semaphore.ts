// Five guests and a table for three: a semaphore lets three in at a time.
import { Process, Semaphore } from 'node-multiprocessing';
import { sleep } from './lib/sleep.ts';

function dine(seats: Semaphore, name: string): void {
  seats.with(() => {
    console.log(`${name} 占到一个位子`);
    sleep(300 + Math.random() * 300);
    console.log(`${name} 离开`);
  });
}

const seats = new Semaphore(3);
const guests = [1, 2, 3, 4, 5].map((n) => new Process({ target: dine, args: [seats, `客人${n}`] }));
for (const guest of guests) guest.start();
for (const guest of guests) guest.join();
console.log(`${seats.getValue()} free seats`);
