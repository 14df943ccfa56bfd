/** When a write can be read: not before it has reached the level that its writer waits for, or that of the log. */

import { expect, test } from 'vitest';
import { createGate, settle } from '../kit/clock.ts';
import { useTreeKit } from '../kit/tree-kit.ts';

const kit = useTreeKit();

test('a write is read when it is synced, or when it is written where its writer waits for no more', async () => {
  const disk = await kit.disk();
  const { tree } = await kit.open(disk);
  const one = await tree('one');
  const gate = createGate();
  disk.rules.push({ operation: 'datasync', path: /wal/, delay: () => gate.opened });
  const keys = (): string[] => [...one.keys()].map(String);

  const synced = one.put('synced', 'value');
  await settle();
  expect(keys()).toEqual([]);
  expect(one.getSync('synced')).toBeUndefined();

  // Who waits for nothing is told at once, and reads it no sooner than others.
  await one.put('accepted', 'value', { durability: 'accepted' });
  await settle();
  expect(keys()).toEqual([]);

  gate.open();
  await synced;
  expect(keys()).toContain('synced');
  await one.put('last', 'value');
  expect(keys()).toEqual(['accepted', 'last', 'synced']);
});

test('a log that syncs by time shows what is written', async () => {
  const disk = await kit.disk();
  const { tree } = await kit.open(disk, { sync: { mode: 'interval', intervalMs: 1000 } });
  const one = await tree('one');
  await one.put('written', 'value');
  expect(one.getSync('written')?.toString()).toBe('value');
  await kit.clock.advance(2000);
});
