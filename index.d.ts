// Internal binding, generated from src-rs/node by napi-derive. Not public API: see src/index.ts.

/**
 * Which binding artifact the generated loader actually loaded: `'native'` for
 * a native addon, otherwise the `platformArchABI` of the WASI flavor. Every
 * flavor napi-rs can build is listed, because `NAPI_RS_NATIVE_LIBRARY_PATH`
 * can point the loader at a WASI artifact this package does not build itself.
 */
export declare const __napiBindingTarget: 'native' | 'wasm32-wasi' | 'wasm32-wasip1'

/** Child: gets the arenas of its parent, whose files are its own from now on. */
export declare function adoptArenas(files: Array<number>, seats: Array<Seat>): void

/**
 * The child that seats were reserved for is `pid`: it is looked after by its `sentinel`, and its helper tells how it has ended over
 * `relay`. Both are this process's own from now on.
 */
export declare function adoptRelayed(pid: number, sentinel: number, relay: number, daemon: boolean): void

/** Zero-filled memory that children forked from now on share. */
export declare function allocateShared(size: number, align: number): SharedBlock

/** How a wait for several things ended. */
export interface AnyReady {
  /** The places of the descriptors that are ready. */
  ready: Array<number>
  /** The places of the queues that have something. */
  readyQueues: Array<number>
  /** The signal that interrupted the wait. */
  interruptedBy?: number
}

/** A message that did not come in the scratch memory. */
export interface Arrived {
  /** Its bytes. */
  bytes: Buffer
  /** Descriptors that came with it; the caller's from now on. */
  descriptors: Array<number>
}

/** Finds the semaphore of that name. */
export declare function attachNamedSemaphore(name: string): object

/** Finds the block of that name. */
export declare function attachSharedMemory(name: string): object

/**
 * Begins to wait until `fd` can be read, or written; the function given to `watchReady` tells of the end. 0 if it is of a
 * kind that is always ready.
 */
export declare function awaitReady(fd: number, write: boolean): number

/** Helper: waits until its owner says something (true) or a child has ended. */
export declare function awaitRequest(control: number): boolean

/** Begins to wait; the function given to `watchWaits` tells of the end. */
export declare function awaitShared(kind: Kind, handle: number, recover: boolean): number

/** Most parties of a barrier. */
export declare const BARRIER_MAX_PARTIES: number

/** Bytes that a barrier takes. */
export declare const BARRIER_SIZE: number

/** Breaks a barrier. */
export declare function barrierAbort(handle: number): void

/** Gives a new barrier its number of parties. */
export declare function barrierBegin(handle: number, parties: number): void

/** Opens a barrier at which all have arrived. False if it was broken or reset meanwhile. */
export declare function barrierComplete(handle: number, round: number): boolean

/** Says that child `pid` is going to come to a barrier: if it dies first, the barrier breaks. */
export declare function barrierExpect(handle: number, pid: number): void

/** Makes a barrier as new. */
export declare function barrierReset(handle: number): void

/** The round that the last `barrierWait` of this process was part of. */
export declare function barrierRound(): number

/** How a barrier stands. */
export declare function barrierState(handle: number): BarrierState

/** How a barrier stands. */
export interface BarrierState {
  /** How many wait. */
  waiting: number
  /** Whether it is broken. */
  broken: boolean
}

/** Waits at a barrier. Whoever gets the highest index opens it by `barrierComplete`. */
export declare function barrierWait(handle: number, timeoutMs: number): number

/** Helper: this process is one, and its arena is to have this number. */
export declare function becomeHelper(number: number): void

/** Has `action`, the same each time, called once before this thread next blocks in a call of this package. */
export declare function beforeBlocking(action: () => void): void

/** Gives a wait up. False if it was over. */
export declare function cancelReady(id: number): boolean

/** Gives a wait up. What it came to at the last moment, if that is more than nothing. */
export declare function cancelWait(id: number): Settled | null

/** A descriptor that is readable once child `pid` has ended. The caller closes it. */
export declare function childSentinel(pid: number): number

export declare const CLAIM_FRESH: number

/** Bits below the number of a message in a claim, and what they are at first. */
export declare const CLAIM_SHIFT: number

/** Closes a connection's descriptor. */
export declare function closeConnection(held: object): void

/** Closes a block and empties its buffer and all views of that. */
export declare function closeSharedMemory(block: object, buffer: ArrayBuffer): void

/** One condition of a safe fork and whether this system meets it. */
export interface Condition {
  /** Short name. */
  name: string
  /** What is missing; absent when it is met. */
  missing?: string
  /** Error code of a fork that fails for it. */
  code?: string
}

