// The client of echo-server.ts. By itself: start `echo-server serve`, then this one in a second terminal, and type;
// end-of-file (Ctrl-D) leaves. PORT in the environment when it is not 9999.
import { once } from 'node:events';
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** Sends each message, waits for the answer, shows both, and leaves after the last. */
export async function converse(
  port: number,
  messages: Iterable<string> | AsyncIterable<string>,
  show: (message: string, answer: string) => void,
): Promise<void> {
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  const answers = createInterface({ input: socket })[Symbol.asyncIterator]();
  for await (const message of messages) {
    socket.write(`${message}\n`);
    const answer = await answers.next();
    if (answer.done) throw new Error('the server has closed the connection');
    show(message, answer.value);
  }
  socket.end();
}

async function* typed(): AsyncGenerator<string> {
  const keyboard = createInterface({ input: process.stdin, output: process.stdout, prompt: '>>: ' });
  keyboard.prompt();
  for await (const line of keyboard) {
    yield line;
    keyboard.prompt();
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    await converse(Number(process.env.PORT ?? 9999), typed(), (_, answer) => console.log(answer));
  } catch (error) {
    console.error((error as Error).message);
    process.exitCode = 1;
  }
}
