/** Stores of keys: what is set, got, conditional, counted and told. */

import { describe, expect, test } from 'vitest';
import { createFaultVfs, type FaultRule } from '../../src/testing/fault.ts';
import { createMemoryVfs } from '../../src/vfs/memory.ts';
import { useKvKit } from '../kit/kv-kit.ts';
import { failureCode } from '../kit/log-kit.ts';

const kit = useKvKit();

/** Some turns of the event loop: what a disk takes that is slower than a promise. */
async function turns(): Promise<void> {
  for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve));
}

describe('a store', () => {
  test('keeps bytes, strings or JSON, as it was made with', async () => {
    const vfs = createMemoryVfs();
    let db = await kit.open(vfs);
    const bytes = await db.kv('bytes');
    const text = await db.kv('text', { values: 'utf8' });
    const json = await db.kv('json', { values: 'json', keys: 'bytes' });
    await bytes.set('k', Uint8Array.of(0, 255));
    await bytes.set(Uint8Array.of(0), 'text');
    await text.set('ключ', 'значение');
    await json.set('k', { a: [1, null, 'x'] });
    await db.close();
    db = await kit.open(vfs);
    expect(await db.kvNames()).toEqual(['bytes', 'json', 'text']);
    expect(await (await db.kv('bytes')).get('k')).toEqual(Buffer.of(0, 255));
    expect((await db.kv('bytes')).getSync('\0')?.toString()).toBe('text');
    expect([...(await db.kv('text', { values: 'utf8' })).entries()]).toEqual([['ключ', 'значение']]);
    const again = await db.kv('json', { values: 'stored', keys: 'bytes' });
    expect(again.values).toBe('json');
    expect([...again.entries()]).toEqual([[Buffer.from('k'), { a: [1, null, 'x'] }]]);
    await expect(db.kv('json')).rejects.toThrow('the values of the store json are json, not bytes');
    await expect(db.kv('../x')).rejects.toThrow(RangeError);
    await expect(db.kv('text', { values: 'stored', maxBytes: 7 })).rejects.toThrow(/another maxBytes/);
    await expect(db.kv('new', { eviction: 'allkeys-lru' })).rejects.toThrow('eviction needs maxBytes');
  });

  test('has the empty key and keys of zero bytes, in their order', async () => {
    const db = await kit.open();
    const store = await db.kv('s', { keys: 'bytes' });
    const keys = ['', '00', '0000', '0001', '01', '0100', 'ff'].map((hex) => Buffer.from(hex, 'hex'));
    for (const key of [...keys].reverse()) await store.set(key, key);
    expect([...store.entries()]).toEqual(keys.map((key) => [key, key]));
    expect([...store.keys({ gt: keys[0]!, lt: keys[4]! })]).toEqual(keys.slice(1, 4));
    expect([...store.keys({ prefix: keys[1]! })]).toEqual(keys.slice(1, 4));
    expect([...store.keys({ prefix: '' })]).toEqual(keys);
    expect(await store.delete('')).toBe(true);
    expect([...store.keys({ limit: 1 })]).toEqual([keys[1]]);
    await expect(store.set(Buffer.alloc(65_526), 'v')).rejects.toThrow('at most 65525 bytes, not 65526');
    await store.set(Buffer.alloc(65_525, 1), 'v', { ttlMs: 100_000 });
    expect(await store.count()).toBe(7);
  });

  test('sets on conditions, and takes versions for them', async () => {
    const store = await kit.store();
    const first = await store.set('k', 'a', { ifAbsent: true });
    expect(await store.set('k', 'b', { ifAbsent: true })).toBeUndefined();
    expect(await store.set('x', 'b', { ifPresent: true })).toBeUndefined();
    expect(store.getEntrySync('k')).toEqual({ value: 'a', version: first, expiresAt: undefined });
    const second = await store.set('k', 'c', { ifVersion: first! });
    expect(second).toBeGreaterThan(first!);
    expect(await store.set('k', 'd', { ifVersion: first! })).toBeUndefined();
    expect(await store.set('k', 'd', { ifPresent: true, ttlMs: 1000 })).toBeGreaterThan(second!);
    expect(await store.set('k', 'e', { keepTtl: true })).toBeDefined();
    expect(await store.ttl('k')).toBe(1000);
    await store.set('k', 'f');
    expect(await store.ttl('k')).toBe(Infinity);
    await expect(store.set('k', 'v', { ifAbsent: true, ifPresent: true })).rejects.toThrow(TypeError);
    await expect(store.set('k', 'v', { ttlMs: 0 })).rejects.toThrow(RangeError);
    await expect(store.set('k', 'v', { ttlMs: 1, expiresAt: 1 })).rejects.toThrow(TypeError);
    await expect(store.set('k', 'v', { ttl: 1 } as object)).rejects.toThrow(/no option ttl/);
    await expect(store.set('k', 7 as unknown as string)).rejects.toThrow('a value must be a string');
    expect(store.getSync('k')).toBe('f');
  });

  test('lets callers that try again and again come to an end', async () => {
    // A disk that takes its time: what was accepted is not to be read for a while.
    const store = await kit.store(
      {},
      createFaultVfs(createMemoryVfs(), [{ operation: 'datasync', delay: turns }]),
    );
    await store.set('n', '0');
    let tries = 0;
    const add = async (): Promise<void> => {
      for (;;) {
        if (++tries > 1000) throw new Error('nobody gets on');
        const { value, version } = (await store.getEntry('n')) as { value: string; version: number };
        if ((await store.set('n', `${Number(value) + 1}`, { ifVersion: version })) !== undefined) return;
      }
    };
    await Promise.all([add(), add(), add()]);
    expect(store.getSync('n')).toBe('3');
    await store.set('lock', 'x');
    let isFree = false;
    setImmediate(() => {
      isFree = true;
      void store.delete('lock');
    });
    tries = 0;
    while ((await store.set('lock', 'y', { ifAbsent: true, durability: 'accepted' })) === undefined)
      if (++tries > 1000) throw new Error('the one who has the lock never gets a turn');
    expect(isFree).toBe(true);
  });

  test('answers that a condition does not hold when what it has seen is durable, or fails with it', async () => {
    const rules: FaultRule[] = [];
    const store = await kit.store({}, createFaultVfs(createMemoryVfs(), rules));
    const attempts = [];
    for (let i = 0; i < 6; i++) {
      if (i === 3) rules.push({ operation: 'datasync', error: 'EIO' });
      const isSet = store.set(`k${i}`, 'a').then(() => true);
      const isThere = store.set(`k${i}`, 'b', { ifAbsent: true }).then((version) => version === undefined);
      attempts.push(await Promise.all([isSet.catch(() => false), isThere.catch(() => false)]));
    }
    expect(attempts[0]).toEqual([true, true]);
    expect(attempts.at(-1)).toEqual([false, false]);
    for (const [isSet, isThere] of attempts) expect(isThere).toBe(isSet);
  });

  test('takes no list, prefix or pair that is none, and then does nothing', async () => {
    const store = await kit.store();
    await store.setMany(['a', 'b', 'se', 's'].map((key) => [key, key] as const));
    const wrong = (value: unknown): never => value as never;
    for (const prefix of [5, [], {}, null]) {
      await expect(store.clear({ prefix: wrong(prefix) })).rejects.toThrow('a key must be bytes or a string');
      expect(() => store.scan(wrong(prefix))).toThrow(TypeError);
      expect(() => [...store.entries({ prefix: wrong(prefix) })]).toThrow(TypeError);
    }
    expect(() => store.scan(wrong(undefined))).toThrow(TypeError);
    for (const range of [5, [], '', null]) await expect(store.clear(wrong(range))).rejects.toThrow(TypeError);
    for (const name of ['prefix', 'gte'])
      await expect(store.clear({ [name]: undefined })).rejects.toThrow(`${name} must be bytes or a string`);
    for (const keys of ['se', { a: 1 }, 5, new Set(['a'])])
      await expect(store.deleteMany(wrong(keys))).rejects.toThrow('keys must be an array');
    const none = (async function* () {})();
    for (const entries of [{ a: 'x' }, 5, null, none, 'ab'])
      await expect(store.setMany(wrong(entries))).rejects.toThrow('entries must be an iterable');
    for (const entry of ['ab', ['a'], 5])
      await expect(store.setMany(wrong([['n', '1'], entry]))).rejects.toThrow(
        'an entry must be [key, value]',
      );
    expect([...store.keys()]).toEqual(['a', 'b', 's', 'se']);
  });

  test('lets one of many win that want the same, and loses no increment', async () => {
    const store = await kit.store();
    const version = await store.set('k', 'start');
    const writers = Array.from({ length: 64 }, (_, i) => store.set('k', `${i}`, { ifVersion: version! }));
    const won = (await Promise.all(writers)).filter((one) => one !== undefined);
    expect(won).toHaveLength(1);
    expect(await store.get('k')).toBe('0');
    const first = Array.from({ length: 64 }, (_, i) => store.set('once', `${i}`, { ifAbsent: true }));
    expect((await Promise.all(first)).filter((one) => one !== undefined)).toHaveLength(1);
    const sums = await Promise.all(Array.from({ length: 64 }, () => store.increment('n', 2)));
    expect(sums).toEqual(Array.from({ length: 64 }, (_, i) => 2 * (i + 1)));
    const deleted = await Promise.all([store.delete('n'), store.delete('n'), store.increment('n')]);
    expect(deleted).toEqual([true, false, 1]);
  });

  test('adds to numbers, and says what is none', async () => {
    const store = await kit.store();
    expect(await store.increment('n', 5, { ttlMs: 5000 })).toBe(5);
    expect(await store.increment('n', -7, { ttlMs: 9000 })).toBe(-2);
    expect(await store.ttl('n')).toBe(5000);
    expect(store.getSync('n')).toBe('-2');
    await store.set('n', '1.5');
    await expect(store.increment('n')).rejects.toThrow(RangeError);
    await store.set('n', String(Number.MAX_SAFE_INTEGER));
    await expect(store.increment('n')).rejects.toThrow(RangeError);
    expect(store.getSync('n')).toBe(String(Number.MAX_SAFE_INTEGER));
  });

  test('reads several keys, ranges and snapshots', async () => {
    const store = await kit.store();
    await store.setMany(['a1', 'a2', 'b1', 'b2', 'c'].map((key) => [key, key.toUpperCase()]));
    expect(await store.getMany(['c', 'x', 'a1'])).toEqual(['C', undefined, 'A1']);
    expect([...store.scan('a')]).toEqual([
      ['a1', 'A1'],
      ['a2', 'A2'],
    ]);
    expect([...store.keys({ gte: 'a2', lt: 'c', reverse: true, limit: 2 })]).toEqual(['b2', 'b1']);
    const snapshot = store.snapshot();
    await store.clear({ prefix: 'a' });
    await store.set('b1', 'new');
    expect([...store.keys()]).toEqual(['b1', 'b2', 'c']);
    expect(store.getSync('b1', { snapshot })).toBe('B1');
    expect([...store.keys({ snapshot })]).toEqual(['a1', 'a2', 'b1', 'b2', 'c']);
    snapshot.close();
    expect(() => store.getSync('b1', { snapshot })).toThrow('the snapshot is closed');
    expect(await store.count({ prefix: 'b' })).toBe(2);
    expect(await store.deleteMany(['b1', 'b2', 'b1', 'x'])).toBe(2);
    await store.clear();
    expect(await store.count()).toBe(0);
    expect([await store.has('c'), store.hasSync('c')]).toEqual([false, false]);
    const { hits, misses, keys, expired, evicted } = await store.stats();
    expect({ hits, misses, keys, expired, evicted }).toEqual({
      hits: 3,
      misses: 3,
      keys: 0,
      expired: 0,
      evicted: 0,
    });
  });

  test('deletes with clear what was accepted before, and not what comes behind', async () => {
    const store = await kit.store();
    const before = store.set('a', '1');
    const cleared = store.clear();
    const after = store.set('b', '2');
    await Promise.all([before, cleared, after]);
    expect([...store.keys()]).toEqual(['b']);
  });

  test('tells its changes', async () => {
    const store = await kit.store();
    const from = (await store.set('a', '1'))!;
    await store.set('b', '2', { expiresAt: kit.clock.now() + 5 });
    await store.delete('a');
    await store.clear();
    const changes = [];
    for await (const change of store.changes({ from })) changes.push(change);
    expect(changes.map((change) => ({ ...change, version: 0 }))).toEqual([
      { type: 'set', version: 0, key: 'a', value: '1', expiresAt: undefined },
      { type: 'set', version: 0, key: 'b', value: '2', expiresAt: kit.clock.now() + 5 },
      { type: 'delete', version: 0, key: 'a' },
      { type: 'clear', version: 0, start: 'b', end: 'b\0' },
    ]);
    const stop = new AbortController();
    const followed = store.changes({ from, follow: true, signal: stop.signal });
    for (let i = 0; i < 4; i++) await followed.next();
    const waiting = followed.next();
    await store.set('new', 'one');
    expect((await waiting).value).toMatchObject({ type: 'set', key: 'new' });
    stop.abort(new Error('enough'));
    await expect(followed.next()).rejects.toThrow('enough');
  });

  test('goes out as lines of JSON, and comes in as a whole or not at all', async () => {
    const store = await kit.store();
    const expiresAt = kit.clock.now() + 1000;
    await store.set('a"b', 'x\ny');
    await store.set(Uint8Array.of(0xff), 'odd', { expiresAt });
    const lines = [...store.exportLines()];
    expect(lines).toEqual([
      '{"key":"a\\"b","value":"x\\ny"}',
      `{"keyBase64":"/w==","value":"odd","expiresAt":${expiresAt}}`,
    ]);
    const other = await kit.store();
    await other.set('old', 'kept');
    expect(await other.importLines([...lines, ''])).toBe(2);
    expect([...other.entriesWithExpiry()].map(([, value, at]) => [value, at])).toEqual([
      ['x\ny', undefined],
      ['kept', undefined],
      ['odd', expiresAt],
    ]);
    const wrong = [
      '{"key":"n"}',
      '{"value":"v"}',
      'null',
      '{',
      '{"key":"n","value":7}',
      '{"key":"n","value":"v","ttl":1}',
      '{"key":"n","valueBase64":"?"}',
    ];
    for (const line of wrong)
      await expect(other.importLines(['{"key":"m","value":"1"}', line])).rejects.toThrow(/^line 2: /);
    expect(await other.has('m')).toBe(false);
    await kit.clock.advance(1001);
    expect(await other.importLines(lines)).toBe(1);
    const raw = await (await kit.open()).kv('b');
    expect(await raw.importLines(['{"key":"k","valueBase64":"AP8="}'])).toBe(1);
    expect([...raw.exportLines()]).toEqual(['{"key":"k","valueBase64":"AP8="}']);
  });

  test('is read beside nobody, and says what it cannot do then', async () => {
    const vfs = createMemoryVfs();
    const db = await kit.open(vfs);
    await (await db.kv('s', { values: 'utf8' })).set('a', '1', { ttlMs: 1000 });
    await db.close();
    const reader = await kit.open(vfs, true);
    const store = await reader.kv('s', { values: 'stored' });
    expect(await store.get('a')).toBe('1');
    expect(await failureCode(store.set('a', '2'))).toBe('READ_ONLY');
    expect(await failureCode(store.sweep())).toBe('READ_ONLY');
    expect(await failureCode(reader.kv('t'))).toBe('NOT_FOUND');
    await kit.clock.advance(1000);
    expect(await store.get('a')).toBeUndefined();
  });

  test('says when it is closed', async () => {
    const db = await kit.open();
    const store = await db.kv('s');
    await db.close();
    expect(store.isClosed).toBe(true);
    expect(await failureCode(store.get('a'))).toBe('CLOSED');
    expect(await failureCode(store.set('a', 'b'))).toBe('CLOSED');
    expect(() => store.entries()).toThrow(/is closed/);
  });
});
