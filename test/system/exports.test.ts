// The public names, in both module formats, and that each of them and each error code is documented.
import { execFile } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { describe, expect, it } from 'vitest';

import { ERROR_CODES } from '../../src/errors.ts';
import { TEST_TIMEOUT_MS, fixture, runProgram } from '../helpers/run.ts';

const values = [
  'ALL_COMPLETED',
  'AbandonedLockError',
  'AsyncResult',
  'AuthenticationString',
  'Barrier',
  'BoundedSemaphore',
  'BrokenBarrierError',
  'BrokenExecutor',
  'BrokenProcessPool',
  'BufferTooShort',
  'CancelledError',
  'Condition',
  'Connection',
  'DEBUG',
  'EOFError',
  'ERROR',
  'Empty',
  'Event',
  'FIRST_COMPLETED',
  'FIRST_EXCEPTION',
  'Finalize',
  'ForkError',
  'Full',
  'Future',
  'INFO',
  'InterruptedError',
  'InvalidStateError',
  'JoinableQueue',
  'Lock',
  'NOTSET',
  'ParentProcess',
  'Pipe',
  'Pool',
  'Process',
  'ProcessError',
  'ProcessPoolExecutor',
  'Queue',
  'RLock',
  'RawArray',
  'RawValue',
  'RemoteTraceback',
  'SUBDEBUG',
  'SUBWARNING',
  'SemLock',
  'Semaphore',
  'ShareableList',
  'SharedArray',
  'SharedMemory',
  'ShutDown',
  'SimpleQueue',
  'StructType',
  'ThreadPool',
  'TimeoutError',
  'Value',
  'WARNING',
  'WCONTINUED',
  'WCOREDUMP',
  'WEXITSTATUS',
  'WIFCONTINUED',
  'WIFEXITED',
  'WIFSIGNALED',
  'WIFSTOPPED',
  'WNOHANG',
  'WSTOPSIG',
  'WTERMSIG',
  'WUNTRACED',
  'WorkerLostError',
  '_exit',
  'activeChildren',
  'asCompleted',
  'copy',
  'cpuCount',
  'currentProcess',
  'fork',
  'forkSupport',
  'getAllStartMethods',
  'getContext',
  'getLogger',
  'getStartMethod',
  'getpid',
  'getppid',
  'isMainProcess',
  'kill',
  'lastForkTimings',
  'logToStderr',
  'parentProcess',
  'processCpuCount',
  'recvHandle',
  'recvHandleAsync',
  'registerAtFork',
  'registerClass',
  'semUnlink',
  'sendHandle',
  'sendHandleAsync',
  'setExecutable',
  'setForkserverPreload',
  'setStartMethod',
  'startForkserver',
  'struct',
  'synchronized',
  'wait',
  'waitAsync',
  'waitpid',
  'waitstatusToExitcode',
];

const types = [
  'AnyClass',
  'AnyLock',
  'ApplyOptions',
  'Assignable',
  'AtForkHooks',
  'BarrierOptions',
  'Bytes',
  'ClassOptions',
  'ConnectionOptions',
  'Context',
  'DoneAndNotDone',
  'ErrorCode',
  'ExecutorMapOptions',
  'ExecutorOptions',
  'Field',
  'Fields',
  'FinalizeOptions',
  'ForkCondition',
  'ForkOptions',
  'ForkSupport',
  'ForkTimings',
  'ForkserverOptions',
  'FutureState',
  'ImapIterator',
  'ImapOptions',
  'ImportedTarget',
  'LockOption',
  'LockOptions',
  'LogHandler',
  'LogLevelName',
  'LogRecord',
  'Logger',
  'MapOptions',
  'OnAbandoned',
  'PipeFactory',
  'PipeOptions',
  'PoolOptions',
  'PoolStats',
  'PreloadFailure',
  'PreloadOptions',
  'ProcessOptions',
  'Progress',
  'ReturnWhen',
  'ShareableListOptions',
  'ShareableValue',
  'SharedInit',
  'SharedMemoryDescriptor',
  'SharedMemoryOptions',
  'SharedType',
  'SharedValueOf',
  'ShutdownOptions',
  'StartMethodName',
  'StructInit',
  'StructValue',
  'Synchronized',
  'Text',
  'ThreadPoolOptions',
  'Type',
  'TypeCode',
  'TypeName',
  'ValueOf',
  'WaitOptions',
  'WaitResult',
  'Waitable',
  'WideText',
  'WorkerStats',
];

