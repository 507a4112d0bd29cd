import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';

/** A program that can be started as a helper, or the reason why it cannot. */
export type Program = { readonly file: string; readonly args: readonly string[] } | { readonly unavailable: string };

/** One line of JSON from a helper: measured nanoseconds by name, and whatever else the request asked for. */
export type Answer = Readonly<Record<string, unknown>>;

/** The helper cannot do what it is for on this machine: not a failure, but nothing to measure either. */
export class Unavailable extends Error {
  override readonly name = 'Unavailable';
}

const ANSWER_WITHIN_MS = 60_000;
const STOP_WITHIN_MS = 5_000;
const KEPT_STDERR_CHARACTERS = 2_000;

const running = new Set<Helper>();
process.once('exit', () => {
  for (const helper of running) helper.kill();
});

/**
 * A long-lived program that measures one thing and does so on request: a line of words in, a line of JSON out. It greets with
 * one line when it is ready, so the start of its interpreter is never part of a measurement, and ends at the end of its input.
 */
export class Helper {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  #stderr = '';

  private constructor(file: string, args: readonly string[]) {
    // A process group of its own, so that a hung child of the helper can be ended together with it.
    this.#child = spawn(file, args, { stdio: ['pipe', 'pipe', 'pipe'], detached: true });
    const { stdout, stderr, stdin } = this.#child;
    if (stdout === null || stderr === null || stdin === null) throw new Error('helper without pipes');
    this.#lines = createInterface({ input: stdout })[Symbol.asyncIterator]();
    stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-KEPT_STDERR_CHARACTERS);
    });
    stdin.on('error', () => {}); // the helper has ended: the missing answer says so
    running.add(this);
    this.#child.once('exit', () => {
      // A child of the helper may still hold the other ends.
      setTimeout(() => stdout.destroy(), 100).unref();
    });
  }

  static async start(program: Program): Promise<Helper> {
    if ('unavailable' in program) throw new Unavailable(program.unavailable);
    const helper = new Helper(program.file, program.args);
    try {
      await Promise.race([once(helper.#child, 'spawn'), failure(helper.#child)]);
      const greeting = await helper.#answer('its greeting');
      if (typeof greeting['unavailable'] === 'string') throw new Unavailable(greeting['unavailable']);
      return helper;
    } catch (error) {
      helper.kill();
      throw error;
    }
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Only one request at a time. */
  async request(line: string): Promise<Answer> {
    this.#child.stdin?.write(`${line}\n`);
    const answer = await this.#answer(`'${line}'`);
    if (typeof answer['error'] === 'string') throw new Error(answer['error']);
    return answer;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async stop(): Promise<void> {
    if (!this.#ended && running.has(this)) {
      const ended = once(this.#child, 'exit');
      this.#child.stdin?.end();
      await within(STOP_WITHIN_MS, ended);
    }
    this.kill();
  }

  kill(): void {
    if (!running.delete(this) || this.#child.pid === undefined) return;
    try {
      process.kill(-this.#child.pid, 'SIGKILL');
    } catch {
      // the group is empty
    }
  }

  async #answer(to: string): Promise<Answer> {
    const line = await within(ANSWER_WITHIN_MS, this.#lines.next());
    if (line === undefined) {
      this.kill();
      throw new Error(`no answer to ${to} within ${ANSWER_WITHIN_MS / 1000} s`);
    }
    if (line.done === true) {
      if (!this.#ended) await within(STOP_WITHIN_MS, once(this.#child, 'exit'));
      this.kill();
      throw new Error(`ended (${this.#fate()}) instead of answering ${to}${this.#complaint()}`);
    }
    return parse(line.value);
  }

  get #ended(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  #fate(): string {
    const { exitCode, signalCode } = this.#child;
    return signalCode ?? (exitCode === null ? 'output closed' : `exit code ${exitCode}`);
  }

  #complaint(): string {
    const lastLine = this.#stderr.trim().split('\n').at(-1);
    return lastLine === undefined || lastLine === '' ? '' : `: ${lastLine}`;
  }
}

/** A number that the answer must have. */
export function numberIn(answer: Answer, name: string): number {
  const value = answer[name];
  if (typeof value !== 'number') throw new Error(`no ${name} in the answer ${JSON.stringify(answer)}`);
  return value;
}

/** What the promise gives, or undefined when that takes longer. */
async function within<T>(ms: number, promise: Promise<T>): Promise<T | undefined> {
  const deadline = new AbortController();
  try {
    return await Promise.race([promise, delay(ms, undefined, { signal: deadline.signal })]);
  } finally {
    deadline.abort();
  }
}

async function failure(child: ChildProcess): Promise<never> {
  const [error] = (await once(child, 'error')) as [Error];
  throw error;
}

function parse(line: string): Answer {
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value === 'object' && value !== null) return value as Answer;
  } catch {
    // reported below
  }
  throw new Error(`not an answer: ${line.slice(0, 200)}`);
}
