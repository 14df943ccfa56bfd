/** Filters: no key is missed, few others are let through, and the bits are those of the format. */

import { describe, expect, it } from 'vitest';

import { FILTER_LINE_BYTES } from '../../../src/memory/table-layout.ts';
import { createRandom } from '../../kit/random.ts';
import type { TableArena } from '../../kit/table-arena.ts';

export function filtersSuite(arena: TableArena, reference: TableArena): void {
  const { kernels } = arena;

  function hashOf(key: Uint8Array, each: TableArena = arena): number {
    return each.kernels.filterHash(each.put(key), key.length);
  }

  describe('the hash of a key', () => {
    it('is that of the reference for keys of all lengths, wherever they lie', () => {
      const random = createRandom(510);
      for (let length = 1; length < 100; length++) {
        arena.clear();
        reference.clear();
        const key = random.bytes(length);
        arena.allocate(random.int(0, 9));
        // What lies behind a key makes no difference.
        const at = arena.allocate(length + 16) + random.int(0, 7);
        arena.u8.fill(random.int(0, 255), at, at + length + 8);
        arena.u8.set(key, at);
        expect(kernels.filterHash(at, length) | 0).toBe(hashOf(key, reference) | 0);
      }
    });

    it('is what the format says', () => {
      arena.clear();
      // MurmurHash64A of these, with the seed 0, folded.
      expect(hashOf(Buffer.from('a')) >>> 0).toBe(FOLDED_A);
      expect(hashOf(Buffer.from('0123456789abcdef')) >>> 0).toBe(FOLDED_16);
    });
  });

  describe('a filter', () => {
    const COUNT = 5000;

    it('is that of the reference, has all of its keys, and few others', () => {
      arena.clear();
      reference.clear();
      const lines = Math.ceil((COUNT * 10.5) / (FILTER_LINE_BYTES * 8));
      const hashesOf = (each: TableArena): number => {
        const hashes = each.allocate(COUNT * 4);
        for (let i = 0; i < COUNT; i++) each.setI32(hashes + i * 4, hashNumber(i));
        return hashes;
      };
      const filters = [arena, reference].map((each) => {
        const filter = each.allocate(lines * FILTER_LINE_BYTES);
        each.u8.fill(255, filter, filter + lines * FILTER_LINE_BYTES);
        each.kernels.buildFilter(hashesOf(each), COUNT, filter, lines);
        return filter;
      }) as [number, number];
      const [ours] = filters;
      const bytes = lines * FILTER_LINE_BYTES;
      expect(arena.slice(ours, bytes).equals(reference.slice(filters[1], bytes))).toBe(true);
      let passed = 0;
      for (let i = 0; i < COUNT; i++) expect(kernels.filterHas(ours, lines, hashNumber(i))).toBe(1);
      for (let i = COUNT; i < 4 * COUNT; i++) passed += kernels.filterHas(ours, lines, hashNumber(i));
      expect(passed / (3 * COUNT)).toBeLessThan(0.013);
      expect(passed).toBeGreaterThan(0);
    });

    /** The hash of a number's key, made without leaving anything behind in the arena. */
    function hashNumber(number: number): number {
      const at = 60_000;
      const key = Buffer.from(`user-${number}`);
      arena.u8.set(key, at);
      return kernels.filterHash(at, key.length);
    }
  });
}

// Computed by another program from the definition; they must never change.
const FOLDED_A = 0xd47c7cc3;
const FOLDED_16 = 0x20b66dd;
