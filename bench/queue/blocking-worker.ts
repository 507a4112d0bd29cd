/** The other side of two threads that block. It answers `{ kind, count }` with so many messages, and everything else with the same. */
import { workerData } from 'node:worker_threads';

import { type Line, receive, send } from './blocking.ts';
import { itemOf } from './item.ts';

const { requests, answers } = workerData as { requests: Line; answers: Line };
for (;;) {
  const message = receive(requests);
  if (typeof message === 'number') send(answers, message);
  else {
    const { kind, count } = message as { kind: string; count: number };
    const item = itemOf(kind);
    for (let i = 0; i < count; i += 1) send(answers, item);
  }
}
