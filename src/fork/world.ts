/**
 * Child: the two steps that make a copy of the parent a process of its own. Everything that they touch is handed to
 * them, so that the parent can rehearse them on stand-ins.
 */
import type { EventEmitter } from 'node:events';

import type { AtForkHooks } from '../at-fork.ts';
import type { Native } from '../native.ts';
import { renewSeats } from '../shared/block.ts';
import {
  clearImmediates,
  clearTicks,
  clearTimers,
  disarmOutstandingImmediates,
  emptyAgents,
  healImmediate,
  killHandles,
  emptyDispatchers,
  silenceRequests,
  swallowRejections,
  kHasOutstanding,
  type HandleOwner,
} from './forget.ts';
import {
  dropChannel,
  dropClusterRole,
  dropListeners,
  dropStandardInput,
  renewPid,
  renewRandomness,
  renewStandardStreams,
} from './identity.ts';
import type { Inventory } from './inventory.ts';
import { disownWorkers, type Workers } from './workers.ts';

/** What a child changes. */
export interface World extends Inventory {
  readonly process: EventEmitter & {
    pid: number;
    exitCode?: string | number | null | undefined;
    _exiting?: boolean;
  };
  readonly native: Pick<
    Native,
    | 'getPid'
    | 'isRandomSeeded'
    | 'silencePort'
    | 'requestDelivered'
    | 'unreferenceAll'
    | 'replaceStdinWithNull'
    | 'unblockSignals'
    | 'stampFinished'
    | 'endChildren'
    | 'exitNow'
  >;
  readonly math: { random: () => number };
  readonly global: Record<symbol, unknown>;
  /** The prototype of all workers. */
  readonly workers: Workers;
  activeHandles(): HandleOwner[];
  activeRequests(): { oncomplete?: unknown }[];
  /** What was registered with `registerAtFork`. */
  readonly atFork: readonly AtForkHooks[];
}

/** Identity: what must differ from the parent in every child, that of a raw `fork()` too. */
export function becomeSelf(world: World): void {
  const { native } = world;
  renewPid(world.process, native.getPid());
  renewSeats();
  renewRandomness(world.math, native.isRandomSeeded() === true, world.cryptoCaches);
  renewStandardStreams(world.streams);
  if (world.inspectorPort !== undefined) native.silencePort(world.inspectorPort);
  // A loader that answers from a thread of the parent's would be waited for for ever. Built-in modules and JavaScript
  // then load as without it; TypeScript where Node itself strips types, and fails at once elsewhere.
  world.loader?.setCustomizations?.(undefined);
  disownWorkers(world.workers, world.forkNumber);
}

/** Nothing of what the parent had pending happens here, but for the microtasks of frames that go on. */
export function forgetPending(world: World, handedOver: readonly number[]): void {
  const { internals } = world;
  silenceRequests(world.activeRequests(), world.native.requestDelivered);
  killHandles(world.activeHandles(), world.streams, handedOver);
  world.native.unreferenceAll([...handedOver]);
  clearTimers(internals.timerListMap);
  clearImmediates(internals.immediateQueue.head);
  clearTicks(internals.tickQueue, internals.tickInfo);
  emptyAgents(world.agents);
  emptyDispatchers(world.global, world.dispatchers);
}

function dropCaptureCallback(subject: NodeJS.Process): void {
  try {
    subject.setUncaughtExceptionCaptureCallback(null);
  } catch {
    // node:domain keeps one for itself, which does nothing where no domain is entered.
  }
}

/** Everything of the parent's is left behind, its frames too: the next thing to run is the child's program. */
export function abandonParent(world: World, handedOver: readonly number[]): void {
  const { internals, native, process } = world;
  dropListeners(process, world.listeners);
  process.exitCode = undefined;
  if (world.hasCaptureCallback) dropCaptureCallback(process as unknown as NodeJS.Process);
  if (world.hasChannel) dropChannel(process as unknown as Record<string, unknown>);
  if (world.cluster) dropClusterRole(world.cluster);
  native.replaceStdinWithNull();
  dropStandardInput(process);
  const { immediate } = world;
  if (!immediate && internals.immediateInfo[kHasOutstanding] === 1) disarmOutstandingImmediates();
  // Node keeps a stack of async contexts and aborts when one is closed out of order, as an unwinding does.
  internals.clearAsyncIdStack();
  swallowRejections(process, internals);
  forgetPending(world, handedOver);
  // A timer whose callback is being abandoned would be counted for ever.
  internals.timeoutInfo[0] = 0;
  if (immediate) healImmediate(internals.immediateInfo, immediate);
  native.unblockSignals();
}
