// The server of echo-server on a pool: a few processes, however many clients there are. Each worker accepts connections of the one
// listening socket and serves them beside each other, from its event loop.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { Pool } from 'node-multiprocessing';
import { converse } from './echo-client.ts';

const WORKERS = 3;
const CLIENTS = 40;

async function talk(socket: Socket): Promise<void> {
  for await (const message of socket.setEncoding('utf8')) socket.write(String(message).toUpperCase());
}

// In each worker, before its first task.
function serve(server: Server): void {
  server.on('connection', (socket) => void talk(socket));
}

const server = createServer().listen(0, '127.0.0.1');
await once(server, 'listening');
const { port } = server.address() as AddressInfo;

const pool = new Pool(WORKERS, { initializer: serve, initargs: [server] });
pool.map(() => process.pid, [1, 2, 3]); // the workers are there now, with the socket
server.close(); // the parent accepts none

async function client(number: number): Promise<string[]> {
  const answers: string[] = [];
  await converse(port, [`hello from ${number}`, 'bye'], (_, answer) => answers.push(answer));
  return answers;
}

const answers = await Promise.all(Array.from({ length: CLIENTS }, (_, i) => client(i + 1)));
assert.ok(answers.every(([hello, bye], i) => hello === `HELLO FROM ${i + 1}` && bye === 'BYE'));
console.log(`${CLIENTS} clients, ${pool.stats().workers.length} processes`);
pool.terminate();
pool.join();
