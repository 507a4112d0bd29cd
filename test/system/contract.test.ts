// What holds for each start method alike.
import { describe, expect, it } from 'vitest';

import { methods } from '../helpers/methods.ts';
import { TEST_TIMEOUT_MS, fixture, runPassing, runProgram } from '../helpers/run.ts';

const processes = fixture('contract/processes.mjs');

describe.each(methods)('by %s', { timeout: TEST_TIMEOUT_MS }, (method) => {
  const env = { MP_METHOD: method };

  it.each([
    ['MP005 MP021 arguments arrive unchanged and are the child’s own', 'arguments'],
    ['MP006 the daemon flag is inherited and can be given; a daemon has no children', 'daemons'],
    ['MP007 MP010 who the parent is, and that children have lists and threads of their own', 'relations'],
    ['MP008 a grandchild sees its parent alive, and then not', 'orphans'],
    ['MP017 children start and join children, in order', 'generations'],
    ['MP016 MP018 MP019 a child while it runs and after it was killed', 'active'],
    ['MP020 many at once; many terminated right after the start', 'many'],
    ['exit codes; a child that refuses to end is killed by Symbol.asyncDispose', 'disposed'],
    ['MP030 a subclass with state and a run() of its own', 'subclass'],
  ])('%s', async (_, name) => {
    await runPassing(processes, [name], { env });
  });

  it('MP176 a child’s logger has the level of its parent’s, and prints as that does', async () => {
    const { code, stdout, stderr } = await runProgram(processes, ['logger'], { env });
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: 'passed\n', stderr: '[WARNING/egon] from a child\n' });
  });

  it.each([
    ['natural', 0],
    ['exit', 5],
    ['throw', 1],
  ])('the end of the parent (%s): daemons are ended, others awaited', async (way, code) => {
    const daemons = await runProgram(processes, ['daemons end', way], { env });
    expect(daemons.code).toBe(code);
    expect(daemons.lines.filter((line) => line !== 'passed')).toEqual([`exit handler ${code}`]);
    const others = await runProgram(processes, ['others are awaited', way], { env });
    expect(others.code).toBe(code);
    expect(others.lines.filter((line) => line !== 'passed').toSorted()).toEqual([
      'child one is done',
      'child two is done',
      `exit handler ${code}`,
    ]);
  });

  it.each(['SIGKILL', 'SIGTERM', 'SIGHUP', 'SIGINT'] as const)(
    '%s to the parent ends its daemons, whatever they do',
    async (signal) => {
      // Whatever is left is found by whoever runs it.
      const result = await runProgram(processes, ['parent is killed'], {
        env,
        when: { seen: 'ready', react: (parent) => void parent.kill(signal) },
      });
      expect(result.signal).toBe(signal);
    },
  );

  it.each([
    ['MP051 who may release', 'basics'],
    ['nobody’s count is lost under locks and semaphores', 'counting'],
    ['a lock whose holder has ended says so, to parent and siblings', 'abandoned'],
    ['a lock that was given back by who ends at once is not abandoned', 'ends at once'],
    ['one of four that count is killed', 'victims'],
    ['MP062 events', 'events'],
    ['MP056 MP057 MP059 conditions', 'conditions'],
    ['MP066 MP074 barriers', 'barriers'],
    ['MP069 a barrier breaks if it is told to, or if a party dies', 'barriers break'],
  ])('%s', async (_, name) => {
    await runPassing(fixture('contract/locks.mjs'), [name], { env, nodeArgs: ['--no-warnings'] });
  });

  it.each([
    ['MP075 MP076 values of each type', 'values'],
    ['MP078 MP154 a child doubles values, arrays, structures and named memory', 'doubled'],
    ['values are counted without losing an update', 'counting'],
    ['MP035 queues: first in, first out', 'order'],
    ['queues: what was put is there when its producer has ended', 'joinFirst'],
    ['MP037 MP227 JoinableQueue and SimpleQueue', 'tasks'],
    ['queues that are shut down say so', 'shut down'],
    ['queues: producers and consumers are killed', 'killed'],
    ['MP130 MP145 connections: values there and back', 'round trip'],
    ['MP132 MP148 connections: many senders, and the end', 'senders'],
    ['MP194 waiting for many connections', 'waits'],
    ['MP134 MP149 descriptors, sockets and servers', 'handles'],
  ])('%s', async (_, name) => {
    await runPassing(fixture('contract/exchange.mjs'), [name], { env });
  });
});
