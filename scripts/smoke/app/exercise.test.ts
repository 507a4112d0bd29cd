import { expect, test } from 'vitest';

import { exercise } from './exercise.ts';

test('in a worker of vitest that is a process', async () => {
  expect(process.send).toBeTypeOf('function');
  await exercise();
});
