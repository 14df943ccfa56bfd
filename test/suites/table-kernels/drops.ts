/**
 * What merges drop by time. The newest state must be what it was without what is due, whatever lies below;
 * snapshots must see what they saw. Both builds must make the same blocks and counts as the reference.
 */

import { describe, expect, it } from 'vitest';

import { CLASSES, type DropRule, leastCutoff, timeOfKey } from '../../../src/lsm/compaction/drop-rule.ts';
import { KIND_DELETE, KIND_PUT } from '../../../src/memory/lsm-layout.ts';
import * as layout from '../../../src/memory/table-layout.ts';
import { createRandom, type Random } from '../../kit/random.ts';
import { compareEntries, type TableArena, type TestEntry, textOf } from '../../kit/table-arena.ts';
import { cut, type MergeRules, mergeBlocks, viewAt } from '../../kit/table-merge.ts';

const NEWEST = Number.POSITIVE_INFINITY;
const NOW = 1_700_000_000_000;

function expiring(timeMs: number, rest = 0): Uint8Array {
  const value = new Uint8Array(8 + rest).fill(7);
  new DataView(value.buffer).setFloat64(0, timeMs, true);
  return value;
}

function timed(time: bigint, end = ''): Uint8Array {
  const key = Buffer.alloc(8 + end.length);
  key.writeBigUInt64BE(time);
  key.write(end, 8);
  return key;
}

/** Whether a rule drops a value, in other words than those of the kernels. */
function isDue({ key, value }: TestEntry, rule: DropRule): boolean {
  if (rule.kind === 'expiry') {
    if (value.length < 8) return false;
    const time = new DataView(Uint8Array.from(value).buffer).getFloat64(0, true);
    return 0 < time && time <= rule.dueMs;
  }
  const cutoff = value.length === 0 ? undefined : rule.cutoffs[value[0] as number];
  return timeOfKey(key) < (cutoff ?? leastCutoff(rule.cutoffs)) || timeOfKey(key) < leastCutoff(rule.cutoffs);
}

function randomRule(random: Random): DropRule {
  if (random.chance(0.5)) {
    return { kind: 'expiry', dueMs: random.pick([0, NOW]), baseMs: NOW - random.pick([0, 1000]) };
  }
  const cutoffs = Array.from({ length: CLASSES }, () => BigInt(random.int(0, 20)) << 40n);
  return { kind: 'retention', cutoffs };
}

function randomEntries(random: Random, kind: DropRule['kind']): TestEntry[] {
  const entries = new Map<string, TestEntry>();
  for (let i = random.int(1, 120); i > 0; i--) {
    const time = BigInt(random.int(0, 20)) << 40n;
    const keys = [timed(time), timed(time, 'x'), Buffer.from([0, 0, random.int(0, 20)])];
    const key = kind === 'expiry' ? Buffer.from(`k${random.int(0, 40)}`) : random.pick(keys);
    const times = [
      0,
      -1,
      1,
      Number.NaN,
      NEWEST,
      NOW,
      NOW - 1,
      NOW + 1,
      NOW + 2 ** 46,
      NOW * random.int(1, 9),
    ];
    const values = [expiring(random.pick(times), random.int(0, 5)), random.bytes(random.int(0, 7))];
    const ofClass = Uint8Array.of(random.int(0, 9), 1, 2);
    const value = kind === 'expiry' ? random.pick(values) : random.pick([ofClass, ofClass, new Uint8Array()]);
    const isPut = random.chance(0.8);
    const sequence = random.int(0, 30);
    const entry = {
      key,
      value: isPut ? value : new Uint8Array(),
      sequence,
      kind: isPut ? KIND_PUT : KIND_DELETE,
    };
    entries.set(`${Buffer.from(key).toString('hex')} ${sequence}`, entry);
  }
  return [...entries.values()].sort(compareEntries);
}

