// What children of the soak run that are not forked from it: they import it.

/** A task of a pool; `kind` says how it ends. */
export function task(kind, value) {
  switch (kind) {
    case 'returns':
      return value * 2;
    case 'throws':
      throw new RangeError(`as it should: ${value}`);
    case 'killed':
      process.kill(process.pid, 'SIGKILL');
      return undefined;
    case 'exits':
      return process.exit(3);
    case 'hangs':
      for (;;);
    default:
      return new Promise((resolve) => setTimeout(resolve, value % 20, value));
  }
}

export function double(value) {
  return value * 2;
}

/** Adds up what comes until there is no more, under the lock, and says how much that was. */
export function addUp(queue, lock, total) {
  for (;;) {
    const item = queue.get();
    if (item === null) return;
    lock.acquire();
    total.value += item.number;
    lock.release();
  }
}

export function exitsWith(code) {
  process.exitCode = code;
}
