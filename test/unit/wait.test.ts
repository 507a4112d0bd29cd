import { EventEmitter, getEventListeners } from 'node:events';
import { describe, expect, it } from 'vitest';

import { race } from '../../src/wait.ts';

/** An event to wait for. */
function source(): { emitter: EventEmitter; subscribe: (done: () => void) => () => void } {
  const emitter = new EventEmitter();
  return {
    emitter,
    subscribe: (done) => {
      emitter.on('it', done);
      return () => void emitter.off('it', done);
    },
  };
}

const timers = (): number => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;

describe('race', () => {
  it('true when it happens, and nothing is left behind', async () => {
    const { emitter, subscribe } = source();
    const { signal } = new AbortController();
    const before = timers();
    const waiting = race(subscribe, 1e6, signal);
    expect(timers()).toBe(before + 1);
    expect(getEventListeners(signal, 'abort')).toHaveLength(1);
    emitter.emit('it');
    expect(await waiting).toBe(true);
    expect(emitter.listenerCount('it')).toBe(0);
    expect(getEventListeners(signal, 'abort')).toHaveLength(0);
    expect(timers()).toBe(before);
  });

  it('false after the timeout', async () => {
    const { emitter, subscribe } = source();
    expect(await race(subscribe, 1, undefined)).toBe(false);
    expect(emitter.listenerCount('it')).toBe(0);
  });

  it("the signal's reason after an abort", async () => {
    const { emitter, subscribe } = source();
    const controller = new AbortController();
    const waiting = race(subscribe, 1e6, controller.signal);
    const reason = { any: 'value' };
    controller.abort(reason);
    await expect(waiting).rejects.toBe(reason);
    expect(emitter.listenerCount('it')).toBe(0);
    expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0);
  });

  it('an unlimited or a very long wait is no short one', async () => {
    for (const timeout of [Infinity, 2 ** 31, 1e300]) {
      const { emitter, subscribe } = source();
      const waiting = race(subscribe, timeout, undefined);
      await new Promise((resolve) => setTimeout(resolve, 5));
      expect(emitter.listenerCount('it')).toBe(1);
      emitter.emit('it');
      expect(await waiting).toBe(true);
    }
  });
});
