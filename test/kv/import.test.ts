/** Imports that are larger than one write: whole or not at all, for readers and after a crash. */

import { expect, test } from 'vitest';
import { codecOf } from '../../src/kv/codecs.ts';
import { importLines } from '../../src/kv/import.ts';
import { coreOf, type KvStore } from '../../src/kv/store.ts';
import { CrashVfs } from '../../src/testing/crash.ts';
import { createMemoryVfs } from '../../src/vfs/memory.ts';
import { settle } from '../kit/clock.ts';
import { useKvKit } from '../kit/kv-kit.ts';

const kit = useKvKit();
const COUNT = 40;
const PIECE_BYTES = 600;
const value = 'v'.repeat(50);

function* lines(last?: string): Generator<string> {
  for (let i = 0; i < COUNT; i++) yield JSON.stringify({ key: `k${i}`, value: `${i} ${value}` });
  if (last !== undefined) yield last;
}

/** Imports in small pieces. */
function importInto(store: KvStore<string, string, string>, from: Iterable<string>): Promise<number> {
  return importLines(coreOf(store), codecOf('utf8'), from, {}, PIECE_BYTES);
}

test('an import in pieces is seen by nobody before all of it is there', async () => {
  const vfs = createMemoryVfs();
  const db = await kit.open(vfs);
  const store = await db.kv('s', { values: 'utf8' });
  await store.set('k0', 'old');
  await expect(importInto(store, lines('no JSON'))).rejects.toThrow(/^line 41: /);
  expect([...store.entries()]).toEqual([['k0', 'old']]);
  // Of two with the same key, the last counts.
  const last = JSON.stringify({ key: 'k1', value: 'last', expiresAt: kit.clock.now() + 5000 });
  const written: Promise<unknown>[] = [];
  const seen = new Set<number>();
  let isDone = false;
  const both = Promise.all([importInto(store, lines(last)), importInto(store, lines(last))]);
  void both.finally(() => {
    isDone = true;
  });
  while (!isDone) {
    seen.add([...store.keys({ prefix: 'k' })].length);
    written.push(store.increment('n'));
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(await both).toEqual([COUNT + 1, COUNT + 1]);
  await Promise.all(written);
  expect([...seen].filter((keys) => keys !== 1 && keys !== COUNT)).toEqual([]);
  expect(await store.count({ prefix: 'k' })).toBe(COUNT);
  expect(await store.get('n')).toBe(String(written.length));
  expect([await store.get('k1'), await store.get('k0'), await store.ttl('k1')]).toEqual([
    'last',
    `0 ${value}`,
    5000,
  ]);
  expect([...(await db.tree('kvtime.s')).keys()]).toHaveLength(1);
  await db.close();
  expect(await (await kit.store({}, vfs)).count({ prefix: 'k' })).toBe(COUNT);
});

test('an import that has happened is finished after a crash, and one that has not is removed', async () => {
  const found: number[] = [];
  for (let at = 24; ; at += 5) {
    const machine = new CrashVfs({
      onOperation: (index) => {
        if (index >= at) throw new Error('power');
      },
    });
    const run = async (): Promise<void> => {
      const store = await (await kit.open(machine)).kv('s', { values: 'utf8' });
      await store.set('old', '1');
      await importInto(store, lines());
    };
    await run().catch(() => undefined);
    if (!machine.stopped) break;
    await settle(3);
    for (const plan of machine.enumerateCrashes(1)) {
      const db = await kit.open(machine.crash(plan));
      const store = await db.kv('s', { values: 'utf8' });
      found.push(await store.count());
      const leftovers = [...(await db.tree('kvtime.s')).keys({ gte: Uint8Array.of(2) })];
      expect(leftovers).toEqual([]);
    }
    await kit.end();
  }
  expect([...new Set(found.filter((keys) => keys > 1))]).toEqual([COUNT + 1]);
  expect(found).toContain(1);
});

test('an import is refused where a line is no text, no UTF-8, or no Base64, and says which', async () => {
  const db = await kit.open();
  const store = await db.kv('s', { values: 'utf8' });
  const refused: [unknown, RegExp][] = [
    [undefined, /^lines must be an iterable of strings, not undefined$/],
    ['{"key":"a","value":"b"}', /^lines must be an iterable of strings, not string$/],
    [[5], /^line 1: it must be a string, not number$/],
    [['', '{"key":"a","valueBase64":"/wA="}'], /^line 2: it has a value that is no UTF-8$/],
    [['{"key":"a\\ud800","value":"b"}'], /^line 1: it has half of a surrogate pair/],
    [['{"key":"a","value":"\\udc00"}'], /^line 1: it has half of a surrogate pair/],
    [['{"keyBase64":"A","value":"b"}'], /^line 1: it has Base64 that is none$/],
    [['{"keyBase64":"AB==","value":"b"}'], /^line 1: it has Base64 that is none$/],
  ];
  for (const [lines, message] of refused)
    await expect(store.importLines(lines as string[])).rejects.toThrow(message);
  expect(await store.count()).toBe(0);
  expect(await store.importLines(['{"keyBase64":"YQ","valueBase64":"YmM="}'])).toBe(1);
  expect(store.getSync('a')).toBe('bc');
});
