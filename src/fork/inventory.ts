/**
 * Parent: a look, just before a fork, at what the child will have to let go of. Taken here so that a child, for which
 * every first touch of a page costs a copy, does only what is needed.
 */
import { createRequire } from 'node:module';

import { runningImmediate, type Immediate } from './forget.ts';
import { renewalOf, sortListeners, type Renewal, type Stream } from './identity.ts';
import { cascadedLoader, cryptoCaches, nodeInternals, type Internals } from './internals.ts';
import { numberOfFork } from './workers.ts';

const require = createRequire(import.meta.url);

/** What a child finds of its parent's. */
export interface Inventory {
  readonly internals: Internals;
  readonly cryptoCaches: readonly Uint8Array[];
  readonly loader: ReturnType<typeof cascadedLoader>;
  readonly streams: readonly Renewal[];
  readonly listeners: ReturnType<typeof sortListeners>;
  /** An IPC channel to the parent's parent. */
  readonly hasChannel: boolean;
  readonly hasCaptureCallback: boolean;
  readonly cluster: Record<string, unknown> | undefined;
  /** Node's own pools of connections. */
  readonly agents: readonly object[];
  readonly dispatchers: readonly symbol[];
  readonly inspectorPort: number | undefined;
  /** The immediate whose callback is running, if one is. */
  readonly immediate: Immediate | undefined;
  /** Every async resource with a lower number is the parent's. */
  readonly forkNumber: number;
}

/** What depends only on which of Node's modules are loaded. */
interface Modules {
  readonly count: number;
  readonly cryptoCaches: readonly Uint8Array[];
  readonly cluster: Record<string, unknown> | undefined;
  readonly agents: readonly object[];
}

const { moduleLoadList } = process as unknown as { moduleLoadList: string[] };
let modules: Modules | undefined;

function lookAtModules(): Modules {
  if (modules?.count === moduleLoadList.length) return modules;
  const loaded = new Set(moduleLoadList);
  const agents = (['http', 'https'] as const).filter((name) => loaded.has(`NativeModule ${name}`));
  modules = {
    count: moduleLoadList.length,
    cryptoCaches: loaded.has('NativeModule internal/crypto/random') ? cryptoCaches() : [],
    cluster: loaded.has('NativeModule cluster') ? (require('node:cluster') as Record<string, unknown>) : undefined,
    agents: agents.map((name) => (require(`node:${name}`) as typeof import('node:http')).globalAgent),
  };
  return modules;
}

let loader: ReturnType<typeof cascadedLoader> | null = null;

/** Finds everything, before any process is made. @throws ForkError when this Node hides what is needed. */
export function takeInventory(): Inventory {
  const internals = nodeInternals();
  if (loader === null) loader = cascadedLoader();
  const { cryptoCaches: caches, cluster, agents } = lookAtModules();
  return {
    internals,
    cryptoCaches: caches,
    loader,
    streams: standardStreams(),
    listeners: sortListeners(process),
    hasChannel: process.channel !== undefined || process.send !== undefined,
    hasCaptureCallback: process.hasUncaughtExceptionCaptureCallback(),
    cluster,
    agents,
    dispatchers: Object.getOwnPropertySymbols(globalThis).filter((symbol) =>
      symbol.description?.startsWith('undici.globalDispatcher.'),
    ),
    inspectorPort: inspectorPort(),
    immediate: runningImmediate(),
    forkNumber: numberOfFork(),
  };
}

/** The streams as objects, made if need be: parent and child then share those that consoles hold. */
function standardStreams(): Renewal[] {
  const streams: Renewal[] = [];
  for (const [fd, name] of [
    [1, 'stdout'],
    [2, 'stderr'],
  ] as const) {
    try {
      const stream = process[name] as unknown as Stream;
      // A stream that the program put there itself is the program's.
      if (stream?.fd === fd && stream._writableState && !stream.destroyed) streams.push(renewalOf(fd, stream));
    } catch {
      // A closed descriptor: nothing can be written anyway.
    }
  }
  return streams;
}

let inspector: typeof import('node:inspector') | undefined;

function inspectorPort(): number | undefined {
  // To ask `require` again costs more than all the rest.
  inspector ??= require('node:inspector') as typeof import('node:inspector');
  const url = inspector.url();
  const port = url === undefined ? undefined : /^ws:\/\/.*:(\d+)\//.exec(url)?.[1];
  return port === undefined ? undefined : Number(port);
}
