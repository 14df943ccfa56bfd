/** Tags: readers pass over blocks and tables that have nothing for them, and over nothing else. */

import { expect, test } from 'vitest';
import { VALUE_LEVEL } from '../../src/events/format.ts';
import { LEVEL_NAMES } from '../../src/levels.ts';
import { TableReader } from '../../src/lsm/table/reader.ts';
import { verifyTable } from '../../src/lsm/table/verify.ts';
import { joinPath } from '../../src/vfs/vfs.ts';
import { openEvents } from '../kit/events.ts';
import { DATABASE, useTreeKit } from '../kit/tree-kit.ts';

const kit = useTreeKit();
const TREE = joinPath(DATABASE, 'trees', 'events.app');

/** Entries of which every hundredth is a warning, and a few in a row come from a component of their own. */
function entries(
  count: number,
): { timestamp: number; level: 'WARN' | 'DEBUG'; component: string; message: string }[] {
  return Array.from({ length: count }, (_, i) => ({
    timestamp: 1000 + i,
    level: i % 500 === 0 ? 'WARN' : 'DEBUG',
    component: i >= 2000 && i < 2010 ? 'rare' : 'common',
    message: `message ${i} ${'.'.repeat(60)}`,
  }));
}

test('reads the blocks of tables that may have what is asked for, and no others', async () => {
  const disk = await kit.disk();
  const open = await kit.open(disk);
  const events = await openEvents(open);
  const all = entries(6000);
  await events.writeMany(all);
  await events.flush();
  const tree = await open.tree('events.app');
  const pages = (tags: { low: number; high: number }[], reverse: boolean): number =>
    [...tree.entries({ tags, reverse, lt: Buffer.from([0xff]) })].length;
  const warn = 1 << LEVEL_NAMES.indexOf('WARN');
  for (const reverse of [false, true]) {
    expect(pages([], reverse)).toBe(6000);
    const some = pages([{ low: warn, high: 0 }], reverse);
    expect(some).toBeGreaterThanOrEqual(12);
    expect(some).toBeLessThan(12 * 60);
    expect(pages([{ low: 1 << LEVEL_NAMES.indexOf('FATAL'), high: 0 }], reverse)).toBe(0);
    const read = [...events.readSync({ level: 'WARN', reverse })].map(({ timestamp }) => timestamp);
    const expected = all.filter(({ level }) => level === 'WARN').map(({ timestamp }) => timestamp);
    expect(read).toEqual(reverse ? expected.reverse() : expected);
    expect([...events.readSync({ component: 'rare', reverse, from: 3005 })]).toHaveLength(5);
    expect([...events.readSync({ component: 'rare', level: 'FATAL', reverse })]).toHaveLength(0);
  }
  // What is in memory, and what was merged, is read in the same way.
  await events.write({ timestamp: 1, level: 'WARN', component: 'rare', message: 'late' });
  expect(await events.count({ level: 'WARN', component: 'rare' })).toBe(2);
  await events.compact();
  expect(await events.count({ level: 'WARN', component: 'rare' })).toBe(2);
  expect(await events.count({ component: 'rare' })).toBe(11);
  expect(await events.count({ component: '*are' })).toBe(11);
});

test('what a table says of its tags is checked, and what it counts by level is right', async () => {
  const disk = await kit.disk();
  const open = await kit.open(disk);
  const events = await openEvents(open);
  await events.writeMany([
    ...entries(700),
    { message: 'x'.repeat(300_000), level: 'ERROR', component: 'big' },
  ]);
  await events.flush();
  expect(await events.count({ level: 'ERROR', component: 'big' })).toBe(1);
  const [name = ''] = (await disk.vfs.readdir(TREE)).filter((file) => file.endsWith('.table'));
  const { properties, damage } = await verifyTable(disk.vfs, joinPath(TREE, name), kit.memory);
  expect(damage).toEqual([]);
  const { tags } = properties ?? {};
  expect(tags?.levelBytes[LEVEL_NAMES.indexOf('WARN')]).toBeGreaterThan(0);
  const { rawKeyBytes = 0, rawValueBytes = 0 } = properties ?? {};
  const counted = (tags?.levelBytes ?? []).reduce((sum, bytes) => sum + bytes, 0);
  // The store's own key is of no level, and the value of a large entry is not looked at.
  expect(rawKeyBytes + rawValueBytes - counted).toBeGreaterThan(300_000);
  expect(rawKeyBytes + rawValueBytes - counted).toBeLessThan(300_100);
  // The level of an entry is changed, and the checksum made right: its block does not have that tag.
  const reader = await TableReader.open(disk.vfs, joinPath(TREE, name), kit.memory, open.trees.cache, 1);
  const block = reader.handle(0, 2);
  await reader.close();
  const file = await disk.inner.open(joinPath(TREE, name), 'write');
  const bytes = Buffer.alloc(block.bytes);
  await file.read(bytes, block.position);
  const message = bytes.indexOf('message');
  const value = bytes.lastIndexOf('common', message) - 2 - VALUE_LEVEL - 2;
  expect(bytes[value]).toBe(LEVEL_NAMES.indexOf('DEBUG'));
  bytes[value] = LEVEL_NAMES.indexOf('FATAL');
  const { kernels, slabs, u8 } = kit.memory;
  const slab = slabs.allocate(block.bytes, 'test');
  u8.set(bytes, slab.address);
  kernels.sealBlock(slab.address, block.bytes - 5, bytes[block.bytes - 5] ?? 0);
  await file.write(Buffer.from(u8.slice(slab.address, slab.address + block.bytes)), block.position);
  slab.release();
  await file.close();
  const again = await verifyTable(disk.vfs, joinPath(TREE, name), kit.memory);
  expect(again.damage.map(({ reason }) => reason).join()).toContain('its tags are not those of its entries');
});

test('tables without tags are read, and passed over by nobody', async () => {
  const disk = await kit.disk();
  const open = await kit.open(disk);
  await open.tree('events.app');
  const { Events } = await import('../../src/events/events.ts');
  const plain = new Events('app', open.trees, await open.tree('events.app'));
  await plain.writeMany(entries(600));
  await plain.flush();
  const events = await openEvents(open);
  await events.write({ timestamp: 5, level: 'WARN', component: 'new', message: 'x' });
  await events.flush();
  expect(await events.count({ level: 'WARN' })).toBe(3);
  expect(await events.count({ level: 'WARN', component: 'common' })).toBe(2);
});
