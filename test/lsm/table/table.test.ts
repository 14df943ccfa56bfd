import { afterEach, describe, expect, it } from 'vitest';

import { isVarveError } from '../../../src/errors.ts';
import { type Fragment, fragmentsOf } from '../../../src/lsm/range-tombstones.ts';
import type { TableReader } from '../../../src/lsm/table/reader.ts';
import { KIND_DELETE, KIND_PUT } from '../../../src/memory/lsm-layout.ts';
import { LARGE_ENTRY_BYTES } from '../../../src/memory/table-layout.ts';
import { createRandom } from '../../kit/random.ts';
import { randomEntries, randomKey, type TestEntry, textOf } from '../../kit/table-arena.ts';
import { viewAt } from '../../kit/table-merge.ts';
import { plainEntries, TableKit } from '../../kit/tables.ts';

const readers: TableReader[] = [];
let kit = new TableKit();

async function tableOf(
  entries: readonly TestEntry[],
  extras: Parameters<TableKit['write']>[1] = {},
): Promise<TableReader> {
  const snapshots = extras.snapshots ?? Array.from({ length: 60 }, (_, i) => i);
  const file = await kit.write(entries, { ...extras, snapshots });
  if (file === undefined) throw new Error('nothing is left');
  const reader = await kit.open(file.number);
  readers.push(reader);
  expect(reader.properties).toEqual(file.properties);
  return reader;
}

const textsOf = (pairs: readonly { key: Uint8Array; value: Uint8Array }[]): string[] =>
  pairs.map(({ key, value }) => textOf({ key, value, sequence: 0, kind: KIND_PUT }));

function textOfFragment({ start, end, sequences }: Fragment): unknown {
  return [Buffer.from(start).toString('latin1'), Buffer.from(end).toString('latin1'), sequences];
}

