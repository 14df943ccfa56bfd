import { describe, expect, it } from 'vitest';

import { isVarveError } from '../../../src/errors.ts';
import { verifyTable } from '../../../src/lsm/table/verify.ts';
import { KIND_PUT } from '../../../src/memory/lsm-layout.ts';
import { CrashVfs } from '../../../src/testing/crash.ts';
import { createFaultVfs, type FaultRule } from '../../../src/testing/fault.ts';
import { createMemoryVfs } from '../../../src/vfs/memory.ts';
import type { Vfs } from '../../../src/vfs/vfs.ts';
import { DIRECTORY, plainEntries, TableKit } from '../../kit/tables.ts';

describe('a flush and a merge', () => {
  it('whatever call of the disk fails, leave the tables that there were, and say so', async () => {
    const first = plainEntries(400, 50);
    const second = plainEntries(400, 60, 200);
    let failures = 0;
    for (let at = 0, met = true; met; at++) {
      const rules: FaultRule[] = [];
      const vfs = createFaultVfs(createMemoryVfs(), rules);
      const kit = new TableKit(vfs, 32 << 20);
      const a = await kit.write(first);
      const b = await kit.write(second);
      const before = await vfs.readdir(DIRECTORY);
      rules.push({ at: vfs.operations + at, error: at % 2 === 0 ? 'EIO' : 'ENOSPC' });
      const injected = vfs.injected;
      try {
        const files = await kit.merge([[b!], [a!]], [], { targetBytes: 20_000 });
        expect(files.length).toBeGreaterThan(1);
        await kit.write(plainEntries(10), { number: 500 });
      } catch (error) {
        failures++;
        expect(isVarveError(error)).toBe(true);
        expect(['IO', 'NO_SPACE']).toContain((error as { code: string }).code);
        // What could not be removed is no part of the tree: nothing names it.
        const left = (await vfs.readdir(DIRECTORY)).filter((name) => !before.includes(name));
        for (const name of left) expect(name).toMatch(/\.table$/);
      }
      met = vfs.injected > injected;
      rules.length = 0;
      expect(vfs.openFiles).toBe(0);
      for (const file of [a, b]) {
        const { damage } = await verifyTable(vfs, kit.path(file!.number), kit.memory);
        expect(damage).toEqual([]);
      }
      expect(kit.leaks()).toEqual([]);
    }
    expect(failures).toBeGreaterThan(10);
  });

  it('are durable when they are over: no crash takes a byte, or a name, of what they returned', async () => {
    const vfs = new CrashVfs();
    const kit = new TableKit(vfs, 32 << 20);
    await vfs.mkdir(DIRECTORY);
    await vfs.syncDir('/trees');
    await vfs.syncDir('/');
    const a = await kit.write(plainEntries(300));
    const b = await kit.write(plainEntries(300, 40, 150));
    const merged = await kit.merge([[b!], [a!]], [], { targetBytes: 20_000 });
    let states = 0;
    for (const plan of vfs.enumerateCrashes(200)) {
      const after = vfs.preview(plan);
      for (const file of [a!, b!, ...merged]) {
        const { damage, entries } = await verifyTable(after, kit.path(file.number), kit.memory);
        expect(damage).toEqual([]);
        expect(entries).toBe(file.properties.entries);
      }
      states++;
    }
    expect(states).toBeGreaterThan(0);
    expect(kit.leaks()).toEqual([]);
  });

  it('that a crash interrupts leave files which are refused, never half believed', async () => {
    // The machine stops before each call in turn; whatever it wakes up with is whole, or is refused.
    let whole = 0;
    let refused = 0;
    for (let stop = 0; ; stop++) {
      let count = 0;
      const vfs = new CrashVfs({
        onOperation: () => {
          if (count++ === stop + 4) throw new Error('power cut');
        },
      });
      const kit = new TableKit(vfs, 32 << 20);
      const written = await kit.write(plainEntries(200)).catch(() => undefined);
      for (const plan of vfs.enumerateCrashes(30)) {
        const after = vfs.preview(plan);
        if ((await after.stat(kit.path(1))) === undefined) continue;
        const { damage, entries } = await verifyTable(after, kit.path(1), kit.memory);
        if (damage.length === 0) {
          expect(entries).toBe(200);
          whole++;
        } else {
          refused++;
        }
      }
      expect(kit.leaks()).toEqual([]);
      if (written !== undefined) break;
    }
    expect(whole).toBeGreaterThan(0);
    expect(refused).toBeGreaterThan(0);
  });

  it('fail where a sync has failed while the rest was written, whatever later ones say', async () => {
    const entries = Array.from({ length: 100 }, (_, i) => ({
      key: Buffer.from(String(i).padStart(4, '0')),
      value: Buffer.alloc(100_000, i),
      sequence: i,
      kind: KIND_PUT,
    }));
    let syncs = 0;
    let isBroken = true;
    const vfs: Vfs = createMemoryVfs();
    const open = vfs.open.bind(vfs);
    vfs.open = async (path, mode) => {
      const file = await open(path, mode);
      const datasync = file.datasync.bind(file);
      file.datasync = async () => {
        if (++syncs === 1 && isBroken) throw Object.assign(new Error('a bad disk'), { code: 'EIO' });
        await datasync();
      };
      return file;
    };
    const kit = new TableKit(vfs);
    await expect(kit.write(entries)).rejects.toThrow('a bad disk');
    expect(await vfs.readdir(DIRECTORY)).toEqual([]);
    isBroken = false;
    syncs = 0;
    const file = await kit.write(entries);
    expect(syncs).toBeGreaterThan(1);
    expect((await verifyTable(vfs, kit.path(file!.number), kit.memory)).entries).toBe(100);
    expect(kit.leaks()).toEqual([]);
  });
});
