/** Blocks this process for `ms` milliseconds, as Python's time.sleep() does: the event loop stands still meanwhile. */
export function sleep(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}
