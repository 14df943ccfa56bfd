/** Copies of a database that is open, and reading beside a process that writes. */

import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { createRuntime, type Database, open, type Tree, VarveError } from '../src/index.ts';
import { createFaultVfs, type FaultRule } from '../src/testing/fault.ts';
import { createMemoryVfs } from '../src/vfs/memory.ts';
import { nodeVfs } from '../src/vfs/node.ts';
import type { OpenMode, Vfs } from '../src/vfs/vfs.ts';
import { failureCode } from './kit/log-kit.ts';

const root = mkdtempSync(join(tmpdir(), 'varve-checkpoint-'));
const runtime = createRuntime({ memoryBytes: 96 * 1024 * 1024, threads: 1 });
const OPTIONS = { memtableBytes: 65_536, tableBytes: 65_536, blockBytes: 1024 };
let made = 0;
const fresh = (): string => join(root, `db${made++}`);

afterAll(async () => {
  expect(runtime.memory.slabs.inUse()).toEqual([]);
  await runtime.close();
  rmSync(root, { recursive: true, force: true });
});

const contents = (tree: Tree): string[] => [...tree.entries()].map(([key, value]) => `${key}=${value}`);

async function write(db: Database, tree: Tree, from: number, to: number): Promise<void> {
  const batch = db.batch();
  for (let i = from; i < to; i++) batch.put(tree, `key ${i % 700}`, `${i}`.padEnd(200, '.'));
  await batch.write();
}

/** The real disk, of which nothing may be changed below a directory. */
function guarded(directory: string): Vfs {
  const refuse = (path: string): void => {
    if (path.startsWith(directory)) throw new Error(`${path} must not be changed`);
  };
  return {
    ...nodeVfs,
    open: async (path: string, mode: OpenMode) => {
      if (mode !== 'read') refuse(path);
      return nodeVfs.open(path, mode);
    },
    mkdir: async (path) => refuse(path),
    rename: async (path) => refuse(path),
    remove: async (path) => refuse(path),
    removeDir: async (path) => refuse(path),
    syncDir: async (path) => refuse(path),
    lock: async (path) => {
      refuse(path);
      throw new Error('nobody else has anything to lock');
    },
  };
}

