// What has to compile and what must not; `tsc` of the lint is the test.
import { Process } from '../../src/index.ts';

const count = (n: number): number => n;
const greet = (name: string, { loud }: { loud: boolean }): string => (loud ? name.toUpperCase() : name);

export const compile: Process[] = [
  new Process({ target: count, args: [1] }),
  new Process({ target: greet, args: ['bob', { loud: true }] }),
  new Process({ target: greet, args: ['bob'], kwargs: { loud: true } }),
  new Process({ target: (name) => console.log(name), args: ['bob'] }),
  new Process({ target: (...all: unknown[]) => all, args: [1, 'two'] }),
  new Process({ target: (a: number, b?: string) => [a, b], args: [1] }),
  new Process({ target: { module: 'a-module', export: 'main' }, args: [1, 'two'] }),
  new Process({ target: () => {} }),
  new Process(),
];

// @ts-expect-error a string where the target takes a number
export const mistaken = new Process({ target: count, args: ['x'] });
