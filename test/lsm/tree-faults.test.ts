/**
 * The disk fails at every operation of a short life of two trees, once or for good. Whoever was told that a write
 * is safe finds it again; what failed may be there or not, as a whole; nothing is left behind.
 */

import { describe, expect, test } from 'vitest';
import { isVarveError } from '../../src/errors.ts';
import { TreeBatch } from '../../src/lsm/batch.ts';
import type { Tree } from '../../src/lsm/tree.ts';
import type { FaultRule } from '../../src/testing/fault.ts';
import { failureCode, soon } from '../kit/log-kit.ts';
import { type OpenTrees, type TreeDisk, useTreeKit } from '../kit/tree-kit.ts';

const kit = useTreeKit();
const STEPS = 9;
const CODES = ['IO', 'NO_SPACE', 'POISONED', 'CLOSED', 'READ_ONLY'];

const valueOf = (number: number): string => `${number}`.padEnd(300, '.');

/** What a key of both trees may have. */
class Expected {
  readonly #possible: Map<string, Set<string>> = new Map();

  /** A write was acknowledged: nothing else is possible. */
  acknowledged(key: string, value: string): void {
    this.#possible.set(key, new Set([value]));
  }

  /** It failed: nobody knows. */
  failed(key: string, value: string): void {
    const possible = this.#possible.get(key) ?? new Set(['nothing']);
    this.#possible.set(key, possible.add(value));
  }

  async expectIn(open: OpenTrees): Promise<void> {
    const [one, two] = [await open.tree('one'), await open.tree('two')];
    for (const [key, possible] of this.#possible) {
      const value = one.getSync(key)?.toString() ?? 'nothing';
      expect({ key, isPossible: possible.has(value) }).toEqual({ key, isPossible: true });
      expect([key, two.getSync(key)?.toString() ?? 'nothing']).toEqual([key, value]);
    }
    expect([...one.keys()].map(String)).toEqual([...two.keys()].map(String));
  }
}

async function writeStep(
  open: OpenTrees,
  one: Tree,
  two: Tree,
  number: number,
  expected: Expected,
): Promise<void> {
  const batch = new TreeBatch(open.trees);
  const keys = [0, 1, 2].map((i) => `key ${(number * 2 + i) % 8}`);
  for (const key of keys) batch.put(one, key, valueOf(number)).put(two, key, valueOf(number));
  try {
    await batch.write({ durability: 'synced' });
    for (const key of keys) expected.acknowledged(key, valueOf(number));
  } catch (error) {
    for (const key of keys) expected.failed(key, valueOf(number));
    expect(CODES).toContain((error as { code?: string }).code);
  }
}

/** A life that goes on whatever fails. */
async function live(open: OpenTrees, expected: Expected): Promise<void> {
  const tolerate = (promise: Promise<unknown>): Promise<unknown> =>
    promise.catch((error: unknown) => {
      if (!isVarveError(error)) throw error;
      expect(CODES).toContain(error.code);
    });
  let one: Tree;
  let two: Tree;
  try {
    [one, two] = [await open.tree('one'), await open.tree('two')];
  } catch (error) {
    expect(CODES).toContain((error as { code?: string }).code);
    return;
  }
  for (let number = 0; number < STEPS; number++) {
    await writeStep(open, one, two, number, expected);
    if (number % 3 === 2) await tolerate(one.flush());
    if (number === 5) await tolerate(two.flush());
  }
  await tolerate(expected.expectIn(open));
}

async function sweep(make: (at: number) => FaultRule): Promise<number> {
  let faults = 0;
  for (let at = 0; ; at += 2) {
    const disk = await kit.disk([make(at)]);
    const expected = new Expected();
    const open = await kit.open(disk).catch((error: unknown) => {
      expect(CODES).toContain((error as { code?: string }).code);
      return undefined;
    });
    if (open !== undefined) {
      await live(open, expected);
      await open.trees.close().catch(() => undefined);
    }
    const isMet = disk.vfs.injected > 0;
    disk.rules.length = 0;
    const again = await kit.open(disk);
    await expected.expectIn(again).catch((error: unknown) => {
      throw new Error(`fault at operation ${at}: ${JSON.stringify(disk.vfs.trace[at])}`, { cause: error });
    });
    await again.trees.close();
    await kit.end();
    if (!isMet) return faults;
    faults++;
  }
}

