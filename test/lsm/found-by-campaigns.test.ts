/** What the campaigns over trees and stores have found, each as a small test of its own. */

import { describe, expect, test, vi } from 'vitest';
import { codecs } from '../../src/codec/registry.ts';
import { TreeBatch } from '../../src/lsm/batch.ts';
import { failureCode } from '../kit/log-kit.ts';
import { useTreeKit } from '../kit/tree-kit.ts';

const kit = useTreeKit();

describe('trees that were opened again', () => {
  test('have all of a log that is longer than their memtables, those too that come last in it', async () => {
    const disk = await kit.disk();
    const open = await kit.open(disk, { walSegmentBytes: 65_536 });
    const [one, two] = [await open.tree('one', { memtableBytes: 65_536 }), await open.tree('two')];
    // Tables cannot be written, so all of it stays in the log.
    disk.rules.push({ operation: 'open', path: /\.table$/, error: 'EIO' });
    for (let i = 0; i < 3; i++) {
      const batch = new TreeBatch(open.trees);
      for (let j = 0; j < 5; j++) batch.put(one, `key ${i} ${j}`, Buffer.alloc(20_000, i));
      await batch.write({ durability: 'synced' });
    }
    await two.put('last', 'value', { durability: 'synced' });
    await open.trees.close().catch(() => undefined);
    disk.rules.length = 0;
    // Tables are written while the log is read, and must not make anybody think that no one needs the rest.
    for (let times = 0; times < 2; times++) {
      const again = await kit.open(disk, { walSegmentBytes: 65_536 });
      expect([...(await again.tree('one')).keys()]).toHaveLength(15);
      expect((await again.tree('two')).getSync('last')?.toString()).toBe('value');
      await again.trees.close();
    }
  });

  test('are written without what compresses them, where that is not there, and say so to whoever asks for it', async () => {
    const disk = await kit.disk();
    const open = await kit.open(disk);
    const tree = await open.tree('one', { compression: 'lz4' }).catch(() => undefined);
    // Where it is there, it is taken away.
    const has = vi.spyOn(codecs, 'has').mockReturnValue(false);
    try {
      if (tree !== undefined) {
        await tree.put('key', 'value'.repeat(100));
        await tree.flush();
        expect([...tree.tables()].map(({ codec }) => codec)).toEqual([1]);
        expect((await open.tree('one')).getSync('key')).toHaveLength(500);
      }
    } finally {
      has.mockRestore();
    }
  });
});

describe('trees on a full disk', () => {
  test('close, though writes have failed one after the other', async () => {
    const disk = await kit.disk();
    const open = await kit.open(disk);
    const tree = await open.tree('one', { memtableBytes: 65_536 });
    await tree.put('before', 'value');
    disk.rules.push({ operation: 'write', error: 'ENOSPC' });
    for (let i = 0; i < 3; i++)
      expect(await failureCode(tree.put(`key ${i}`, Buffer.alloc(20_000)))).toBe('NO_SPACE');
    expect(await failureCode(tree.flush())).toBe('NO_SPACE');
    disk.rules.length = 0;
    await kit.clock.advance(1000);
    // What is written then has numbers that others had, and is not taken for those.
    await tree.put('after', 'value');
    await tree.flush();
    await open.trees.close();
    expect([...(await (await kit.open(disk)).tree('one')).keys()].map(String)).toEqual(['after', 'before']);
  });

  test('tell of a failed write once, and not those who come later', async () => {
    const disk = await kit.disk();
    const open = await kit.open(disk);
    const tree = await open.tree('one');
    disk.rules.push({ operation: 'write', path: /wal/, error: 'ENOSPC' });
    const lost = tree.put('lost', 'value', { durability: 'accepted' });
    const waited = tree.put('waited for', 'value');
    await lost;
    expect(await failureCode(waited)).toBe('NO_SPACE');
    disk.rules.length = 0;
    // It was told, if not to the one who did not wait.
    await tree.put('one', 'value').catch(() => undefined);
    await tree.put('two', 'value');
    await tree.put('three', 'value', { durability: 'synced' });
    expect(tree.getSync('three')?.toString()).toBe('value');
  });
});
