/** Merging by hand: it is paused, goes on, and is asked for a range. */

import { describe, expect, test } from 'vitest';
import type { Tree } from '../../src/lsm/tree.ts';
import { settle } from '../kit/clock.ts';
import { useTreeKit } from '../kit/tree-kit.ts';

const kit = useTreeKit();
const OPTIONS = {
  memtableBytes: 65_536,
  tableBytes: 16_384,
  strategy: { kind: 'leveled', level0Tables: 2, baseBytes: 16_384 },
} as const;

const keyOf = (i: number): string => `key ${String(i).padStart(3, '0')}`;

/** Writes keys of a range, and then a table of them. */
async function fill(tree: Tree, from: number, to: number, value: string): Promise<void> {
  for (let i = from; i < to; i++) await tree.put(keyOf(i), value.padEnd(300, '.'));
  await tree.flush();
}

const tablesOf = (tree: Tree): number[] => tree.stats().levels.map(({ tables }) => tables);

describe('merging by hand', () => {
  test('begins nothing while it is paused, and does what has become due when it goes on', async () => {
    const { trees, tree } = await kit.open(await kit.disk());
    const one = await tree('one', OPTIONS);
    await trees.background.pause();
    for (let round = 0; round < 6; round++) await fill(one, 0, 20, `round ${round}`);
    await settle();
    expect(tablesOf(one)[0]).toBe(6);
    expect(one.stats().work.compactions).toBe(0);
    expect(one.getSync(keyOf(7))?.toString()).toContain('round 5');
    trees.background.resume();
    await trees.background.settled();
    expect(tablesOf(one)[0]).toBeLessThan(2);
    expect(one.stats().work.compactions).toBeGreaterThan(0);
    expect(one.getSync(keyOf(7))?.toString()).toContain('round 5');
    expect([...one.keys()]).toHaveLength(20);
  });

  test('ends what is under way before a pause counts', async () => {
    const { trees, tree } = await kit.open(await kit.disk());
    const one = await tree('one', OPTIONS);
    for (let round = 0; round < 3; round++) await fill(one, 0, 30, `round ${round}`);
    trees.background.kick();
    await trees.background.pause();
    const { compactions } = one.stats().work;
    const before = JSON.stringify(tablesOf(one));
    await settle();
    expect(one.stats().work.compactions).toBe(compactions);
    expect(JSON.stringify(tablesOf(one))).toBe(before);
    trees.background.resume();
  });

  test('is done while it is paused, too, where somebody asks for it', async () => {
    const { trees, tree } = await kit.open(await kit.disk());
    const one = await tree('one', OPTIONS);
    await trees.background.pause();
    for (let round = 0; round < 4; round++) await fill(one, 0, 20, `round ${round}`);
    await one.compact();
    expect(tablesOf(one)[0]).toBe(0);
    expect(one.stats().levels.reduce((sum, { entries }) => sum + entries, 0)).toBe(20);
    expect(trees.background.isPaused).toBe(true);
  });

  test('of a range leaves nothing of what was deleted there, and other tables as they are', async () => {
    const { trees, tree } = await kit.open(await kit.disk());
    const one = await tree('one', OPTIONS);
    await fill(one, 0, 300, 'first');
    await one.compact();
    await trees.background.pause();
    const numbersOf = (): number[] => [...one.tables()].map(({ createdMs }) => createdMs);
    await kit.clock.advance(1000);
    const [before] = numbersOf();
    await one.deleteRange(keyOf(100), keyOf(150));
    await one.put(keyOf(120), 'back');
    await one.compact({ gte: keyOf(100), lt: keyOf(150) });
    const tables = [...one.tables()];
    expect(tables.reduce((sum, { rangeTombstones }) => sum + rangeTombstones, 0)).toBe(0);
    expect(tables.reduce((sum, { entries }) => sum + entries, 0)).toBe(251);
    // Those that have no key of the range were not written again.
    const old = tables.filter(({ createdMs }) => createdMs === before);
    expect(old.length).toBeGreaterThan(2);
    expect(old.length).toBeLessThan(tables.length);
    expect([...one.keys({ gte: keyOf(99), lt: keyOf(151) })].map(String)).toEqual([
      keyOf(99),
      keyOf(120),
      keyOf(150),
    ]);
  });

  test('of a range that makes no sense, or of a tree that is closed, is refused', async () => {
    const { trees, tree } = await kit.open(await kit.disk());
    const one = await tree('one');
    await expect(one.compact({ from: 'a' } as never)).rejects.toThrow(TypeError);
    await expect(one.compact({ gte: '' })).rejects.toThrow(RangeError);
    await one.compact({ gte: 'b', lt: 'a' });
    await trees.close();
    await expect(one.compact()).rejects.toMatchObject({ code: 'CLOSED' });
  });
});