describe('a table', () => {
  afterEach(async () => {
    for (const reader of readers.splice(0)) await reader.close();
    expect(kit.leaks()).toEqual([]);
    kit = new TableKit();
  });

  it('gives back every version of every key, and nothing else', async () => {
    const random = createRandom(600);
    for (const compression of ['none', 'deflate'] as const) {
      for (const blockBytes of [256, 4096]) {
        const entries = randomEntries(random, 700, 50);
        const reader = await tableOf(entries, { options: { blockBytes, compression } });
        const keys = [
          ...entries.map(({ key }) => key),
          ...Array.from({ length: 200 }, () => randomKey(random)),
        ];
        for (const key of keys) {
          const snapshot = random.pick([Number.POSITIVE_INFINITY, random.int(0, 51)]);
          const seen = entries.find(
            (entry) => Buffer.compare(entry.key, key) === 0 && entry.sequence < snapshot,
          );
          const found = kit.get(reader, key, snapshot);
          expect(found && textOf(found)).toBe(seen && textOf(seen));
        }
        expect(textsOf(kit.scan([reader]))).toEqual(textsOf(viewAt(entries, Number.POSITIVE_INFINITY)));
      }
    }
  });

  it('is walked in both directions, between any two keys', async () => {
    const random = createRandom(601);
    const entries = randomEntries(random, 400, 20, 200);
    const reader = await tableOf(entries, { options: { blockBytes: 300 } });
    for (let round = 0; round < 60; round++) {
      const snapshot = random.int(0, 21);
      const [lower, upper] = [0, 1].map(() =>
        random.pick([undefined, randomKey(random), random.pick(entries).key]),
      );
      const backward = random.chance(0.5);
      const inside = viewAt(entries, snapshot).filter(
        ({ key }) =>
          (lower === undefined || Buffer.compare(key, lower) >= 0) &&
          (upper === undefined || Buffer.compare(key, upper) < 0),
      );
      const actual = kit.scan([reader], { snapshot, lower, upper, backward }, random.pick([1, 7, 1000]));
      expect(textsOf(actual)).toEqual(textsOf(backward ? inside.toReversed() : inside));
    }
  });

  it('of several parts finds every key, and few that it does not have', async () => {
    const entries = plainEntries(60_000, 10);
    const reader = await tableOf(entries);
    expect(reader.parts().length).toBeGreaterThan(2);
    for (let i = 0; i < entries.length; i += 97) {
      const entry = entries[i] as TestEntry;
      expect(textOf(kit.get(reader, entry.key) as TestEntry)).toBe(textOf(entry));
      expect(kit.get(reader, Buffer.from(`${Buffer.from(entry.key).toString()}x`))).toBeUndefined();
    }
    const { filterQuestions, filterMisses } = kit.cache.metrics();
    expect(filterQuestions).toBeGreaterThan(1200);
    // About half of the questions were about keys that are not there; nearly all of those were spared a search.
    expect(filterMisses / filterQuestions).toBeGreaterThan(0.48);
    expect(kit.scan([reader])).toHaveLength(60_000);
    expect(kit.scan([reader], { backward: true, withValues: true }).at(-1)?.key).toEqual(entries[0]?.key);
  });

  it('says of itself what is in it', async () => {
    const entries = plainEntries(1000);
    entries.push({ key: Buffer.from('a'), value: Buffer.alloc(0), sequence: 2000, kind: KIND_DELETE });
    const { properties, file } = await tableOf(entries);
    expect(properties).toMatchObject({
      entries: 1001,
      tombstones: 1,
      rangeTombstones: 0,
      rawKeyBytes: 1000 * 16 + 1,
      rawValueBytes: 100_000,
      smallestKey: Uint8Array.from(Buffer.from('a')),
      largestKey: Uint8Array.from(entries[999]?.key as Uint8Array),
      largestExclusive: false,
      smallestSequence: 0,
      largestSequence: 2000,
      longestKeyBytes: 16,
      largestEntryBytes: 116,
      createdMs: 1000,
    });
    expect(properties.bytes).toBe(await file.size());
    expect(properties.bytes).toBeLessThan(121_000);
    expect(properties.largestBlockBytes).toBeLessThanOrEqual(4096 + 64);
  });

  it('has deleted ranges, which hide what is older', async () => {
    const entries = plainEntries(100);
    const range = (from: number, to: number, sequence: number) => ({
      start: (entries[from] as TestEntry).key,
      end: (entries[to] as TestEntry).key,
      sequence,
    });
    // Snapshots lie between the writes and the deletions, so that all of them stay.
    const rangeTombstones = [range(10, 20, 200), range(15, 99, 300)];
    const reader = await tableOf(entries, { rangeTombstones, snapshots: [150, 250] });
    expect(reader.rangeTombstones).toHaveLength(4);
    const written = fragmentsOf(reader.rangeTombstones);
    expect(JSON.stringify(written.map(textOfFragment))).toBe(
      JSON.stringify(fragmentsOf(rangeTombstones).map(textOfFragment)),
    );
    expect(reader.properties.rangeTombstones).toBe(4);
    expect(reader.properties.largestSequence).toBe(300);
    const kindAt = (i: number, snapshot?: number): number | undefined =>
      kit.get(reader, (entries[i] as TestEntry).key, snapshot)?.kind;
    expect([9, 10, 14, 15, 98, 99].map((i) => kindAt(i))).toEqual([1, 2, 2, 2, 2, 1]);
    expect([9, 10, 15, 20].map((i) => kindAt(i, 250))).toEqual([1, 2, 2, 1]);
    expect(kindAt(10, 150)).toBe(KIND_PUT);
    expect(kit.scan([reader])).toHaveLength(11);
    expect(kit.scan([reader], { snapshot: 150, backward: true })).toHaveLength(100);
  });

  it('can consist of deleted ranges alone, and ends before where they end', async () => {
    const rangeTombstones = [{ start: Buffer.from('b'), end: Buffer.from('m'), sequence: 5 }];
    const reader = await tableOf([], { rangeTombstones, snapshots: [] });
    expect(reader.properties).toMatchObject({ entries: 0, blocks: 0, largestExclusive: true });
    expect(kit.get(reader, Buffer.from('c'))).toMatchObject({ kind: KIND_DELETE, sequence: 5 });
    expect(kit.get(reader, Buffer.from('m'))).toBeUndefined();
    expect(kit.scan([reader])).toEqual([]);
  });

  it('is not written where nothing is left', async () => {
    const deletion = { key: Buffer.from('a'), value: Buffer.alloc(0), sequence: 1, kind: KIND_DELETE };
    const range = { start: Buffer.from('a'), end: Buffer.from('b'), sequence: 3 };
    expect(await kit.write([deletion], { bottom: true, rangeTombstones: [range] })).toBeUndefined();
    expect(await kit.vfs.readdir('/trees/t')).toEqual([]);
  });

  it('holds entries that are larger than its blocks, up to many MiB, and the longest keys', async () => {
    const random = createRandom(602);
    const value = (bytes: number): Uint8Array => Buffer.alloc(bytes, random.bytes(997));
    const entries = [
      { key: Buffer.alloc(65_535, 'k'), value: value(10), sequence: 1, kind: KIND_PUT },
      { key: Buffer.from('b'), value: value(LARGE_ENTRY_BYTES - 1), sequence: 2, kind: KIND_PUT },
      { key: Buffer.from('c'), value: value(LARGE_ENTRY_BYTES), sequence: 3, kind: KIND_PUT },
      { key: Buffer.from('c'), value: value(3_000_000), sequence: 4, kind: KIND_PUT },
      { key: Buffer.alloc(65_535, 'z'), value: value(5_000_000), sequence: 5, kind: KIND_PUT },
      ...plainEntries(50),
    ];
    const reader = await tableOf(entries, { options: { compression: 'deflate' } });
    for (const entry of entries) {
      const found = kit.get(reader, entry.key, entry.sequence + 1) as TestEntry;
      expect(found.sequence).toBe(entry.sequence);
      expect(Buffer.compare(found.value, entry.value)).toBe(0);
    }
    const pairs = kit.scan([reader]);
    expect(pairs).toHaveLength(54);
    expect(
      pairs
        .map((pair) => pair.value.length)
        .sort((a, b) => b - a)
        .slice(0, 3),
    ).toEqual([5_000_000, 3_000_000, LARGE_ENTRY_BYTES - 1]);
    // Told by hand, because a comparison by the test runner takes its time for so many bytes.
    const backward = kit.scan([reader], { backward: true }).toReversed();
    expect(backward.length).toBe(pairs.length);
    for (const [i, { key, value }] of pairs.entries()) {
      expect(Buffer.compare(key, backward[i]?.key as Buffer)).toBe(0);
      expect(Buffer.compare(value, backward[i]?.value as Buffer)).toBe(0);
    }
  });

  it('is smaller when it is compressed', async () => {
    const entries = plainEntries(2000);
    const plain = await tableOf(entries);
    const deflated = await tableOf(entries, { options: { compression: 'deflate' } });
    expect(deflated.properties.bytes).toBeLessThan(plain.properties.bytes / 3);
    expect(kit.scan([deflated])).toEqual(kit.scan([plain]));
  });

  it('cannot be read after it was closed', async () => {
    const reader = await tableOf(plainEntries(10));
    await reader.close();
    await reader.close();
    expect(() => kit.get(reader, Buffer.from('key-000000000001'))).toThrow(/closed/);
    try {
      kit.get(reader, Buffer.from('key-000000000001'));
    } catch (error) {
      expect(isVarveError(error, 'CLOSED')).toBe(true);
    }
  });

  it('is read where the cache has no room at all', async () => {
    kit.cache.release();
    kit = new TableKit(kit.vfs, 16 << 20, 0);
    const entries = plainEntries(3000, 20);
    const reader = await tableOf(entries);
    expect(textOf(kit.get(reader, (entries[2999] as TestEntry).key) as TestEntry)).toBe(
      textOf(entries[2999] as TestEntry),
    );
    expect(kit.scan([reader])).toHaveLength(3000);
    expect(kit.cache.metrics().blocks).toBe(0);
  });
});