/** `export { a, type B } from './x.ts'` and `export type { C } from './x.ts'`. */
interface Exported {
  name: string;
  isType: boolean;
  /** The module that declares it. */
  module: string;
}

const dist = new URL('../../dist/', import.meta.url);
const read = (path: string, base = dist): string => readFileSync(new URL(path, base), 'utf8');

function exportsOf(declarations: string): Exported[] {
  return [...declarations.matchAll(/^export (type )?\{([^}]*)\} from '\.\/([^']+?)\.[jt]s';$/gm)].flatMap(
    ([, allTypes, list = '', module = '']) =>
      list.split(',').flatMap((item) => {
        const [, oneType, name] = /^\s*(type )?(\w+)\s*$/.exec(item) ?? [];
        return name === undefined ? [] : [{ name, isType: (allTypes ?? oneType) !== undefined, module }];
      }),
  );
}

/** Whether the first declaration of a name has a doc comment right before it. */
function isDocumented({ name, module }: Exported): boolean {
  return new RegExp(
    String.raw`\*/\nexport (?:declare )?(?:abstract )?(?:const|function|class|interface|type) ${name}\b`,
  ).test(read(`${module}.d.ts`));
}

describe('exports', { timeout: TEST_TIMEOUT_MS }, () => {
  it.each(['names.mjs', 'names.cjs'])('are the documented ones: %s', async (file) => {
    const { code, stdout, stderr } = await runProgram(fixture(`exports/${file}`));
    expect(code, stderr).toBe(0);
    const names = JSON.parse(stdout) as string[];
    // What `require` says of an ES module is no name of ours.
    expect(names.filter((name) => name !== '__esModule' && name !== 'module.exports').toSorted()).toEqual(values);
  });

  it('of types are the documented ones', () => {
    const declared = exportsOf(read('index.d.ts'));
    expect(
      declared
        .filter(({ isType }) => isType)
        .map(({ name }) => name)
        .toSorted(),
    ).toEqual(types);
    expect(
      declared
        .filter(({ isType }) => !isType)
        .map(({ name }) => name)
        .toSorted(),
    ).toEqual(values);
  });

  it('are declared in a way that holds where a program has its libraries checked, too', async () => {
    const tsc = fileURLToPath(new URL('../../node_modules/typescript/bin/tsc', import.meta.url));
    const options =
      '--ignoreConfig --noEmit --strict --skipLibCheck false --target es2022 --module nodenext --types node';
    // Fails with what the compiler says.
    await promisify(execFile)(process.execPath, [
      tsc,
      ...options.split(' '),
      fileURLToPath(new URL('index.d.ts', dist)),
    ]);
  });

  it('have a doc comment each', () => {
    expect(exportsOf(read('index.d.ts')).filter((each) => !isDocumented(each))).toEqual([]);
  });
});

describe('error codes', () => {
  const documented = [...read('../docs/errors.md').matchAll(/^\| `(ERR_MP_\w+)` \|(.+)\|(.+)\|$/gm)];

  it('have a row each in docs/errors.md, in order', () => {
    expect(documented.map(([, code]) => code)).toEqual([...ERROR_CODES]);
    expect([...ERROR_CODES]).toEqual([...ERROR_CODES].toSorted());
    for (const [, code, meaning = '', cure = ''] of documented)
      expect(Math.min(meaning.length, cure.length), code).toBeGreaterThan(15);
  });

  it('of the native part are among them', () => {
    const rust = new URL('../../src-rs/', import.meta.url);
    const sources = readdirSync(rust, { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.rs'));
    const used = sources.flatMap((path) => read(path, rust).match(/ERR_MP_\w+/g) ?? []);
    expect(used.length, fileURLToPath(rust)).toBeGreaterThan(0);
    expect(used.filter((code) => !(ERROR_CODES as readonly string[]).includes(code))).toEqual([]);
  });
});
