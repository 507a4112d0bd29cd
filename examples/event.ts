// A traffic light: cars wait while it is red, and all of them go when it turns green.
import { Event, Process } from 'node-multiprocessing';
import { sleep } from './lib/sleep.ts';

const green = new Event();

function car(name: string): void {
  if (!green.isSet()) console.log(`${name} 等红灯`);
  green.wait();
  console.log(`${name} 通过`);
}

const cars = [1, 2, 3, 4].map((n) => new Process({ target: car, args: [`车${n}`] }));
console.log('红灯亮');
for (const p of cars.slice(0, 3)) p.start();
sleep(500);
console.log('绿灯亮');
green.set();
for (const p of cars.slice(0, 3)) p.join();
cars[3]!.start(); // comes when it is green already
cars[3]!.join();
green.clear();
console.log('红灯亮');
