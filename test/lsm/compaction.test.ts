/** Compaction: what is decided, and what comes of it when a tree is written for long. */

import { describe, expect, test } from 'vitest';
import { LEVELS_MAX } from '../../src/lsm/compaction/choice.ts';
import {
  chooseLeveled,
  chooseRange,
  DEFAULT_LEVELED,
  levelTargets,
} from '../../src/lsm/compaction/leveled.ts';
import type { TableFile } from '../../src/lsm/table/table-file.ts';
import { settle } from '../kit/clock.ts';
import { createRandom } from '../kit/random.ts';
import { useTreeKit } from '../kit/tree-kit.ts';

const kit = useTreeKit();
const MIB = 1 << 20;
let number = 0;

function table(smallest: string, largest: string, bytes = MIB): TableFile {
  number++;
  return {
    number,
    properties: {
      entries: 10,
      tombstones: 0,
      rangeTombstones: 0,
      bytes,
      blocks: 1,
      rawKeyBytes: 0,
      rawValueBytes: 0,
      smallestKey: Buffer.from(smallest),
      largestKey: Buffer.from(largest),
      largestExclusive: false,
      smallestSequence: number,
      largestSequence: number,
      longestKeyBytes: 1,
      largestEntryBytes: 1,
      largestBlockBytes: 1,
      decodedBlockBytes: 1,
      createdMs: 0,
      firstMs: 0,
      lastMs: 0,
      tree: 1,
    },
  };
}

/** Levels by their number; the others are empty. */
function levels(some: Record<number, TableFile[]>): TableFile[][] {
  return Array.from({ length: LEVELS_MAX }, (_, level) => some[level] ?? []);
}

describe('leveled compaction', () => {
  test('has nothing to do where there are few tables', () => {
    expect(chooseLeveled([[]], DEFAULT_LEVELED)).toBeUndefined();
    expect(
      chooseLeveled(levels({ 0: [table('a', 'z')], 6: [table('a', 'z', 900 * MIB)] }), DEFAULT_LEVELED),
    ).toBeUndefined();
  });

  test('merges level 0 into the last level as long as that is small', () => {
    const [a, b, c, d] = [table('a', 'c'), table('b', 'f'), table('a', 'b'), table('x', 'z')];
    const below = [table('0', '9'), table('d', 'e'), table('p', 'q'), table('y', 'z')];
    const choice = chooseLeveled(levels({ 0: [d, c, b, a], 6: below }), DEFAULT_LEVELED);
    expect(choice).toMatchObject({ kind: 'merge', outputLevel: 6, isBottom: true });
    expect(choice?.inputs).toEqual([
      { level: 0, tables: [d, c, b, a] },
      { level: 6, tables: below.slice(1) },
    ]);
  });

  test('gives each level a tenth of the one below it', () => {
    const last = [table('a', 'z', 8000 * MIB)];
    const { base, targets } = levelTargets(levels({ 6: last }), DEFAULT_LEVELED);
    expect(base).toBe(3);
    expect(targets.slice(3, 6).map((bytes) => Math.round(bytes / MIB))).toEqual([8, 80, 800]);
    const full = levels({
      0: [table('a', 'b')],
      4: [table('a', 'f', 50 * MIB), table('g', 'h', 60 * MIB)],
      6: last,
    });
    const choice = chooseLeveled(full, DEFAULT_LEVELED);
    expect(choice).toMatchObject({ kind: 'move', outputLevel: 5, isBottom: false });
  });

  test('first moves down what lies in a level that is not used any more', () => {
    const between = levels({
      0: [1, 2, 3, 4].map(() => table('a', 'z')),
      4: [table('c', 'd')],
      6: [table('a', 'z')],
    });
    expect(chooseLeveled(between, DEFAULT_LEVELED)).toMatchObject({
      kind: 'move',
      outputLevel: 5,
      isBottom: false,
    });
  });

  test('takes with a range all that what it has reaches', () => {
    const some = levels({
      0: [table('a', 'c')],
      5: [table('b', 'f'), table('x', 'z')],
      6: [table('a', 'a'), table('e', 'k'), table('l', 'm')],
    });
    const choice = chooseRange(some, Buffer.from('c'), Buffer.from('d'));
    expect(choice?.inputs.map(({ level, tables }) => [level, tables.length])).toEqual([
      [0, 1],
      [5, 1],
      [6, 2],
    ]);
    expect(chooseRange(some, Buffer.from('n'), Buffer.from('o'))).toBeUndefined();
  });
});

