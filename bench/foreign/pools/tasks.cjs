// What the workers of all npm pools do. CommonJS: what Node starts fastest. Each stands alone: one pool sends the source.
exports.increment = function increment(n) {
  return n + 1;
};
exports.block = function block(size) {
  return new Uint8Array(size).fill(1);
};
exports.fib = function fib(n) {
  return n < 2 ? n : fib(n - 1) + fib(n - 2);
};
exports.sum = function sum({ bytes, from, to }) {
  let total = 0;
  for (let i = from; i < to; i += 64) total += bytes[i];
  return total;
};
