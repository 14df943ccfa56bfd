/** Values that go by themselves when their time has come: against a model, without writes, and what stays. */

import { describe, expect, test } from 'vitest';
import { chooseDue, chooseOutdated } from '../../src/lsm/compaction/expired.ts';
import type { TreeSnapshot } from '../../src/lsm/snapshot.ts';
import type { TableFile } from '../../src/lsm/table/table-file.ts';
import type { Tree } from '../../src/lsm/tree.ts';
import type { TreeOptions } from '../../src/lsm/tree-options.ts';
import { createMemoryVfs } from '../../src/vfs/memory.ts';
import { settle } from '../kit/clock.ts';
import { damageFile, fileBytes } from '../kit/log-kit.ts';
import { createRandom, type Random } from '../kit/random.ts';
import { TableKit } from '../kit/tables.ts';
import { type OpenTrees, useTreeKit } from '../kit/tree-kit.ts';

const kit = useTreeKit();
const SMALL = { memtableBytes: 65_536, tableBytes: 16_384, blockBytes: 256 };
const EXPIRY: TreeOptions = { ...SMALL, dropExpired: { kind: 'expiry' } };

/** A value that begins with the time at which it expires. */
function expiring(timeMs: number, text: string, bytes = 60): Buffer {
  const value = Buffer.alloc(8 + Math.max(bytes, text.length), '.');
  value.writeDoubleLE(timeMs);
  value.write(text, 8);
  return value;
}

const timeOf = (value: Buffer): number => value.readDoubleLE(0);

/** A key that begins with a time, and ends with something. */
function timed(time: number, end = ''): Buffer {
  const key = Buffer.alloc(8 + end.length);
  key.writeBigUInt64BE(BigInt(time));
  key.write(end, 8);
  return key;
}

async function rest(open: OpenTrees): Promise<void> {
  await settle(4);
  await open.trees.background.settled();
  await settle(4);
}

