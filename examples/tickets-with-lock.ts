// The same with a lock around the purchase only: ten look-ups at once, and one buyer.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Lock, Process } from 'node-multiprocessing';
import { sleep } from './lib/sleep.ts';

const db = join(mkdtempSync(join(tmpdir(), 'tickets-')), 'db.json');
writeFileSync(db, '{"count":1}');
const read = () => JSON.parse(readFileSync(db, 'utf8')) as { count: number };
const lock = new Lock();

function search(name: string): void {
  sleep(500); // the network
  console.log(`<${name}> 查看到剩余票数【${read().count}】`);
}

function buy(name: string): void {
  const rest = read();
  if (rest.count <= 0) return;
  sleep(500); // the network again; nobody else can buy meanwhile
  rest.count -= 1;
  writeFileSync(db, JSON.stringify(rest), { flag: 'r+' }); // r+ overwrites: the file is at no moment empty
  console.log(`<${name}> 购票成功`);
}

function task(name: string): void {
  search(name);
  lock.with(() => buy(name));
}

const buyers = Array.from({ length: 10 }, (_, i) => new Process({ target: task, args: [`路人${i}`] }));
for (const p of buyers) p.start();
for (const p of buyers) p.join();
rmSync(dirname(db), { recursive: true });
