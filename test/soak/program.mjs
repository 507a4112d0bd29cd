// The program that the soak runs: actions at random, several at once, and now and then an account of everything.
import { namesLeft, growth, holdings, residentBytes } from './accounts.mjs';
import { actions } from './actions.mjs';
import { delay, refused } from './children.mjs';

const [minutes, seed, lanes] = process.argv.slice(2).map(Number);
const only = process.env.SOAK_ONLY?.split(',');
/** Between two accounts, in milliseconds. */
const ROUND_MS = 10_000;
/** An action that takes longer hangs. */
const HANGS_MS = Number(process.env.SOAK_HANGS_MS ?? 120_000);
/** How long the collector and the kernel may take to clear away. */
const SETTLE_MS = 15_000;
/** More memory than at the first accounts is a leak: much more than what the heap of a program this size varies by. */
const MOST_GROWTH = 96 << 20;
/** Accounts before memory is compared. */
const WARM_UP = 3;

/** A sequence of its own for each lane: what is chosen depends on the seed alone. */
class Random {
  #state;

  constructor(seed) {
    this.#state = seed | 0;
  }

  next() {
    // mulberry32
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  }

  below(limit) {
    return Math.floor(this.next() * limit);
  }

  chance(share) {
    return this.next() < share;
  }

  pick(list) {
    return list[this.below(list.length)];
  }
}

const chosen = actions
  .filter(({ name }) => !only || only.includes(name))
  .flatMap((action) => Array.from({ length: action.weight }, () => action));
const counts = {};

/** Where, what and since when. */
const underWay = new Map();

async function perform(action, random, where) {
  underWay.set(where, [action.name, performance.now()]);
  const watchdog = setTimeout(() => {
    console.error(`${where}: ${action.name} hangs; under way are`);
    for (const [other, [name, since]] of underWay) {
      console.error(`  ${other}: ${name} for ${((performance.now() - since) / 1000).toFixed(1)} s`);
    }
    process.kill(process.pid, 'SIGABRT');
  }, HANGS_MS);
  try {
    await action.run(random);
    counts[action.name] = (counts[action.name] ?? 0) + 1;
  } catch (error) {
    throw new Error(`${where}: ${action.name}`, { cause: error });
  } finally {
    clearTimeout(watchdog);
    underWay.delete(where);
  }
}

/** What is too much now, once that is nothing or after a while. */
async function tooMuch(before) {
  const deadline = performance.now() + SETTLE_MS;
  for (;;) {
    globalThis.gc();
    await delay(20);
    const more = [...(before ? growth(before, holdings()) : []), ...namesLeft(process.env.SOAK_PREFIX)];
    if (more.length === 0 || performance.now() > deadline) return more;
  }
}

function fail(what) {
  console.error(what);
  process.exit(1);
}

const started = performance.now();
const until = started + minutes * 60_000;
const randoms = Array.from({ length: lanes }, (_, lane) => new Random(seed * 1000 + lane));
const numbers = randoms.map(() => 0);
const memory = [];
let before;
try {
  // Each once, alone: so everything is there that stays.
  const first = new Random(seed);
  for (const action of new Set(chosen)) await perform(action, first, 'at first');
  if (only === undefined) for (const action of new Set(chosen)) await perform(action, first, 'at second');
  await tooMuch(undefined);
  before = holdings();
  console.log(`has ${JSON.stringify(before)}`);
  do {
    const pause = Math.min(performance.now() + ROUND_MS, until);
    await Promise.all(
      randoms.map(async (random, lane) => {
        while (performance.now() < pause) {
          await perform(random.pick(chosen), random, `lane ${lane}, action ${(numbers[lane] += 1)}`);
        }
      }),
    );
    const more = await tooMuch(before);
    memory.push(residentBytes());
    const total = Object.values(counts).reduce((sum, count) => sum + count, 0);
    const minutesIn = ((performance.now() - started) / 60_000).toFixed(1);
    console.log(
      `${minutesIn} min, ${total} actions, ${Math.round(memory.at(-1) / 2 ** 20)} MiB, ${refused.count} forks tried again`,
    );
    if (more.length > 0) fail(`left behind:\n  ${more.join('\n  ')}`);
    const usual = Math.max(...memory.slice(0, WARM_UP));
    if (memory.at(-1) > usual + MOST_GROWTH)
      fail(`memory grows: ${memory.map((bytes) => Math.round(bytes / 2 ** 20)).join(' ')} MiB`);
  } while (performance.now() < until);
} catch (error) {
  console.error(error);
  process.exit(1);
}
console.log(JSON.stringify(counts));
console.log('passed');
