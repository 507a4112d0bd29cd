#!/usr/bin/env node
import { Command } from 'commander';

import { lifecycleCommand } from './lifecycle/suite.ts';
import { lockCommand } from './lock/suite.ts';
import { poolCommand } from './pool/suite.ts';
import { queueCommand } from './queue/suite.ts';

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => process.exit(1)); // helpers are ended by the exit handlers
}

await new Command('bench')
  .description('Benchmarks of node-multiprocessing')
  .addCommand(lifecycleCommand())
  .addCommand(lockCommand())
  .addCommand(queueCommand())
  .addCommand(poolCommand())
  .parseAsync();