describe('a tree that is written for long', () => {
  const OPTIONS = { memtableBytes: 65_536, tableBytes: 32_768, blockBytes: 512 };

  test('keeps little more than what is live, and all of that', { timeout: 60_000 }, async () => {
    const disk = await kit.disk();
    const open = await kit.open(disk);
    const tree = await open.tree('one', OPTIONS);
    const random = createRandom(5);
    const expected = new Map<string, string>();
    for (let i = 0; i < 12_000; i++) {
      const key = `key ${String(random.int(0, 2500)).padStart(5, '0')}`;
      const value = `${i}`.padEnd(100, '.');
      await tree.put(key, value);
      expected.set(key, value);
    }
    await tree.flush();
    for (let turn = 0; turn < 50; turn++) await settle(2);
    await open.trees.background.settled();
    const { levels: found, tableBytes, work, amplification } = tree.stats();
    expect(amplification.write).toBeCloseTo(1 + work.compactionWrittenBytes / work.flushedBytes, 6);
    expect(amplification.write).toBeGreaterThan(2);
    expect(amplification.space).toBeCloseTo(
      tableBytes / Math.max(...found.slice(1).map(({ bytes }) => bytes)),
      6,
    );
    expect(amplification.read).toBe(
      (found[0]?.tables ?? 0) + found.slice(1).filter(({ tables }) => tables > 0).length,
    );
    expect(found[0]?.tables).toBeLessThan(4);
    expect(found.slice(1).some(({ tables }) => tables > 3)).toBe(true);
    expect(work.compactions).toBeGreaterThan(5);
    await tree.compact();
    const live = [...expected].reduce((sum, [key, value]) => sum + key.length + value.length, 0);
    expect(tree.stats().tableBytes).toBeLessThan(1.3 * live);
    expect(tree.stats().amplification).toMatchObject({ space: 1, read: 1 });
    expect(tableBytes).toBeLessThan(2.5 * live);
    expect([...tree.entries()].map(([key, value]) => [`${key}`, `${value}`])).toEqual(
      [...expected].sort(([a], [b]) => (a < b ? -1 : 1)),
    );
    await settle();
    expect((await disk.inner.readdir('/db/trees/one')).length).toBe(open.trees.list[0]?.version.tableCount);
    await open.trees.close();
    const again = await kit.open(disk);
    const reopened = await again.tree('one', OPTIONS);
    for (const [key, value] of expected) expect(reopened.getSync(key)?.toString()).toBe(value);
  });

  test('keeps what a snapshot sees until it is closed', async () => {
    const disk = await kit.disk();
    const open = await kit.open(disk);
    const tree = await open.tree('one', OPTIONS);
    for (let i = 0; i < 300; i++) await tree.put(`key ${i}`, 'old'.padEnd(100));
    const snapshot = tree.snapshot();
    const iterator = tree.values();
    await tree.deleteRange('key', 'kez');
    await tree.compact();
    expect([...tree.keys()]).toEqual([]);
    expect(tree.getSync('key 7', { snapshot })?.toString().trim()).toBe('old');
    expect([...tree.values({ snapshot })].length).toBe(300);
    expect([...iterator].length).toBe(300);
    expect(tree.stats().tableBytes).toBeGreaterThan(30_000);
    snapshot.close();
    await tree.compact();
    expect(tree.stats().tableBytes).toBe(0);
    await settle();
    expect(await disk.inner.readdir('/db/trees/one')).toEqual([]);
  });

  test('does not merge while that is paused', async () => {
    const open = await kit.open(await kit.disk());
    const tree = await open.tree('one', OPTIONS);
    await open.trees.background.pause();
    for (let i = 0; i < 8; i++) {
      await tree.put(`key ${i}`, 'value');
      await tree.flush();
    }
    expect(tree.stats().levels[0]?.tables).toBe(8);
    open.trees.background.resume();
    await open.trees.background.settled();
    expect(tree.stats().levels[0]?.tables).toBe(0);
    expect([...tree.keys()].length).toBe(8);
  });
});