/** Begins to sleep at a condition: from now on this process can be told. `conditionSleep` goes on with it. */
export declare function conditionBegin(handle: number): void

/** Tells up to `count` of those that sleep at a condition; all of them without a count. How many that were. */
export declare function conditionNotify(handle: number, count?: number | undefined | null): number

/** Sleeps until it is told, up to `timeout_ms` milliseconds. */
export declare function conditionSleep(timeoutMs: number): number

/** Where in that memory a message begins. */
export declare const CONNECTION_HEADER: number

/** Most descriptors with one message. */
export declare const CONNECTION_MAX_DESCRIPTORS: number

/** Bytes of the memory that receiving needs. */
export declare const CONNECTION_SCRATCH: number

/** The descriptor of an open connection. */
export declare function connectionFileno(held: object): number

/** Whether part of a message was sent. */
export declare function connectionIsSending(held: object): boolean

/** Receives a message that has at most `limit` bytes. */
export declare function connectionReceive(held: object, scratch: Uint8Array, limit: number, block: boolean): number

/**
 * Goes on sending a message of one part, without waiting: whether all of it is sent. The same message is to be passed until
 * it is.
 */
export declare function connectionSend(held: object, bytes: Uint8Array): boolean

/** As `connectionSend`, for a message of several parts, with descriptors. */
export declare function connectionSendParts(held: object, parts: Array<Uint8Array>, descriptors: Array<number>): boolean

/** The message that `connectionReceive` has announced. */
export declare function connectionTake(held: object): Arrived

/** CPUs of the machine that are online. */
export declare function cpuCount(): number

/** Makes a semaphore. */
export declare function createNamedSemaphore(name: string, value: number): object

/** Both ends of a new pipe. */
export declare function createPipe(): [object, object]

/** Makes a block. An anonymous one needs a generated name, `nmp_<pid>_<16 hexadecimal digits>`. */
export declare function createSharedMemory(name: string, size: number, anonymous: boolean): object

/** Another descriptor for the same file. The caller closes it. */
export declare function duplicateDescriptor(fd: number): number

/** Ends daemons and waits for the others, as a process does at its end. */
export declare function endChildren(): void

/** Does so when this process exits, after everything that JavaScript does at exit. */
export declare function endChildrenAtExit(): void

/** A child that has ended. */
export interface Ended {
  /** Its process id. */
  pid: number
  /** The kernel's status word; absent when somebody else has waited for it. */
  status?: number
}

/** A descriptor that is readable at once, like the sentinel of a process that has ended. The caller closes it. */
export declare function endedSentinel(): number

/** Ends all waits at `fd`, which is about to be closed: which they were. */
export declare function endReady(fd: number): Array<number>

/** Child of a helper that is a daemon: ends when the process behind `sentinel` does, which is its own from now on. */
export declare function endWith(sentinel: number): void

/** Child that is a daemon: ends when its parent does, at once if that has ended. */
export declare function endWithParent(parent: number): void

/** Clears an event. */
export declare function eventClear(handle: number): void

/** Sets an event. */
export declare function eventSet(handle: number): void

/** Waits for an event, up to `timeout_ms` milliseconds. */
export declare function eventWait(handle: number, timeoutMs: number): number

/** Ends this process at once. */
export declare function exitNow(code: number): void

/** The functions that are called most often. */
export declare function fastCalls(): {
  lockAcquire(handle: number, timeoutMs: number, recover: boolean): number
  lockRelease(handle: number): number
  semaphoreAcquire(handle: number, timeoutMs: number, recover: boolean): number
  semaphoreRelease(handle: number, count: number): number
  queuePut(queue: number, length: number, timeoutMs: number): number
  queueGet(queue: number, timeoutMs: number): number
  queueTake(queue: number, timeoutMs: number, claim: number): number
  queueTaken(queue: number): number
  queuePutMany(queue: number, length: number, timeoutMs: number): number
  queueGetMany(queue: number, max: number, timeoutMs: number): number
  queueLength(queue: number): number
}

/** Fills `bytes` from the system's random generator. */
export declare function fillRandom(bytes: Uint8Array): void

/**
 * Copies this process: the child's pid in the parent, 0 in the child, where signals stay blocked until
 * `unblockSignals` and the parent's handles stay referenced until `unreferenceAll`.
 */
export declare function fork(options: ForkOptions): number

/** Examines the conditions that do not change while the process runs. */
export declare function forkConditions(): Array<Condition>

