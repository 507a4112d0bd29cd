import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

import { compare, perSecond, type Contender } from '../harness/compare.ts';
import { compile, foreign, nodeProgram, onOneProcessor, pythonProgram } from '../harness/programs.ts';
import type { SectionResult } from '../harness/section.ts';
import type { Run, Suite } from '../harness/suite.ts';

interface Case {
  readonly id: string;
  readonly title: string;
  readonly request: string;
  /** With one processor for all. */
  readonly onOne?: boolean;
}

/** What is asked of each contender, once a round. */
const cases: readonly Case[] = [
  { id: 'lock', title: 'Acquire and release of a free Lock', request: 'pair Lock 200000' },
  { id: 'rlock', title: 'Acquire and release of a free RLock', request: 'pair RLock 200000' },
  { id: 'semaphore', title: 'Acquire and release of a free Semaphore', request: 'pair Semaphore 200000' },
  { id: 'contended-2', title: 'Counting under a Lock that 2 want at once, each time', request: 'contended 2 200000' },
  { id: 'contended-4', title: 'Counting under a Lock that 4 want at once, each time', request: 'contended 4 100000' },
  { id: 'handover', title: 'A signal to the other side and back, by two semaphores', request: 'handover 20000' },
  {
    id: 'handover-alone',
    title: 'A signal to the other side and back, both on one processor',
    request: 'handover 20000',
    onOne: true,
  },
  { id: 'increment', title: 'One more in a shared integer, losing none', request: 'increment 400000' },
];

const PYTHON = 'python';

/** Who cannot do what. */
const without: Readonly<Record<string, readonly string[]>> = { rlock: ['worker_threads'] };

export const lock: Suite = {
  name: 'lock',
  description: 'locks, semaphores and shared integers: ours, Python, worker_threads, C',
  rounds: 15,
  discard: 1,
  sections,
};

async function* sections(run: Run): AsyncGenerator<SectionResult> {
  const directory = mkdtempSync(path.join(os.tmpdir(), 'bench-lock-'));
  process.once('exit', () => rmSync(directory, { recursive: true, force: true }));
  const node = (role: string) => nodeProgram(new URL('./node-helper.ts', import.meta.url), role);
  const contenders: readonly Contender[] = [
    { id: 'ours', label: 'ours', ours: true, program: node('ours') },
    { id: PYTHON, label: 'Python multiprocessing', ours: false, program: pythonProgram(run.python, 'lock.py') },
    { id: 'worker_threads', label: 'worker_threads, on Atomics', ours: false, program: node('threads') },
    {
      id: 'c',
      label: 'C',
      ours: false,
      program: compile(run.cc, foreign('lock.c'), path.join(directory, 'lock'), ['-pthread']),
    },
  ];
  for (const { id, title, request, onOne } of cases) {
    const section = await compare(
      {
        id: `lock/${id}`,
        title,
        contenders: contenders
          .filter((contender) => without[id]?.includes(contender.id) !== true)
          .map((contender) => (onOne ? { ...contender, program: onOneProcessor(contender.program) } : contender)),
        request: () => request,
        figure: perSecond,
        over: { '÷ Python': PYTHON },
      },
      run,
    );
    if (section !== undefined) yield section;
  }
}
