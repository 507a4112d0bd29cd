// What the consumers run: a process, a queue and a lock that it was given, and a pool. Only types have to be taken away
// to make JavaScript of it, and functions have names at the top, for systems that do not fork.
import assert from 'node:assert/strict';
import { Lock, Pool, Process, Queue, cpuCount, isMainProcess, setStartMethod } from 'node-multiprocessing';

export function answer(questions: Queue<string>, answers: Queue<string>, lock: Lock): void {
  const question = questions.get();
  lock.with(() => answers.put(`${question} ${process.pid}`));
}

export function double(n: number): number {
  return 2 * n;
}

export async function exercise(): Promise<void> {
  assert.ok(cpuCount() >= 1);
  const method = process.env['SMOKE_START_METHOD'];
  if (method) setStartMethod(method as 'spawn');
  const [questions, answers, lock] = [new Queue<string>(), new Queue<string>(), new Lock()];
  const child = new Process({ target: answer, args: [questions, answers, lock] });
  child.start();
  questions.put('who?');
  assert.equal(answers.get(true, 10_000), `who? ${child.pid}`);
  assert.notEqual(child.pid, process.pid);
  assert.ok(child.join(10_000));
  assert.equal(child.exitCode, 0);
  assert.ok(lock.acquire(true, 10_000));
  lock.release();

  const pool = new Pool(2);
  assert.deepEqual(pool.map(double, [1, 2, 3]), [2, 4, 6]);
  assert.deepEqual(await pool.mapAsync(double, [4, 5]), [8, 10]);
  pool.close();
  await pool.joinAsync();
}

// In a test runner the tests call it. A tick later, as webpack sets the exports of a CommonJS bundle last of all.
if (isMainProcess() && !process.env['VITEST']) {
  void Promise.resolve()
    .then(exercise)
    .then(() => console.log('done'));
}
