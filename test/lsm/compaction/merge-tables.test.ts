import { afterEach, describe, expect, it } from 'vitest';
import { LevelSource } from '../../../src/lsm/level-source.ts';
import { PageMerge } from '../../../src/lsm/page-merge.ts';
import { fragmentsOf, type RangeTombstone } from '../../../src/lsm/range-tombstones.ts';
import type { TableReader } from '../../../src/lsm/table/reader.ts';
import { endsBefore, type TableFile } from '../../../src/lsm/table/table-file.ts';
import { KIND_DELETE, KIND_PUT } from '../../../src/memory/lsm-layout.ts';
import { createRandom, type Random } from '../../kit/random.ts';
import { randomEntries, randomKey, type TestEntry, textOf } from '../../kit/table-arena.ts';
import { viewAt } from '../../kit/table-merge.ts';
import { pairsOf, plainEntries, TableKit, type TestPair } from '../../kit/tables.ts';

const NEWEST = Number.MAX_SAFE_INTEGER;
const ALL = Array.from({ length: 400 }, (_, i) => i);
let kit = new TableKit();

async function written(
  entries: readonly TestEntry[],
  extras: Parameters<TableKit['write']>[1] = {},
): Promise<TableFile> {
  const file = await kit.write(entries, { snapshots: ALL, ...extras });
  if (file === undefined) throw new Error('nothing is left');
  return file;
}

async function opened<T>(files: readonly TableFile[], use: (readers: TableReader[]) => T): Promise<T> {
  const readers: TableReader[] = [];
  for (const { number } of files) readers.push(await kit.open(number));
  try {
    return use(readers);
  } finally {
    for (const reader of readers) await reader.close();
  }
}

const textsOf = (pairs: readonly { key: Uint8Array; value: Uint8Array }[]): string[] =>
  pairs.map(({ key, value }) => textOf({ key, value, sequence: 0, kind: KIND_PUT }));

/** What a snapshot sees in tables that do not overlap. */
function scanLevel(readers: readonly TableReader[], snapshot: number, backward = false): TestPair[] {
  const merge = new PageMerge(
    kit.memory,
    [
      new LevelSource(
        kit.memory,
        readers.map((reader) => ({ reader })),
      ),
    ],
    {
      snapshot,
      fragments: fragmentsOf(readers.flatMap((reader) => reader.rangeTombstones)),
      backward,
      lower: undefined,
      upper: undefined,
      withValues: true,
      longestKeyBytes: 65_535,
    },
  );
  try {
    return pairsOf(kit.memory, merge);
  } finally {
    merge.close();
  }
}

function randomRanges(random: Random, sequences: number): RangeTombstone[] {
  return Array.from({ length: random.int(0, 4) }, () => {
    const [start, end] = [randomKey(random), randomKey(random)].sort(Buffer.compare) as [
      Uint8Array,
      Uint8Array,
    ];
    return { start, end, sequence: random.int(0, sequences) };
  }).filter(({ start, end }) => Buffer.compare(start, end) < 0);
}

