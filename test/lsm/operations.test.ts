/** Operations go through their encoding unchanged; bytes that are none are told. */

import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeOperations, KEY_BYTES_MAX, OperationsEncoder } from '../../src/lsm/operations.ts';
import { KIND_DELETE, KIND_DELETE_RANGE, KIND_PUT } from '../../src/memory/lsm-layout.ts';

const key = fc.oneof(
  fc.uint8Array({ minLength: 1, maxLength: 300 }),
  fc.constant(new Uint8Array(KEY_BYTES_MAX)),
);
const operation = fc.record({
  kind: fc.constantFrom(KIND_PUT, KIND_DELETE, KIND_DELETE_RANGE),
  tree: fc.oneof(fc.integer({ min: 1, max: 300 }), fc.constant(2 ** 31 - 1)),
  key,
  second: fc.uint8Array({ minLength: 1, maxLength: 400 }),
});

describe('operations', () => {
  test('are decoded as they were encoded, in one go or appended', () => {
    fc.assert(
      fc.property(fc.array(operation, { minLength: 1, maxLength: 30 }), (operations) => {
        const encoder = new OperationsEncoder();
        for (const { kind, tree, key: first, second } of operations) {
          if (kind === KIND_PUT) encoder.put(tree, first, second);
          else if (kind === KIND_DELETE) encoder.delete(tree, first);
          else encoder.deleteRange(tree, first, second);
        }
        expect(encoder.count).toBe(operations.length);
        const decoded = [...decodeOperations(encoder.bytes, 0)];
        const hex = (bytes: Uint8Array | null): string | null =>
          bytes === null ? null : Buffer.from(bytes).toString('hex');
        expect(decoded.map((one) => [one.kind, one.tree, hex(one.key), hex(one.second)])).toEqual(
          operations.map(({ kind, tree, key: first, second }) => {
            return [kind, tree, hex(first), kind === KIND_DELETE ? null : hex(second)];
          }),
        );
      }),
      { numRuns: 50 },
    );
  });

  test('are refused where bytes are missing, or of another format', () => {
    const encoder = new OperationsEncoder();
    encoder.put(200, Buffer.from('key'), Buffer.from('value'));
    encoder.delete(1, Buffer.from('other'));
    const bytes = Buffer.from(encoder.bytes);
    const whole = [1, 14, bytes.length];
    for (let length = 0; length <= bytes.length; length++) {
      const decode = (): number => [...decodeOperations(bytes.subarray(0, length), 4)].length;
      if (whole.includes(length)) expect(decode()).toBe(whole.indexOf(length));
      else expect(decode, `${length} bytes`).toThrow(/record 4 of the write-ahead log/);
    }
    for (const at of [0, 1, 4]) {
      const changed = Buffer.from(bytes);
      changed[at] = 0;
      expect(() => [...decodeOperations(changed, 4)]).toThrow(/record 4/);
    }
  });
});
