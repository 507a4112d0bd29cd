/**
 * Waiting for tasks in a call that blocks: what the event loop would do for their workers is done there.
 */
import { waitReady } from '../connection/ready.ts';
import type { Engine } from './engine.ts';

/** For how long answers alone are waited for, in milliseconds, before the ends of workers are, too. */
const SOON_MS = 2;

/**
 * Blocks until `isDone`, serving these engines.
 *
 * @returns false after the timeout.
 * @throws InterruptedError
 */
export function waitUntil(engines: readonly Engine[], isDone: () => boolean, timeoutMs: number, what: string): boolean {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    if (isDone()) return true;
    let hasHeard = false;
    for (const engine of engines) {
      engine.checkMine(what);
      if (engine.look()) hasHeard = true;
    }
    if (hasHeard) continue;
    const now = performance.now();
    if (now >= deadline) return false;
    const serving = engines.filter((engine) => !engine.isOver);
    const pauses = serving.map((engine) => engine.prepareToBlock());
    if (isDone()) return true;
    // The usual case costs less without the ends of workers being waited for.
    const [first] = serving;
    const soon = Math.min(SOON_MS, deadline - now, ...pauses);
    if (serving.length === 1 && soon > 0 && first?.look(soon)) continue;
    const wakers = serving.map((engine) => engine.wakers);
    const workers = wakers.flatMap((each) => each.workers);
    const { ready } = waitReady(
      workers.map(({ process: subject }) => subject.sentinel),
      'read',
      Math.max(0, Math.min(deadline - now, ...pauses)),
      what,
      wakers.map(({ answers }) => answers),
    );
    const ended = new Set(ready.map((index) => workers[index]));
    for (const [index, engine] of serving.entries()) {
      engine.goOn((wakers[index]?.workers ?? []).filter((worker) => ended.has(worker)));
    }
  }
}
