// A TCP server that gives each accepted connection to a process of its own. Run like this, it also starts a dozen clients;
// `echo-server serve` only serves (see echo-client.ts). PORT in the environment when it should not be 9999; 0 takes any. METHOD is the
// start method, CLIENTS how many there are: METHOD=forkserver CLIENTS=100.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { getContext, isMainProcess, type Process, type StartMethodName } from 'node-multiprocessing';
import { converse } from './echo-client.ts';
import { childrenOf } from './lib/process-table.ts';

// In the child: answer every message in upper case until the client leaves.
export async function talk(socket: Socket): Promise<void> {
  try {
    for await (const message of socket.setEncoding('utf8')) socket.write(String(message).toUpperCase());
  } catch {
    // the client left without a goodbye
  }
}

// One process per client does not scale: a thousand clients would be a thousand processes of some 40 MB each, and whoever
// connects decides how many there are. echo-pool.ts is the same server on a `Pool` of a few processes.
async function main(): Promise<void> {
  const context = getContext((process.env.METHOD ?? 'fork') as StartMethodName);
  const count = Number(process.env.CLIENTS ?? 12);
  const talkers: Process[] = [];
  let readByParent = 0;
  const server = createServer({ pauseOnConnect: true }, (socket) => {
    const { remotePort } = socket;
    const talker = new context.Process({ target: talk, args: [socket], daemon: true });
    talker.start();
    console.log(`port ${remotePort} talks to process ${talker.pid}`);
    readByParent += socket.bytesRead; // 0: it came paused, the parent has never read from it
    socket.destroy(); // closes the parent's copy and nothing else: the connection is the child's now
    talkers.push(talker);
  });

  server.listen(Number(process.env.PORT ?? 9999), '127.0.0.1');
  await once(server, 'listening').catch((error: Error) => {
    console.error(`${error.message} (PORT=0 takes a free port)`);
    process.exit(1);
  });
  const { port } = server.address() as AddressInfo;
  console.log(`listening on 127.0.0.1:${port}`);
  if (process.argv[2] === 'serve') return;

  const clients = Array.from({ length: count }, (_, i) => new context.Process({ target: client, args: [port, i + 1] }));
  for (const p of clients) p.start();
  for (const p of clients) await p.joinAsync();
  for (const p of talkers) await p.joinAsync();
  server.close();

  assert.ok([...clients, ...talkers].every((p) => p.exitCode === 0));
  assert.equal(talkers.length, count);
  assert.equal(readByParent, 0);
  const zombies = childrenOf(process.pid).filter(({ state }) => state === 'Z');
  assert.deepEqual(zombies, []);
  console.log(`${count} clients, ${talkers.length} processes; read by the parent: 0 bytes; zombies: 0`);
}

export async function client(port: number, number: number): Promise<void> {
  async function* messages() {
    yield `hello, i am client ${number}`;
    await delay(1000); // so that all are there at the same time
    yield `bye from ${number}`;
  }
  await converse(port, messages(), (message, answer) => console.log(`${message} -> ${answer}`));
}

if (isMainProcess()) await main();
