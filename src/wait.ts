/** Waiting for one of: an event, a timeout, an abort. */
import { setMaxListeners } from 'node:events';

/**
 * Resolves with true when `subscribe`'s callback is called, with false after `timeoutMs`, and rejects with the signal's
 * reason when it is aborted. Leaves no listener and no timer behind.
 */
export function race(
  subscribe: (done: () => void) => () => void,
  timeoutMs: number,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => settle(() => reject(signal?.reason as Error));
    const unsubscribe = subscribe(() => settle(() => resolve(true)));
    // The longest that a Node timer can wait.
    const timer = timeoutMs <= 0x7fffffff ? setTimeout(settle, timeoutMs, () => resolve(false)) : undefined;
    if (signal) {
      // Any number of waits may share a signal. Each takes its listener away when it ends: nothing leaks.
      setMaxListeners(0, signal);
      signal.addEventListener('abort', onAbort, { once: true });
    }
    function settle(how: () => void): void {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
      unsubscribe();
      how();
    }
  });
}
