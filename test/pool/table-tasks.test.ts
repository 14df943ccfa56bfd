import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

import { type TableFile, tableFileName } from '../../src/lsm/table/table-file.ts';
import { Pool } from '../../src/pool/pool.ts';
import { nodeVfs } from '../../src/vfs/node.ts';
import { DIRECTORY, plainEntries, TableKit } from '../kit/tables.ts';

describe('the tasks that write tables', () => {
  it('write the same on a thread, to the real disk, as on the calling one, to another', async () => {
    const kit = new TableKit();
    const pool = new Pool(kit.memory, { threads: 1 });
    const directory = mkdtempSync(join(tmpdir(), 'varve-tables-'));
    const entries = plainEntries(5000);
    const { slab, run } = kit.putRun(entries);
    try {
      const args = { ...kit.runArgs(entries, [run], { number: 1 }) };
      await kit.vfs.mkdir(DIRECTORY);
      const here = await pool.run('writeRun', args, { vfs: kit.vfs });
      expect(pool.metrics()).toMatchObject({ completed: 1, running: 0 });
      const there = await pool.run('writeRun', { ...args, directory }, { vfs: nodeVfs });
      expect(there).toEqual(here);
      const [table] = here.files as [TableFile];
      const bytes = Buffer.alloc(table.properties.bytes);
      const file = await kit.vfs.open(kit.path(1), 'read');
      await file.read(bytes, 0);
      await file.close();
      expect(readFileSync(join(directory, tableFileName(1))).equals(bytes)).toBe(true);

      const merge = {
        directory,
        firstNumber: 2,
        numbers: 10,
        inputs: [[table]],
        rangeTombstones: [],
        snapshots: [],
        bottom: true,
        targetBytes: 200_000,
        cutKeys: [],
        options: args.options,
        origin: { ...args.origin, createdMs: 3000 },
      };
      const { files } = await pool.run('mergeTables', merge);
      expect(files.map(({ number }) => number)).toEqual([2, 3, 4]);
      expect(files.reduce((sum, { properties }) => sum + properties.entries, 0)).toBe(5000);
      // A name that is taken is refused, and what has it is left alone.
      await expect(pool.run('mergeTables', merge)).rejects.toMatchObject({ code: 'IO' });
      expect(readFileSync(join(directory, tableFileName(2))).length).toBe(files[0]?.properties.bytes);
    } finally {
      slab.release();
      await pool.close();
      rmSync(directory, { recursive: true, force: true });
    }
    expect(kit.leaks()).toEqual([]);
  });
});