/** Options of `fork`. */
export interface ForkOptions {
  /** Leave timers, sockets and requests of the parent working in the child. */
  keepPending: boolean
  /** Descriptors whose handles keep working in the child. */
  handedOver: Array<number>
  /** How long other threads may take to come to rest, in milliseconds. */
  quietTimeoutMs: number
  /** Enter the child into the table of children that are reaped. */
  adopt: boolean
  /** End the child with SIGKILL when this process dies. */
  daemon: boolean
  /** `Math.random`, called at least once before: the child's gets a state of its own. */
  random: () => number
  /** Called in the child whenever nothing is left that could run. */
  onIdle: () => void
}

/** The parts of the last fork whose child was reaped; null before. */
export declare function forkTimings(): ForkTimings | null

/** What the parts of the last fork took, in nanoseconds. */
export interface ForkTimings {
  /** Waiting for other threads to rest. */
  quietNs: number
  /** Finding and changing marks on mappings. */
  mappingsNs: number
  /** The system call. */
  forkNs: number
  /** From the return of the system call in the child to the call of its target. */
  childSetupNs: number
  /** The target. */
  runNs: number
  /** From the target's end to the last system call. */
  exitNs: number
  /** From that to the reaping in the parent. */
  reapNs: number
  /** Copies that were thrown away because a thread woke. */
  retries: number
}

/** The memory is not used any more in this process. */
export declare function freeShared(handle: number): void

/** This process's id, which JavaScript has cached. */
export declare function getPid(): number

/** There will be no such child. */
export declare function giveUpSeats(): void

/** Child: whether no handle and no request is left, but for immediates. */
export declare function hasOnlyImmediates(): boolean

/** The end of a process that held something. */
export interface HolderEnd {
  /** Its process id; 0 if that is not known any more. */
  pid: number
  /** Its name; empty if it is not known. */
  name: string
  /** The kernel's status word, if it is known. */
  status?: number
  /** When it was noticed, in milliseconds of wall-clock time; 0 if that is not known. */
  atMs: number
}

/** Helper: SIGINT does nothing to this process, or (child) what it does by default. */
export declare function ignoreInterrupt(ignore: boolean): void

/**
 * Child: whether `Math.random` was given a state of its own; false if its state was not recognised. Null in a process
 * that is no child.
 */
export declare function isRandomSeeded(): boolean | null

/**
 * Blocks until child `pid` has ended, the timeout (milliseconds, Infinity for none) has passed, or a signal that the
 * program handles asks it to end.
 */
export declare function joinChild(pid: number, timeoutMs: number): Joined

/** How a blocking wait ended. */
export interface Joined {
  /** The child's end, when it has ended. */
  ended?: Ended
  /** The signal that interrupted the wait. */
  interruptedBy?: number
}

/** Whether the event loop stays alive while children run. */
export declare function keepLoopForChildren(keep: boolean): void

/** What can be waited for. */
export type Kind = 'lock' | 'semaphore' | 'event' | 'condition' | 'barrier' | 'items' | 'room' | 'end'

/** Whose end the last call of this module was about. */
export declare function lastHolderEnd(): HolderEnd | null

/**
 * Child: leads a process group of its own from now on, all of which ends when the process behind `sentinel` does, which is its own
 * from now on.
 */
export declare function leadGroup(sentinel: number): void

/** Takes a lock back, which nothing interrupts. */
export declare function lockReacquire(handle: number, recover: boolean): number

/** Frees a lock whose holder has died with it. Whether that was so. */
export declare function lockRecover(handle: number): boolean

/** Takes a permit, waiting up to `timeout_ms` milliseconds. As `lockAcquire`. */
export declare function namedSemaphoreAcquire(semaphore: object, timeoutMs: number): number

/** Gives a permit back. */
export declare function namedSemaphoreRelease(semaphore: object): void

/** How many permits there are. */
export declare function namedSemaphoreValue(semaphore: object): number

/** Takes note that child `pid` leads a process group of its own, all of which ends with this process; `false`: no longer. */
export declare function noteLeader(pid: number, leads: boolean): void

/** The number for the arena of a helper of this process's. */
export declare function numberForHelper(): number

/** A connection over `fd`, which is its own from now on, unless that fails. */
export declare function openConnection(fd: number): object

/** Opens a descriptor that is readable once process `pid` (any process) has ended. */
export declare function openExitWatch(pid: number): number

/** The end of child `pid`; null while it runs. */
export declare function pollChild(pid: number): Ended | null

/** Somebody may learn the block's name: it outlives its object. */
export declare function publishSharedMemory(block: object): void

