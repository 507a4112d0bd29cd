/** The tasks of our own pools. The other ones have theirs in bench/foreign. */
export const increment = (n: number): number => n + 1;

export const block = (size: number): Uint8Array => new Uint8Array(size).fill(1);

export const fib = (n: number): number => (n < 2 ? n : fib(n - 1) + fib(n - 2));

let input: Uint8Array = new Uint8Array();

/** What children have by fork. */
export function setInput(bytes: Uint8Array): void {
  input = bytes;
}

/** One byte of each line of the cache, so that it is the access that counts, not how fast a language adds. */
export function sum({ from, to }: { readonly from: number; readonly to: number }): number {
  let total = 0;
  for (let i = from; i < to; i += 64) total += input[i] ?? 0;
  return total;
}
