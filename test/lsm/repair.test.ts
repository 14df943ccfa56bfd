/** Trees that are damaged: what a repair makes of them, and what it says is lost. */

import { afterEach, describe, expect, test } from 'vitest';
import { open } from '../../src/open.ts';
import { type RepairReport, repair } from '../../src/repair.ts';
import { createRuntime } from '../../src/runtime.ts';
import { createMemoryVfs } from '../../src/vfs/memory.ts';
import type { Vfs } from '../../src/vfs/vfs.ts';
import { damageFile, failureCode, fileBytes, tree as filesOf } from '../kit/log-kit.ts';
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
});
