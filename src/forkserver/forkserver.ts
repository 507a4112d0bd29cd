/**
 * Python's `forkserver`: children are forked by a helper, which is a clean process.
 */
import { fileURLToPath, pathToFileURL } from 'node:url';
import { inspect } from 'node:util';

import { Pipe, type Connection } from '../connection.ts';
import { closeAll } from '../connection/handles.ts';
import { ForkError, ProcessError, invalidArgument, type ErrorCode } from '../errors.ts';
import type { Child } from '../fork/fork.ts';
import { native } from '../native.ts';
import { checkInteger } from '../options.ts';
import { handOver, pack, type Work } from '../spawn/preparation.ts';
import { startProgram } from '../spawn/spawn.ts';
import type { Hello, Reply, Request } from './protocol.ts';

/** The program that the helper runs. */
const entry = fileURLToPath(new URL('./server.js', import.meta.url));

/** A helper that was started. */
interface Helper {
  readonly control: Connection;
  /** The process that it is the helper of: a forked child has a copy of this object only. */
  readonly owner: number;
  /** Where and in what environment it was started. */
  readonly cwd: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

let helper: Helper | undefined;
let modules: readonly string[] = [];
let spares = 1;

/** Options of `startForkserver`. */
export interface ForkserverOptions {
  /** How many children the helper keeps forked ahead of need, so that `start()` only hands over the work. @default 1 */
  readonly spares?: number | undefined;
}

/**
 * Python: `multiprocessing.set_forkserver_preload`. Modules that the helper imports before it forks, so that its children have
 * them at once, and share their memory. Those of targets come by themselves with their first use. Takes effect with the next
 * helper, so call it before the first start.
 *
 * @param urls URLs or absolute paths of modules.
 * @throws TypeError (`ERR_MP_INVALID_ARG`) for anything else.
 */
export function setForkserverPreload(urls: readonly (string | URL)[]): void {
  if (!Array.isArray(urls)) throw invalidArgument(`expected a list of URLs or absolute paths, not ${inspect(urls)}`);
  modules = urls.map((url: unknown) => {
    if (url instanceof URL) return url.href;
    if (typeof url === 'string' && url.startsWith('/')) return pathToFileURL(url).href;
    if (typeof url === 'string' && /^(file|node|data):/.test(url)) return url;
    throw invalidArgument(`a module is named by a URL or an absolute path, not ${inspect(url)}`);
  });
}

/**
 * Starts the helper of the start method `forkserver`, if there is none; otherwise the first `start()` does.
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
  if (wanted !== spares) dropHelper();
  spares = wanted;
  running();
}

function dropHelper(): void {
  helper?.control.close();
  helper = undefined;
}

/** The helper, which is started if there is none of this process's. */
function running(): Helper {
  if (helper?.owner === process.pid) return helper;
  dropHelper();
  const [control, its] = Pipe();
  try {
    startProgram(entry, its, true, false);
    const owner = { name: 'MainProcess', pid: process.pid };
    const hello: Hello = { owner, argv: process.argv, preload: modules, spares };
    control.sendBytes(Buffer.from(JSON.stringify(hello)));
  } catch (error) {
    control.close();
    throw error;
  } finally {
    its.close();
  }
  return (helper = { control, owner: process.pid, cwd: process.cwd(), environment: { ...process.env } });
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

/** How often a child is asked for anew whose helper has died under the request. */
const ATTEMPTS = 10;

/** Starts a child; returns its pid. */
export function startByForkserver(child: Child): number {
  const work = pack(child);
  for (let attempt = 1; ; attempt += 1) {
    try {
      return ask(running(), child, work);
    } catch (error) {
      // What was not answered has left nothing behind but perhaps a child that learns that nobody wants it, and ends.
      dropHelper();
      const { code } = error as NodeJS.ErrnoException;
      if (attempt === ATTEMPTS || (code !== 'ERR_MP_EOF' && code !== 'EPIPE' && code !== 'ECONNRESET')) throw error;
    }
  }
}

function ask(helper: Helper, child: Child, work: Work): number {
  const { control } = helper;
  const [here, there] = Pipe();
  const [told, tells] = Pipe(false);
  const reserved = native.reserveSeats();
  try {
    const request: Request = { modules: work.modules };
    const head = Buffer.from(JSON.stringify(request));
    control.sendMessage({ head, parts: [], descriptors: [there.fileno(), tells.fileno()] });
    there.close();
    tells.close();
    const { bytes, descriptors } = control.recvMessage();
    const reply = JSON.parse(bytes.toString()) as Reply;
    if ('code' in reply) {
      closeAll(descriptors);
      throw new ForkError(reply.code as ErrorCode, `the forkserver: ${reply.message}`);
    }
    const { pid } = reply;
    native.adoptRelayed(pid, descriptors[0] as number, native.duplicateDescriptor(told.fileno()), child.daemon);
    handOver(here, pid, child, work, reserved, changes(helper));
    return pid;
  } finally {
    native.giveUpSeats();
    for (const each of [here, there, told, tells]) each.close();
  }
}
