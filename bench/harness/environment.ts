import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import os from 'node:os';

import { foreign } from './programs.ts';

export interface Environment {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryBytes: number;
  readonly system: string;
  readonly node: string;
  readonly v8: string;
  readonly python: string | null;
  readonly cc: string | null;
  /** The packages that take part, by name. */
  readonly packages: Readonly<Record<string, string>>;
  /** The kernel's policy on huge pages: it decides how many page-table entries a fork has to copy. */
  readonly hugePages: string | null;
  readonly load: number;
}

export function describeEnvironment(python: string, cc: string): Environment {
  return {
    cpu: os.cpus()[0]?.model.trim() ?? 'unknown CPU',
    cores: os.availableParallelism(),
    memoryBytes: os.totalmem(),
    system: `${os.type()} ${os.release()} ${os.arch()}`,
    node: process.version,
    v8: process.versions.v8,
    python: firstLine(python, ['-c', 'import platform as p; print(p.python_implementation(), p.python_version())']),
    cc: firstLine(cc, ['--version']),
    packages: packageVersions(),
    hugePages: hugePagePolicy(),
    load: os.loadavg()[0] ?? 0,
  };
}

/** All that is the same whenever it is asked for. */
export function environmentLines(environment: Environment): string[] {
  const gigabytes = (environment.memoryBytes / 2 ** 30).toFixed(0);
  return [
    `${environment.cpu}, ${environment.cores} cores, ${gigabytes} GiB, ${environment.system}, ` +
      `huge pages: ${environment.hugePages ?? 'unknown'}`,
    `Node ${environment.node} (V8 ${environment.v8}), ${environment.python ?? 'no Python'}, ${environment.cc ?? 'no C compiler'}`,
    Object.entries(environment.packages)
      .map(([name, version]) => `${name} ${version}`)
      .join(', '),
  ];
}

/** As they are pinned: no other is installed. */
function packageVersions(): Record<string, string> {
  const own = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string };
  const npm = JSON.parse(readFileSync(foreign('pools/package.json'), 'utf8')) as {
    dependencies: Record<string, string>;
  };
  const pip = readFileSync(foreign('requirements.txt'), 'utf8').matchAll(/^(loky|faster-fifo)==(.+)$/gm);
  return {
    'node-multiprocessing': own.version,
    ...npm.dependencies,
    ...Object.fromEntries([...pip].map(([, name = '', version = '']) => [name, version])),
  };
}

function firstLine(command: string, args: string[]): string | null {
  try {
    const output = execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
    return output.split('\n')[0]?.trim() ?? null;
  } catch {
    return null;
  }
}

function hugePagePolicy(): string | null {
  try {
    const text = readFileSync('/sys/kernel/mm/transparent_hugepage/enabled', 'utf8');
    return /\[(\w+)\]/.exec(text)?.[1] ?? null;
  } catch {
    return null;
  }
}
