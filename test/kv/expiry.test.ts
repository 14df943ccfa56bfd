/** Keys that expire: hidden when they are due, on every path, and never seen again. */

import { describe, expect, test } from 'vitest';
import type { KvStore } from '../../src/kv/store.ts';
import { CrashVfs } from '../../src/testing/crash.ts';
import { createMemoryVfs } from '../../src/vfs/memory.ts';
import { useKvKit } from '../kit/kv-kit.ts';

type Store = KvStore<string, string, string>;

const kit = useKvKit();
const MODES = ['lazy', 'eager', 'hybrid'] as const;

describe.each(MODES)('with %s expiry, a key that is due', (expiry) => {
  test.each([
    ['ifPresent', (store: Store) => store.set('k', 'w', { ifPresent: true })],
    ['ifVersion', (store: Store) => store.set('k', 'w', { ifVersion: 1 })],
    ['touch', (store: Store) => store.touch('k', { ttlMs: 1000 })],
    ['persist', (store: Store) => store.persist('k')],
    ['delete', (store: Store) => store.delete('k')],
  ])('stays hidden when %s has said that it is not there, and the power fails', async (_, ask) => {
    const machine = new CrashVfs();
    const store = await kit.store({ expiry }, machine);
    await store.set('k', 'v', { ttlMs: 100 });
    await kit.clock.advance(100);
    expect([undefined, false]).toContain(await ask(store));
    kit.clock.shift(-1_000_000);
    for (const plan of machine.enumerateCrashes(3))
      expect((await kit.store({ expiry }, machine.preview(plan))).getSync('k')).toBeUndefined();
    kit.clock.shift(1_000_000);
  });

  test('is hidden from every read and every condition', async () => {
    const store = await kit.store({ expiry });
    await store.set('k', 'v', { ttlMs: 100 });
    await store.set('l', 'v', { expiresAt: kit.clock.now() + 101 });
    await kit.clock.advance(99);
    expect([store.getSync('k'), store.ttlSync('k'), store.hasSync('k')]).toEqual(['v', 1, true]);
    await kit.clock.advance(1);
    expect([store.getSync('k'), store.ttlSync('k'), store.hasSync('k')]).toEqual([
      undefined,
      undefined,
      false,
    ]);
    expect(await Promise.all([store.get('k'), store.getEntry('k'), store.ttl('k')])).toEqual(
      Array.from({ length: 3 }),
    );
    expect([...store.keys()]).toEqual(['l']);
    expect(await store.count()).toBe(1);
    expect(await store.getMany(['k', 'l'])).toEqual([undefined, 'v']);
    expect([...store.exportLines()]).toHaveLength(1);
    expect([await store.persist('k'), await store.touch('k', { ttlMs: 5 }), await store.delete('k')]).toEqual(
      [false, false, false],
    );
    expect(await store.set('l', 'w', { ifAbsent: true })).toBeUndefined();
    await kit.clock.advance(1);
    expect(await store.set('l', 'w', { ifPresent: true })).toBeUndefined();
    expect(await store.increment('l')).toBe(1);
    expect(await store.ttl('l')).toBe(Infinity);
    expect(await store.set('k', 'w', { expiresAt: 0 })).toBeDefined();
    expect(await store.has('k')).toBe(false);
  });

  test('can be given more time, or all of it, before', async () => {
    const store = await kit.store({ expiry, longTtlMs: 50 });
    await store.setMany(
      ['a', 'b', 'c'].map((key) => [key, key]),
      { ttlMs: 100 },
    );
    expect(await store.touch('a', { ttlMs: 100_000 })).toBe(true);
    expect(await store.persist('b')).toBe(true);
    await kit.clock.advance(90_000);
    expect([...store.keys()]).toEqual(['a', 'b']);
    await store.sweep();
    expect([...store.keys()]).toEqual(['a', 'b']);
    await kit.clock.advance(100_000);
    expect([...store.keys()]).toEqual(['b']);
    await expect(store.touch('b', {})).rejects.toThrow('touch needs ttlMs or expiresAt');
  });

  test('is hidden although the clock is set back, also after the power has failed', async () => {
    const machine = new CrashVfs();
    const store = await kit.store({ expiry }, machine);
    await store.set('k', 'v', { ttlMs: 100 });
    await store.set('later', 'v', { ttlMs: 100_000 });
    await kit.clock.advance(100);
    expect(await store.get('k')).toBeUndefined();
    kit.clock.shift(-1_000_000);
    expect(store.getSync('k')).toBeUndefined();
    // What has time left has it still, and no more.
    expect(store.ttlSync('later')).toBe(99_900);
    await kit.clock.advance(10);
    expect(store.ttlSync('later')).toBe(99_890);
    for (const plan of machine.enumerateCrashes(3)) {
      const again = await kit.store({ expiry }, machine.preview(plan));
      expect(await again.get('k')).toBeUndefined();
      expect(again.ttlSync('later')).toBeLessThanOrEqual(99_900);
      expect(again.ttlSync('later')).toBeGreaterThan(99_000);
    }
    kit.clock.shift(1_000_000);
  });
});

