import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads';

/** One direction between two threads that block: messages by a port, and a count in shared memory to wait for them by. */
export interface Line {
  readonly port: MessagePort;
  readonly sent: Int32Array;
}

export function send({ port, sent }: Line, message: unknown): void {
  port.postMessage(message);
  Atomics.add(sent, 0, 1);
  Atomics.notify(sent, 0);
}

export function receive({ port, sent }: Line): unknown {
  for (;;) {
    const seen = Atomics.load(sent, 0);
    const received = receiveMessageOnPort(port);
    if (received !== undefined) return received.message;
    Atomics.wait(sent, 0, seen);
  }
}
