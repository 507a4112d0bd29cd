// A queue of three places: full, empty, and what a wait for more comes to. Then a producer and two consumers.
import { Empty, Full, Process, Queue, ShutDown, Value } from 'node-multiprocessing';

const q = new Queue<number>(3);
q.put(1);
q.put(2);
q.put(3);
console.log(`full: ${q.full()}`);
try {
  q.put(4, true, 100); // would wait until somebody gets one
} catch (error) {
  if (!(error instanceof Full)) throw error;
  console.log('a fourth: Full');
}
console.log(q.get(), q.get(), q.get());
console.log(`empty: ${q.empty()}`);
try {
  q.get(true, 100);
} catch (error) {
  if (!(error instanceof Empty)) throw error;
  console.log('one more: Empty');
}
q.close();

const MESSAGES = Number(process.env['MESSAGES'] ?? 5_000_000);
const food = new Queue<number>();
const eaten = new Value('i32');

function produce(): void {
  for (let i = 0; i < MESSAGES; i += 1) food.put(i);
}

function consume(name: string): void {
  let [count, sum] = [0, 0];
  try {
    for (;;) {
      const items = food.getMany(); // one at least; with get() it is as well, and a little slower
      count += items.length;
      for (const item of items) sum += item;
      eaten.add(items.length);
    }
  } catch (error) {
    if (!(error instanceof ShutDown)) throw error;
  }
  console.log(`${name} 吃了 ${count} 个包子, sum ${sum}`);
}

const started = performance.now();
const rate = (): string => `${(eaten.value / 1000 / (performance.now() - started)).toFixed(2)} million a second`;
const producer = new Process({ target: produce });
const consumers = ['消费者1', '消费者2'].map((name) => new Process({ target: consume, args: [name] }));
for (const p of [producer, ...consumers]) p.start();

const live = setInterval(() => console.log(`${eaten.value} so far, ${food.qsize()} waiting, ${rate()}`), 400);
await producer.joinAsync(); // its items are in the queue: it can be joined before they are taken
food.shutdown(); // the consumers end when it is empty
for (const p of consumers) await p.joinAsync();
clearInterval(live);
console.log(`all ${eaten.value}, ${rate()}`);