test('an older value of a key does not come back when a newer one is dropped while tables are merged', async () => {
  const db = await kit.open();
  const store = await db.kv('s', { expiry: 'lazy', values: 'utf8' });
  const tree = await db.tree('kv.s');
  for (let i = 0; i < 100; i++) await store.set(`k${i}`, 'old');
  await tree.compact();
  for (let i = 0; i < 100; i++) await store.set(`k${i}`, 'new', { ttlMs: 1000 });
  await kit.clock.advance(1000);
  await tree.flush();
  expect(await store.count()).toBe(0);
  await tree.compact();
  expect(await store.count()).toBe(0);
  expect(store.getSync('k5')).toBeUndefined();
  expect((await store.stats()).dropped).toBeGreaterThan(0);
  expect([...tree.keys()]).toEqual([]);
});

describe('the background', () => {
  test('removes keys soon after they are due with eager, and takes no more than its share of the time', async () => {
    const store = await kit.store({ expiry: 'eager', sweepIntervalMs: 50 });
    const keys = Array.from({ length: 3000 }, (_, i) => `k${i}`);
    await store.setMany(
      keys.map((key) => [key, 'v']),
      { ttlMs: 1000 },
    );
    await store.set('k7', 'kept');
    await store.set('k8', 'longer', { ttlMs: 60_000 });
    await kit.clock.advance(999);
    expect((await store.stats()).expired).toBe(0);
    await kit.clock.advance(200);
    expect((await store.stats({ count: false })).expired).toBe(2998);
    const left = [];
    for await (const change of store.changes()) if (change.type === 'delete') left.push(change.key);
    expect(left).toHaveLength(2998);
    expect([...store.keys()]).toEqual(['k7', 'k8']);
  });

  test('removes keys that live long in whole minutes with hybrid, and leaves short ones to merging', async () => {
    const store = await kit.store({ longTtlMs: 30_000 });
    await store.set('short', 'v', { ttlMs: 20_000 });
    await store.set('long', 'v', { ttlMs: 30_000 });
    await kit.clock.advance(29_000);
    expect((await store.stats()).expired).toBe(0);
    await kit.clock.advance(61_000 + 10_000);
    expect((await store.stats()).expired).toBe(1);
    expect(await store.count()).toBe(0);
  });

  test('goes on after the store was opened again', async () => {
    const vfs = createMemoryVfs();
    const db = await kit.open(vfs);
    const store = await db.kv('s', { expiry: 'eager', values: 'utf8' });
    await store.set('k', 'v', { ttlMs: 5000 });
    await db.close();
    expect(kit.clock.waiting).toBe(0);
    const again = await kit.store({ expiry: 'eager' }, vfs);
    await kit.clock.advance(6000);
    expect((await again.stats()).expired).toBe(1);
  });
});
