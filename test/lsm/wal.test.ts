/** The write-ahead log of trees as a file: how it grows, and how it becomes shorter. */

import { expect, test } from 'vitest';
import type { Tree } from '../../src/lsm/tree.ts';
import { copyDisk, tree as filesOf, range } from '../kit/log-kit.ts';
import { DATABASE, type TreeDisk, useTreeKit } from '../kit/tree-kit.ts';

const kit = useTreeKit();
const WAL = `${DATABASE}/wal`;
const ZEROED_BYTES = 64 * 1024;

/** Bytes of all its segments, as the disk has them. */
async function walBytes({ inner }: TreeDisk): Promise<number> {
  const files = [...(await filesOf(inner, WAL))].filter(([path]) => path.endsWith('.log'));
  return files.reduce((sum, [, bytes]) => sum + bytes.length, 0);
}

test('it grows ahead of writes that are synced, and has nothing behind the last one when it is closed', async () => {
  const disk = await kit.disk();
  const open = await kit.open(disk);
  const tree = await open.tree();
  await tree.put('first', 'value');
  expect(await walBytes(disk)).toBe(ZEROED_BYTES);
  for (let i = 0; i < 700; i++) await tree.put(`key ${i}`, Buffer.alloc(64, i));
  expect((await walBytes(disk)) % ZEROED_BYTES).toBe(0);
  const crashed = { vfs: await copyDisk(disk.inner, DATABASE) };
  const { bytes } = open.trees.wal.info();
  await open.trees.close();
  expect(await walBytes(disk)).toBe(bytes);
  // Nor does anything of it stand in the way of who comes after a crash.
  const again = await kit.open(crashed);
  expect(again.trees.wal.recovery).toMatchObject({ tornTails: 0, quarantined: [], damage: [] });
  const found = await again.tree();
  const isSame = (i: number): boolean => found.getSync(`key ${i}`)?.equals(Buffer.alloc(64, i)) === true;
  expect(range(0, 700).filter((i) => !isSame(i))).toEqual([]);
  await found.put('last', 'value');
  expect((await found.get('last'))?.toString()).toBe('value');
});

test('it does not grow ahead of writes that nobody has synced, or that are not small', async () => {
  const disk = await kit.disk();
  const open = await kit.open(disk, { sync: { mode: 'never' } });
  const tree = await open.tree();
  await tree.put('key', 'value');
  expect(await walBytes(disk)).toBe(open.trees.wal.info().bytes);
  await tree.put('key', Buffer.alloc(100_000), { durability: 'synced' });
  const { bytes } = open.trees.wal.info();
  expect(await walBytes(disk)).toBe(bytes);
  await tree.put('key', 'value', { durability: 'synced' });
  expect(await walBytes(disk)).toBe(bytes + ZEROED_BYTES);
});

test('where there is no room to grow ahead, writes are taken all the same', async () => {
  const disk = await kit.disk();
  const open = await kit.open(disk);
  const tree = await open.tree();
  disk.rules.push({ operation: 'write', path: /wal/, error: 'ENOSPC', afterBytes: 100, times: 1 });
  await tree.put('key', 'value');
  expect(disk.vfs.injected).toBe(1);
  await tree.put('other', 'value');
  await open.trees.close();
  const again = await kit.open(disk);
  const found = await again.tree();
  expect(['key', 'other'].map((key) => found.getSync(key)?.toString())).toEqual(['value', 'value']);
});

test('all of it goes when all of it is in tables, unless that is little', async () => {
  const disk = await kit.disk();
  const open = await kit.open(disk, { sync: { mode: 'never' } });
  const [one, two] = [await open.tree('one'), await open.tree('two')];
  for (let i = 0; i < 60; i++) await one.put(`key ${i}`, Buffer.alloc(100_000, i));
  await two.put('key', 'value');
  await one.flush();
  // The other tree needs it.
  expect(await walBytes(disk)).toBeGreaterThan(6_000_000);
  await two.flush();
  await two.put('key', 'of a log that is short');
  await two.flush();
  expect(await walBytes(disk)).toBeLessThan(1000);
  await open.trees.close();
  const again = await kit.open(disk);
  expect((await again.tree('one')).getSync('key 59')?.equals(Buffer.alloc(100_000, 59))).toBe(true);
  expect((await again.tree('two')).getSync('key')?.toString()).toBe('of a log that is short');
});

test('it is not cut while it is replayed, though all that was replayed by then is in tables', async () => {
  const disk = await kit.disk();
  const open = await kit.open(disk, { sync: { mode: 'never' } });
  const tree = await open.tree('one', { memtableBytes: 1024 * 1024 });
  disk.rules.push({ operation: 'open', path: /trees\/one/, error: 'ENOSPC' });
  // Nothing can be written to tables, and memtables are full: that is how it becomes longer than one of them.
  for (let segment = 0; segment < 2; segment++) {
    for (let i = 0; i < 17; i++) await tree.put(`key ${segment * 17 + i}`, Buffer.alloc(100_000, i));
    await open.trees.wal.roll();
  }
  expect(open.trees.wal.info().segments.length).toBe(3);
  const crashed = kit.wrap(await copyDisk(disk.inner, DATABASE));
  const again = await kit.open(crashed);
  const found = await again.tree('one');
  const lost = (from: Tree): number[] =>
    range(0, 34).filter((i) => from.getSync(`key ${i}`)?.equals(Buffer.alloc(100_000, i % 17)) !== true);
  expect(lost(found)).toEqual([]);
  await found.flush();
  await again.trees.close();
  const last = await (await kit.open(crashed)).tree('one');
  expect(lost(last)).toEqual([]);
});