describe('a tree whose values expire', () => {
  /** Checks what is read: all that is alive must be there, and nothing but what was written last. */
  function check(tree: Tree, model: Map<string, Buffer>, aliveMs: number, snapshot?: TreeSnapshot): void {
    const options = snapshot === undefined ? {} : { snapshot };
    const found = new Map([...tree.entries(options)].map(([key, value]) => [`${key}`, value]));
    for (const [key, value] of found)
      expect(model.get(key)?.equals(value), `${key} was written last`).toBe(true);
    for (const [key, value] of model) {
      const isDue = timeOf(value) > 0 && timeOf(value) <= aliveMs;
      if (!isDue) expect(found.has(key), `${key} has not expired`).toBe(true);
      expect(tree.getSync(key, options)?.equals(value) ?? isDue).toBe(true);
    }
  }

  test('has all that has not, whatever is done to it, and never an older value', {
    timeout: 60_000,
  }, async () => {
    const random = createRandom(77);
    for (let round = 0; round < 3; round++) {
      const { clock } = kit;
      const disk = await kit.disk();
      let open = await kit.open(disk);
      let tree = await open.tree('one', EXPIRY);
      let snapshots: { snapshot: TreeSnapshot; model: Map<string, Buffer>; atMs: number }[] = [];
      const model = new Map<string, Buffer>();
      for (let i = 0; i < 400; i++) {
        const key = `key ${random.int(0, 60)}`;
        const what = random.int(0, 99);
        if (what < 70) {
          const inMs = random.pick([-5, 1, 50, 500, 5000]);
          const value = expiring(
            random.chance(0.2) ? 0 : clock.now() + inMs,
            `${i}`,
            random.pick([10, 2000]),
          );
          await tree.put(key, value);
          model.set(key, value);
        } else if (what < 76) {
          await tree.delete(key);
          model.delete(key);
        } else if (what < 78) {
          await tree.deleteRange('key 1', 'key 2');
          for (const known of [...model.keys()]) if (known >= 'key 1' && known < 'key 2') model.delete(known);
        } else if (what < 84) await tree.flush();
        else if (what < 87) await tree.compact(random.chance(0.5) ? {} : { gte: 'key 2', lt: 'key 4' });
        else if (what < 92) await clock.advance(random.pick([1, 40, 700]));
        else if (what < 94)
          snapshots.push({ snapshot: tree.snapshot(), model: new Map(model), atMs: clock.now() });
        else if (what < 95) snapshots.shift()?.snapshot.close();
        else if (what < 96) {
          snapshots = [];
          await open.trees.close();
          open = await kit.open(disk);
          tree = await open.tree('one');
        } else check(tree, model, clock.now());
        for (const taken of snapshots)
          if (random.chance(0.05)) check(tree, taken.model, taken.atMs, taken.snapshot);
      }
      check(tree, model, clock.now());
      for (const taken of snapshots) check(tree, taken.model, taken.atMs, taken.snapshot);
      for (const { snapshot } of snapshots) snapshot.close();
      await tree.compact();
      const alive = [...model].filter(([, value]) => timeOf(value) === 0 || timeOf(value) > clock.now());
      expect([...tree.keys()].map(String)).toEqual(alive.map(([key]) => key).sort());
      await kit.end();
    }
  });

  test('loses them from its tables though nobody writes', async () => {
    const { clock } = kit;
    const open = await kit.open(await kit.disk());
    const tree = await open.tree('one', EXPIRY);
    for (let i = 0; i < 300; i++) {
      const inMs = i % 3 === 0 ? 0 : 100_000;
      await tree.put(`key ${1000 + i}`, expiring(inMs === 0 ? 0 : clock.now() + inMs, `${i}`));
    }
    await tree.compact();
    const before = tree.stats();
    expect(before.levels.at(-1)?.entries).toBe(300);
    await clock.advance(60_000);
    expect(tree.stats().work.compactions).toBe(before.work.compactions);
    await clock.advance(240_000);
    await rest(open);
    const after = tree.stats();
    expect(after.levels.at(-1)?.entries).toBe(100);
    expect(after.work.droppedEntries).toBe(200);
    expect(after.tableBytes).toBeLessThan(before.tableBytes / 2);
    // There is nothing left to be done.
    await clock.advance(600_000);
    await rest(open);
    expect(tree.stats().work.compactions).toBe(after.work.compactions);
  });

  test('drops them when they are flushed, but not what they have hidden in a table', async () => {
    const { clock } = kit;
    const open = await kit.open(await kit.disk());
    const tree = await open.tree('one', EXPIRY);
    await tree.put('a', expiring(0, 'old'));
    await tree.flush();
    await tree.put('a', expiring(clock.now() + 10, 'new'));
    await tree.put('b', expiring(clock.now() + 10, 'new'));
    await clock.advance(10);
    await tree.flush();
    expect(tree.stats().work.droppedEntries).toBe(2);
    expect([...tree.entries()]).toEqual([]);
    expect(await tree.get('a')).toBeUndefined();
  });

  test('drops nothing by another clock than that of its owner', async () => {
    const disk = await kit.disk();
    let open = await kit.open(disk);
    let nowMs = 1000;
    const dropExpired = { kind: 'expiry', now: () => nowMs } as const;
    let tree = await open.tree('one', { ...SMALL, dropExpired });
    await tree.put('a', expiring(2000, ''));
    await tree.compact();
    await open.trees.close();
    // Nobody has said yet what time it is.
    open = await kit.open(disk);
    tree = await open.tree('one', {});
    nowMs = 3000;
    await tree.compact();
    expect(await tree.has('a')).toBe(true);
    nowMs = Number.NaN;
    tree = await open.tree('one', { dropExpired });
    await tree.compact();
    expect(tree.stats().dropFailure?.message).toContain('NaN');
    expect(await tree.has('a')).toBe(true);
    nowMs = 2000;
    await tree.compact();
    expect(tree.stats().dropFailure).toBeUndefined();
    expect(await tree.has('a')).toBe(false);
    await tree.put('b', expiring(1, ''));
    await open.tree('one', { dropExpired: false });
    await tree.compact();
    expect(await tree.has('b')).toBe(true);
  });

  test('refuses options that make no sense', async () => {
    const open = await kit.open(await kit.disk());
    for (const wrong of [
      { kind: 'age' },
      { kind: 'expiry', cutoffs: () => [] },
      { kind: 'expiry', now: 5 },
      { kind: 'expiry', minShare: 'much' },
      5,
    ])
      await expect(open.tree('one', { dropExpired: wrong as never })).rejects.toThrow(TypeError);
    for (const minShare of [0, 1.1, Number.NaN])
      await expect(open.tree('one', { dropExpired: { kind: 'expiry', minShare } })).rejects.toThrow(
        RangeError,
      );
  });
});

