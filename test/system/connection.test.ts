import { describe, it } from 'vitest';

import { hasPython } from '../helpers/python.ts';
import { TEST_TIMEOUT_MS, fixture, runPassing } from '../helpers/run.ts';

const connections = fixture('connection/connections.mjs');
const handles = fixture('connection/handles.mjs');
const withGc = { nodeArgs: ['--expose-gc'] };

describe('connections', { timeout: TEST_TIMEOUT_MS }, () => {
  it.each([
    ['MP130 values there and back', 'round trip'],
    ['MP130 bytes, receiving into buffers, and poll', 'bytes, buffers and poll'],
    ['MP130 large messages', 'large messages'],
    ['a message of 2.5 GiB', 'enormous message'],
    ['MP131 one way', 'one way'],
    ["MP132 closed by the parent after the child's start", 'closed after start'],
    ['MP133 offset and size', 'offset and size'],
    ['MP137 disposed', 'dispose'],
    ['MP145 an empty message counts', 'empty messages'],
    ['MP146 messages at intervals, polled', 'at intervals'],
    ['MP147 a child that only polls takes nothing', 'a child that only polls'],
    ['MP148 messages are never merged', 'never merged'],
    ['the end after kill -9, also in the middle of a message', 'killed writers'],
    ['a writer is killed in the middle of a message, others go on', 'killed writers, other writers'],
    ['writers that are killed at any moment', 'killed at any moment'],
    ['sending to nobody', 'no readers'],
    ['longer than maxLength', 'limits'],
    ['many processes at either end', 'many writers and readers'],
    ['long messages of many writers', 'many writers of long messages'],
    ['long messages for many readers, with and without a lock', 'many readers of long messages'],
    ['what cannot be sent', 'unsendable'],
    ['interrupted by signals', 'interrupted'],
    ['interrupted in the middle of sending', 'interrupted while sending'],
    ['children that end during a wait are reaped', 'another child ends meanwhile'],
    ['Async twins and iteration', 'async'],
    ['Async twins: timeouts and aborts', 'async: timeouts and aborts'],
    ['a thousand waits, a free loop and no threads', 'async: a thousand waits'],
    ['a long message leaves the loop free', 'async: a long message leaves the loop free'],
    ['a program ends when nothing is waited for', 'async: nothing keeps the program alive'],
    ['closed while it is waited for', 'async: closed while waited for'],
    ['what the parent waits for at a fork is its own', 'async: pending at a fork'],
    ['what the parent is sending at a fork is its own', 'async: pending at a fork, sent on by the parent'],
    ['raw forks', 'raw fork'],
    ['closed in other programs', 'other programs'],
    ['over a descriptor: bad ones', 'over a descriptor'],
    ['in worker threads', 'in worker threads'],
  ])('%s', async (_, name) => {
    await runPassing(connections, [name]);
  });

  it('dropped ones are closed', async () => {
    await runPassing(connections, ['dropped'], withGc);
  });

  it('a loop of large messages takes no more and more memory', async () => {
    await runPassing(connections, ['memory stays low']);
  });

  it.runIf(hasPython)("with a connection of Python's", async () => {
    await runPassing(connections, ['python']);
  });
});

describe('descriptors over connections', { timeout: TEST_TIMEOUT_MS }, () => {
  it.each([
    ['MP134 a descriptor for a running child', 'descriptor'],
    ['MP135 above 255', 'high descriptor'],
    ['MP136 a message without a descriptor', 'no descriptor'],
    ['bad ones', 'bad descriptors'],
    ['Async twins', 'descriptors, async'],
    ['MP149 MP150 connections keep their direction', 'connections'],
    ['connections anywhere in a value', 'connections in values'],
    ['MP149 sockets', 'sockets'],
    ['MP149 servers and datagram sockets', 'servers'],
    ['lost with the message that they were in', 'in flight only'],
    ['too many open files', 'no room for descriptors'],
  ])('%s', async (_, name) => {
    await runPassing(handles, [name]);
  });
});

describe('wait', { timeout: TEST_TIMEOUT_MS }, () => {
  it.each([
    ['MP194 MP195 connections, sentinels and descriptors', 'wait'],
    ['writers with random delays', 'wait: writers with delays'],
    ['MP192 sockets with random delays', 'wait: sockets with delays'],
    ['waitAsync', 'wait: async'],
    ['queues, with other things and alone', 'wait: queues'],
    ['sockets of which node has read, and servers', 'wait: what node has read'],
    ['many waits for many connections', 'wait: a thousand'],
  ])('%s', async (_, name) => {
    await runPassing(handles, [name]);
  });
});
