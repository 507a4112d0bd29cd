// The codec of messages, with values and with bytes that nobody has thought of. `FUZZ_SEED` and `FUZZ_RUNS` choose another
// sequence and another length; a failure prints the seed, and the smallest input that fails.
import { isDeepStrictEqual } from 'node:util';
import * as fc from 'fast-check';
import { expect, it } from 'vitest';

import { ProcessError } from '../../src/errors.ts';
import { decode, encode } from '../../src/serialize/index.ts';

const seed = process.env['FUZZ_SEED'];
const parameters = {
  numRuns: Number(process.env['FUZZ_RUNS'] ?? 300),
  ...(seed !== undefined && { seed: Number(seed) }),
};

const scratch = Buffer.alloc(1 << 17);

/** The bytes of a message, wherever they were put. */
function bytesOf(value: unknown, room = scratch.length): Buffer {
  const place = scratch.subarray(0, room);
  const end = encode(place, 0, value);
  return typeof end === 'number' ? Buffer.from(place.subarray(0, end)) : Buffer.concat(end);
}

const anything = fc.anything({
  withBigInt: true,
  withBoxedValues: true,
  withDate: true,
  withMap: true,
  withSet: true,
  withSparseArray: true,
  withTypedArray: true,
  withUnicodeString: true,
  maxDepth: 5,
});

const error = fc
  .record({
    Class: fc.constantFrom(Error, TypeError, RangeError, SyntaxError),
    message: fc.string(),
    cause: anything,
    own: fc.dictionary(fc.stringMatching(/^own\w{1,8}$/), anything),
  })
  .map(({ Class, message, cause, own }) => Object.assign(new Class(message, { cause }), own));

const values = fc.oneof(
  anything,
  fc.json({ maxDepth: 6 }).map((text) => JSON.parse(text) as unknown),
  fc.uint8Array().map((bytes) => Buffer.from(bytes)),
  fc.array(error, { maxLength: 3 }).map((errors) => ({ errors, first: errors[0] })),
);

it('any value comes back as it was, whatever room there is', () => {
  fc.assert(
    fc.property(values, fc.constantFrom(16, 100, 1000, scratch.length), fc.boolean(), (value, room, owned) => {
      const bytes = bytesOf(value, room);
      const back = decode(bytes, 0, bytes.length, owned);
      if (!isDeepStrictEqual(back, value)) expect(back).toStrictEqual(value);
    }),
    parameters,
  );
});

const edit = fc.record({
  at: fc.nat(),
  remove: fc.nat({ max: 4 }),
  insert: fc.oneof(
    fc.uint8Array({ maxLength: 6 }),
    // Lengths, and numbers of many bytes.
    fc.constantFrom([0xff, 0xff], [0xff, 0xff, 0xff, 0x7f], [0x80], [0x80, 0x80, 0x80, 0x80, 0x80, 0x01], [0]),
  ),
});

function edited(bytes: Buffer, edits: readonly { at: number; remove: number; insert: Iterable<number> }[]): Buffer {
  let list = [...bytes];
  for (const { at, remove, insert } of edits) {
    const start = at % (list.length + 1);
    list = [...list.slice(0, start), ...insert, ...list.slice(start + remove)];
  }
  return Buffer.from(list);
}

/** Beginnings of messages of each kind, and of tags that there are not. */
const kinds = fc.oneof(fc.nat({ max: 12 }), fc.constantFrom(0x80, 0x81, 0x82, 0x83, 0x84, 0xff));

const messages = fc.oneof(
  {
    weight: 3,
    arbitrary: fc
      .tuple(values, fc.array(edit, { minLength: 1, maxLength: 5 }))
      .map(([value, edits]) => edited(bytesOf(value), edits)),
  },
  {
    weight: 1,
    arbitrary: fc.tuple(kinds, fc.uint8Array({ maxLength: 200 })).map(([kind, rest]) => Buffer.from([kind, ...rest])),
  },
  // What V8 takes for a value.
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.constantFrom(0x80, 0x83), fc.uint8Array({ maxLength: 100 }))
      .map(([kind, rest]) => Buffer.from([kind, 0xff, 0x0f, ...rest])),
  },
);

it('bytes that are no message are refused with a code, or are some other value', () => {
  const before = process.memoryUsage.rss();
  fc.assert(
    fc.property(messages, fc.boolean(), (bytes, owned) => {
      try {
        decode(bytes, 0, bytes.length, owned);
      } catch (cause) {
        expect(cause).toBeInstanceOf(ProcessError);
        expect((cause as ProcessError).code).toMatch(/^ERR_MP_(?:CORRUPT|NOT_DESERIALIZABLE)$/);
      }
    }),
    { ...parameters, numRuns: parameters.numRuns * 5 },
  );
  expect(process.memoryUsage.rss() - before).toBeLessThan(1 << 29);
});