describe('a tree of which classes are kept for different times', () => {
  test('drops what is older, and tables that have nothing else without reading them', async () => {
    const { clock } = kit;
    const disk = await kit.disk();
    const open = await kit.open(disk);
    let cutoffs = new Array<number>(8).fill(0);
    const dropExpired = { kind: 'retention', cutoffs: () => cutoffs } as const;
    const tree = await open.tree('one', { ...SMALL, dropExpired });
    const value = (ofClass: number): Buffer => Buffer.alloc(100, '.').fill(ofClass, 0, 1);
    for (let i = 0; i < 800; i++) await tree.put(timed(i + 1), value(i % 2));
    await tree.compact();
    const { tables = 0 } = tree.stats().levels.at(-1) ?? {};
    expect(tables).toBeGreaterThan(4);
    cutoffs = [401, ...new Array<number>(7).fill(1)];
    await clock.advance(60_000);
    await rest(open);
    const half = tree.stats();
    // All but what lies in a table with keys that are newer.
    const left = [...tree.keys({ lt: timed(401) })].filter((key) => key.readBigUInt64BE() % 2n === 1n);
    expect(left.length).toBeLessThan(80);
    expect(half.levels.at(-1)?.entries).toBeLessThan(700);
    cutoffs = new Array<number>(8).fill(401);
    const { compactionReadBytes } = tree.stats().work;
    const bytes = tree.stats().tableBytes;
    await clock.advance(60_000);
    await rest(open);
    expect(tree.stats().tableBytes).toBeLessThan(0.8 * bytes);
    expect(tree.stats().work.compactionReadBytes - compactionReadBytes).toBeLessThan(bytes);
    await tree.compact();
    expect([...tree.keys()].length).toBe(400);
    expect(tree.stats().work.droppedEntries).toBe(400);
    await settle();
    expect((await disk.inner.readdir('/db/trees/one')).length).toBe(tree.stats().levels.at(-1)?.tables);
  });
});

