// Runs a program of its own, under a watchdog, and sees to it that nothing of it is left.
import { spawn, type ChildProcess, type StdioOptions } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import { nodeBinary } from './nodes.ts';
import { describeProcess, isSharedMemoryInUse, leftOfGroup, processesOfGroup, sharedMemoryNames } from './proc.ts';

/** Longest that a program may take by default; a watchdog for hangs, not a measure of speed. */
export const WATCHDOG_MS = Number(process.env['MP_WATCHDOG_MS'] ?? 60_000);
/** For tests: the watchdog must come first, or its report is lost. */
export const TEST_TIMEOUT_MS = WATCHDOG_MS + 30_000;

/** How long the kernel and init may take to clear away processes that have ended. */
const SETTLE_MS = 3_000;

export interface RunOptions {
  /** Options of Node itself. */
  nodeArgs?: readonly string[];
  env?: Record<string, string | undefined>;
  timeoutMs?: number;
  cwd?: string;
  /** Instead of Node: another program, with `file` as its first argument. */
  command?: string;
  /** What the program reads. @default nothing */
  input?: string;
  /** Reads the program's output slowly: this many bytes a millisecond at most. */
  slowBytesPerMs?: number;
  /** Descriptors of the program beyond the three standard ones, or other standard ones. */
  stdio?: StdioOptions;
  /** Called once, as soon as this text is in stdout. */
  when?: { seen: string; react: (child: ChildProcess) => void };
}

export interface ProgramResult {
  readonly pid: number;
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  /** Lines of stdout. */
  readonly lines: string[];
  /** Lines of stdout that are JSON objects. */
  readonly json: Record<string, unknown>[];
}

/** The path of a fixture of this package. */
export function fixture(path: string): string {
  return fileURLToPath(new URL(`../fixtures/${path}`, import.meta.url));
}

/** Ends a whole process group. */
export function killGroup(pgid: number): void {
  try {
    process.kill(-pgid, 'SIGKILL');
  } catch {
    // Nobody is left.
  }
  // Members of the session that made groups of their own.
  for (const { pid, state } of processesOfGroup(pgid)) {
    if (state === 'Z') continue;
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It has ended meanwhile.
    }
  }
}

/** What is left of a program, as soon as that is nothing, or after a while. */
async function leftOver(pgid: number, namesBefore: ReadonlySet<string>): Promise<string[]> {
  const deadline = performance.now() + SETTLE_MS;
  for (;;) {
    const left = leftOfGroup(pgid).map(describeProcess);
    for (const name of sharedMemoryNames()) {
      if (!namesBefore.has(name) && !isSharedMemoryInUse(name)) left.push(`/dev/shm/${name}`);
    }
    if (left.length === 0 || performance.now() > deadline) return left;
    await delay(20);
  }
}

function readSlowly(stream: NodeJS.ReadableStream, bytesPerMs: number, take: (text: string) => void): void {
  const decoder = new TextDecoder();
  stream.on('data', (chunk: Buffer) => {
    take(decoder.decode(chunk, { stream: true }));
    stream.pause();
    setTimeout(() => stream.resume(), chunk.length / bytesPerMs);
  });
}

/**
 * Runs a program in a process group and session of its own until nobody can write to its output any more.
 *
 * @throws if it takes too long, with the state of each of its processes, or leaves a process or a name behind.
 */
export async function runProgram(
  file: string,
  args: readonly string[] = [],
  options: RunOptions = {},
): Promise<ProgramResult> {
  const { nodeArgs = [], env = {}, timeoutMs = WATCHDOG_MS, command, input, slowBytesPerMs, stdio } = options;
  const {
    FORCE_COLOR: _color,
    NODE_OPTIONS: _options,
    NODE_DEBUG: _debug,
    NODE_V8_COVERAGE: _coverage,
    ...inherited
  } = process.env;
  const namesBefore = sharedMemoryNames();
  const child = spawn(command ?? nodeBinary, [...(command === undefined ? nodeArgs : []), file, ...args], {
    stdio: stdio ?? [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    detached: true,
    cwd: options.cwd,
    env: { ...inherited, NO_COLOR: '1', MP_NODE: nodeBinary, ...env },
  });
  await once(child, 'spawn');
  const pid = child.pid as number;

  let stdout = '';
  let stderr = '';
  let awaited = options.when;
  const takeOutput = (text: string): void => {
    stdout += text;
    if (awaited === undefined || !stdout.includes(awaited.seen)) return;
    const { react } = awaited;
    awaited = undefined;
    react(child);
  };
  if (child.stdout) {
    if (slowBytesPerMs === undefined) child.stdout.setEncoding('utf8').on('data', takeOutput);
    else readSlowly(child.stdout, slowBytesPerMs, takeOutput);
  }
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  child.stdin?.on('error', () => {}).end(input);

  let stuck: string[] | undefined;
  const watchdog = setTimeout(() => {
    stuck = processesOfGroup(pid).map(describeProcess);
    killGroup(pid);
  }, timeoutMs);
  try {
    await once(child, 'close');
  } finally {
    clearTimeout(watchdog);
  }
  const what = [file, ...args].join(' ');
  const output = ['--- stdout', stdout.slice(-4000), '--- stderr', stderr.slice(-4000)];
  if (stuck !== undefined) throw new Error([`${what}: not done after ${timeoutMs} ms`, ...stuck, ...output].join('\n'));
  const left = await leftOver(pid, namesBefore);
  if (left.length > 0) {
    killGroup(pid);
    throw new Error(
      [`${what}: left behind (exit code ${child.exitCode}, signal ${child.signalCode}):`, ...left, ...output].join(
        '\n',
      ),
    );
  }
  const lines = stdout.split('\n').filter((line) => line !== '');
  const json = lines.flatMap((line) => {
    try {
      const value: unknown = JSON.parse(line);
      return typeof value === 'object' && value !== null ? [value as Record<string, unknown>] : [];
    } catch {
      return [];
    }
  });
  return { pid, code: child.exitCode, signal: child.signalCode, stdout, stderr, lines, json };
}

/** A program that compares inside: it must end by itself with code 0, say `passed`, and complain about nothing. */
export async function runPassing(
  file: string,
  args: readonly string[] = [],
  options: RunOptions = {},
): Promise<ProgramResult> {
  const result = await runProgram(file, args, options);
  const { code, signal, stderr, lines } = result;
  const passed = lines.filter((line) => line === 'passed').length;
  if (code !== 0 || signal !== null || passed !== 1 || stderr !== '') {
    throw new Error(
      [
        `${[file, ...args].join(' ')}: exit code ${code}, signal ${signal}, said 'passed' ${passed} times`,
        '--- stdout',
        result.stdout.slice(-4000),
        '--- stderr',
        stderr.slice(-8000),
      ].join('\n'),
    );
  }
  return result;
}
