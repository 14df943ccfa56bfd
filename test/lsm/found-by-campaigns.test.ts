/** What the campaigns over trees and stores have found, each as a small test of its own. */

import { describe, expect, test } from 'vitest';
import { TreeBatch } from '../../src/lsm/batch.ts';
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
});