describe('choosing tables whose values are due', () => {
  function randomLevels(random: Random): TableFile[][] {
    let number = 100;
    const table = (from: number, to: number): TableFile => {
      number--;
      const sequences = { smallestSequence: number * 10, largestSequence: number * 10 + 9 };
      const keys = { smallestKey: timed(from), largestKey: timed(to), largestExclusive: false };
      const drop = { kind: 'retention', baseMs: 0, counts: [random.int(0, 5), random.int(0, 5)] } as const;
      const properties = { ...sequences, ...keys, drop, entries: 10, tombstones: 0, bytes: 1000 };
      return { number, properties: properties as unknown as TableFile['properties'] };
    };
    const newest = Array.from({ length: random.int(0, 5) }, () => {
      const from = random.int(0, 30);
      return table(from, from + random.int(0, 20));
    });
    const below = Array.from({ length: 3 }, () => {
      const tables: TableFile[] = [];
      for (let from = random.int(0, 9); from < 50; from += random.int(1, 20)) {
        const to = from + random.int(0, 6);
        tables.push(table(from, to));
        from = to + 1;
      }
      return tables;
    });
    return [newest, ...below];
  }

  test('never takes one away that hides something older', () => {
    const random = createRandom(9);
    let chosen = 0;
    for (let round = 0; round < 500; round++) {
      const levels = randomLevels(random);
      const cutoffs = Array.from({ length: 8 }, () => BigInt(random.int(20, 50)));
      const snapshots = random.chance(0.5) ? [] : [random.int(0, 1000)];
      const choice = chooseOutdated(levels, { kind: 'retention', cutoffs }, snapshots);
      if (choice === undefined) continue;
      chosen++;
      const gone = new Set(choice.inputs.flatMap(({ tables }) => tables));
      const byAge = levels.flat();
      for (const [i, { properties }] of byAge.entries()) {
        if (!gone.has(byAge[i] as TableFile)) continue;
        expect(Buffer.compare(properties.largestKey, timed(50))).toBeLessThan(0);
        for (const snapshot of snapshots)
          expect(properties.smallestSequence).toBeGreaterThanOrEqual(snapshot);
        const hidden = byAge
          .slice(i + 1)
          .filter(
            (older) =>
              Buffer.compare(older.properties.smallestKey, properties.largestKey) <= 0 &&
              Buffer.compare(properties.smallestKey, older.properties.largestKey) <= 0 &&
              !levels.some(
                (level, n) => n > 0 && level.includes(older) && level.includes(byAge[i] as TableFile),
              ),
          );
        expect(hidden.every((older) => gone.has(older))).toBe(true);
      }
    }
    expect(chosen).toBeGreaterThan(50);
  });

  test('takes a table of which enough is due, and says whether something older may come to light', () => {
    const random = createRandom(10);
    const shares: number[] = [];
    for (let round = 0; round < 300; round++) {
      const levels = randomLevels(random);
      const cutoffs = [40n, 30n, 0n, 0n, 0n, 0n, 0n, 0n];
      const choice = chooseDue(levels, { kind: 'retention', cutoffs }, [], 0.5);
      if (choice === undefined) continue;
      const [
        {
          level,
          tables: [table],
        },
      ] = choice.inputs as [(typeof choice.inputs)[0]];
      const { properties } = table as TableFile;
      expect(choice.outputLevel).toBe(level);
      const time = Number((properties.largestKey as Buffer).readBigUInt64BE());
      const { counts = [] } = properties.drop ?? {};
      const due = (time < 40 ? (counts[0] ?? 0) : 0) + (time < 30 ? (counts[1] ?? 0) : 0);
      shares.push(due / 10);
      expect(due / 10).toBeGreaterThanOrEqual(0.5);
    }
    expect(shares.length).toBeGreaterThan(20);
  });
});

test('a large value is not dropped for a time that was not written', async () => {
  const tables = new TableKit(createMemoryVfs());
  const drop = { kind: 'expiry', dueMs: 1000, baseMs: 1000 } as const;
  const key = Buffer.from('key');
  const file = (await tables.write([
    { key, value: expiring(2000, '', 600_000), sequence: 1, kind: 1 },
  ])) as TableFile;
  // The time as it was written is changed to one that has come.
  const path = tables.path(file.number);
  const at = (await fileBytes(tables.vfs, path)).indexOf(expiring(2000, '', 0).subarray(0, 8));
  // 2000 is 0x409f40..., and 1000 is 0x408f40...
  await damageFile(tables.vfs, path, at + 6, 0x10);
  await expect(tables.merge([[file]], [], { drop })).rejects.toMatchObject({ code: 'CORRUPT' });
  await damageFile(tables.vfs, path, at + 6, 0x10);
  expect((await tables.merge([[file]], [], { drop })).length).toBe(1);
  expect(tables.dropped).toBe(0);
  const gone = await tables.merge([[file]], [], { drop: { ...drop, dueMs: 2000 } });
  expect([gone[0]?.properties.tombstones, gone[0]?.properties.rawValueBytes, tables.dropped]).toEqual([
    1, 0, 1,
  ]);
  expect(tables.leaks()).toEqual([]);
});
