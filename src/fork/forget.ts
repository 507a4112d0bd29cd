/**
 * Child: forgetting what the parent had pending, so that none of it happens a second time.
 *
 * Each function is given what it changes, so that a rehearsal in the parent can run it on stand-ins.
 */
import { AsyncResource, createHook, executionAsyncResource, type AsyncHook } from 'node:async_hooks';
import type { EventEmitter } from 'node:events';

import type { Internals, Linked } from './internals.ts';

// Layout of Node's `immediateInfo` and `tickInfo`.
const kCount = 0;
/** Index of the number of immediates that keep the event loop alive. */
export const kRefCount = 1;
/** Index of the mark that a round of immediates is under way. */
export const kHasOutstanding = 2;
const kHasTickScheduled = 0;
const kHasRejectionToWarn = 1;

/** What Node's `Immediate` is linked by. */
export interface Immediate {
  _idleNext: Immediate | null;
  _destroyed: boolean;
  _onImmediate: unknown;
  _argv?: unknown;
}

/** The parts of a handle's JavaScript object that matter here. */
export interface HandleOwner {
  _handle?: { fd?: number } | null;
  /** Of a socket that an HTTP request is using. */
  _httpMessage?: { agent?: object | null } | null;
  _readableState?: { destroyed: boolean };
  _writableState?: WritableState;
}

interface WritableState {
  destroyed: boolean;
  /** Bytes that are not sent yet. */
  length: number;
  highWaterMark: number;
  constructor: new (options: object, stream: unknown, isDuplex: boolean) => WritableState;
}

const noop = (): void => {};

/** The immediate whose callback is running, if one is. */
export function runningImmediate(): Immediate | undefined {
  const resource = executionAsyncResource() as Partial<Immediate> & { constructor?: { name?: string } };
  return resource?.constructor?.name === 'Immediate' ? (resource as Immediate) : undefined;
}

/** Notices the immediates of a round that the fork has interrupted. */
let outstanding: AsyncHook | undefined;

/**
 * A fork in a tick or microtask between two immediates: Node goes on with the rest of the round, which hangs in a list that
 * nothing leads to. Each of them is noticed as its turn comes, and made harmless.
 */
export function disarmOutstandingImmediates(): void {
  const last = new AsyncResource('fork').asyncId();
  outstanding = createHook({
    before(id) {
      const immediate = runningImmediate();
      if (id >= last || !immediate) return;
      immediate._onImmediate = noop;
      immediate._argv = undefined;
    },
  }).enable();
}

/** The interrupted round is over. */
export function endDisarming(): void {
  outstanding?.disable();
  outstanding = undefined;
}

/** Clears the immediates from `first` on. */
export function clearImmediates(first: Linked | Immediate | null): void {
  for (let next = first; next !== null;) {
    const immediate = next;
    next = immediate._idleNext;
    clearImmediate(immediate as unknown as NodeJS.Immediate);
  }
}

/** Clears every timer in Node's lists. The one whose callback is running is in none, and is still counted. */
export function clearTimers(lists: Record<string, Linked>): void {
  const pending: Linked[] = [];
  for (const duration in lists) {
    const list = lists[duration] as Linked;
    for (let timer = list._idleNext; timer !== null && timer !== list; timer = timer._idleNext) pending.push(timer);
  }
  for (const timer of pending) {
    const callback = timer._onTimeout as (() => void) | null | undefined;
    const duration = timer._idleTimeout;
    clearTimeout(timer as unknown as NodeJS.Timeout);
    // As after firing: `refresh()` starts it again, which undici does with the one timer behind its timeouts.
    timer._idleTimeout = duration;
    timer._onTimeout = callback;
    // Node's own: without it the Date header of an HTTP server would stand still.
    if (callback?.name === 'resetCache') callback();
  }
}

/** Drops queued ticks. */
export function clearTicks(queue: Internals['tickQueue'], info: Uint8Array): void {
  while (!queue.isEmpty()) queue.shift();
  info[kHasTickScheduled] = 0;
}

