/** Stores with a limit: what goes when there is no room. */

import { describe, expect, test } from 'vitest';
import { createMemoryVfs } from '../../src/vfs/memory.ts';
import { useKvKit } from '../kit/kv-kit.ts';
import { failureCode } from '../kit/log-kit.ts';

const kit = useKvKit();
const value = 'v'.repeat(96);
const keyAt = (i: number): string => `k${String(i).padStart(3, '0')}`;
/** Room for twenty keys of 4 bytes with such a value. */
const maxBytes = 2000;

describe('a store with maxBytes', () => {
  test('refuses what it has no room for with noeviction, and takes it when there is room again', async () => {
    const store = await kit.store({ maxBytes });
    for (let i = 0; i < 20; i++) await store.set(keyAt(i), value);
    expect(await failureCode(store.set('more', value))).toBe('NO_SPACE');
    // What makes nothing larger is taken.
    await store.set(keyAt(3), value.toUpperCase());
    expect(await failureCode(store.set(keyAt(3), `${value}v`))).toBe('NO_SPACE');
    expect((await store.stats()).usedBytes).toBe(2000);
    await store.delete(keyAt(7));
    await store.set('more', value);
    expect(await store.count()).toBe(20);
    await store.clear();
    expect(await failureCode(store.set('k', 'v'.repeat(2000)))).toBe('NO_SPACE');
    await store.set('k', 'v'.repeat(1999));
    expect((await store.stats()).usedBytes).toBe(2000);
  });

  test('takes the room of keys that have expired first, whatever the policy', async () => {
    const store = await kit.store({ maxBytes, expiry: 'lazy' });
    for (let i = 0; i < 10; i++) await store.set(keyAt(i), value);
    for (let i = 10; i < 20; i++) await store.set(keyAt(i), value, { ttlMs: 1000 });
    await kit.clock.advance(1000);
    for (let i = 20; i < 30; i++) await store.set(keyAt(i), value);
    expect(await failureCode(store.set('more', value))).toBe('NO_SPACE');
    const { expired, evicted, keys } = await store.stats();
    expect({ expired, evicted, keys }).toEqual({ expired: 10, evicted: 0, keys: 20 });
  });

  test('removes what was not used for long with allkeys-lru', async () => {
    const store = await kit.store({ maxBytes: 20_000, eviction: 'allkeys-lru' });
    for (let i = 0; i < 200; i++) await store.set(keyAt(i), value);
    for (let round = 0; round < 2; round++) for (let i = 0; i < 100; i++) store.getSync(keyAt(i));
    for (let i = 200; i < 280; i++) await store.set(keyAt(i), value);
    const { evicted, usedBytes } = await store.stats();
    expect({ evicted, usedBytes }).toEqual({ evicted: 80, usedBytes: 20_000 });
    const left = [...store.keys({ lt: keyAt(100) })].length;
    // Of those that were used lately, chance takes some: at the end nine of ten keys were used lately.
    expect(left).toBeGreaterThan(85);
    expect([...store.keys({ gte: keyAt(200) })].length).toBeGreaterThan(75);
  });

  test('removes only what expires with volatile-lru and volatile-ttl, the next to expire first with the latter', async () => {
    for (const eviction of ['volatile-lru', 'volatile-ttl'] as const) {
      const store = await kit.store({ maxBytes, eviction });
      for (let i = 0; i < 10; i++) await store.set(keyAt(i), value);
      for (let i = 10; i < 20; i++) await store.set(keyAt(i), value, { ttlMs: 100_000 - i * 1000 });
      store.getSync(keyAt(10));
      for (let i = 20; i < 29; i++) await store.set(keyAt(i), value);
      // The last to expire was used last, too, so it is the one that is left.
      expect([...store.keys({ gte: keyAt(10), lt: keyAt(20) })]).toEqual([keyAt(10)]);
      await store.set(keyAt(29), value);
      expect(await failureCode(store.set('more', value))).toBe('NO_SPACE');
      expect((await store.stats()).evicted).toBe(10);
    }
  });

  test('keeps to its limit with allkeys-random, also with writers at the same time and after opening again', async () => {
    const vfs = createMemoryVfs();
    const db = await kit.open(vfs);
    const options = { maxBytes, eviction: 'allkeys-random', values: 'utf8' } as const;
    const store = await db.kv('s', options);
    await Promise.all(Array.from({ length: 200 }, (_, i) => store.set(keyAt(i), value)));
    expect(await store.count()).toBe(20);
    await db.close();
    const again = await kit.store(options, vfs);
    expect((await again.stats()).usedBytes).toBe(2000);
    await again.set('more', value);
    const { evicted, keys } = await again.stats();
    expect({ evicted, keys }).toEqual({ evicted: 1, keys: 20 });
    expect(await again.has('more')).toBe(true);
  });
});

test.each(['importLines', 'setMany'] as const)(
  '%s makes room of other keys, and not of its own',
  async (how) => {
    const vfs = createMemoryVfs();
    const options = { maxBytes, eviction: 'allkeys-lru' } as const;
    const store = await kit.store(options, vfs);
    const add = (from: number, count: number): Promise<unknown> => {
      const keys = Array.from({ length: count }, (_, i) => keyAt(from + i));
      if (how === 'setMany') return store.setMany(keys.map((key) => [key, value] as const));
      return store.importLines(keys.map((key) => JSON.stringify({ key, value })));
    };
    await add(0, 15);
    expect(await failureCode(add(10, 21))).toBe('NO_SPACE');
    // Nothing has happened, and what is known of the keys is right.
    expect(await store.count()).toBe(15);
    expect((await store.stats()).usedBytes).toBe(1500);
    await add(10, 20);
    expect([...store.keys()]).toEqual(Array.from({ length: 20 }, (_, i) => keyAt(10 + i)));
    expect((await store.stats()).usedBytes).toBe(2000);
    // Of two for one key the last counts, also for the room.
    await store.setMany([
      ['k', 'v'.repeat(1999)],
      ...Array.from({ length: 19 }, (_, i) => [keyAt(10 + i), value] as const),
      ['k', 'v'],
    ]);
    expect((await store.stats()).usedBytes).toBe(1902);
    await kit.end();
    expect((await (await kit.store(options, vfs)).stats()).usedBytes).toBe(1902);
  },
);