describe('trees on a disk that fails', () => {
  test('keep what was acknowledged, where one operation fails', { timeout: 120_000 }, async () => {
    expect(await sweep((at) => ({ at, error: 'EIO' }))).toBeGreaterThan(40);
  });

  test('keep what was acknowledged, where the disk is full from some write on', {
    timeout: 120_000,
  }, async () => {
    const rule = (at: number): FaultRule => ({
      operation: ['write', 'truncate'],
      skip: at,
      error: 'ENOSPC',
      afterBytes: 50,
    });
    expect(await sweep(rule)).toBeGreaterThan(10);
  });

  test('go on by themselves when there is room again', async () => {
    const disk = await kit.disk();
    const open = await kit.open(disk);
    const tree = await open.tree('one', { memtableBytes: 65_536 });
    await tree.put('before', 'value');
    disk.rules.push({ operation: 'write', path: /\.table$/, error: 'ENOSPC' });
    expect(await failureCode(tree.flush())).toBe('NO_SPACE');
    // The log still takes writes, until memtables are full.
    let code = '';
    let written = 0;
    while (code === '' && written < 100) {
      code = await tree.put(`key ${written}`, Buffer.alloc(20_000)).then(
        () => '',
        (error: { code: string }) => error.code,
      );
      written++;
    }
    expect(code).toBe('NO_SPACE');
    expect(tree.getSync('before')?.toString()).toBe('value');
    expect(tree.getSync('key 0')?.length).toBe(20_000);
    disk.rules.length = 0;
    await kit.clock.advance(1000);
    await tree.put('after', 'value');
    expect(tree.stats().levels[0]?.tables).toBeGreaterThan(0);
    expect([...tree.keys()].length).toBe(written - 1 + 2);
  });

  test('close, and flush what is there, after several writes that the disk had no room for', async () => {
    const disk = await kit.disk();
    const open = await kit.open(disk);
    const tree = await open.tree('one');
    // More than what a tree leaves in the log when it is closed.
    for (let i = 0; i < 4; i++) await tree.put(`kept ${i}`, Buffer.alloc(400_000, i));
    disk.rules.push({ operation: 'write', path: /\/wal\//, error: 'ENOSPC' });
    const errors = [];
    for (let i = 0; i < 3; i++)
      errors.push(await tree.put('lost', `${i}`).catch((error: Error) => [error.name, error.message]));
    // Each is told of itself, and of nothing that only the log knows.
    expect(errors[0]).toEqual(['VarveError', expect.stringMatching(/^cannot write .*ENOSPC/)]);
    expect(new Set(errors.map(String)).size).toBe(1);
    // Closing begins while one more is on its way.
    const last = failureCode(tree.put('lost', 'not the last one'));
    const closed = open.trees.close();
    expect(await last).toBe('NO_SPACE');
    await soon(closed, 'the database never closes');
    disk.rules.length = 0;
    const again = await (await kit.open(disk)).tree('one');
    expect([...again.keys()].map(String)).toEqual(['kept 0', 'kept 1', 'kept 2', 'kept 3']);
  });

  test('tell of a write that works that it does, though the one before it failed', async () => {
    const disk = await kit.disk();
    const tree = await (await kit.open(disk)).tree('one');
    disk.rules.push({ operation: 'write', path: /\/wal\//, error: 'ENOSPC' });
    expect(await failureCode(tree.put('a', '1'))).toBe('NO_SPACE');
    disk.rules.length = 0;
    await tree.put('b', '2');
    expect([...tree.entries()].map(String)).toEqual(['b,2']);
  });

  test('are read where a table is damaged, but for what lies there', async () => {
    const disk: TreeDisk = await kit.disk();
    const open = await kit.open(disk);
    const tree = await open.tree();
    for (let i = 0; i < 100; i++) await tree.put(`a${String(i).padStart(3, '0')}`, Buffer.alloc(400, i));
    await tree.flush();
    await open.trees.close();
    disk.rules.push({ operation: 'read', path: /\.table$/, flip: { position: 6000 } });
    const again = await kit.open(disk);
    const damaged = await again.tree();
    const codes = await Promise.all(
      Array.from({ length: 100 }, (_, i) =>
        damaged.get(`a${String(i).padStart(3, '0')}`).then(
          () => 'ok',
          (error: { code: string; file?: string }) => `${error.code} ${error.file?.split('/').at(-1)}`,
        ),
      ),
    );
    expect(new Set(codes)).toEqual(new Set(['ok', 'CORRUPT 0000000001.table']));
    expect(codes.filter((code) => code === 'ok').length).toBeGreaterThan(80);
    expect(() => [...damaged.keys()]).toThrow(/damaged/);
  });
});
