/**
 * Calls of a function for many items at once: `map` and `starmap`.
 */
import type { AnyFunction } from './functions.ts';
import type { Teller } from './progress.ts';
import { Mode } from './protocol.ts';
import type { Runner } from './runner.ts';
import { Task, type Outcome } from './task.ts';

/** What is to be done. */
export interface MapCall {
  readonly fn: AnyFunction;
  readonly items: readonly unknown[];
  readonly isSpread: boolean;
  readonly chunksize: number;
  readonly timeoutMs: number;
  readonly retries: number;
  readonly signal: AbortSignal | undefined;
  readonly teller: Teller | undefined;
}

/** Does it, and settles `result` once all of it is done: with all values, or the first error. */
export function mapInto(runner: Runner, result: { settle(outcome: Outcome): void }, call: MapCall): void {
  const { fn, items, isSpread, chunksize, timeoutMs, retries, signal, teller } = call;
  const values = Array.from<unknown>({ length: items.length });
  let left = Math.ceil(items.length / chunksize);
  let failure: { readonly error: unknown; readonly index: number } | undefined;
  const tasks: Task[] = [];
  const onAbort = (): void => {
    for (const task of tasks) runner.giveUp(task, signal?.reason, true);
    end({ error: signal?.reason });
  };
  const end = (outcome: Outcome): void => {
    signal?.removeEventListener('abort', onAbort);
    teller?.end();
    result.settle(outcome);
  };
  for (let begin = 0; begin < items.length; begin += chunksize) {
    const args = items.slice(begin, begin + chunksize);
    const settle = (outcome: Outcome): void => {
      left -= 1;
      teller?.advance(args.length, items.length);
      if ('error' in outcome) {
        if (failure === undefined || begin < failure.index) failure = { error: outcome.error, index: begin };
      } else {
        const some = outcome.value as readonly unknown[];
        for (let i = 0; i < some.length; i += 1) values[begin + i] = some[i];
      }
      if (left === 0) end(failure ? { error: failure.error } : { value: values });
    };
    tasks.push(
      new Task({
        fn,
        mode: isSpread ? Mode.starmap : Mode.map,
        args,
        index: begin,
        timeoutMs: timeoutMs * args.length,
        retries,
        owner: { settle },
      }),
    );
  }
  if (tasks.length === 0) {
    end({ value: [] });
    return;
  }
  if (signal?.aborted) {
    end({ error: signal.reason });
    return;
  }
  signal?.addEventListener('abort', onAbort, { once: true });
  runner.submit(tasks);
}
