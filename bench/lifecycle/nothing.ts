import type { Event } from 'node-multiprocessing';

/** A target in a module of its own, for children that import it. */
export function nothing(): void {}

/** One that stays until it is ended from outside. */
export function stay(isUp: Event): Promise<never> {
  isUp.set();
  return new Promise(() => setInterval(() => {}, 1 << 30));
}
