/**
 * Merging. Whatever is left out, every snapshot and the newest state must see the same before and after; and
 * what is kept, somebody must see. Both builds must make the same blocks as the reference.
 */

import { describe, expect, it } from 'vitest';

import { KIND_DELETE, KIND_PUT } from '../../../src/memory/lsm-layout.ts';
import * as layout from '../../../src/memory/table-layout.ts';
import { createRandom, type Random } from '../../kit/random.ts';
import {
  compareEntries,
  randomEntries,
  type TableArena,
  type TestEntry,
  textOf,
} from '../../kit/table-arena.ts';
import {
  ArenaMerge,
  cut,
  type MergeRules,
  mergeBlocks,
  mergePages,
  type Piece,
  randomFragments,
  viewAt,
} from '../../kit/table-merge.ts';

const NEWEST = Number.POSITIVE_INFINITY;

function entry(key: string, sequence: number, kind: number = KIND_PUT, value = ''): TestEntry {
  return { key: Buffer.from(key), value: Buffer.from(value), sequence, kind };
}

/** Entries dealt out to sources, each in order. */
function deal(random: Random, entries: readonly TestEntry[], sources: number): Piece[][] {
  const hands: TestEntry[][] = Array.from({ length: sources }, () => []);
  for (const each of entries) hands[random.int(0, sources - 1)]?.push(each);
  return hands.map((hand) => cut(random, hand));
}

interface Case {
  entries: TestEntry[];
  sources: Piece[][];
  rules: MergeRules;
}

function randomCase(random: Random): Case {
  const sequences = random.pick([4, 30, 1000]);
  const entries = randomEntries(random, random.int(1, 150), sequences);
  const snapshots = Array.from({ length: random.int(0, 3) }, () => random.int(0, sequences));
  const keys = entries.map(({ key }) => key);
  return {
    entries,
    sources: deal(random, entries, random.pick([1, 2, 3, 8])),
    rules: {
      snapshots: [...new Set(snapshots)].sort((a, b) => a - b),
      fragments: random.chance(0.5) ? randomFragments(random, keys, sequences) : [],
      bottom: random.chance(0.5),
    },
  };
}

