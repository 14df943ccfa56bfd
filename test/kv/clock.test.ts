/** The clock of a store, and what becomes of keys when that of the machine was wrong. */

import { describe, expect, test } from 'vitest';
import type { KvStore } from '../../src/kv/store.ts';
import { createMemoryVfs } from '../../src/vfs/memory.ts';
import type { Vfs } from '../../src/vfs/vfs.ts';
import { useKvKit } from '../kit/kv-kit.ts';

const kit = useKvKit();
const HOUR_MS = 3_600_000;
const MONTH_MS = 30 * 24 * HOUR_MS;

type Store = KvStore<string, string, string>;

/** A store whose clock was ahead for a moment, in which a key was told to have expired. */
async function misled(vfs: Vfs): Promise<Store> {
  const store = await kit.store({}, vfs);
  await store.set('short', 'v', { ttlMs: 1000 });
  kit.clock.shift(MONTH_MS);
  expect(await store.get('short')).toBeUndefined();
  kit.clock.shift(-MONTH_MS);
  return store;
}

async function reopened(vfs: Vfs): Promise<Store> {
  await kit.end();
  return await kit.store({}, vfs);
}

describe('where the clock of the machine was ahead for a moment', () => {
  test.each(['is open since', 'was opened again'])(
    'times that callers name count by their clock in a store that %s',
    async (how) => {
      const vfs = createMemoryVfs();
      let store = await misled(vfs);
      if (how === 'was opened again') store = await reopened(vfs);
      const expiresAt = kit.clock.now() + HOUR_MS;
      await store.set('a', 'v', { expiresAt });
      await store.setMany([['b', 'v']], { ttlMs: HOUR_MS });
      expect(await store.importLines([JSON.stringify({ key: 'c', value: 'v', expiresAt })])).toBe(1);
      expect(
        await store.importLines([JSON.stringify({ key: 'd', value: 'v', expiresAt: kit.clock.now() })]),
      ).toBe(0);
      for (const key of ['a', 'b', 'c']) {
        expect(store.ttlSync(key)).toBe(HOUR_MS);
        expect(store.getEntrySync(key)?.expiresAt).toBe(expiresAt);
      }
      expect([...store.entriesWithExpiry()].map(([, , at]) => at)).toEqual([expiresAt, expiresAt, expiresAt]);
      expect(
        [...store.exportLines()].map((line) => (JSON.parse(line) as { expiresAt: number }).expiresAt),
      ).toEqual([expiresAt, expiresAt, expiresAt]);
      for await (const change of store.changes())
        if (change.type === 'set' && change.key !== 'short') expect(change.expiresAt).toBe(expiresAt);
      expect((await store.stats()).clockAheadMs).toBe(MONTH_MS);
      await kit.clock.advance(HOUR_MS - 1);
      expect([...store.keys()]).toEqual(['a', 'b', 'c']);
      await kit.clock.advance(1);
      expect(await store.count()).toBe(0);
    },
  );

  test('time passes while nobody has the store open, however often it is opened', async () => {
    const vfs = createMemoryVfs();
    let store = await misled(vfs);
    await store.set('k', 'v', { ttlMs: 10_000 });
    for (let left = 8000; left > 0; left -= 2000) {
      await kit.end();
      await kit.clock.advance(2000);
      store = await kit.store({}, vfs);
      expect(store.ttlSync('k')).toBe(left);
    }
    await kit.end();
    await kit.clock.advance(2000);
    store = await kit.store({}, vfs);
    expect(await store.get('k')).toBeUndefined();
    expect(await store.get('short')).toBeUndefined();
  });
});

test('a clock that began in 1970 and was put right while the store was closed takes no key with it', async () => {
  const vfs = createMemoryVfs();
  let store = await kit.store({}, vfs);
  await store.set('short', 'v', { ttlMs: 1000 });
  await store.set('k', 'v', { ttlMs: HOUR_MS });
  await kit.clock.advance(1000);
  expect(await store.get('short')).toBeUndefined();
  const backMs = -kit.clock.now();
  kit.clock.shift(backMs);
  store = await reopened(vfs);
  expect(store.ttlSync('k')).toBe(HOUR_MS - 1000);
  await store.set('l', 'v', { expiresAt: kit.clock.now() + HOUR_MS });
  await kit.end();
  kit.clock.shift(-backMs);
  await kit.clock.advance(1000);
  store = await kit.store({}, vfs);
  expect([store.ttlSync('k'), store.ttlSync('l')]).toEqual([HOUR_MS - 2000, HOUR_MS - 1000]);
  expect((await store.stats()).clockAheadMs).toBe(0);
});

test('what is more than a week ahead of an anchor passes as a week, so that no jump takes all keys with it', async () => {
  const vfs = createMemoryVfs();
  let store = await misled(vfs);
  await store.set('k', 'v', { ttlMs: 10 * 24 * HOUR_MS });
  await kit.end();
  kit.clock.shift(20 * 24 * HOUR_MS);
  store = await kit.store({}, vfs);
  expect(store.ttlSync('k')).toBe(3 * 24 * HOUR_MS);
  kit.clock.shift(-20 * 24 * HOUR_MS);
});

test('what is not in tables yet is told of as what the write-ahead log takes', async () => {
  const store = await kit.store();
  await store.set('k', 'v'.repeat(10_000));
  const { bytes } = await store.stats();
  expect(bytes.disk).toBe(0);
  expect(bytes.log).toBeGreaterThan(10_000);
});
