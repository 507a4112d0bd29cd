/**
 * Python's `multiprocessing` for Node.js, on real operating-system processes.
 *
 * @module node-multiprocessing
 */
export { registerAtFork, type AtForkHooks } from './at-fork.ts';
export { AuthenticationString } from './authkey.ts';
export {
  Connection,
  Pipe,
  recvHandle,
  recvHandleAsync,
  sendHandle,
  sendHandleAsync,
  type Bytes,
  type ConnectionOptions,
  type PipeFactory,
  type PipeOptions,
} from './connection.ts';
export { BufferTooShort, EOFError } from './connection/errors.ts';
export type { Waitable } from './connection/wait.ts';
export { getAllStartMethods, getContext, getStartMethod, setStartMethod, type Context } from './context.ts';
export {
  BrokenBarrierError,
  Empty,
  ForkError,
  Full,
  InterruptedError,
  ProcessError,
  ShutDown,
  TimeoutError,
  type ErrorCode,
} from './errors.ts';
export {
  ProcessPoolExecutor,
  type ExecutorMapOptions,
  type ExecutorOptions,
  type ShutdownOptions,
} from './executor.ts';
export { BrokenExecutor, BrokenProcessPool, CancelledError, InvalidStateError } from './executor/errors.ts';
export { Future, type FutureState } from './executor/future.ts';
export {
  ALL_COMPLETED,
  FIRST_COMPLETED,
  FIRST_EXCEPTION,
  asCompleted,
  type DoneAndNotDone,
  type ReturnWhen,
} from './executor/wait.ts';
export { Finalize, type FinalizeOptions } from './finalize.ts';
export {
  forkSupport,
  lastForkTimings,
  type ForkCondition,
  type ForkSupport,
  type ForkTimings,
} from './fork/support.ts';
export {
  DEBUG,
  ERROR,
  INFO,
  NOTSET,
  SUBDEBUG,
  SUBWARNING,
  WARNING,
  getLogger,
  logToStderr,
  type LogHandler,
  type LogLevelName,
  type LogRecord,
  type Logger,
} from './logging.ts';
export type { WaitOptions } from './options.ts';
export {
  Pool,
  type ApplyOptions,
  type ImapOptions,
  type MapOptions,
  type PoolOptions,
  type PoolStats,
} from './pool.ts';
export { AsyncResult } from './pool/async-result.ts';
export type { WorkerStats } from './pool/runner.ts';
export { RemoteTraceback, WorkerLostError } from './pool/errors.ts';
export type { ImapIterator } from './pool/imap.ts';
export type { Progress } from './pool/progress.ts';
export { processCpuCount } from './pool/usable-cpus.ts';
export {
  WCONTINUED,
  WCOREDUMP,
  WEXITSTATUS,
  WIFCONTINUED,
  WIFEXITED,
  WIFSIGNALED,
  WIFSTOPPED,
  WNOHANG,
  WSTOPSIG,
  WTERMSIG,
  WUNTRACED,
  _exit,
  cpuCount,
  fork,
  getpid,
  getppid,
  kill,
  waitpid,
  waitstatusToExitcode,
  type ForkOptions,
  type WaitResult,
} from './os.ts';
export {
  ParentProcess,
  Process,
  activeChildren,
  currentProcess,
  isMainProcess,
  parentProcess,
  type ProcessOptions,
} from './process.ts';
export { ShareableList, type ShareableListOptions } from './shareable-list.ts';
export type { ShareableValue } from './shared/list-format.ts';
export type { AnyLock, LockOption, Synchronized } from './shared/locking.ts';
export type { Assignable, Type, TypeCode, TypeName, ValueOf } from './shared/types.ts';
export { RawArray, SharedArray, type Text, type WideText } from './shared-array.ts';
export { JoinableQueue, Queue, SimpleQueue } from './queues.ts';
export { SemLock, semUnlink } from './sem-lock.ts';
export { registerClass, type AnyClass, type ClassOptions } from './serialize/register-class.ts';
export { copy, synchronized } from './sharedctypes.ts';
export {
  struct,
  StructType,
  type Field,
  type Fields,
  type SharedInit,
  type SharedType,
  type SharedValueOf,
  type StructInit,
  type StructValue,
} from './struct.ts';
export { SharedMemory, type SharedMemoryDescriptor, type SharedMemoryOptions } from './shared-memory.ts';
export type { ImportedTarget } from './spawn/imported-target.ts';
export { setExecutable } from './spawn/spawn.ts';
export { startForkserver, type ForkserverOptions } from './forkserver/forkserver.ts';
export { setForkserverPreload, type PreloadFailure, type PreloadOptions } from './forkserver/preload.ts';
export type { StartMethodName } from './start-methods.ts';
export { AbandonedLockError, type OnAbandoned } from './synchronize/abandoned.ts';
export type { LockOptions } from './synchronize/acquirable.ts';
export { Barrier, type BarrierOptions } from './synchronize/barrier.ts';
export { Condition } from './synchronize/condition.ts';
export { Event } from './synchronize/event.ts';
export { Lock, RLock } from './synchronize/lock.ts';
export { BoundedSemaphore, Semaphore } from './synchronize/semaphore.ts';
export { ThreadPool, type ThreadPoolOptions } from './thread-pool.ts';
export { RawValue, Value } from './value.ts';
export { wait, waitAsync } from './wait-for.ts';