/** Lets Node process the parent's unhandled rejections with nobody listening but us. */
export function swallowRejections(subject: EventEmitter, { processPromiseRejections, tickInfo }: Internals): void {
  if (tickInfo[kHasRejectionToWarn] === 0) return;
  const events = ['unhandledRejection', 'rejectionHandled', 'uncaughtException', 'warning'];
  const saved = events.map((event) => subject.rawListeners(event));
  for (const event of events) {
    subject.removeAllListeners(event);
    subject.on(event, noop);
  }
  try {
    processPromiseRejections();
  } finally {
    tickInfo[kHasRejectionToWarn] = 0;
    events.forEach((event, index) => {
      subject.removeAllListeners(event);
      for (const listener of saved[index] ?? []) subject.on(event, listener as () => void);
    });
  }
}

/** Requests under way answer nobody. */
export function silenceRequests(requests: { oncomplete?: unknown }[], delivered: () => void): void {
  for (const request of requests) request.oncomplete = () => delivered();
}

/** By which Node hands a message or an event to a `MessagePort`. */
const kHybridDispatch = Symbol.for('nodejs.internal.kHybridDispatch');

/**
 * Sockets are dead for whoever still holds them, pools and agents for instance; message ports hear nothing more. Standard
 * streams live on: libuv opens a terminal anew, so that their descriptors are not 1 and 2 there.
 */
export function killHandles(
  owners: HandleOwner[],
  standard: readonly { stream: unknown }[],
  handedOver: readonly number[],
): void {
  for (const owner of owners) {
    if (kHybridDispatch in owner) Object.defineProperty(owner, kHybridDispatch, { value: noop });
    const fd = owner._handle?.fd;
    if (fd === undefined || fd <= 2 || standard.some(({ stream }) => stream === owner)) continue;
    // On a stream that is handed over, too: what the parent has still to send is the parent's to send.
    dropPendingWrites(owner);
    if (handedOver.includes(fd)) continue;
    // An agent of the program's own: full with connections that never end, it would open none.
    if (owner._httpMessage?.agent) emptyAgents([owner._httpMessage.agent]);
    if (owner._readableState) owner._readableState.destroyed = true;
    if (owner._writableState) owner._writableState.destroyed = true;
  }
}

/** Nothing more is sent, and nobody hears that it was. */
function dropPendingWrites(stream: HandleOwner & { _pendingData?: unknown }): void {
  const state = stream._writableState;
  if (!state?.length) return;
  // The options of every socket.
  const options = { decodeStrings: false, emitClose: false, highWaterMark: state.highWaterMark };
  stream._writableState = new state.constructor(options, stream, true);
  stream._pendingData = null;
}

/** Connections that Node itself keeps for reuse. */
export function emptyAgents(agents: readonly object[]): void {
  for (const agent of agents) {
    Object.assign(agent, {
      sockets: Object.create(null) as object,
      freeSockets: Object.create(null) as object,
      requests: Object.create(null) as object,
      totalSocketCount: 0,
    });
  }
}

/** The dispatchers behind the global fetch begin without connections. */
export function emptyDispatchers(holder: Record<symbol, unknown>, symbols: readonly symbol[]): void {
  for (const symbol of symbols) emptyPools(holder[symbol], 2);
}

/** Empties the pools of an undici dispatcher, and of those that it is built of. */
function emptyPools(dispatcher: unknown, depth: number): void {
  const { dispatch } = (dispatcher ?? {}) as { dispatch?: unknown };
  if (typeof dispatch !== 'function') return;
  for (const symbol of Object.getOwnPropertySymbols(dispatcher)) {
    const value = (dispatcher as Record<symbol, unknown>)[symbol];
    if (/^(clients|origins)$/.test(symbol.description ?? '') && (value instanceof Map || value instanceof Set))
      value.clear();
    else if (depth > 0) emptyPools(value, depth - 1);
  }
}

/**
 * An unwinding out of an immediate's callback leaves Node's internal list pointing at that immediate. Made harmless and
 * counted once, it is run once more by Node, which then finds the list at its end.
 */
export function healImmediate(info: Uint32Array, immediate: Immediate): void {
  immediate._destroyed = false;
  immediate._onImmediate = noop;
  immediate._idleNext = null;
  info[kCount] = 1;
  info[kRefCount] = 0;
  info[kHasOutstanding] = 1;
}
