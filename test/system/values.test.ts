// Values with objects that travel in a form of their own.
import { describe, it } from 'vitest';

import { TEST_TIMEOUT_MS, fixture, runPassing } from '../helpers/run.ts';

const program = fixture('serialize/values.mjs');

const tests: Record<string, string> = {
  classes: 'registered classes come back as themselves, at any depth, and once if they are met twice',
  registering: 'what cannot be registered is refused',
  unknown: 'what cannot be made is an error that names it; the next one comes',
  errors: 'errors, wherever they are: class, message, stack, cause, errors, properties',
  handles: 'descriptors go over connections only, and are closed if their value cannot be made',
};

describe('values', { timeout: TEST_TIMEOUT_MS }, () => {
  for (const [name, title] of Object.entries(tests)) it(title, () => runPassing(program, [name]));
});
