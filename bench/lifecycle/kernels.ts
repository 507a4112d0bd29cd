/**
 * Pieces of CPU-bound work, one for each way in which a child could be slower than its parent. Each call is some milliseconds of
 * work for optimised code, and several times that for interpreted code. This module is imported anew, under another query
 * string, for every measurement, so that the engine has never optimised the copy that is measured.
 */

export type Kernel = (size: number) => number;

function integers(size: number): number {
  let state = 1;
  for (let i = 0; i < size; i += 1) {
    state = (Math.imul(state ^ (state >>> 13), 0x5bd1e995) + i) | 0;
  }
  return state;
}

function floats(size: number): number {
  let x = 0.5;
  let sum = 0;
  for (let i = 0; i < size; i += 1) {
    x = 3.99 * x * (1 - x);
    sum += Math.sqrt(x) / (1 + x);
  }
  return sum;
}

class Body {
  x: number;
  y: number;
  mass: number;
  constructor(x: number, y: number, mass: number) {
    this.x = x;
    this.y = y;
    this.mass = mass;
  }
  pull(other: Body): number {
    const dx = other.x - this.x;
    const dy = other.y - this.y;
    return (this.mass * other.mass) / (1 + dx * dx + dy * dy);
  }
}

function properties(size: number): number {
  const bodies = Array.from({ length: 64 }, (_, i) => new Body(i + 0.5, i + 0.25, 1.5 + (i % 7)));
  let energy = 0;
  for (let round = 0; round < size; round += 1) {
    const one = bodies[round % bodies.length];
    if (one === undefined) continue;
    for (const other of bodies) energy += one.pull(other);
    one.x = (round + 0.5) / size;
  }
  return energy;
}

interface Tree {
  readonly left: Tree | null;
  readonly right: Tree | null;
  readonly label: { readonly depth: number };
}

function allocations(size: number): number {
  const grow = (depth: number): Tree => ({
    left: depth === 0 ? null : grow(depth - 1),
    right: depth === 0 ? null : grow(depth - 1),
    label: { depth },
  });
  const count = (tree: Tree | null): number => (tree === null ? 0 : 1 + count(tree.left) + count(tree.right));
  let nodes = 0;
  for (let i = 0; i < size; i += 1) nodes += count(grow(10));
  return nodes;
}

function json(size: number): number {
  let record = {
    id: 1,
    name: 'first',
    tags: ['a', 'b', 'c'],
    nested: { list: [1, 2.5, 3], text: 'some "quoted" text' },
  };
  let length = 0;
  for (let i = 0; i < size; i += 1) {
    const text = JSON.stringify(record);
    length += text.length;
    record = JSON.parse(text) as typeof record;
    record.id = i;
  }
  return length;
}

function collections(size: number): number {
  const counts = new Map<string, number>();
  for (let i = 0; i < size; i += 1) {
    const key = `key ${i % 997}`;
    counts.set(key, (counts.get(key) ?? 0) + i);
  }
  let sum = 0;
  for (const [key, value] of counts) sum += key.length + value;
  return sum;
}

function bytes(size: number): number {
  const sieve = new Uint8Array(size);
  let primes = 0;
  for (let i = 2; i < size; i += 1) {
    if (sieve[i] === 1) continue;
    primes += 1;
    for (let multiple = i * 2; multiple < size; multiple += i) sieve[multiple] = 1;
  }
  return primes;
}

export const kernels: Readonly<Record<string, { readonly run: Kernel; readonly size: number }>> = {
  integers: { run: integers, size: 3_000_000 },
  floats: { run: floats, size: 1_500_000 },
  properties: { run: properties, size: 13_000 },
  bytes: { run: bytes, size: 1_000_000 },
  allocations: { run: allocations, size: 100 },
  json: { run: json, size: 3_000 },
  collections: { run: collections, size: 80_000 },
};