/** Bytes of each piece of memory for small messages. */
export declare const QUEUE_SCRATCH_SIZE: number

/** This process has done with a queue. */
export declare function queueClose(number: number): void

/** Makes a queue for up to `max` messages, 0 for any number. Its number in this process and those that are forked. */
export declare function queueCreate(max: number): number

/** Takes a message into `into`; 1 once that is done. As `queueGet`, or with a `claim` as `queueTake`. */
export declare function queueGetInto(number: number, into: Uint8Array, timeoutMs: number, claimedAt?: number | undefined | null): number

/** Waits until all messages are done with. 1 once that is so. */
export declare function queueJoin(number: number, timeoutMs: number): number

/** The length of the message that was too long. */
export declare function queueLastLength(): number

/** A queue of another process. `file` is its own from now on. */
export declare function queueOpen(handle: number, file: number): number

/** What another process needs to have the queue, too. */
export declare function queuePass(number: number): QueuePassed

/** What another process needs to have a queue, too. */
export interface QueuePassed {
  /** Where it lies, in an arena that both have. */
  handle: number
  /** The file of its memory; this process's descriptor. */
  file: number
}

/** Whether there is something in the queue, or it was shut down. Nothing is taken: if so, the next one who waits is told, too. */
export declare function queuePeek(number: number): boolean

/** Appends a message made of parts. As `queuePut`. */
export declare function queuePutParts(number: number, parts: Array<Uint8Array>, timeoutMs: number): number

/** The memory that small messages go through; to be asked for once. */
export declare function queueScratch(): QueueScratch

/** Memory that small messages go through. */
export interface QueueScratch {
  /** For those that are put. */
  out: ArrayBuffer
  /** For those that are got. */
  input: ArrayBuffer
}

/** No message may come any more; `immediate`: nor go. */
export declare function queueShutDown(number: number, immediate: boolean): void

/** One message more is done with. False if all were. */
export declare function queueTaskDone(number: number): boolean

/** Messages that are not done with. */
export declare function queueUnfinished(number: number): number

/** How a wait for a descriptor ended. */
export interface Readable {
  /** Whether it is readable. */
  readable: boolean
  /** The signal that interrupted the wait. */
  interruptedBy?: number
}

/** Reaps what has ended and returns it. */
export declare function reapEnded(): Array<Ended>

/** Child: abandons every JavaScript frame on the stack once this call returns, and calls `main` from the event loop. */
export declare function reborn(main: () => void): void

/** Puts `/dev/null` on descriptor 0. */
export declare function replaceStdinWithNull(): void

/** Child: a request of the parent's was delivered here after all. */
export declare function requestDelivered(): void

/** What a child of this process's needs to share its memory. */
export interface Reserved {
  /** The files of this process's arenas: this process's descriptors. */
  arenas: Array<number>
  /** The child's seats in these. */
  seats: Array<Seat>
}

/** Takes seats for a child that a helper is asked for. */
export declare function reserveSeats(): Reserved

/** Child of a raw fork: timers are wanted again. */
export declare function restartTimer(): void

/** A process's place in an arena. */
export interface Seat {
  /** The number of the arena. */
  arena: number
  /** That of the process in there, by which the words of locks name it. */
  id: number
}

/** This process's seats in its arenas. */
export declare function seats(): Array<Seat>

/** Highest value of a semaphore. */
export declare const SEMAPHORE_MAX: number

/** Bytes that a semaphore takes. */
export declare const SEMAPHORE_SIZE: number

/** Gives a new semaphore its value and its highest one. */
export declare function semaphoreBegin(handle: number, value: number, max: number): void

/** Takes permits of the dead back. How many there were. */
export declare function semaphoreRecover(handle: number): number

/** Permits that are there for the taking. */
export declare function semaphoreValue(handle: number): number

/** What this process is called, for the messages of those who outlive it. */
export declare function setMemberName(name: string): void

/** An asynchronous wait that is over. */
export interface Settled {
  /** As `awaitShared` has returned. */
  wait: number
  /** As of `lockAcquire`. */
  code: number
  /** Who has died with the lock. */
  end?: HolderEnd
  /** The round of a barrier. */
  round: number
}

/** A piece of memory that this process's parent has allocated. */
export declare function sharedAt(handle: number, size: number): SharedBlock

/** A piece of shared memory. */
export interface SharedBlock {
  /** What native calls know it by. */
  handle: number
  /** Its arena's number. */
  arena: number
  /** The memory. */
  buffer: ArrayBuffer
}

