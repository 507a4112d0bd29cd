/**
 * Python's `forkserver`: children are forked by a helper, which is a clean process.
 */
import { fileURLToPath } from 'node:url';
import { inspect } from 'node:util';

import { Connection, Pipe } from '../connection.ts';
import { EOFError } from '../connection/errors.ts';
import { closeAll } from '../connection/handles.ts';
import { ForkError, ProcessError, invalidArgument, type ErrorCode } from '../errors.ts';
import type { Child } from '../fork/fork.ts';
import { native } from '../native.ts';
import { checkInteger } from '../options.ts';
import { packageRoot } from '../package-root.ts';
import { handOver, pack, type Work } from '../spawn/preparation.ts';
import { startProgram } from '../spawn/spawn.ts';
import { wantedPreload } from './preload.ts';
import type { Hello, Offer, Request } from './protocol.ts';

/** The program that the helper runs. */
const entry = fileURLToPath(new URL('dist/forkserver/server.js', packageRoot));

/** A child that waits for work. */
interface Spare {
  readonly pid: number;
  readonly channel: Connection;
  /** Readable once it has ended; the helper tells over `relay` how. */
  readonly sentinel: number;
  readonly relay: number;
}

/** A helper that was started. */
interface Helper {
  readonly control: Connection;
  /** Readable once it has ended. Its end of `control` may be open for a moment longer, in a child that it was making. */
  readonly sentinel: number;
  /** The process that it is the helper of: a forked child has a copy of this object only. */
  readonly owner: number;
  /** Where and in what environment it was started. */
  readonly cwd: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Modules that its children have. */
  readonly modules: Set<string>;
  generation: number;
  /** Spares of this generation that were asked for and have not been offered yet. */
  outstanding: number;
  readonly spares: Spare[];
}

let helper: Helper | undefined;
let spares = 1;

/** Options of `startForkserver`. */
export interface ForkserverOptions {
  /** How many children the helper keeps forked ahead of need, so that `start()` only hands over the work. @default 1 */
  readonly spares?: number | undefined;
}

/**
 * Python: `multiprocessing.forkserver.ensure_running`. Starts the helper of the start method `forkserver`, if there is none; otherwise the first `start()` does.
 *
 * @throws TypeError or RangeError (`ERR_MP_INVALID_ARG`) for a bad option; ProcessError `ERR_MP_START_METHOD` where there is no
 *   `fork`; Error of the system.
 */
export function startForkserver(options: ForkserverOptions = {}): void {
  if (typeof options !== 'object' || options === null) {
    throw invalidArgument(`expected { spares }, not ${inspect(options)}`);
  }
  const wanted = options.spares ?? 1;
  if (checkInteger(wanted, 'spares') < 0 || wanted > 1000) {
    throw invalidArgument(`spares must be between 0 and 1000, not ${wanted}`, RangeError);
  }
  if (process.platform !== 'linux') {
    throw new ProcessError(
      'ERR_MP_START_METHOD',
      `the forkserver needs Linux and does not work on ${process.platform}`,
    );
  }
  spares = wanted;
  whileHelperLives((running) => {
    topUp(running);
    while (running.outstanding > 0) receive(running);
  });
}

function discard({ channel, sentinel, relay }: Spare): void {
  channel.close();
  closeAll([sentinel, relay]);
}

function dropHelper(): void {
  if (helper === undefined) return;
  for (const spare of helper.spares) discard(spare);
  helper.control.close();
  closeAll([helper.sentinel]);
  helper = undefined;
}

/** What tells of the end of a helper that was started just now. @throws EOFError if it has ended. */
function sentinelOf(pid: number): number {
  try {
    return native.childSentinel(pid);
  } catch {
    throw new EOFError(false);
  }
}

/** The helper, which is started if there is none of this process's. */
function running(): Helper {
  if (helper?.owner === process.pid) return helper;
  dropHelper();
  const preload = wantedPreload();
  const [control, its] = Pipe();
  let sentinel: number | undefined;
  try {
    sentinel = sentinelOf(startProgram(entry, its, true, false).pid);
    const owner = { name: 'MainProcess', pid: process.pid };
    const hello: Hello = { owner, argv: process.argv, arena: native.numberForHelper(), preload };
    control.sendBytes(Buffer.from(JSON.stringify(hello)));
  } catch (error) {
    control.close();
    if (sentinel !== undefined) closeAll([sentinel]);
    throw error;
  } finally {
    its.close();
  }
  return (helper = {
    control,
    sentinel,
    owner: process.pid,
    cwd: process.cwd(),
    environment: { ...process.env },
    modules: new Set(preload.modules),
    generation: 0,
    outstanding: 0,
    spares: [],
  });
}

