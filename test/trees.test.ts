/** Trees as users have them: through a database, on the real disk, with worker threads. */

import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createRuntime, type Database, open, type Runtime, type Tree } from '../src/index.ts';
import { CODECS_HERE, type CodecHere } from './kit/codecs.ts';
import { failureCode } from './kit/log-kit.ts';

const root = mkdtempSync(join(tmpdir(), 'varve-trees-'));
let runtime: Runtime;
let made = 0;

beforeAll(() => {
  runtime = createRuntime({ memoryBytes: 64 * 1024 * 1024, threads: 1 });
});

afterAll(async () => {
  expect(runtime.memory.slabs.inUse()).toEqual([]);
  await runtime.close();
  rmSync(root, { recursive: true, force: true });
});

const fresh = (): string => join(root, `db${made++}`);

async function withDatabase(use: (db: Database, directory: string) => Promise<void>): Promise<void> {
  const directory = fresh();
  const db = await open(directory, { runtime });
  try {
    await use(db, directory);
  } finally {
    await db.close();
  }
}

const keyOf = (i: number): string => `key ${String(i).padStart(6, '0')}`;

async function fill(db: Database, tree: Tree, count: number): Promise<void> {
  for (let i = 0; i < count; i += 500) {
    const batch = db.batch();
    for (let j = i; j < i + 500; j++) batch.put(tree, keyOf(j), `value ${j}`.padEnd(100));
    await batch.write({ durability: 'written' });
  }
}

