/**
 * What a spawned child runs.
 */
import { Connection } from '../connection.ts';
import { fail, targetDone, tellErrors } from '../fork/child.ts';
import { native } from '../native.ts';
import { writeAtOnce } from './streams.ts';
import { takeOver } from './take-over.ts';

writeAtOnce();
takeOver(new Connection(native.SPAWN_CHANNEL), {
  method: 'spawn',
  begin({ name, daemon, parent }) {
    if (daemon) native.endWithParent(parent.pid);
    tellErrors(name);
  },
}).then(targetDone, fail);
