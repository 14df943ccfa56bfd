import { afterEach, describe, expect, it } from 'vitest';

import { LevelSource } from '../../src/lsm/level-source.ts';
import { type MergeSource, RunSource } from '../../src/lsm/merge-source.ts';
import { PageMerge, type PageMergeOptions } from '../../src/lsm/page-merge.ts';
import { fragmentsOf } from '../../src/lsm/range-tombstones.ts';
import { TableCursor } from '../../src/lsm/table/cursor.ts';
import type { TableReader } from '../../src/lsm/table/reader.ts';
import { KIND_PUT } from '../../src/memory/lsm-layout.ts';
import type { Slab } from '../../src/memory/slabs.ts';
import { createRandom } from '../kit/random.ts';
import { randomEntries, randomKey, type TestEntry, textOf } from '../kit/table-arena.ts';
import { viewAt } from '../kit/table-merge.ts';
import { pairsOf, plainEntries, TableKit } from '../kit/tables.ts';

const kit = new TableKit();
const slabs: Slab[] = [];
const readers: TableReader[] = [];

function run(entries: readonly TestEntry[], onClose?: () => void): MergeSource {
  const { slab, run: made } = kit.putRun(entries);
  slabs.push(slab);
  return new RunSource(kit.memory, made.address, made.count, onClose);
}

async function table(entries: readonly TestEntry[]): Promise<TableReader> {
  const snapshots = Array.from({ length: 100 }, (_, i) => i);
  const file = await kit.write(entries, { snapshots, options: { blockBytes: 300 } });
  const reader = await kit.open(file?.number ?? -1);
  readers.push(reader);
  return reader;
}

function merge(sources: MergeSource[], options: Partial<PageMergeOptions> = {}): PageMerge {
  return new PageMerge(kit.memory, sources, {
    snapshot: Number.MAX_SAFE_INTEGER,
    fragments: [],
    backward: false,
    lower: undefined,
    upper: undefined,
    withValues: true,
    longestKeyBytes: 65_535,
    ...options,
  });
}

describe('a merge into pages', () => {
  afterEach(async () => {
    for (const reader of readers.splice(0)) await reader.close();
    for (const slab of slabs.splice(0)) slab.release();
    const owners = kit.memory.slabs.inUse().map(({ owner }) => owner);
    expect(owners.filter((owner) => owner !== 'block cache')).toEqual([]);
  });

  it('of runs, tables and levels gives what a snapshot sees, between any keys, in both directions', async () => {
    const random = createRandom(620);
    const entries = randomEntries(random, 900, 90, 40);
    const byKey = [...new Set(entries.map(({ key }) => Buffer.from(key).toString('hex')))];
    const middle = byKey[byKey.length >> 1] as string;
    const part = (entry: TestEntry): number => (entry.sequence < 30 ? 2 : entry.sequence < 60 ? 1 : 0);
    const isLow = ({ key }: TestEntry): boolean => Buffer.from(key).toString('hex') < middle;
    const old = entries.filter((entry) => part(entry) === 2);
    const level = [await table(old.filter(isLow)), await table(old.filter((entry) => !isLow(entry)))];
    const single = await table(entries.filter((entry) => part(entry) === 1));
    const young = entries.filter((entry) => part(entry) === 0);
    const ranges = [{ start: randomKey(random), end: Buffer.from('key-3'), sequence: 70 }];
    const fragments = fragmentsOf(ranges);
    for (let round = 0; round < 40; round++) {
      const snapshot = random.pick([Number.MAX_SAFE_INTEGER, random.int(0, 91)]);
      const backward = random.chance(0.5);
      const [lower, upper] = [0, 1].map(() =>
        random.pick([undefined, randomKey(random), random.pick(entries).key]),
      );
      const sources = [
        run(young.filter((_, i) => i % 2 === 0)),
        run(young.filter((_, i) => i % 2 === 1)),
        new TableCursor(single),
        new LevelSource(
          kit.memory,
          level.map((reader) => ({ reader })),
        ),
      ];
      const merging = merge(sources, { snapshot, backward, lower, upper, fragments });
      const actual = pairsOf(kit.memory, merging, random.pick([1, 10, 1000])).map((pair) =>
        textOf({ ...pair, sequence: 0, kind: KIND_PUT }),
      );
      merging.close();
      const expected = viewAt(entries, snapshot, fragments)
        .filter(({ key }) => lower === undefined || Buffer.compare(key, lower) >= 0)
        .filter(({ key }) => upper === undefined || Buffer.compare(key, upper) < 0)
        .map((entry) => textOf({ ...entry, sequence: 0 }));
      expect(actual).toEqual(backward ? expected.toReversed() : expected);
    }
  });

  it('makes room for an entry that no page holds', () => {
    const entries = plainEntries(3, 40_000);
    const merging = merge([run(entries)]);
    expect(pairsOf(kit.memory, merging).map(({ value }) => value.length)).toEqual([40_000, 40_000, 40_000]);
    merging.close();
  });

  it('leaves the values out where only keys are asked for', () => {
    const merging = merge([run(plainEntries(100, 50))], { withValues: false });
    const page = merging.next(1000);
    expect(page?.count).toBe(100);
    expect(page?.bytes).toBe(100 * 24);
    expect(kit.memory.i32[((page?.address ?? 0) + 4) >> 2]).toBe(50);
    expect(merging.next(1000)).toBeUndefined();
    merging.close();
  });

  it('of nothing is empty, and lets go of its sources when it is closed', () => {
    let closed = 0;
    const merging = merge([run([], () => closed++), run([], () => closed++)]);
    expect(merging.next(10)).toBeUndefined();
    expect(merging.next(10)).toBeUndefined();
    merging.close();
    expect(closed).toBe(2);
  });
});
