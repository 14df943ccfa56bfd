/** Trees that are damaged: what a repair makes of them, and what it says is lost. */

import { afterEach, describe, expect, test } from 'vitest';
import type { Part } from '../../src/lsm/table/format.ts';
import { readEnd, readParts } from '../../src/lsm/table/open-table.ts';
import { open } from '../../src/open.ts';
import { type RepairReport, repair } from '../../src/repair.ts';
import { createRuntime } from '../../src/runtime.ts';
import { createFaultVfs } from '../../src/testing/fault.ts';
import { createMemoryVfs } from '../../src/vfs/memory.ts';
import type { Vfs } from '../../src/vfs/vfs.ts';
import { damageFile, failureCode, fileBytes, tree as filesOf, putFile } from '../kit/log-kit.ts';
import { createRandom } from '../kit/random.ts';

const runtime = createRuntime({ memoryBytes: 64 * 1024 * 1024, threads: 1 });
const OPTIONS = { memtableBytes: 65_536, tableBytes: 32_768, blockBytes: 1024 };

afterEach(() => expect(runtime.memory.slabs.inUse()).toEqual([]));

type Contents = Record<string, string[]>;

async function contentsOf(vfs: Vfs): Promise<Contents> {
  const db = await open('/db', { runtime, vfs });
  try {
    const contents: Contents = {};
    for (const name of await db.treeNames())
      contents[name] = [...(await db.tree(name)).entries()].map(([key, value]) => `${key}=${value}`);
    return contents;
  } finally {
    await db.close();
  }
}

/** A database whose trees have tables on several levels, deletions, ranges, and something in the log only. */
async function made(): Promise<{ vfs: Vfs; contents: Contents }> {
  const vfs = createMemoryVfs();
  await vfs.mkdir('/db');
  const db = await open('/db', { runtime, vfs });
  const random = createRandom(4);
  const [one, two] = [await db.tree('one', OPTIONS), await db.tree('two', OPTIONS)];
  for (let round = 0; round < 8; round++) {
    const batch = db.batch();
    for (let i = 0; i < 120; i++) {
      const key = `key ${String(random.int(0, 400)).padStart(4, '0')}`;
      if (random.chance(0.2)) batch.delete(one, key);
      else batch.put(one, key, `${round}`.padEnd(200, '.'));
      batch.put(two, `${key} ${i}`, `${round}`);
    }
    await batch.write();
    if (round === 4) await one.deleteRange('key 0100', 'key 0150');
    if (round < 7) await one.flush();
    if (round % 3 === 0) await two.flush();
  }
  await two.put('last', 'in the log');
  await db.close();
  return { vfs, contents: await contentsOf(vfs) };
}

async function names(vfs: Vfs, path: string): Promise<string[]> {
  return (await vfs.readdir(path)).filter((name) => /\.(table|log)$/.test(name));
}

async function repaired(vfs: Vfs): Promise<RepairReport> {
  const before = await filesOf(vfs, '/db');
  const planned = await repair('/db', { runtime, vfs, dryRun: true });
  expect([...(await filesOf(vfs, '/db'))]).toEqual([...before]);
  const report = await repair('/db', { runtime, vfs });
  expect(planned.isClean).toBe(report.isClean);
  expect(planned.trees?.lost).toEqual(report.trees?.lost);
  expect(planned.trees?.lostWrites).toEqual(report.trees?.lostWrites);
  expect(planned.trees?.problems).toEqual(report.trees?.problems);
  const kinds = (of: RepairReport): unknown => of.trees?.actions.map(({ kind, file }) => [kind, file]);
  expect(kinds(planned)).toEqual(kinds(report));
  const again = await repair('/db', { runtime, vfs });
  expect(again).toMatchObject({ isClean: true });
  return report;
}