describe('merging tables', () => {
  afterEach(() => {
    expect(kit.leaks()).toEqual([]);
    kit = new TableKit();
  });

  it('keeps what every snapshot sees, in tables that do not overlap', async () => {
    const random = createRandom(610);
    for (let round = 0; round < 12; round++) {
      const entries: TestEntry[] = [];
      const ranges: RangeTombstone[] = [];
      const inputs: TableFile[][] = [];
      // Each has sequence numbers of its own, as those that are flushed one after the other have.
      for (let i = 0; i < random.int(1, 4); i++) {
        const some = randomEntries(random, random.int(1, 200), 100).map((entry) => ({
          ...entry,
          sequence: entry.sequence + 101 * i,
        }));
        const rangeTombstones = randomRanges(random, 100).map((range) => ({
          ...range,
          sequence: range.sequence + 101 * i,
        }));
        inputs.push([await written(some, { rangeTombstones })]);
        entries.push(...some);
        ranges.push(...rangeTombstones);
      }
      const snapshots = [...new Set([random.int(0, 300), random.int(0, 300)])].sort((a, b) => a - b);
      const cutKeys = [randomKey(random), randomKey(random)].sort(Buffer.compare);
      const bottom = random.chance(0.5);
      const targetBytes = random.pick([300, 3000, 1e9]);
      const options = {
        blockBytes: 256,
        compression: random.pick(['none', 'deflate'] as const),
        bitsPerKey: 10,
      };
      const files = await kit.merge(inputs, ranges, { snapshots, cutKeys, bottom, targetBytes, options });
      for (const [i, { properties }] of files.entries()) {
        const next = files[i + 1];
        if (next !== undefined) expect(endsBefore(properties, next.properties.smallestKey)).toBe(true);
      }
      const fragments = fragmentsOf(ranges);
      for (const snapshot of [...snapshots, NEWEST]) {
        const expected = textsOf(viewAt(entries, snapshot, fragments));
        await opened(files, (readers) => {
          expect(textsOf(scanLevel(readers, snapshot))).toEqual(expected);
          expect(textsOf(scanLevel(readers, snapshot, true))).toEqual(expected.toReversed());
          // Deletions that are kept hide what lies below, whatever that is.
          for (const { key } of entries.slice(0, 30)) {
            const seen = viewAt(entries, snapshot, fragments).some(
              (other) => Buffer.compare(other.key, key) === 0,
            );
            const kinds = readers.map((reader) => kit.get(reader, key, snapshot)?.kind);
            expect(kinds.includes(KIND_PUT)).toBe(seen);
          }
        });
      }
    }
  });

  it('keeps deletions of ranges between its tables, until nothing lies below', async () => {
    const ranges = [{ start: Buffer.from('a'), end: Buffer.from('z'), sequence: 50 }];
    const inputs = [[await written(plainEntries(300, 50, 100), { rangeTombstones: ranges })]];
    const files = await kit.merge(inputs, ranges, { targetBytes: 4000, snapshots: [] });
    expect(files.length).toBeGreaterThan(3);
    // Together, they cover the whole range, each as far as it reaches.
    await opened(files, (readers) => {
      const all = readers.flatMap((reader) => reader.rangeTombstones);
      expect(all.length).toBe(files.length);
      expect(Buffer.from(all[0]?.start as Uint8Array).toString()).toBe('a');
      for (let i = 1; i < all.length; i++)
        expect(Buffer.compare(all[i]?.start as Uint8Array, all[i - 1]?.end as Uint8Array)).toBe(0);
      expect(Buffer.from(all.at(-1)?.end as Uint8Array).toString()).toBe('z');
    });
    const rest = await kit.merge([files], ranges, { bottom: true });
    expect(rest.map(({ properties }) => properties.rangeTombstones)).toEqual([0]);
    expect(rest[0]?.properties.entries).toBe(300);
  });

  it('leaves nothing where everything is deleted', async () => {
    const entries = plainEntries(500, 20);
    const deletions = entries.map(({ key }) => ({
      key,
      value: Buffer.alloc(0),
      sequence: 1000,
      kind: KIND_DELETE,
    }));
    const inputs = [[await written(deletions)], [await written(entries)]];
    expect((await kit.merge(inputs))[0]?.properties).toMatchObject({ entries: 500, tombstones: 500 });
    expect(await kit.merge(inputs, [], { bottom: true })).toEqual([]);
  });

  it('ends tables near their target, and never between versions of a key', async () => {
    const versions = Array.from({ length: 300 }, (_, i) => ({
      key: Buffer.from(`key-${Math.floor(i / 100)}`),
      value: Buffer.alloc(100),
      sequence: 300 - i,
      kind: KIND_PUT,
    }));
    const inputs = [[await written(versions)]];
    const files = await kit.merge(inputs, [], { snapshots: ALL, targetBytes: 2000 });
    expect(files.map(({ properties }) => properties.entries)).toEqual([100, 100, 100]);
    const plain = await kit.merge([[await written(plainEntries(3000))]], [], { targetBytes: 60_000 });
    expect(plain.length).toBe(6);
    for (const { properties } of plain.slice(0, -1)) {
      expect(properties.bytes).toBeGreaterThan(59_000);
      expect(properties.bytes).toBeLessThan(67_000);
    }
  });

  it('copies entries that are too large for memory from file to file, and notices damage in them', async () => {
    const value = (bytes: number, seed: number): Uint8Array =>
      Buffer.alloc(bytes, createRandom(seed).bytes(997));
    const large = [3, 4, 5].map((sequence) => ({
      key: Buffer.from(`m${sequence}`),
      value: value(sequence * 700_000, sequence),
      sequence,
      kind: KIND_PUT,
    }));
    const inputs = [
      [await written([...large, ...plainEntries(30)])],
      [await written(plainEntries(30, 10, 100))],
    ];
    const files = await kit.merge(inputs, [], { targetBytes: 1e9 });
    expect(files).toHaveLength(1);
    await opened(files, ([reader]) => {
      for (const entry of large) {
        const found = kit.get(reader as TableReader, entry.key) as TestEntry;
        expect(Buffer.compare(found.value, entry.value)).toBe(0);
      }
    });
    const number = inputs[0]?.[0]?.number as number;
    const file = await kit.vfs.open(kit.path(number), 'write');
    const byte = Buffer.alloc(1);
    await file.read(byte, 3_000_000);
    byte[0] = (byte[0] as number) ^ 1;
    await file.write(byte, 3_000_000);
    await file.close();
    const before = await kit.vfs.readdir('/trees/t');
    await expect(kit.merge(inputs)).rejects.toMatchObject({ code: 'CORRUPT', file: kit.path(number) });
    expect(await kit.vfs.readdir('/trees/t')).toEqual(before);
  });

  it('is called off between two blocks, and leaves nothing behind', async () => {
    const inputs = [[await written(plainEntries(2000))]];
    const slab = kit.memory.slabs.allocate(64, 'test');
    kit.memory.i32[slab.address >> 2] = 1;
    const before = await kit.vfs.readdir('/trees/t');
    await expect(kit.merge(inputs, [], { cancel: slab.address })).rejects.toMatchObject({ code: 'CLOSED' });
    slab.release();
    expect(await kit.vfs.readdir('/trees/t')).toEqual(before);
  });

  it('waits where its budget of bytes a second is used up', async () => {
    const inputs = [[await written(plainEntries(40_000))]];
    let done = false;
    const merging = kit.merge(inputs, [], { bytesPerSecond: 1_000_000, targetBytes: 1e9 }).then((files) => {
      done = true;
      return files;
    });
    for (let i = 0; i < 200 && !done; i++) await Promise.resolve();
    expect(done).toBe(false);
    // About 4.8 MB are written, of which one MiB may be ahead of the budget.
    let waitedMs = 0;
    for (; !done && waitedMs < 20_000; waitedMs += 100) {
      void kit.clock.advance(100);
      for (let i = 0; i < 50 && !done; i++) await new Promise((resolve) => setImmediate(resolve));
    }
    expect((await merging)[0]?.properties.entries).toBe(40_000);
    expect(waitedMs).toBeGreaterThan(1500);
    expect(waitedMs).toBeLessThan(5000);
  });
});