describe('a checkpoint', () => {
  test('opens as a database that has what was there, and shares nothing that changes', async () => {
    const directory = fresh();
    const copy = fresh();
    const db = await open(directory, { runtime, wal: { sync: { mode: 'never' } } });
    const tree = await db.tree('one', OPTIONS);
    const other = await db.tree('two');
    const log = await db.log('events', { segmentBytes: 20_000 });
    for (let i = 0; i < 199; i++) log.enqueue({ value: `${i}`.padEnd(300) });
    await log.append({ value: '199' });
    await log.truncateBefore(130);
    for (let i = 0; i < 1500; i += 500) await write(db, tree, i, i + 500);
    await tree.flush();
    await other.put('in', 'the log only');
    const before = contents(tree);
    await db.checkpoint(copy);
    await tree.deleteRange('key', 'kez');
    await other.delete('in');
    await tree.compact();
    await log.append({ value: 'later' });
    expect(contents(tree)).toEqual([]);
    const tables = readdirSync(join(copy, 'trees/one'));
    expect(tables.length).toBeGreaterThan(2);
    const taken = await open(copy, { runtime });
    expect(contents(await taken.tree('one'))).toEqual(before);
    expect(contents(await taken.tree('two'))).toEqual(['in=the log only']);
    const events = await taken.log('events', { segmentBytes: 20_000 });
    expect([events.firstOffset, events.nextOffset]).toEqual([130, 200]);
    expect((await events.get(199))?.value?.toString().trim()).toBe('199');
    expect((await taken.verify({ deep: true })).isClean).toBe(true);
    await (await taken.tree('one')).put('key', 'of the copy');
    await (await taken.tree('one')).compact();
    await taken.close();
    expect((await db.verify({ deep: true })).isClean).toBe(true);
    await db.close();
  });

  test('of a database that was opened and not written to is whole in every part', async () => {
    const directory = fresh();
    let db = await open(directory, { runtime });
    await (await db.tree('one', OPTIONS)).put('a', '1');
    const log = await db.log('events', { segmentBytes: 4096 });
    for (let i = 0; i < 50; i++) await log.append({ value: `${i}`.padEnd(300) });
    await db.close();
    db = await open(directory, { runtime });
    await db.log('events', { segmentBytes: 4096 });
    await (await db.log('later')).append({ value: 'x' });
    const copy = fresh();
    await db.checkpoint(copy);
    await db.close();
    const again = await open(copy, { runtime });
    expect(await again.verify({ deep: true })).toMatchObject({ isClean: true, problems: [] });
    expect(contents(await again.tree('one'))).toEqual(['a=1']);
    expect((await again.log('events')).nextOffset).toBe(50);
    await again.close();
  });

  test('is made while others write, flush and merge, and has each batch or none of it', async () => {
    const db = await open(fresh(), { runtime, wal: { sync: { mode: 'never' } } });
    const [one, two] = [await db.tree('one', OPTIONS), await db.tree('two', OPTIONS)];
    let isOver = false;
    const writing = (async () => {
      for (let i = 0; !isOver; i++) {
        const value = `${i}`.padEnd(300, '.');
        await db
          .batch()
          .put(one, `key ${i % 50}`, value)
          .put(two, `key ${i % 50}`, value)
          .write();
      }
    })();
    for (let round = 0; round < 2; round++) {
      const copy = fresh();
      const seen = one.getSync('key 1')?.toString() ?? '0';
      await db.checkpoint(copy);
      const taken = await open(copy, { runtime });
      const [a, b] = [await taken.tree('one'), await taken.tree('two')];
      expect(contents(a)).toEqual(contents(b));
      expect(Number.parseInt(a.getSync('key 1')?.toString() ?? '0', 10)).toBeGreaterThanOrEqual(
        Number.parseInt(seen, 10),
      );
      expect((await taken.verify({ deep: true })).isClean).toBe(true);
      await taken.close();
      await one.compact();
    }
    isOver = true;
    await writing;
    await db.close();
  });

  test('links tables where the disk can, and copies them where it cannot', async () => {
    const directory = fresh();
    const db = await open(directory, { runtime });
    const tree = await db.tree('one', OPTIONS);
    await write(db, tree, 0, 500);
    await tree.compact();
    const copy = fresh();
    await db.checkpoint(copy);
    await db.close();
    for (const name of readdirSync(join(copy, 'trees/one')))
      expect(statSync(join(copy, 'trees/one', name)).nlink).toBe(2);
    const { link: _, ...unlinked } = nodeVfs;
    for (const vfs of [unlinked, { ...nodeVfs, link: async () => false }]) {
      const again = await open(directory, { runtime, vfs });
      const target = fresh();
      await again.checkpoint(target);
      await again.close();
      const names = readdirSync(join(target, 'trees/one'));
      expect(names).toEqual(readdirSync(join(copy, 'trees/one')));
      for (const name of names) expect(statSync(join(target, 'trees/one', name)).nlink).not.toBe(3);
      const taken = await open(target, { runtime });
      expect(contents(await taken.tree('one')).length).toBe(500);
      await taken.close();
    }
  });

  test('overwrites nothing, and leaves nothing where it was cut short', async () => {
    const inner = createMemoryVfs();
    await inner.mkdir('/db');
    const rules: FaultRule[] = [{ operation: 'write', error: 'ENOSPC', path: /^\/copy\/manifest/ }];
    const vfs = createFaultVfs(inner, rules);
    const db = await open('/db', { runtime, vfs });
    await (await db.tree('one')).put('a', 'b');
    await expect(db.checkpoint('')).rejects.toThrow(TypeError);
    expect(await failureCode(db.checkpoint('/db'))).toBe('EXISTS');
    expect(await failureCode(db.checkpoint('/copy'))).toBe('NO_SPACE');
    // Nothing of it is left, so that it can be tried again.
    expect(await inner.stat('/copy')).toBeUndefined();
    await inner.mkdir('/copy');
    expect(await failureCode(db.checkpoint('/copy'))).toBe('NO_SPACE');
    expect(await inner.readdir('/copy')).toEqual([]);
    rules.length = 0;
    await db.checkpoint('/copy');
    expect(await failureCode(db.checkpoint('/copy'))).toBe('EXISTS');
    // Those that write go on.
    await (await db.tree('one')).put('c', 'd');
    await db.close();
    expect(await failureCode(db.checkpoint('/other'))).toBe('CLOSED');
    const reader = await open('/db', { runtime, vfs: inner, readOnly: true });
    expect(await failureCode(reader.checkpoint('/other'))).toBe('READ_ONLY');
    await reader.close();
  });
});