describe('a repair of trees', () => {
  test('finds nothing to do where nothing is wrong', async () => {
    const { vfs, contents } = await made();
    const before = await filesOf(vfs, '/db');
    expect(await repair('/db', { runtime, vfs })).toMatchObject({ isClean: true, trees: { lost: [] } });
    expect([...(await filesOf(vfs, '/db'))]).toEqual([...before]);
    expect(await contentsOf(vfs)).toEqual(contents);
  });

  test('makes a manifest anew that is damaged or gone: every entry is as it was', async () => {
    for (const isGone of [false, true]) {
      const { vfs, contents } = await made();
      for (const name of await vfs.readdir('/db/manifest')) {
        const path = `/db/manifest/${name}`;
        if (isGone) await vfs.remove(path);
        else if (name.endsWith('.log')) await damageFile(vfs, path, 200);
      }
      expect(await failureCode(open('/db', { runtime, vfs }).then(closingTree))).toBe('CORRUPT');
      const report = await repaired(vfs);
      expect(report.isClean).toBe(false);
      expect(report.trees?.lost).toEqual([]);
      expect(await contentsOf(vfs)).toEqual(contents);
      if (!isGone) expect((await names(vfs, '/db/manifest/quarantine')).length).toBe(1);
      // And it goes on.
      const db = await open('/db', { runtime, vfs });
      await (await db.tree('one')).put('key', 'new');
      await (await db.tree('three')).put('key', 'new');
      await (await db.tree('one')).compact();
      expect((await db.verify({ deep: true })).isClean).toBe(true);
      await db.close();
    }
  });

  async function closingTree(db: Awaited<ReturnType<typeof open>>): Promise<void> {
    try {
      await db.tree('one');
    } finally {
      await db.close();
    }
  }

  test('sets a damaged table aside, and says which keys are lost; the others stay', async () => {
    const { vfs, contents } = await made();
    const [table] = (await names(vfs, '/db/trees/one')) as [string];
    await damageFile(vfs, `/db/trees/one/${table}`, 300);
    const report = await repaired(vfs);
    const [lost] = report.trees?.lost ?? [];
    expect(report.trees?.lost.length).toBe(1);
    expect(lost?.tree).toBe('one');
    expect(report.trees?.problems.some(({ message }) => message.includes(`"${lost?.from}"`))).toBe(true);
    expect(await names(vfs, '/db/trees/one/quarantine')).toEqual([table]);
    const after = await contentsOf(vfs);
    expect(after['two']).toEqual(contents['two']);
    const isIn = (entry: string): boolean =>
      entry.slice(0, 8) >= String(lost?.from) && entry.slice(0, 8) <= String(lost?.to);
    expect(after['one']?.filter((entry) => !isIn(entry))).toEqual(
      contents['one']?.filter((entry) => !isIn(entry)),
    );
  });

  /** A tree of one table, not on level 0, and its keys. */
  async function madeOne(): Promise<{ vfs: Vfs; path: string; keys: string[] }> {
    const vfs = createMemoryVfs();
    await vfs.mkdir('/db');
    const db = await open('/db', { runtime, vfs });
    const tree = await db.tree('one', { ...OPTIONS, tableBytes: 1024 * 1024 });
    const batch = db.batch();
    const keys = Array.from({ length: 600 }, (_, i) => `key ${String(i).padStart(4, '0')}`);
    for (const key of keys) batch.put(tree, key, key.padEnd(100, '.'));
    await batch.write();
    await tree.deleteRange('key 0590', 'key 0595');
    await tree.flush();
    await tree.compact();
    await db.close();
    const [name, ...others] = await names(vfs, '/db/trees/one');
    expect(others).toEqual([]);
    return {
      vfs,
      path: `/db/trees/one/${name}`,
      keys: keys.filter((key) => key < 'key 0590' || key >= 'key 0595'),
    };
  }

  /** The keys that are there, each of which has its value. */
  async function keysOf(vfs: Vfs): Promise<string[]> {
    const entries = (await contentsOf(vfs))['one']?.map((entry) => entry.split('=')) as [string, string][];
    for (const [key, value] of entries) expect(value).toBe(key.padEnd(100, '.'));
    return entries.map(([key]) => key);
  }

  test.each([false, true])(
    'keeps the whole blocks of a damaged table (manifest lost: %s)',
    async (isLost) => {
      const { vfs, path, keys } = await madeOne();
      for (const position of [10_000, 40_000]) await damageFile(vfs, path, position);
      if (isLost)
        for (const name of await vfs.readdir('/db/manifest')) await vfs.remove(`/db/manifest/${name}`);
      const { trees } = await repaired(vfs);
      expect(trees?.lost.length).toBe(2);
      const isIn = (key: string): boolean =>
        trees?.lost.some(({ from, to }) => key >= String(from) && key <= String(to)) === true;
      const left = keys.filter((key) => !isIn(key));
      expect(left.length).toBeGreaterThan(570);
      expect(left.length).toBeLessThan(keys.length);
      expect(await keysOf(vfs)).toEqual(left);
      expect((await names(vfs, '/db/trees/one/quarantine')).length).toBe(1);
      // And it goes on, where it was.
      const db = await open('/db', { runtime, vfs });
      const tree = await db.tree('one');
      expect(tree.stats().levels.map(({ tables }) => tables)).toEqual([0, 0, 0, 0, 0, 0, 1]);
      await tree.put('key 0091', 'new');
      await tree.compact();
      expect((await db.verify({ deep: true })).isClean).toBe(true);
      await db.close();
    },
  );

  test('loses nothing where only filters are damaged', async () => {
    const { vfs, path, keys } = await madeOne();
    const slab = runtime.memory.slabs.allocate(65_536, 'test');
    const file = await vfs.open(path, 'read');
    const { footer } = readEnd(runtime.memory, file, await file.size(), slab.address);
    const [part] = readParts(runtime.memory, file, footer, slab.address);
    await file.close();
    slab.release();
    await damageFile(vfs, path, (part as Part).filter.position + 20);
    expect((await repaired(vfs)).trees?.lost).toEqual([]);
    expect(await keysOf(vfs)).toEqual(keys);
    // Without the index of its only part, nothing is known of where blocks are.
    const { vfs: other, path: same } = await madeOne();
    await damageFile(other, same, (part as Part).index.position + 20);
    const { trees } = await repaired(other);
    expect(trees?.lost.map(({ from, to }) => [`${from}`, `${to}`])).toEqual([['key 0000', 'key 0599']]);
    expect(await keysOf(other)).toEqual([]);
  });

  test('can end anywhere, and be begun anew: no whole block is lost by that', async () => {
    const { vfs: original, path } = await madeOne();
    await damageFile(original, path, 10_000);
    const files = await filesOf(original, '/db');
    const copy = async (): Promise<Vfs> => {
      const vfs = createMemoryVfs();
      for (const [name, bytes] of files) {
        await vfs.mkdir(name.slice(0, name.lastIndexOf('/')));
        await putFile(vfs, name, bytes);
      }
      return vfs;
    };
    const whole = await copy();
    const { trees } = await repair('/db', { runtime, vfs: whole });
    const left = await keysOf(whole);
    for (let skip = 0, isMet = true; isMet; skip += 5) {
      const vfs = await copy();
      const faults = createFaultVfs(vfs, [{ skip, error: 'EIO' }]);
      await repair('/db', { runtime, vfs: faults }).catch((error: unknown) =>
        expect(error).toHaveProperty('code'),
      );
      isMet = faults.injected > 0;
      await repair('/db', { runtime, vfs });
      expect([skip, await keysOf(vfs)]).toEqual([skip, left]);
      expect((await names(vfs, '/db/trees/one/quarantine')).length).toBeGreaterThan(0);
    }
    expect(trees?.lost.length).toBe(1);
  });

  test('with table, manifest and log damaged at once keeps all that is whole', async () => {
    const { vfs, contents } = await made();
    const tables = await names(vfs, '/db/trees/one');
    const bytes = await fileBytes(vfs, `/db/trees/one/${tables[0]}`);
    await damageFile(vfs, `/db/trees/one/${tables[0]}`, bytes.length - 5);
    await damageFile(vfs, `/db/manifest/${(await names(vfs, '/db/manifest'))[0]}`, 100);
    for (const name of await vfs.readdir('/db/wal')) await vfs.remove(`/db/wal/${name}`);
    const report = await repaired(vfs);
    expect(report.trees?.actions.map(({ kind }) => kind)).toContain('rebuilt');
    const after = await contentsOf(vfs);
    expect(after['two']?.length).toBeGreaterThan(500);
    // What the log had is lost, so that values may be older ones; there is no key that there was not.
    const keyOf = (entry: string): string => entry.slice(0, entry.indexOf('='));
    const known = new Set(contents['two']?.map(keyOf));
    expect(after['two']?.every((entry) => known.has(keyOf(entry)))).toBe(true);
    const db = await open('/db', { runtime, vfs });
    const two = await db.tree('two');
    await two.put('last', 'again');
    await two.compact();
    await db.close();
    expect((await contentsOf(vfs))['two']?.at(-1)).toBe('last=again');
  });

  test('says which writes are lost with the write-ahead log, also beforehand', async () => {
    const { vfs, contents } = await made();
    const db = await open('/db', { runtime, vfs });
    const two = await db.tree('two');
    const first = await two.put('later', '1');
    const last = await two.put('latest', '2');
    await db.close();
    const [segment] = (await names(vfs, '/db/wal')) as [string];
    const { length } = await fileBytes(vfs, `/db/wal/${segment}`);
    await damageFile(vfs, `/db/wal/${segment}`, length - 3);
    const report = await repaired(vfs);
    expect(last).toBe(first + 1);
    expect(report.trees?.lostWrites).toEqual([{ first: last, last }]);
    expect((await contentsOf(vfs))['two']?.sort()).toEqual(
      [...(contents['two'] as string[]), 'later=1'].sort(),
    );
    for (const name of await vfs.readdir('/db/wal')) {
      if ((await vfs.stat(`/db/wal/${name}`))?.kind === 'file') await vfs.remove(`/db/wal/${name}`);
    }
    // Nobody knows how much the log had that no table has.
    expect((await repaired(vfs)).trees?.lostWrites).toEqual([{ first: expect.any(Number), last: undefined }]);
  });

  test('sets tables aside that lie in the place of others', async () => {
    const { vfs } = await made();
    const [a, b] = (await names(vfs, '/db/trees/two')).map((name) => `/db/trees/two/${name}`) as [
      string,
      string,
    ];
    await vfs.rename(a, `${a}.kept`);
    await vfs.rename(b, a);
    await vfs.rename(`${a}.kept`, b);
    const db = await open('/db', { runtime, vfs });
    const two = await db.tree('two');
    expect(() => [...two.keys()]).toThrow(/is not the table that the manifest has/);
    expect(await failureCode(two.compact())).toBe('CORRUPT');
    expect((await db.verify()).problems.map(({ file }) => file).sort()).toEqual([a, b]);
    await db.close();
    expect((await repaired(vfs)).trees?.lost.length).toBe(2);
  });
});