/** Asks for spares. */
function request(helper: Helper, count: number, needed: readonly string[] = []): void {
  const request: Request = { generation: helper.generation, modules: needed, count };
  helper.outstanding += count;
  helper.control.sendBytes(Buffer.from(JSON.stringify(request)));
}

/** Has as many spares as there should be made. */
function topUp(helper: Helper): void {
  const lacking = spares - helper.spares.length - helper.outstanding;
  if (lacking > 0) request(helper, lacking);
}

/** Takes what the helper says next, waiting for it. @throws ForkError if it could not fork. */
function receive(helper: Helper): void {
  const { bytes, descriptors } = helper.control.recvMessage();
  const offer = JSON.parse(bytes.toString()) as Offer;
  const isCurrent = offer.generation === helper.generation;
  if (isCurrent) helper.outstanding -= 1;
  if ('code' in offer) {
    if (isCurrent) throw new ForkError(offer.code as ErrorCode, `the forkserver: ${offer.message}`);
    return;
  }
  const [channel, sentinel, relay] = descriptors as [number, number, number];
  const spare: Spare = { pid: offer.pid, channel: new Connection(channel), sentinel, relay };
  if (isCurrent) helper.spares.push(spare);
  else discard(spare);
}

/** A spare that has the modules; it is the caller's from now on. @throws EOFError if the helper has ended: nobody would tell how it ends. */
function take(helper: Helper, needed: readonly string[]): Spare {
  if (native.waitFd(helper.sentinel, 0).readable) throw new EOFError(false);
  const missing = needed.filter((url) => !helper.modules.has(url));
  if (missing.length > 0) {
    for (const spare of helper.spares.splice(0)) discard(spare);
    helper.generation += 1;
    helper.outstanding = 0;
    for (const url of missing) helper.modules.add(url);
    request(helper, Math.max(spares, 1), missing);
  }
  while (helper.control.poll()) receive(helper);
  for (;;) {
    const spare = helper.spares.shift();
    if (spare === undefined) {
      if (helper.outstanding === 0) request(helper, 1);
      receive(helper);
    } else if (native.waitFd(spare.sentinel, 0).readable) {
      // Somebody has killed it.
      discard(spare);
    } else {
      return spare;
    }
  }
}

/** What has changed since the helper was started. */
function changes({ cwd, environment }: Helper): { cwd?: string; environment?: Record<string, string | null> } {
  const changed: Record<string, string | null> = {};
  for (const [name, value] of Object.entries(process.env)) {
    if (value !== undefined && environment[name] !== value) changed[name] = value;
  }
  for (const name of Object.keys(environment)) if (process.env[name] === undefined) changed[name] = null;
  return {
    ...(process.cwd() !== cwd && { cwd: process.cwd() }),
    ...(Object.keys(changed).length > 0 && { environment: changed }),
  };
}

/** How often it is tried anew with another helper if one dies. */
const ATTEMPTS = 10;

/** Does `action` with a helper, anew with another one if that dies meanwhile. */
function whileHelperLives<T>(action: (helper: Helper) => T): T {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return action(running());
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      const hasDied = code === 'ERR_MP_EOF' || code === 'EPIPE' || code === 'ECONNRESET';
      if (!hasDied) throw error;
      dropHelper();
      if (attempt === ATTEMPTS) {
        throw new ForkError(
          'ERR_MP_START_FAILED',
          `the forkserver has ended ${ATTEMPTS} times in a row before it had a child: perhaps a module that it imports ends the process ` +
            '(setForkserverPreload, the modules of targets), or something kills it; getContext("spawn") works without it',
          { cause: error },
        );
      }
    }
  }
}

/** Starts a child; returns its pid. */
export function startByForkserver(child: Child): number {
  const work = pack(child);
  try {
    return employ(child, work);
  } catch (error) {
    work.message.settle?.(false);
    throw error;
  }
}

/** Gives a spare its work; returns its pid. */
function employ(child: Child, work: Work): number {
  return whileHelperLives((running) => {
    const { pid, channel, sentinel, relay } = take(running, work.modules);
    try {
      const reserved = native.reserveSeats();
      native.adoptRelayed(pid, sentinel, relay, child.daemon);
      handOver(channel, pid, child, work, reserved, changes(running));
    } finally {
      native.giveUpSeats();
      channel.close();
    }
    try {
      topUp(running);
    } catch {
      // It has died since: the next start finds that out.
    }
    return pid;
  });
}
