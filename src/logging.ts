/**
 * Python's logger of the package: `get_logger`, `log_to_stderr`.
 */
import { format, inspect } from 'node:util';

import { channels } from './diagnostics.ts';
import { invalidArgument } from './errors.ts';
import { checkFunction } from './options.ts';
import { currentProcess } from './process.ts';
import { addSetting } from './spawn/settings.ts';

/** Python: `logging.NOTSET`. Log level: none set, the default one applies. */
export const NOTSET = 0;
/** Python: `multiprocessing.util.SUBDEBUG`. Log level: what the package does inside. */
export const SUBDEBUG = 5;
/** Python: `logging.DEBUG`. Log level: details. */
export const DEBUG = 10;
/** Python: `logging.INFO`. Log level: children that start and end, among others. */
export const INFO = 20;
/** Python: `multiprocessing.util.SUBWARNING`. Log level: between INFO and WARNING. */
export const SUBWARNING = 25;
/** Python: `logging.WARNING`. Log level: something is not as it should be. The default. */
export const WARNING = 30;
/** Python: `logging.ERROR`. Log level: something has failed. */
export const ERROR = 40;

const levels = { NOTSET, SUBDEBUG, DEBUG, INFO, SUBWARNING, WARNING, ERROR } as const;

/** Name of a log level. */
export type LogLevelName = keyof typeof levels;

/** What is logged, as handlers get it. */
export interface LogRecord {
  /** The message, formatted. */
  readonly message: string;
  /** Its level. */
  readonly level: number;
  /** Name of the level; `Level 32` for one without a name, as in Python. */
  readonly levelName: string;
  /** Name of the process that logs. */
  readonly processName: string;
  /** Its pid. */
  readonly pid: number;
  /** When, in milliseconds since 1970. */
  readonly time: number;
}

/** Where records go. */
export type LogHandler = (record: LogRecord) => void;

function checkLevel(level: unknown): number {
  if (typeof level === 'string' && Object.hasOwn(levels, level)) return levels[level as LogLevelName];
  if (typeof level === 'number' && Number.isInteger(level) && level >= 0) return level;
  throw invalidArgument(
    `a log level is one of ${Object.keys(levels).join(', ')} or an integer from 0 on, not ${inspect(level)}`,
  );
}

function levelName(level: number): string {
  return Object.entries(levels).find(([, number]) => number === level)?.[0] ?? `Level ${level}`;
}

/**
 * Python: the `logging.Logger` of `multiprocessing`. Messages are put together as by `console.log` (`%s`, `%d`, `%o`).
 *
 * Each process has its own, which starts with its parent's level; that of a forked child with the handlers, too.
 */
export class Logger {
  #level: number = NOTSET;
  #defaultLevel: number = WARNING;
  readonly #handlers = new Set<LogHandler>();

  /** @internal */
  constructor() {}

  /** The level that was set; `NOTSET` (0) if none was. */
  get level(): number {
    return this.#level;
  }

  /** Messages below `level`, a number or a name, are dropped from now on. `NOTSET` has the default level apply. */
  setLevel(level: number | LogLevelName): void {
    this.#level = checkLevel(level);
  }

  /** Sets the level that applies while there is none of the logger's own (Python: that of the root logger). @default WARNING */
  setDefaultLevel(level: number | LogLevelName): void {
    this.#defaultLevel = checkLevel(level);
  }

  /** The level that applies: the one that was set, or else the default. */
  getEffectiveLevel(): number {
    return this.#level === NOTSET ? this.#defaultLevel : this.#level;
  }

  /** Whether messages of this level are logged. */
  isEnabledFor(level: number | LogLevelName): boolean {
    return checkLevel(level) >= this.getEffectiveLevel();
  }

  /** Has `handler` called with each record. Adding it twice has no effect. */
  addHandler(handler: LogHandler): void {
    if (handler === undefined) throw invalidArgument('handler must be a function, not undefined');
    checkFunction(handler, 'handler');
    this.#handlers.add(handler);
    followChildren();
  }

  /** The opposite of `addHandler`. */
  removeHandler(handler: LogHandler): void {
    this.#handlers.delete(handler);
  }

  /** Logs a message at any level. */
  log(level: number | LogLevelName, message: unknown, ...args: unknown[]): void {
    const number = checkLevel(level);
    if (this.#handlers.size === 0 || !this.isEnabledFor(number)) return;
    const record: LogRecord = {
      message: format(message, ...args),
      level: number,
      levelName: levelName(number),
      processName: currentProcess().name,
      pid: process.pid,
      time: Date.now(),
    };
    for (const handler of this.#handlers) handler(record);
  }

  /** Logs at `SUBDEBUG`. */
  subDebug(message: unknown, ...args: unknown[]): void {
    this.log(SUBDEBUG, message, ...args);
  }

  /** Logs at `DEBUG`. */
  debug(message: unknown, ...args: unknown[]): void {
    this.log(DEBUG, message, ...args);
  }

  /** Logs at `INFO`. */
  info(message: unknown, ...args: unknown[]): void {
    this.log(INFO, message, ...args);
  }

  /** Logs at `SUBWARNING`. */
  subWarning(message: unknown, ...args: unknown[]): void {
    this.log(SUBWARNING, message, ...args);
  }

  /** Logs at `WARNING`. */
  warning(message: unknown, ...args: unknown[]): void {
    this.log(WARNING, message, ...args);
  }

  /** Logs at `ERROR`. */
  error(message: unknown, ...args: unknown[]): void {
    this.log(ERROR, message, ...args);
  }
}

const logger = new Logger();
let following = false;
let toStderr = false;

interface LoggerSetting {
  readonly level: number;
  readonly effective: number;
  readonly toStderr: boolean;
}

// Handlers are functions of the parent's own.
addSetting<LoggerSetting>('logger', {
  get() {
    const { level } = logger;
    const effective = logger.getEffectiveLevel();
    return effective === WARNING && !toStderr ? undefined : { level, effective, toStderr };
  },
  set({ level, effective, toStderr: prints }) {
    logger.setLevel(level);
    if (level === NOTSET) logger.setDefaultLevel(effective);
    if (prints) logToStderr();
  },
});

/** Children that start and end are logged by their parent, once somebody listens. */
function followChildren(): void {
  if (following) return;
  following = true;
  channels.start.subscribe((message) => {
    const { name, pid } = message as { name: string; pid: number };
    logger.info('%s started with pid %d', name, pid);
  });
  channels.exit.subscribe((message) => {
    const { name, pid, exitCode, signal } = message as {
      name: string;
      pid: number;
      exitCode: number;
      signal: string | null;
    };
    if (signal === null) logger.info('%s (pid %d) exited with code %d', name, pid, exitCode);
    else logger.info('%s (pid %d) was ended by %s', name, pid, signal);
  });
}

/** `console` does not fail where standard error is closed. */
function writeToStderr({ levelName: level, processName, message }: LogRecord): void {
  console.error('%s', `[${level}/${processName}] ${message}`);
}

/**
 * Python: `multiprocessing.get_logger()`. The package's logger. It has no handler: nothing is printed before
 * `logToStderr()` or `addHandler()`.
 */
export function getLogger(): Logger {
  return logger;
}

/**
 * Python: `multiprocessing.log_to_stderr(level=None)`. Has the package's logger print `[LEVEL/PROCESS NAME] message` to
 * standard error, and sets its level if one is given. Children that are started afterwards print as well.
 */
export function logToStderr(level?: number | LogLevelName): Logger {
  if (level !== undefined) logger.setLevel(level);
  toStderr = true;
  logger.addHandler(writeToStderr);
  return logger;
}
