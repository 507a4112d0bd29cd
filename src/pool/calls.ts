/**
 * How a worker, process or thread, does the calls of a task.
 */
import type { AnyFunction } from './functions.ts';
import { Mode } from './protocol.ts';

export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as PromiseLike<unknown> | null | undefined)?.then === 'function';
}

/**
 * Calls `fn` as a task wants it: once, or for each item, one after the other.
 *
 * @param begins is told of each item before its turn comes.
 * @returns the value or the values, or a promise of them.
 */
export function callFor(
  fn: AnyFunction,
  mode: Mode,
  args: readonly unknown[],
  begins: (item: number) => void,
): unknown {
  if (mode === Mode.apply) return fn(...(args as never[]));
  const goOn = (results: unknown[]): unknown => {
    for (let item = results.length; item < args.length; item += 1) {
      begins(item);
      const value = mode === Mode.map ? fn(args[item] as never) : fn(...(args[item] as never[]));
      if (isThenable(value)) {
        return value.then((settled) => {
          results.push(settled);
          return goOn(results);
        });
      }
      results.push(value);
    }
    return results;
  };
  return goOn([]);
}
