import type { SectionResult } from '../harness/section.ts';
import type { Run, Suite } from '../harness/suite.ts';
import { parents } from './contenders.ts';
import { cpuSection } from './cpu.ts';
import { memorySection } from './memory.ts';
import { preparePrograms } from './programs.ts';
import { spawnSection } from './spawn.ts';
import { splitSection } from './split.ts';
import { startSection } from './start.ts';

export const lifecycle: Suite = {
  name: 'lifecycle',
  description: 'start and end of a process, and what a child is like: ours, Python, child_process, worker_threads, C',
  rounds: 40,
  discard: 5,
  sections,
};

async function* sections(run: Run): AsyncGenerator<SectionResult> {
  const context = { ...run, programs: preparePrograms(run.python, run.cc) };
  const [small, heap] = parents;
  const ordinary = parents.filter(({ only }) => only === undefined);
  const all = [
    ...parents.map((parent) => () => startSection(context, parent)),
    ...ordinary.map((parent) => () => splitSection(context, parent)),
    () => cpuSection(context),
    () => memorySection(context),
    ...[small, heap].map((parent) => () => parent && spawnSection(context, parent)),
  ];
  for (const section of all) {
    const result = await section();
    if (result !== undefined) yield result;
  }
}
