/** Keyv's own test suite over `varve/keyv`, and what it does not ask for. */

import { gunzipSync, gzipSync } from 'node:zlib';
import { keyvApiTests, keyvIteratorTests, keyvNamespaceTest, keyvValueTests } from '@keyv/test-suite';
import { Keyv } from 'keyv';
import * as vitest from 'vitest';
import { createRuntime, type Database, open, type Runtime } from '../../src/index.ts';
import { KeyvVarve } from '../../src/keyv/keyv.ts';
import { createMemoryVfs } from '../../src/vfs/memory.ts';

const { afterAll, beforeAll, describe, expect, test } = vitest;
let runtime: Runtime;
let database: Database;
let storage: KeyvVarve;

beforeAll(async () => {
  runtime = createRuntime({ memoryBytes: 32 * 1024 * 1024, threads: 1 });
  database = await open('/keyv', { runtime, vfs: createMemoryVfs() });
  storage = new KeyvVarve(database);
});

afterAll(async () => {
  await database.close();
  expect(runtime.memory.slabs.inUse()).toEqual([]);
  await runtime.close();
});

// Keyv tells a storage its namespace, so each has one of its own.
const store = (): KeyvVarve => new KeyvVarve(database);

for (const [name, suite] of Object.entries({
  api: keyvApiTests,
  values: keyvValueTests,
  namespaces: keyvNamespaceTest,
  iterator: keyvIteratorTests,
}))
  describe(`Keyv's suite: ${name}`, () => {
    suite(vitest, Keyv, store);
  });

describe('varve/keyv', () => {
  test('keeps what Keyv has compressed', async () => {
    const compression = {
      compress: (value: unknown) => gzipSync(JSON.stringify(value)).toString('base64'),
      decompress: (value: string) =>
        JSON.parse(gunzipSync(Buffer.from(value, 'base64')).toString()) as unknown,
    };
    const keyv = new Keyv({ store: storage, compression, namespace: 'zip' });
    const value = { text: 'again '.repeat(1000) };
    await keyv.set('a', value);
    expect(await keyv.get('a')).toEqual(value);
    const raw = await (await database.kv('keyv', { values: 'utf8' })).get('zip:a');
    expect(raw?.length).toBeLessThan(500);
  });

  test('sets, gets and deletes many at once, each with its own time to live', async () => {
    const keyv = new Keyv({ store: storage, namespace: 'many' });
    await keyv.setMany([
      { key: 'a', value: 1 },
      { key: 'b', value: 2, ttl: 60_000 },
      { key: 'c', value: 3, ttl: 60_000 },
    ]);
    expect(await keyv.getMany(['a', 'b', 'x', 'c'])).toEqual([1, 2, undefined, 3]);
    const inner = await database.kv('keyv', { values: 'utf8' });
    expect(await inner.ttl('many:a')).toBe(Number.POSITIVE_INFINITY);
    expect(await inner.ttl('many:b')).toBeGreaterThan(30_000);
    expect(await keyv.hasMany(['a', 'x'])).toEqual([true, false]);
    expect(await keyv.deleteMany(['a', 'x'])).toBe(true);
    expect(await keyv.deleteMany(['a', 'x'])).toBe(false);
  });

  test('has a directory for itself until it is disconnected, and finds everything again', async () => {
    const vfs = createMemoryVfs();
    const first = await open('/other', { runtime, vfs });
    const one = new KeyvVarve(first, { name: 'mine' });
    await one.set('k', 'v');
    await one.disconnect();
    expect(await one.get('k')).toBe('v');
    await first.close();
    expect(() => new KeyvVarve('')).toThrow(TypeError);
    expect(() => new KeyvVarve('x', { stor: 1 } as object)).toThrow(/no option stor/);
    await expect(one.get('k')).rejects.toThrow(/closed/);
    await expect(storage.set('k', { an: 'object' })).rejects.toThrow('a value must be a string, not object');
  });
});
