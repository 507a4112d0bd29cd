/** A message. */
export function itemOf(kind: string): unknown {
  if (kind === 'int') return 42;
  if (kind === 'object') return { id: 12345, name: 'a short name', value: 2.75, ok: true, tags: [1, 2, 3] };
  return Buffer.alloc(Number(kind), 1);
}
