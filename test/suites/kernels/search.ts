/** Binary search over index entries, against looking at one after the other. */

import { describe, expect, it } from 'vitest';

import type { Kernels } from '../../../src/memory/kernels.ts';
import { type Arena, BYTES } from '../../kit/arena.ts';
import { createRandom } from '../../kit/random.ts';

export function searchSuite({ kernels, view }: Arena, reference: Kernels): void {
  describe('the binary searches', () => {
    it('find in an offset index what a linear search finds', () => {
      const random = createRandom(50);
      for (let count = 0; count <= 70; count++) {
        const range = random.pick([3, 100, 2 ** 31 - 1]);
        const keys = Array.from({ length: count }, () => random.int(0, range)).sort((a, b) => a - b);
        for (const [i, key] of keys.entries()) {
          view.setInt32(BYTES + i * 8, key);
          view.setInt32(BYTES + i * 8 + 4, random.int(-(2 ** 31), 2 ** 31 - 1));
        }
        const targets = [...keys, ...keys.map((key) => key + 1), -1, 0, range, 2 ** 31, 2 ** 40, -(2 ** 40)];
        for (const key of targets) {
          const actual = [
            kernels.offsetLowerBound(BYTES, count, key),
            kernels.offsetUpperBound(BYTES, count, key),
          ];
          expect(actual).toEqual([
            reference.offsetLowerBound(BYTES, count, key),
            reference.offsetUpperBound(BYTES, count, key),
          ]);
          expect(actual).toEqual([keys.filter((k) => k < key).length, keys.filter((k) => k <= key).length]);
        }
      }
    });

    it('find in a time index what a linear search finds', () => {
      const random = createRandom(51);
      for (let count = 0; count <= 70; count++) {
        const base = random.pick([0, -50, 1_700_000_000_000, -(2 ** 53) + 1]);
        const keys = Array.from(
          { length: count },
          () => base + random.int(0, random.pick([5, 2 ** 40])),
        ).sort((a, b) => a - b);
        for (const [i, key] of keys.entries()) {
          view.setBigInt64(BYTES + i * 12, BigInt(key));
          view.setInt32(BYTES + i * 12 + 8, random.int(-(2 ** 31), 2 ** 31 - 1));
        }
        for (const key of [...keys, ...keys.map((k) => k + 1), base - 1, 2 ** 53 - 1, -Infinity, Infinity]) {
          const actual = [
            kernels.timeLowerBound(BYTES, count, key),
            kernels.timeUpperBound(BYTES, count, key),
          ];
          expect(actual).toEqual([
            reference.timeLowerBound(BYTES, count, key),
            reference.timeUpperBound(BYTES, count, key),
          ]);
          expect(actual).toEqual([keys.filter((k) => k < key).length, keys.filter((k) => k <= key).length]);
        }
      }
    });
  });
}