describe('a table whose end is damaged, or that is missing', () => {
  test.each(['damaged', 'cut off', 'missing'])('is met by who asks for its keys: %s', async (how) => {
    const { vfs } = await made();
    let db = await open('/db', { runtime, vfs });
    await (await db.tree('one')).compact();
    await (await db.tree('one')).deleteRange('key 0000', 'key 0002');
    const before = [...(await db.tree('one')).keys()].map(String);
    await db.close();
    const tables = (await names(vfs, '/db/trees/one')).map((name) => `/db/trees/one/${name}`);
    expect(tables.length).toBeGreaterThan(1);
    const path = tables.at(-1) as string;
    const bytes = await fileBytes(vfs, path);
    if (how === 'damaged') await damageFile(vfs, path, bytes.length - 9);
    else await vfs.remove(path);
    if (how === 'cut off') await putFile(vfs, path, bytes.subarray(0, 100));
    db = await open('/db', { runtime, vfs });
    const one = await db.tree('one');
    const unread = before.filter((key) => {
      try {
        expect(one.getSync(key)).toBeDefined();
        return false;
      } catch (error) {
        expect(error).toMatchObject({ code: 'CORRUPT', file: path });
        expect(String(error)).toMatch(/keys from "key \d+" to "key \d+" cannot be read/);
        return true;
      }
    });
    expect(unread.length).toBeGreaterThan(10);
    expect(unread).toEqual(before.slice(-unread.length));
    const whole = before.slice(0, -unread.length);
    expect([...one.keys({ lte: whole.at(-1) as string })].map(String)).toEqual(whole);
    expect(() => [...one.keys()]).toThrow(/cannot be read/);
    expect((await db.tree('two')).getSync('last')?.toString()).toBe('in the log');
    // Writes go on, and what is newer than the table is read.
    await one.put(unread[0] as string, 'new');
    await one.flush();
    expect(one.getSync(unread[0] as string)?.toString()).toBe('new');
    expect(await failureCode(one.compact())).toBe('CORRUPT');
    await db.close();
    const strict = await open('/db', { runtime, vfs, recovery: 'absoluteConsistency' });
    expect(['CORRUPT', 'NOT_FOUND']).toContain(await failureCode(strict.tree('one')));
    await strict.close();
    const reader = await open('/db', { runtime, vfs, readOnly: true });
    expect((await reader.tree('one')).getSync(whole[0] as string)).toBeDefined();
    await reader.close();
    expect((await repaired(vfs)).trees?.lost.length).toBe(1);
  });
});
