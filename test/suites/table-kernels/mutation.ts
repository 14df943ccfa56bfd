/**
 * Blocks with a few bytes changed, checksums ignored. The kernels must agree with the reference about what is a
 * block and what is in it; a search, which does not look at everything, must stay inside, and be right where the
 * block is sound.
 */

import { describe, expect, it } from 'vitest';

import { FOUND_BYTES, FOUND_VALUE, FOUND_VALUE_LENGTH, KIND_NONE } from '../../../src/memory/lsm-layout.ts';
import * as layout from '../../../src/memory/table-layout.ts';
import { mutate } from '../../kit/mutations.ts';
import { createRandom, type Random } from '../../kit/random.ts';
import { randomEntries, type TableArena, textOf } from '../../kit/table-arena.ts';

const MUTATIONS = 1000;

/** A small block, so that a change mostly hits structure. */
function mutant(random: Random, arena: TableArena): { bytes: Buffer; key: Uint8Array } {
  const entries = randomEntries(random, random.int(1, 8), 6, 6);
  const bytes = arena.build(entries, { interval: random.pick([1, 2, 16]), withHashes: false });
  if (random.chance(0.95)) mutate(bytes, 0, random);
  return { bytes, key: random.pick(entries).key };
}

export function mutationSuite(arena: TableArena, reference: TableArena): void {
  const { kernels } = arena;

  describe('on blocks with a few bytes changed', () => {
    it('taking them apart agrees with the reference', () => {
      const random = createRandom(530);
      let sound = 0;
      for (let i = 0; i < MUTATIONS; i++) {
        arena.clear();
        reference.clear();
        const { bytes } = mutant(random, arena);
        const actual = arena.decode(bytes)?.map(textOf);
        expect(actual).toEqual(reference.decode(bytes)?.map(textOf));
        if (actual !== undefined) sound++;
      }
      expect(sound).toBeGreaterThan(MUTATIONS / 20);
      expect(sound).toBeLessThan(MUTATIONS);
    });

    it('a search stays inside, and finds in a sound block what the reference finds', () => {
      const random = createRandom(531);
      for (let i = 0; i < MUTATIONS; i++) {
        arena.clear();
        reference.clear();
        const { bytes, key } = mutant(random, arena);
        const snapshot = random.pick([2 ** 53, random.int(0, 6)]);
        const results = [arena, reference].map((each) => {
          const [at, found] = [each.put(bytes), each.allocate(FOUND_BYTES)];
          const kind = each.kernels.findInBlock(at, bytes.length, each.put(key), key.length, snapshot, found);
          if (kind <= KIND_NONE || kind === layout.FOUND_MORE) return { kind };
          const value = each.i32(found + FOUND_VALUE) - at;
          const length = each.i32(found + FOUND_VALUE_LENGTH);
          expect(value).toBeGreaterThan(0);
          expect(value + length).toBeLessThanOrEqual(bytes.length - layout.BLOCK_TAIL_BYTES);
          return { kind, value, length };
        });
        if (results[1]?.kind !== -1) expect(results[0]).toEqual(results[1]);
      }
    });

    it('a search in an index stays inside, and agrees with the reference about sound ones', () => {
      const random = createRandom(532);
      for (let i = 0; i < MUTATIONS; i++) {
        arena.clear();
        reference.clear();
        const { bytes, key } = mutant(random, arena);
        const results = [arena, reference].map((each) => {
          const fields = each.allocate(layout.INDEX_FIELDS_BYTES);
          return each.kernels.seekIndex(each.put(bytes), bytes.length, each.put(key), key.length, fields);
        });
        const isSound = reference.decode(bytes) !== undefined && results[1] !== -1;
        if (isSound) expect(results[0]).toBe(results[1]);
      }
    });

    it('nothing is read behind a block that ends with the memory', () => {
      const random = createRandom(533);
      const scratch = 60_000;
      for (let i = 0; i < MUTATIONS; i++) {
        arena.clear();
        const { bytes, key } = mutant(random, arena);
        const at = arena.u8.length - layout.ENTRY_HEADER_BYTES_MAX - bytes.length;
        arena.u8.fill(0xff, at);
        arena.u8.set(bytes, at);
        const room = arena.allocate(4096);
        kernels.findInBlock(at, bytes.length, arena.put(key), key.length, 2 ** 53, scratch);
        kernels.decodeBlock(at, bytes.length, room, 4096);
        kernels.seekIndex(at, bytes.length, arena.put(key), key.length, scratch);
        kernels.readIndex(at, bytes.length, random.int(0, 9), scratch);
      }
      arena.u8.fill(0, arena.u8.length - 4096);
    });
  });
}