/** The memory of an open block; to be asked for once. */
export declare function sharedMemoryBuffer(block: object): ArrayBuffer

/** What tells a block from another one that has its name later. */
export declare function sharedMemoryIdentity(block: object): string

/** That of the block which has the name now, if there is one. */
export declare function sharedMemoryIdentityOf(name: string): string | null

/** How many bytes an open block has. */
export declare function sharedMemorySize(block: object): number

/** Counts the blocks that this process has allocated. */
export declare function sharedStock(): SharedStock

/** How the heap of this process stands. */
export interface SharedStock {
  /** Blocks in use, the pending ones included. */
  blocks: number
  /** Blocks that wait for the end of descendants that may use them. */
  pending: number
}

/** Sends a signal to child `pid` unless it has ended. */
export declare function signalChild(pid: number, signal: number): void

/** Child: puts silent descriptors in the place of all sockets bound to TCP port `port`. */
export declare function silencePort(port: number): void

/** The number that a child finds its end of the channel under. */
export declare const SPAWN_CHANNEL: number

/** A child that was started. */
export interface Spawned {
  /** Its process id. */
  pid: number
  /** The files of this process's arenas: this process's descriptors. */
  arenas: Array<number>
  /** The child's seats in these. */
  seats: Array<Seat>
}

/** Starts a program as a child that is reaped, and that shares this process's memory or does not. */
export declare function spawnProgram(file: string, arguments: Array<string>, environment: Array<string>, channel: number, daemon: boolean, shares: boolean): Spawned

/** Child: the target is over (for the benchmark). */
export declare function stampFinished(): void

/** Takes a status word apart with this system's macros. */
export declare function statusFacts(status: number): StatusFacts

/** What a status word says. */
export interface StatusFacts {
  /** `WIFEXITED`. */
  exited: boolean
  /** `WEXITSTATUS`. */
  exitStatus: number
  /** `WIFSIGNALED`. */
  signaled: boolean
  /** `WTERMSIG`. */
  termSignal: number
  /** `WCOREDUMP`. */
  coreDumped: boolean
  /** `WIFSTOPPED`. */
  stopped: boolean
  /** `WSTOPSIG`. */
  stopSignal: number
  /** `WIFCONTINUED`. */
  continued: boolean
}

/** Child: signals are delivered from here on. */
export declare function unblockSignals(): void

/** Removes the name of a semaphore. */
export declare function unlinkNamedSemaphore(name: string): void

/** Removes a block's name. */
export declare function unlinkSharedMemory(block: object): void

/** Child: lets go of the parent's handles that `fork` left referenced. */
export declare function unreferenceAll(handedOver: Array<number>): void

/**
 * Blocks until any of `fds` can be read, or written, any of `queues` has something, the timeout has passed, or a signal that
 * the program handles asks it to end. With queues, `watchWaits()` comes first.
 */
export declare function waitAny(fds: Array<number>, write: boolean, queues: Array<number>, timeoutMs: number): AnyReady

/** A child and its status word. */
export interface Waited {
  /** 0 when `WNOHANG` was given and nothing had changed. */
  pid: number
  /** The kernel's status word. */
  status: number
  /** The signal that interrupted the wait; pid is 0 then. */
  interruptedBy?: number
}

/** Blocks until `fd` is readable, the timeout has passed, or a signal that the program handles asks it to end. */
export declare function waitFd(fd: number, timeoutMs: number): Readable

/** This system's numbers of the options. */
export declare function waitOptions(): WaitOptions

/** Numbers that waitpid takes. */
export interface WaitOptions {
  /** `WNOHANG`. */
  nohang: number
  /** `WUNTRACED`. */
  untraced: number
  /** `WCONTINUED`. */
  continued: number
}

/** waitpid(2). */
export declare function waitpid(pid: number, options: number): Waited

/**
 * Has `on_exit` called from the event loop when children have ended, with those that were reaped then. Does not keep
 * the loop alive. Once per process; a forked child starts afresh.
 */
export declare function watchChildren(onExit: (arg: Array<Ended>) => void): void

/**
 * Has `on_ready` called from the event loop with the waits that are over; sometimes with none, when something has happened
 * that others have dealt with by then. Once per process; a child starts afresh.
 */
export declare function watchReady(onReady: (arg: Array<number>) => void): void

/** Has `on_settled` called from the event loop with the waits that are over. Once per process; a child starts afresh. */
export declare function watchWaits(onSettled: (arg: Array<Settled>) => void): void

/** Writes everything, waiting where the reader is slow. */
export declare function writeAll(fd: number, bytes: Uint8Array): void
