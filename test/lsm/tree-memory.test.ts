/** Trees in a memory that is as small as it can be: writers wait, or are told why they cannot write, and go on. */

import { afterEach, expect, test } from 'vitest';
import { type Database, open } from '../../src/open.ts';
import { createRuntime } from '../../src/runtime.ts';
import { createMemoryVfs } from '../../src/vfs/memory.ts';
import { range, soon } from '../kit/log-kit.ts';

const MIB = 1024 * 1024;
let database: Database | undefined;

afterEach(async () => {
  await soon(database?.close() ?? Promise.resolve(), 'the database never closes');
  database = undefined;
});

async function openSmall(memoryBytes = 8 * MIB): Promise<Database> {
  const runtime = createRuntime({ memoryBytes, threads: 1 });
  database = await open('/database', {
    vfs: createMemoryVfs(),
    runtime,
    wal: { sync: { mode: 'never' } },
  });
  return database;
}

const VALUE = Buffer.alloc(1000, 'v');

/** Writes batches of 100 values; returns the messages of those that failed. */
async function write(db: Database, name: string, batches: number): Promise<string[]> {
  const tree = await db.tree(name);
  const failures: string[] = [];
  for (let i = 0; i < batches; i++) {
    const batch = db.batch();
    for (let j = 0; j < 100; j++) batch.put(tree, `key ${(i * 100 + j) % 1700}`, VALUE);
    await soon(
      batch.write().catch((error: unknown) => failures.push((error as Error).message)),
      'a write never settles',
    );
  }
  return failures;
}

test('writes go on beside an iterator that stays open, and tables are merged', async () => {
  const db = await openSmall();
  expect(await write(db, 'one', 30)).toEqual([]);
  const tree = await db.tree('one');
  const iterator = tree.entries();
  iterator.next();
  expect(await write(db, 'one', 120)).toEqual([]);
  iterator.close();
  expect(await write(db, 'one', 30)).toEqual([]);
  await tree.flush();
  await tree.compact();
  expect(tree.stats().work.compactions).toBeGreaterThan(1);
  expect(tree.stats().failure).toBeUndefined();
  expect([...tree.keys()].length).toBe(1700);
});

test('writes of several trees go on, also with large values', async () => {
  const db = await openSmall();
  const trees = await Promise.all(range(0, 6).map((i) => db.tree(`tree${i}`)));
  for (let i = 0; i < 1500; i++) {
    const bytes = i % 97 === 0 ? 196_577 : i % 9 === 0 ? 20_000 : 500;
    await soon(
      (trees[i % 6] as (typeof trees)[number]).put(`key ${i % 300}`, Buffer.alloc(bytes)),
      `put ${i}`,
    );
  }
  for (const tree of trees) {
    await tree.flush();
    expect(tree.stats().failure).toBeUndefined();
    expect(tree.stats().levels[0]?.tables).toBeLessThan(24);
  }
  expect(trees.reduce((sum, tree) => sum + [...tree.keys()].length, 0)).toBe(300);
});

test('writers are told that iterators have the memory, and write when those are closed', async () => {
  const db = await openSmall();
  await write(db, 'one', 5);
  const tree = await db.tree('one');
  const iterators: { close(): void }[] = [];
  let failure: Error | undefined;
  for (let i = 0; i < 200 && failure === undefined; i++) {
    try {
      const iterator = tree.entries();
      iterators.push(iterator);
      iterator.next();
    } catch (error) {
      failure = error as Error;
    }
  }
  expect(failure?.message).toMatch(/^no \d+ bytes of memory left for /);
  // What is left is kept for writing.
  const refused = await write(db, 'one', 60);
  expect(refused.every((message) => /open iterators \(\d+\) keep/.test(message))).toBe(true);
  for (const iterator of iterators) iterator.close();
  await soon(
    (async () => {
      while ((await write(db, 'one', 1)).length > 0);
    })(),
    'writes never go on',
  );
  expect(await write(db, 'one', 30)).toEqual([]);
});

test('writers are slowed down before they have to stop', async () => {
  const db = await openSmall(32 * MIB);
  const tree = await db.tree('one', { memtableBytes: 128 * 1024 });
  await soon(Promise.all(range(0, 3000).map((i) => tree.put(`key ${i}`, VALUE))), 'writes never end');
  expect(tree.stats().stalls.slowed).toBeGreaterThan(0);
  expect([...tree.keys()].length).toBe(3000);
});

test('trees that nothing was written to need no memory', async () => {
  const db = await openSmall();
  await db.tree('first');
  const before = db.metrics().memory.inUseBytes;
  for (let i = 0; i < 300; i++) await soon(db.tree(`tree${i}`), `tree${i}`);
  expect(db.metrics().memory.inUseBytes - before).toBeLessThan(MIB / 4);
  const tree = await db.tree('tree299');
  await tree.put('key', 'value');
  expect(tree.getSync('key')?.toString()).toBe('value');
});

test('an iterator sees deletions of ranges that come after others, and those that its snapshot sees', async () => {
  const db = await openSmall(16 * MIB);
  const tree = await db.tree('queue');
  const names = (): string[] => [...tree.keys()].map(String);
  for (let i = 0; i < 300; i++) {
    await tree.put(`key ${2000 + i}`, 'value');
    await tree.deleteRange('key 2000', `key ${2000 + i - 2}`);
    if (i % 100 === 50) await tree.flush();
    if (i >= 3) expect(names()).toEqual([i - 2, i - 1, i].map((one) => `key ${2000 + one}`));
  }
  const snapshot = tree.snapshot();
  await tree.deleteRange('key', 'kez');
  expect(names()).toEqual([]);
  expect([...tree.keys({ snapshot })].length).toBe(3);
  expect([...tree.keys({ snapshot, gte: 'key 2298', lt: 'key 2299' })].map(String)).toEqual(['key 2298']);
  snapshot.close();
});