export function dropsSuite(arena: TableArena, reference: TableArena): void {
  function decodeAll(blocks: readonly Buffer[]): TestEntry[] {
    return blocks.flatMap((block) => arena.decode(block) ?? expect.fail('the block is broken'));
  }

  function merge(entries: TestEntry[], rules: MergeRules): TestEntry[] {
    arena.clear();
    const sorted = entries.toSorted(compareEntries);
    return decodeAll(mergeBlocks(arena, [[{ entries: sorted, isRun: true }]], rules).blocks);
  }

  const countsOf = (of: TableArena, builder: number): number[] => {
    const counts = of.i32(builder + layout.BUILDER_COUNTS);
    return Array.from({ length: layout.FILTER_COUNTS }, (_, i) => of.f64(counts + i * 8));
  };

  describe('merging with a rule that drops', () => {
    it('leaves out what is due and what that hides, and nothing that a snapshot sees', () => {
      const random = createRandom(530);
      for (let round = 0; round < 40; round++) {
        arena.clear();
        reference.clear();
        const drop = randomRule(random);
        const all = randomEntries(random, drop.kind);
        // What is older lies below, and is not merged.
        const border = random.pick([0, random.int(0, 30)]);
        const entries = all.filter(({ sequence }) => sequence >= border);
        const below = all.filter(({ sequence }) => sequence < border);
        const snapshots = random.chance(0.5) ? [] : [random.int(0, 15), random.int(16, 32)];
        const rules = { drop, snapshots, bottom: below.length === 0 };
        const sources = [
          cut(
            random,
            entries.filter((_, i) => i % 2 === 0),
          ),
          cut(
            random,
            entries.filter((_, i) => i % 2 === 1),
          ),
        ];
        const options = { target: random.pick([200, 4096]) };
        const ours = mergeBlocks(arena, sources, rules, options);
        const theirs = mergeBlocks(reference, sources, rules, options);
        expect(ours.blocks.map(String)).toEqual(theirs.blocks.map(String));
        expect([ours.codes, ours.dropped]).toEqual([theirs.codes, theirs.dropped]);
        expect(countsOf(arena, ours.builder)).toEqual(countsOf(reference, theirs.builder));
        const merged = decodeAll(ours.blocks);
        const after = [...merged, ...below];
        for (const snapshot of snapshots)
          expect(viewAt(after, snapshot).map(textOf)).toEqual(viewAt(all, snapshot).map(textOf));
        const seenBySome = (entry: TestEntry): boolean =>
          snapshots.some((snapshot) => entry.sequence < snapshot);
        const kept = viewAt(all, NEWEST).filter(
          (entry) => !isDue(entry, drop) || seenBySome(entry) || entry.sequence < border,
        );
        expect(viewAt(after, NEWEST).map(textOf)).toEqual(kept.map(textOf));
        expect(ours.dropped).toBe(viewAt(all, NEWEST).length - kept.length);
      }
    });

    it('has a deletion take the place of what it drops unless there is nothing below', () => {
      const drop: DropRule = { kind: 'expiry', dueMs: NOW, baseMs: NOW };
      const due = { key: Buffer.from('a'), value: expiring(NOW), sequence: 5, kind: KIND_PUT };
      const older = { ...due, value: expiring(0), sequence: 3 };
      const gone = { ...due, value: new Uint8Array(), kind: KIND_DELETE };
      expect(merge([due, older], { drop }).map(textOf)).toEqual([textOf(gone)]);
      expect(merge([due, older], { drop, bottom: true })).toEqual([]);
      // A snapshot that sees the older one would have it come to light.
      expect(merge([due, older], { drop, bottom: true, snapshots: [4] }).map(textOf)).toEqual([
        textOf(gone),
        textOf(older),
      ]);
      expect(merge([due, older], { drop, bottom: true, snapshots: [6] }).map(textOf)).toEqual([textOf(due)]);
    });

    it('drops large entries, too, when it is asked to', () => {
      const drop: DropRule = { kind: 'expiry', dueMs: NOW, baseMs: NOW };
      const large = {
        key: Buffer.from('a'),
        value: expiring(NOW, layout.LARGE_ENTRY_BYTES),
        sequence: 1,
        kind: KIND_PUT,
      };
      const kept = { ...large, key: Buffer.from('b'), value: expiring(NOW + 1, layout.LARGE_ENTRY_BYTES) };
      const small = { ...kept, key: Buffer.from('c'), value: expiring(0) };
      for (const bottom of [false, true]) {
        arena.clear();
        const entries = [large, kept, small];
        const { blocks, dropped, builder } = mergeBlocks(arena, [[{ entries, isRun: true }]], {
          drop,
          bottom,
        });
        expect(dropped).toBe(1);
        expect(arena.f64(builder + layout.BUILDER_ALL_ENTRIES)).toBe(bottom ? 2 : 3);
        expect(countsOf(arena, builder).slice(0, 3)).toEqual([0, 1, 0]);
        const text = `large entry of ${kept.value.length}`;
        const tombstone = { ...large, value: new Uint8Array(), kind: KIND_DELETE };
        const shown = blocks.flatMap((block) =>
          block.toString() === text ? text : decodeAll([block]).map(textOf),
        );
        expect(shown).toEqual([...(bottom ? [] : [textOf(tombstone)]), text, textOf(small)]);
      }
    });
  });
}
