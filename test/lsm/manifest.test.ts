/** The manifest: edits come back after opening it again, also when they were summed up; damage refuses. */

import { afterEach, describe, expect, test } from 'vitest';
import { Manifest, type ManifestParts } from '../../src/lsm/manifest.ts';
import { applyEdit, decodeEdit, type Edit, emptyState, encodeEdit } from '../../src/lsm/manifest-state.ts';
import type { TableProperties } from '../../src/lsm/table/table-file.ts';
import type { StoredTreeOptions } from '../../src/lsm/tree-options.ts';
import { Memory } from '../../src/memory/memory.ts';
import { createMemoryVfs } from '../../src/vfs/memory.ts';
import type { Vfs } from '../../src/vfs/vfs.ts';
import { VirtualClock } from '../kit/clock.ts';
import { damageFile, failureCode } from '../kit/log-kit.ts';

const memory = Memory.create(32 << 20);
const options: StoredTreeOptions = {
  memtableBytes: 1 << 20,
  tableBytes: 1 << 20,
  blockBytes: 4096,
  compression: 'none',
  filter: true,
  strategy: { kind: 'leveled', level0Tables: 4, baseBytes: 1 << 22, factor: 10 },
};

function properties(number: number): TableProperties {
  return {
    entries: number,
    tombstones: 0,
    rangeTombstones: 0,
    bytes: 4096,
    blocks: 1,
    rawKeyBytes: 10,
    rawValueBytes: 20,
    smallestKey: Buffer.from([0, 255, number & 255]),
    largestKey: Buffer.from([1, 254, number & 255]),
    largestExclusive: false,
    smallestSequence: number,
    largestSequence: number + 5,
    longestKeyBytes: 3,
    largestEntryBytes: 9,
    largestBlockBytes: 50,
    decodedBlockBytes: 90,
    createdMs: 1_700_000_000_000,
    firstMs: 1_600_000_000_000,
    lastMs: 1_700_000_000_000,
    tree: 1,
  };
}

const add = (number: number, level = 0): NonNullable<Edit['add']>[number] => ({
  tree: 1,
  number,
  level,
  properties: properties(number),
});

async function makeVfs(): Promise<Vfs> {
  const vfs = createMemoryVfs();
  await vfs.mkdir('/db/manifest');
  return vfs;
}

function parts(vfs: Vfs): ManifestParts {
  return { directory: '/db/manifest', memory, vfs, clock: new VirtualClock(), readOnly: false };
}

/** What a manifest says, for comparing. */
function told({ state }: Manifest): unknown {
  return [
    state.next,
    [...state.trees.values()].map((tree) => ({ ...tree, tables: [...tree.tables.values()] })),
  ];
}

describe('the manifest', () => {
  afterEach(() => {
    expect(memory.slabs.inUse()).toEqual([]);
  });

  test('says the same when it is opened again', async () => {
    const vfs = await makeVfs();
    const manifest = await Manifest.open(parts(vfs));
    await manifest.publish({ trees: [{ id: 1, name: 'one', flushed: 4, options }] });
    await Promise.all([
      manifest.publish({ add: [add(7), add(9)], flushed: [[1, 30]] }),
      manifest.publish({ remove: [{ tree: 1, number: 7 }], add: [add(7, 2)] }),
      manifest.publish({ remove: [{ tree: 1, number: 9 }], next: 50 }),
    ]);
    const before = told(manifest);
    await manifest.close();
    const again = await Manifest.open(parts(vfs));
    expect(told(again)).toEqual(before);
    expect(again.state.next).toBe(50);
    const tree = again.state.trees.get(1);
    expect([tree?.flushed, tree?.tables.get(7)?.level, tree?.tables.size]).toEqual([30, 2, 1]);
    expect(tree?.tables.get(7)?.properties).toEqual(properties(7));
    await again.close();
  });

  test('is summed up when edits have grown long, and what lies before is removed', async () => {
    const vfs = await makeVfs();
    const manifest = await Manifest.open(parts(vfs));
    await manifest.publish({ trees: [{ id: 1, name: 'one', flushed: 0, options }] });
    for (let number = 1; number <= 2500; number++) {
      await manifest.publish({
        add: [add(number)],
        ...(number > 3 ? { remove: [{ tree: 1, number: number - 3 }] } : {}),
        flushed: [[1, number]],
      });
    }
    const before = told(manifest);
    await manifest.close();
    expect((await vfs.readdir('/db/manifest')).filter((name) => name.endsWith('.log')).length).toBeLessThan(
      4,
    );
    expect(await vfs.stat('/db/manifest/00000000000000000000.log')).toBeUndefined();
    const again = await Manifest.open(parts(vfs));
    expect(told(again)).toEqual(before);
    await again.close();
  });

  test('refuses to be read where it is damaged', async () => {
    const vfs = await makeVfs();
    const manifest = await Manifest.open(parts(vfs));
    await manifest.publish({ trees: [{ id: 1, name: 'one', flushed: 0, options }] });
    await manifest.publish({ add: [add(1)] });
    await manifest.publish({ add: [add(2)] });
    await manifest.close();
    await damageFile(vfs, '/db/manifest/00000000000000000000.log', 100);
    await vfs.remove('/db/manifest/recovery-point');
    expect(await failureCode(Manifest.open(parts(vfs)))).toBe('CORRUPT');
  });

  test('refuses edits that do not fit, and formats that are newer', () => {
    const state = emptyState();
    const code = (run: () => void): Promise<string> => failureCode(run);
    const refused = [
      { add: [add(1)] },
      { remove: [{ tree: 1, number: 1 }] },
      { flushed: [[3, 1]] },
    ] as Edit[];
    for (const edit of refused) expect(() => applyEdit(state, edit, 3)).toThrow(/record 3 of the manifest/);
    applyEdit(state, { trees: [{ id: 1, name: 'one', flushed: 0, options }], add: [add(1)] }, 0);
    expect(() => applyEdit(state, { add: [add(1)] }, 1)).toThrow(/there already/);
    const bytes = encodeEdit({ add: [add(1)] });
    expect(decodeEdit(bytes, 0)).toEqual({ edit: { add: [add(1)] }, isSnapshot: false });
    expect(() => decodeEdit(Buffer.from([1, 123]), 9)).toThrow(/record 9/);
    expect(() => decodeEdit(Buffer.from('\u0001{"add":[{}]}'), 9)).toThrow(/record 9/);
    expect(() => decodeEdit(null, 9)).toThrow(/it is empty/);
    return expect(code(() => decodeEdit(Buffer.from([2]), 0))).resolves.toBe('VERSION');
  });
});