describe('trees of a database', () => {
  for (const compression of ['lz4', 'zstd'] as const) {
    const { codec, note } = CODECS_HERE.find(({ name }) => name === compression) as CodecHere;
    test.skipIf(codec === undefined)(
      `are compressed with ${compression} by worker threads${note}`,
      async () => {
        const directory = fresh();
        const options = { compression, memtableBytes: 65_536, tableBytes: 65_536 };
        let db = await open(directory, { runtime });
        const tree = await db.tree('one', options);
        await fill(db, tree, 1500);
        await tree.flush();
        await tree.compact();
        expect(tree.stats().levels.at(-1)?.entries).toBe(1500);
        expect(tree.stats().levels.reduce((sum, { bytes }) => sum + bytes, 0)).toBeLessThan(1500 * 50);
        await db.close();
        db = await open(directory, { runtime });
        expect((await db.tree('one')).getSync(keyOf(777))?.toString().trim()).toBe('value 777');
        expect((await db.verify({ deep: true })).problems).toEqual([]);
        await db.close();
      },
    );
  }

  test('are written, flushed by worker threads, and read after opening again', {
    timeout: 30_000,
  }, async () => {
    const directory = fresh();
    let db = await open(directory, { runtime });
    const tree = await db.tree('one', { memtableBytes: 256 * 1024, tableBytes: 256 * 1024 });
    expect(await db.tree('one')).toBe(tree);
    await fill(db, tree, 20_000);
    await tree.flush();
    await tree.compact();
    const { levels, work } = tree.stats();
    expect(levels.at(-1)?.entries).toBe(20_000);
    expect(work.flushes).toBeGreaterThan(3);
    expect(db.metrics().trees?.trees['one']?.tableBytes).toBeGreaterThan(1_000_000);
    expect((await db.verify({ deep: true })).problems).toEqual([]);
    await db.close();
    expect(await failureCode(tree.put('a', 'b'))).toBe('CLOSED');
    expect(await failureCode(() => tree.getSync('a'))).toBe('CLOSED');
    db = await open(directory, { runtime });
    expect(await db.treeNames()).toEqual(['one']);
    const again = await db.tree('one');
    expect(again.getSync(keyOf(777))?.toString().trim()).toBe('value 777');
    expect(await again.get(keyOf(20_000))).toBeUndefined();
    expect([...again.keys({ gte: keyOf(19_990) })].length).toBe(10);
    await db.close();
    const reader = await open(directory, { runtime, readOnly: true });
    const seen = await reader.tree('one');
    expect(seen.getSync(keyOf(5))?.toString().trim()).toBe('value 5');
    expect(await failureCode(seen.put('a', 'b'))).toBe('READ_ONLY');
    expect(await failureCode(reader.tree('two'))).toBe('NOT_FOUND');
    await reader.close();
  });

  test('report a damaged table, and are read where it is whole', async () => {
    const directory = fresh();
    const db = await open(directory, { runtime });
    const tree = await db.tree('one');
    await fill(db, tree, 2000);
    await tree.flush();
    await db.close();
    const folder = join(directory, 'trees', 'one');
    const [name] = readdirSync(folder) as [string];
    const bytes = readFileSync(join(folder, name));
    bytes[50_000] = (bytes[50_000] as number) ^ 1;
    writeFileSync(join(folder, name), bytes);
    const damaged = await open(directory, { runtime });
    const report = await damaged.verify();
    expect(report.isClean).toBe(false);
    expect(report.problems.map(({ file }) => file)).toEqual([join(folder, name)]);
    const opened = await damaged.tree('one');
    const codes = await Promise.all(
      Array.from({ length: 2000 }, (_, i) =>
        opened.get(keyOf(i)).then(
          () => 'ok',
          (error: { code: string; message: string }) => {
            expect(error.message).toMatch(/keys behind ".*" up to ".*" cannot be read/);
            return error.code;
          },
        ),
      ),
    );
    expect(new Set(codes)).toEqual(new Set(['ok', 'CORRUPT']));
    expect(codes.filter((code) => code === 'CORRUPT').length).toBeLessThan(60);
    await damaged.close();
  });

  test('tell their changes in order, and those of a batch together', () =>
    withDatabase(async (db) => {
      const [one, two] = [await db.tree('one'), await db.tree('two')];
      await one.put('a', '1');
      const sequence = await db.write([
        { type: 'put', tree: two, key: 'x', value: '2' },
        { type: 'put', tree: one, key: 'b', value: '3' },
        { type: 'deleteRange', tree: one, start: 'a', end: 'b' },
        { type: 'delete', tree: one, key: 'c' },
      ]);
      const changes = [];
      for await (const change of one.changes({ from: sequence })) changes.push(change);
      expect(changes).toEqual([
        { type: 'put', sequence, key: Buffer.from('b'), value: Buffer.from('3') },
        { type: 'deleteRange', sequence, start: Buffer.from('a'), end: Buffer.from('b') },
        { type: 'delete', sequence, key: Buffer.from('c') },
      ]);
      expect([...one.entries()].map(String)).toEqual(['b,3']);
      expect(two.getSync('x')?.toString()).toBe('2');
    }));

  test('refuse what cannot be, before anything happens', () =>
    withDatabase(async (db) => {
      expect(() => db.batch()).toThrow(RangeError);
      for (const name of ['', '.', '..', 'a/b', '.hidden'])
        await expect(db.tree(name)).rejects.toThrow(RangeError);
      await expect(db.tree(7 as unknown as string)).rejects.toThrow(TypeError);
      await expect(db.tree('one', { memtable: 1 } as object)).rejects.toThrow(/no option memtable/);
      await expect(db.tree('one', { memtableBytes: 5 })).rejects.toThrow(RangeError);
      await expect(db.tree('one', { compression: 'lzma' as 'none' })).rejects.toThrow(TypeError);
      const tree = await db.tree('one');
      // One directory on disks that take upper case for lower case; none at all on Windows.
      await expect(db.tree('ONE')).rejects.toThrow('there is a tree one');
      for (const name of ['con', 'NUL.x', 'com1']) await expect(db.tree(name)).rejects.toThrow(RangeError);
      await db.log('one');
      await expect(db.log('One', { partition: 3 })).rejects.toThrow('there is a log one');
      await expect(tree.put('', 'v')).rejects.toThrow('a key must not be empty');
      await expect(tree.put(Buffer.alloc(65_536), 'v')).rejects.toThrow(
        'a key has at most 65535 bytes, not 65536',
      );
      await expect(tree.put('k', null as unknown as string)).rejects.toThrow(TypeError);
      await expect(tree.put('k', Buffer.alloc(tree.maxValueBytes + 1))).rejects.toThrow(RangeError);
      await expect(tree.put('k', 'v', { durability: 'safe' as 'synced' })).rejects.toThrow(TypeError);
      await expect(tree.getMany('ab' as unknown as string[])).rejects.toThrow(TypeError);
      expect(() => tree.getSync('')).toThrow(RangeError);
      expect(() => tree.entries({ limit: -1 })).toThrow(RangeError);
      expect(() => tree.entries({ start: 'a' } as object)).toThrow(/no option start/);
      expect(() => db.batch().add({ type: 'merge' } as never)).toThrow(TypeError);
      await expect(db.batch().write()).rejects.toThrow('the batch is empty');
      expect([...tree.keys()]).toEqual([]);
      const largest = Buffer.alloc(tree.maxValueBytes, 7);
      await tree.put(Buffer.alloc(65_535, 1), largest);
      await tree.flush();
      expect(tree.getSync(Buffer.alloc(65_535, 1))?.equals(largest)).toBe(true);
      expect([...tree.values()].map(({ length }) => length)).toEqual([largest.length]);
    }));

  test('say what is closed', () =>
    withDatabase(async (db) => {
      const tree = await db.tree('one');
      await tree.put('a', '1');
      const iterator = tree.entries();
      iterator.close();
      expect(() => iterator.next()).toThrow('the iterator is closed');
      expect(() => iterator.seek('a')).toThrow('the iterator is closed');
      const snapshot = tree.snapshot();
      snapshot.close();
      expect(() => tree.getSync('a', { snapshot })).toThrow('the snapshot is closed');
      await withDatabase(async (other) => {
        const foreign = await other.tree('one');
        expect(() => db.batch().put(foreign, 'a', 'b')).toThrow(TypeError);
        const theirs = foreign.snapshot();
        expect(() => tree.getSync('a', { snapshot: theirs })).toThrow('one of the same database');
        expect(() => tree.entries({ snapshot: theirs })).toThrow(TypeError);
        await expect((await db.kv('store')).get('a', { snapshot: theirs })).rejects.toThrow(TypeError);
      });
      const open = tree.keys();
      await db.close();
      expect(() => open.next()).toThrow(/is closed/);
      expect(() => tree.snapshot()).toThrow(/is closed/);
    }));

  test('hold writes of many callers at once, in their order', () =>
    withDatabase(async (db) => {
      const tree = await db.tree('one');
      const written = await Promise.all(
        Array.from({ length: 3000 }, (_, i) => tree.put(`k${i % 100}`, `${i}`)),
      );
      expect(written).toEqual([...written].sort((a, b) => a - b));
      expect(tree.getSync('k7')?.toString()).toBe('2907');
      expect(await tree.getMany(['k1', 'none', 'k2'])).toEqual([
        Buffer.from('2901'),
        undefined,
        Buffer.from('2902'),
      ]);
    }));
});
