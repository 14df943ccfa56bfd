/** What `varve/level` does beyond what abstract-level's own suite asks for. */

import { expect, test } from 'vitest';
import { VarveLevel } from '../../src/level/level.ts';
import { createMemoryVfs } from '../../src/vfs/memory.ts';
import { useKvKit } from '../kit/kv-kit.ts';

const kit = useKvKit();

test('entries may be put with a time to live, and are gone when it is over', async () => {
  const level = new VarveLevel('/level', { runtime: kit.runtime, vfs: createMemoryVfs() });
  await level.put('a', '1', { ttlMs: 100, sync: true });
  await level.batch([{ type: 'put', key: 'b', value: '2' }]);
  expect([level.getSync('a'), await level.get('b')]).toEqual(['1', '2']);
  await kit.clock.advance(100);
  expect([level.getSync('a'), await level.get('a'), await level.has('a')]).toEqual([
    undefined,
    undefined,
    false,
  ]);
  expect(await level.keys().all()).toEqual(['b']);
  await level.del('b', { sync: true });
  expect(await level.iterator().all()).toEqual([]);
  await level.close();
});

test('it is a store of a database that is open, which stays open', async () => {
  const db = await kit.open();
  const level = new VarveLevel<string, object>(db, { name: 'mine', valueEncoding: 'json' });
  await level.put('k', { a: 1 });
  const sub = level.sublevel('s');
  await sub.put('x', 'y');
  await level.close();
  const store = await db.kv('mine');
  expect([...store.entries()].map(([key, value]) => [key, value.toString()])).toEqual([
    ['!s!x', 'y'],
    ['k', '{"a":1}'],
  ]);
  expect(() => new VarveLevel('')).toThrow(TypeError);
  const missing = new VarveLevel(db, { name: 'none', createIfMissing: false });
  await expect(missing.open()).rejects.toMatchObject({ code: 'LEVEL_DATABASE_NOT_OPEN' });
});
