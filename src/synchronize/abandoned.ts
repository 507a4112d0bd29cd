/**
 * What happens when a process dies with something that others wait for.
 */
import type { HolderEnd } from '../../index.js';
import { channels } from '../diagnostics.ts';
import { ProcessError } from '../errors.ts';
import { native } from '../native.ts';
import { signalName } from '../signals.ts';

/** What to do about a holder that has died: `'throw'` an `AbandonedLockError`, or `'recover'` and say so. */
export type OnAbandoned = 'throw' | 'recover';

/** How a holder ended, in words. */
function describe({ exitCode, signal }: { exitCode: number | null; signal: string | null }): string {
  if (signal !== null) return `was ended by ${signal}`;
  return exitCode === null ? 'has ended (how is not known here)' : `exited with code ${exitCode}`;
}

/**
 * A process has died while it held a lock, so that what the lock protects may be half done. Thrown by each attempt to
 * take the lock until somebody calls `recover()`. Python has no such error: there everybody waits for ever.
 */
export class AbandonedLockError extends ProcessError {
  /** Process id of the dead holder; null if it is not known any more. */
  readonly pid: number | null;
  /** Its name; null if it is not known. */
  readonly holder: string | null;
  /** Its exit code, `-N` after signal N; null if nobody of ours has reaped it yet. */
  readonly exitCode: number | null;
  /** Name of the signal that ended it; null if none did, or that is not known. */
  readonly signal: string | null;
  /** When its end was noticed; null if that is not known. */
  readonly endedAt: Date | null;

  /** @internal */
  constructor(what: string, end: HolderEnd) {
    const facts = end.status === undefined ? undefined : native.statusFacts(end.status);
    const exitCode = facts === undefined ? null : facts.exited ? facts.exitStatus : -facts.termSignal;
    const signal = exitCode !== null && exitCode < 0 ? signalName(-exitCode) : null;
    const endedAt = end.atMs > 0 ? new Date(end.atMs) : null;
    const who = end.name || 'a process';
    super(
      'ERR_MP_ABANDONED',
      `${what} is abandoned: ${who}${end.pid > 0 ? ` (pid ${end.pid})` : ''}, which held it, ${describe({ exitCode, signal })}` +
        `${endedAt ? ` (noticed at ${endedAt.toISOString()})` : ''}; what it protects may be half done: ` +
        "set that right and call recover(), or make the lock with { onAbandoned: 'recover' }",
    );
    this.pid = end.pid > 0 ? end.pid : null;
    this.holder = end.name || null;
    this.exitCode = exitCode;
    this.signal = signal;
    this.endedAt = endedAt;
  }
}

/** Tells the program that a lock was taken over from a dead holder, once for each death. */
export function announceRecovery(lock: object, what: string, end: HolderEnd): void {
  const error = new AbandonedLockError(what, end);
  if (channels.abandoned.hasSubscribers) channels.abandoned.publish({ lock, error });
  process.emitWarning(
    `${error.holder ?? 'a process'}${error.pid === null ? '' : ` (pid ${error.pid})`}, which held ${what}, ` +
      `${describe(error)}; the lock was taken over, and what it protects may be half done`,
    { type: 'AbandonedLockWarning', code: 'ERR_MP_ABANDONED' },
  );
}