describe('a database that is opened for reading', () => {
  test('is read beside the one who writes, as it was when it was opened, and never changed', async () => {
    const directory = fresh();
    const db = await open(directory, { runtime, wal: { sync: { mode: 'never' } } });
    const tree = await db.tree('one', OPTIONS);
    await db.pauseCompaction();
    // More tables in level 0 than are merged, and more in the log than one memtable takes.
    for (let i = 0; i < 6; i++) {
      await write(db, tree, i * 100, i * 100 + 100);
      await tree.flush();
    }
    await write(db, tree, 600, 1000);
    await write(db, tree, 1000, 1400);
    const before = contents(tree);
    writeFileSync(join(directory, 'trees/one/0000099999.table'), 'left behind by nobody who is known');
    const reader = await open(directory, { runtime, readOnly: true, vfs: guarded(directory) });
    const seen = await reader.tree('one');
    expect(contents(seen)).toEqual(before);
    await tree.deleteRange('key', 'kez');
    await db.resumeCompaction();
    await tree.compact();
    expect(contents(seen)).toEqual(before);
    for (const call of [seen.put('a', 'b'), seen.delete('a'), seen.flush(), seen.compact()])
      expect(await failureCode(call)).toBe('READ_ONLY');
    await expect(reader.tree('two')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect((await reader.verify({ deep: true })).isClean).toBe(true);
    await reader.close();
    expect(readdirSync(join(directory, 'trees/one'))).toContain('0000099999.table');
    await db.close();
  });

  test('looks again where the one who writes has gone on meanwhile', async () => {
    const directory = fresh();
    const db = await open(directory, { runtime, wal: { sync: { mode: 'never' } } });
    const tree = await db.tree('one', OPTIONS);
    await write(db, tree, 0, 300);
    await tree.flush();
    let left = 2;
    const vfs: Vfs = {
      ...guarded(directory),
      open: async (path, mode) => {
        // After it has read what the manifest says.
        if (path.endsWith('.table') && left-- > 0) {
          await write(db, tree, 0, 300);
          await tree.compact();
          while ((await nodeVfs.stat(path)) !== undefined) await new Promise(setImmediate);
        }
        return nodeVfs.open(path, mode);
      },
    };
    const reader = await open(directory, { runtime, readOnly: true, vfs });
    expect(contents(await reader.tree('one'))).toEqual(contents(tree));
    expect(left).toBeLessThan(1);
    await reader.close();
    await db.close();
  });
});

describe('merging within a budget', () => {
  test('is an option, can be changed, and is refused where it makes no sense', async () => {
    const directory = fresh();
    const wrong = (bytesPerSecond: unknown): Promise<unknown> =>
      open(directory, { runtime, compaction: { bytesPerSecond: bytesPerSecond as number } });
    await expect(wrong('1')).rejects.toThrow(TypeError);
    await expect(wrong(-1)).rejects.toThrow(RangeError);
    const db = await open(directory, { runtime, compaction: { bytesPerSecond: 8_000_000 } });
    const tree = await db.tree('one', OPTIONS);
    for (let i = 0; i < 5; i++) {
      const batch = db.batch();
      for (let j = 0; j < 400; j++) batch.put(tree, `${i} ${j}`, Buffer.alloc(1000, i));
      await batch.write();
    }
    await tree.flush();
    const timed = async (): Promise<number> => {
      const began = performance.now();
      await tree.compact();
      return performance.now() - began;
    };
    // 2 MB, of which 1 MB may be written at once.
    expect(await timed()).toBeGreaterThan(100);
    await expect(db.limitCompaction(0.5)).rejects.toThrow(RangeError);
    await db.limitCompaction(2_500_000);
    expect(await timed()).toBeGreaterThan(350);
    await db.close();
    await expect(db.limitCompaction(0)).rejects.toThrow(VarveError);
  });
});
