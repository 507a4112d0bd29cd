/**
 * Parent: running everything that a child does at its start and end once on stand-ins.
 *
 * JavaScript is compiled when it first runs. What only children run would be compiled in every child anew, which takes
 * longer than all the rest of a child's set-up (measured: 3 ms against 1). V8 also throws away bytecode that was not
 * used for a while, so this is repeated before each fork; it takes a tenth of a millisecond.
 */
import { EventEmitter } from 'node:events';
import { Writable } from 'node:stream';

import { installExits, onIdle, withoutEffect, type Program } from './child.ts';
import { healImmediate } from './forget.ts';
import { renewalOf, sortListeners, type Stream } from './identity.ts';
import type { Internals, Linked } from './internals.ts';
import { abandonParent, becomeSelf, type World } from './world.ts';

const noop = (): void => {};

/** A duration of its own, so that Node's list for it holds one timer only. */
const LONG = 2 ** 31 - 1007;

const subject = Object.assign(new EventEmitter(), {
  pid: 0,
  exitCode: undefined,
  _exiting: false,
});
const stream = new Writable({ write: noop }) as unknown as Stream;
const timerListMap: Record<string, Linked> = {};
const immediateQueue: { head: Linked | null; tail: Linked | null } = { head: null, tail: null };

const standIn: World & { streams: World['streams']; internals: { tickQueue: Internals['tickQueue'] } } = {
  process: subject as unknown as World['process'],
  native: {
    getPid: () => 0,
    isRandomSeeded: () => true,
    silencePort: noop,
    requestDelivered: noop,
    unreferenceAll: noop,
    replaceStdinWithNull: noop,
    unblockSignals: noop,
    stampFinished: noop,
    endChildren: noop,
    exitNow: noop,
  },
  math: { random: () => 0 },
  global: {},
  workers: { postMessage: noop },
  activeHandles: () => [{}],
  activeRequests: () => [{}],
  atFork: [],
  internals: {
    tickQueue: { isEmpty: () => true, shift: noop, push: noop },
    tickInfo: new Uint8Array(2),
    processPromiseRejections: noop,
    clearAsyncIdStack: noop,
    immediateInfo: new Uint32Array(3),
    timeoutInfo: new Int32Array(1),
    immediateQueue,
    timerListMap,
  },
  cryptoCaches: [],
  loader: undefined,
  streams: [],
  listeners: sortListeners(subject),
  hasChannel: false,
  hasCaptureCallback: false,
  cluster: undefined,
  agents: [{}],
  dispatchers: [],
  inspectorPort: undefined,
  immediate: undefined,
  forkNumber: 0,
};

/** Compiles a child's first and last steps. Changes nothing but the stand-ins. */
export function rehearse(
  internals: Internals,
  program: Program,
  runChild: (program: Program, world: World) => void,
): void {
  subject._exiting = false;
  standIn.streams = [renewalOf(-1, stream)];
  standIn.internals.tickQueue = new (internals.tickQueue.constructor as new () => typeof internals.tickQueue)();
  standIn.internals.tickQueue.push(0);
  immediateQueue.head = setImmediate(noop) as unknown as Linked;
  const timer = setTimeout(noop, LONG);
  timerListMap[LONG] = internals.timerListMap[LONG] as Linked;
  becomeSelf(standIn);
  abandonParent(standIn, []);
  healImmediate(standIn.internals.immediateInfo, { _idleNext: null, _destroyed: true, _onImmediate: noop });
  // Should the stand-in not have been found, these must not stay behind.
  clearTimeout(timer);
  withoutEffect(() => {
    installExits('rehearsal', {});
    runChild(program, standIn);
    onIdle(standIn);
  });
  // A getter of Node's.
  void process.exitCode;
}
