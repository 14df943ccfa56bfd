/** Entries past their retention are hidden at once, and go when tables are merged. */

import { expect, test } from 'vitest';
import { cutoffsOf } from '../../src/events/retention.ts';
import { LEVEL_NAMES } from '../../src/levels.ts';
import { openEvents } from '../kit/events.ts';
import { useTreeKit } from '../kit/tree-kit.ts';

const kit = useTreeKit();
const HOUR = 3_600_000;
const START = 1_700_000_000_000;

test('hides what is too old, by level, on every way of reading, and drops it', async () => {
  const disk = await kit.disk();
  const open = await kit.open(disk);
  const events = await openEvents(open);
  await events.writeMany(
    Array.from({ length: 200 }, (_, i) => ({
      timestamp: START - i * HOUR,
      level: i % 2 === 0 ? ('DEBUG' as const) : ('ERROR' as const),
      message: `message ${i}`,
    })),
  );
  await events.retain({ ageMs: 100 * HOUR, levels: { DEBUG: { ageMs: 10 * HOUR } } });
  // From 0 to 10 hours ago, the even ones; from 1 to 99, the odd ones.
  expect(await events.count({ level: '=DEBUG' })).toBe(6);
  expect([...events.readSync({ level: 'ERROR' })]).toHaveLength(50);
  expect([...events.readSync({ reverse: true })]).toHaveLength(56);
  let read = 0;
  for await (const _ of events.read()) read++;
  expect(read).toBe(56);
  const { counts } = await events.histogram();
  expect(counts.reduce((a, b) => a + b, 0)).toBe(56);
  expect(events.stats().memtableEntries).toBe(202);
  await events.flush();
  await events.compact();
  const { levels } = events.stats();
  expect(levels.reduce((sum, level) => sum + level.entries, 0)).toBe(57);
  // It is kept with the store, and time goes on.
  await kit.clock.advance(2 * HOUR);
  expect(await events.count({ level: '=DEBUG' })).toBe(5);
  await open.trees.close();
  const again = await openEvents(await kit.open(disk));
  expect(await again.count()).toBe(54);
  await again.retain(false);
  expect(await again.count()).toBe(56);
  await expect(again.retain({ ageMs: 0 })).rejects.toThrow(RangeError);
  await expect(again.retain({ levels: { LOUD: {} } } as object)).rejects.toThrow(/LOUD/);
});

test('keeps the newest, as many as have so many bytes', async () => {
  const events = await openEvents(await kit.open(await kit.disk()));
  const message = 'm'.repeat(81);
  for (let hour = 0; hour < 10; hour++) {
    await events.writeMany(
      Array.from({ length: 100 }, (_, i) => ({
        timestamp: START - (10 - hour) * HOUR + i * 36_000,
        level: i % 4 === 0 ? ('DEBUG' as const) : ('ERROR' as const),
        message,
      })),
    );
    await events.flush();
  }
  // An entry has 100 bytes: a key of 16, a head of 3, and its message. Tables only say how many they have in which time.
  await events.retain({ bytes: 50_000 });
  const count = await events.count();
  expect(count).toBeGreaterThan(250);
  expect(count).toBeLessThanOrEqual(510);
  await events.retain({ levels: { DEBUG: { bytes: 5000 } } });
  expect(await events.count({ level: '=ERROR' })).toBe(750);
  const debug = await events.count({ level: '=DEBUG' });
  expect(debug).toBeGreaterThan(25);
  expect(debug).toBeLessThanOrEqual(52);
});

test('finds the time before which there is too much', () => {
  const levelBytes = LEVEL_NAMES.map((_, level) => (level === 3 ? 1000 : 0));
  const tables = [
    { fromMs: 0, toMs: 999, levelBytes },
    { fromMs: 1000, toMs: 1999, levelBytes },
  ];
  const cutoff = (bytes: number): number | undefined => cutoffsOf({ bytes }, 5000, tables)[0];
  expect(cutoff(2000)).toBe(0);
  expect(cutoff(1000)).toBe(1000);
  expect(cutoff(1500)).toBe(500);
  expect(cutoff(1)).toBe(1999);
  expect(cutoffsOf({ levels: { INFO: { bytes: 500 } } }, 5000, tables)).toEqual([0, 0, 0, 1500, 0, 0, 0, 0]);
});
