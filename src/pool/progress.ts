/**
 * How far a call is, on the terminal or for a function.
 */
import { createRequire } from 'node:module';
import type * as CliProgress from 'cli-progress';

/** How far a call is. */
export interface Progress {
  /** Items that are done. */
  readonly done: number;
  /** All items, as far as they are known. */
  readonly total: number;
  /** Items a second, so far. */
  readonly rate: number;
  /** Milliseconds that are left at this rate. */
  readonly leftMs: number;
}

/** Tells how far a call is. */
export interface Teller {
  /** So many more are done, of so many. */
  advance(count: number, total: number): void;
  /** It has come to its end. */
  end(): void;
}

/** How often a line is printed where there is no terminal, in milliseconds. */
const LINE_MS = 5000;

/** What tells of a call of so many items. */
export function tellerOf(
  progress: boolean | ((progress: Progress) => void) | undefined,
  total: number,
): Teller | undefined {
  if (progress === undefined || progress === false) return undefined;
  return progress === true ? bar(total) : calling(progress);
}

function measure(begin: number, done: number, total: number): Progress {
  const rate = (done * 1000) / Math.max(performance.now() - begin, 1e-3);
  return { done, total, rate, leftMs: rate > 0 ? ((total - done) * 1000) / rate : Infinity };
}

function calling(tell: (progress: Progress) => void): Teller {
  const begin = performance.now();
  let done = 0;
  return {
    advance(count, total) {
      done += count;
      try {
        tell(measure(begin, done, total));
      } catch (error) {
        // It is the program's error, and not the task's.
        queueMicrotask(() => {
          throw error;
        });
      }
    },
    end() {},
  };
}

const shownRate = (rate: number): string => (rate < 10 ? rate.toFixed(1) : String(Math.round(rate)));

function bar(total: number): Teller {
  const { SingleBar, Presets } = createRequire(import.meta.url)('cli-progress') as typeof CliProgress;
  const begin = performance.now();
  const shown = new SingleBar(
    {
      format: '{bar} {percentage}% | {value}/{total} | {rate}/s | {eta_formatted} left',
      // The event loop may be held up: then it is drawn whenever it moves.
      synchronousUpdate: true,
      noTTYOutput: true,
      notTTYSchedule: LINE_MS,
      hideCursor: true,
    },
    Presets.shades_classic,
  );
  shown.start(total, 0, { rate: '0' });
  let done = 0;
  return {
    advance(count, known) {
      done += count;
      shown.setTotal(known);
      shown.update(done, { rate: shownRate(measure(begin, done, known).rate) });
    },
    end: () => shown.stop(),
  };
}