export function mergeSuite(arena: TableArena, reference: TableArena): void {
  function clear(): void {
    arena.clear();
    reference.clear();
  }

  function decodeAll(blocks: readonly Buffer[]): TestEntry[] {
    return blocks.flatMap((block) => arena.decode(block) ?? expect.fail('the block is broken'));
  }

  /** What is left of entries that are merged from one run, as text. */
  function left(entries: TestEntry[], rules: MergeRules = {}): string[] {
    clear();
    const sorted = entries.toSorted(compareEntries);
    return decodeAll(mergeBlocks(arena, [[{ entries: sorted, isRun: true }]], rules).blocks).map(textOf);
  }

  describe('merging into blocks', () => {
    it('keeps what any reader sees, and makes the blocks that the reference makes', () => {
      const random = createRandom(520);
      for (let round = 0; round < 50; round++) {
        clear();
        const { entries, sources, rules } = randomCase(random);
        const options = { target: random.pick([200, 4096]), interval: random.pick([1, 16]) };
        const ours = mergeBlocks(arena, sources, rules, options);
        const theirs = mergeBlocks(reference, sources, rules, options);
        expect(ours.codes).toEqual(theirs.codes);
        expect(ours.blocks.map((block) => block.toString('hex'))).toEqual(
          theirs.blocks.map((block) => block.toString('hex')),
        );
        const merged = decodeAll(ours.blocks);
        expect(merged.map(textOf)).toEqual(merged.toSorted(compareEntries).map(textOf));
        const { snapshots = [], fragments = [] } = rules;
        for (const snapshot of [...snapshots, NEWEST]) {
          expect(viewAt(merged, snapshot, fragments).map(textOf)).toEqual(
            viewAt(entries, snapshot, fragments).map(textOf),
          );
        }
        // Deleted or not, each is what somebody sees of its key.
        const seen = new Set(
          [...snapshots, NEWEST].flatMap((snapshot) => {
            const puts = entries.map((each) => ({ ...each, kind: KIND_PUT }));
            return viewAt(puts, snapshot, fragments).map(({ key, sequence }) =>
              textOf(entryOf(key, sequence)),
            );
          }),
        );
        for (const { key, sequence } of merged) expect(seen).toContain(textOf(entryOf(key, sequence)));
      }
    });

    function entryOf(key: Uint8Array, sequence: number): TestEntry {
      return { key, sequence, value: Buffer.alloc(0), kind: KIND_PUT };
    }

    it('keeps a deletion unless nothing lies below, and a snapshot needs what it hides', () => {
      const entries = [entry('a', 5, KIND_DELETE), entry('a', 3, KIND_PUT, 'v')];
      expect(left(entries)).toEqual([textOf(entry('a', 5, KIND_DELETE))]);
      expect(left(entries, { bottom: true })).toEqual([]);
      expect(left(entries, { bottom: true, snapshots: [4] })).toEqual(entries.map(textOf));
      expect(left(entries, { bottom: true, snapshots: [6] })).toEqual([]);
      expect(left(entries, { bottom: true, snapshots: [3] })).toEqual([textOf(entry('a', 5, KIND_DELETE))]);
    });

    it('leaves out what a deleted range covers, unless a snapshot lies between', () => {
      const entries = [entry('b', 3, KIND_PUT, 'v'), entry('m', 3), entry('z', 3)];
      const fragments = [{ start: Buffer.from('b'), end: Buffer.from('z'), sequences: [9, 5] }];
      expect(left(entries, { fragments })).toEqual([textOf(entry('z', 3))]);
      expect(left(entries, { fragments, snapshots: [4] })).toEqual(entries.map(textOf));
      expect(left(entries, { fragments, snapshots: [5] })).toEqual(entries.map(textOf));
      expect(left(entries, { fragments, snapshots: [6] })).toEqual([textOf(entry('z', 3))]);
      expect(left([entry('b', 9), entry('c', 10)], { fragments })).toHaveLength(2);
    });

    it('drops the second of two entries that are the same', () => {
      clear();
      const twice = [0, 1].map(() => [{ entries: [entry('a', 1, KIND_PUT, 'v')], isRun: true }]);
      expect(decodeAll(mergeBlocks(arena, twice, {}).blocks)).toHaveLength(1);
    });

    it('stops before a limit, and goes on when that is moved', () => {
      clear();
      const entries = ['a', 'b', 'c', 'd'].map((key) => entry(key, 1));
      const { blocks, codes } = mergeBlocks(arena, [[{ entries, isRun: false }]], {
        limit: Buffer.from('c'),
      });
      expect(codes).toEqual([layout.MERGED_LIMIT]);
      expect(decodeAll(blocks).map(textOf)).toEqual(entries.slice(0, 2).map(textOf));
    });

    it('ends a block at its target, at the greatest number of entries, and before a large entry', () => {
      clear();
      const few = Array.from({ length: 40 }, (_, i) => entry(`k${100 + i}`, 1, KIND_PUT, 'v'.repeat(100)));
      const sized = mergeBlocks(arena, [[{ entries: few, isRun: true }]], {}, { target: 1024 });
      expect(sized.blocks.length).toBeGreaterThan(4);
      for (const block of sized.blocks) expect(block.length).toBeLessThanOrEqual(1024 + 64);
      clear();
      const many = Array.from({ length: 3000 }, (_, i) => entry(String(10_000 + i), 1));
      const counted = mergeBlocks(arena, [[{ entries: many, isRun: true }]], {}, { target: 60_000 });
      expect(counted.blocks.map((block) => arena.decode(block)?.length)).toEqual([1024, 1024, 952]);
      clear();
      const large = { ...entry('b', 1), value: new Uint8Array(layout.LARGE_ENTRY_BYTES) };
      const mixed = [entry('a', 1), large, { ...large, sequence: 0 }, entry('c', 1)];
      const around = mergeBlocks(arena, [[{ entries: mixed, isRun: true }]], {});
      expect(around.codes).toEqual([
        layout.MERGED_FULL,
        layout.MERGED_LARGE,
        layout.MERGED_EMPTY,
        layout.MERGED_END,
      ]);
      expect(around.blocks[1]?.toString()).toBe(`large entry of ${layout.LARGE_ENTRY_BYTES}`);
      expect(arena.f64(around.builder + layout.BUILDER_ALL_ENTRIES)).toBe(3);
      expect(arena.i32(around.builder + layout.BUILDER_HASH_COUNT)).toBe(2);
    });

    it('says whether the next entry has the key of the one before', () => {
      for (const [keys, isSame] of [
        [['a', 'a'], 1],
        [['a', 'b'], 0],
      ] as const) {
        clear();
        const entries = keys.map((key, i) => ({ ...entry(key, 9 - i), value: new Uint8Array(150) }));
        const { merge } = new ArenaMerge(arena, [[{ entries, isRun: true }]], { snapshots: [9] });
        expect(arena.kernels.mergeBlock(merge, arena.builder({ target: 200 }))).toBe(layout.MERGED_FULL);
        expect(arena.i32(merge + layout.MERGE_SAME)).toBe(isSame);
      }
    });
  });

  describe('merging into pages', () => {
    it('gives what a reader sees, in both directions, whatever the size of a page', () => {
      const random = createRandom(521);
      for (let round = 0; round < 60; round++) {
        clear();
        const { entries, sources, rules } = randomCase(random);
        const snapshot = random.pick([NEWEST, random.int(0, 30)]);
        const backward = random.chance(0.5);
        const limit = random.chance(0.3) ? random.pick(entries).key : undefined;
        const withValues = random.chance(0.7);
        const page = { bytes: random.pick([16, 100, 5000]), most: random.pick([1, 3, 1000]), withValues };
        const { fragments = [] } = rules;
        const all = { snapshots: [snapshot], fragments, backward, ...(limit === undefined ? {} : { limit }) };
        const actual = mergePages(arena, sources, all, page);
        const expected = viewAt(entries, snapshot, fragments).filter(({ key }) => {
          if (limit === undefined) return true;
          return backward ? Buffer.compare(key, limit) >= 0 : Buffer.compare(key, limit) < 0;
        });
        const texts = expected.map(({ key, value }) => ({
          key: Buffer.from(key),
          value: withValues ? Buffer.from(value) : value.length,
        }));
        expect(actual).toEqual(backward ? texts.reverse() : texts);
        expect(mergePages(reference, sources, all, page)).toEqual(actual);
      }
    });
  });
}
