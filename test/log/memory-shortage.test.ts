import { describe, expect, test } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { Log } from '../../src/log/log.ts';
import { Memory } from '../../src/memory/memory.ts';
import { createMemoryVfs } from '../../src/vfs/memory.ts';

const MIB = 1024 * 1024;

describe('logs that have to share too little memory', () => {
  for (const mode of ['always', 'never'] as const) {
    test(`take turns (${mode})`, async () => {
      const memory = Memory.create(16 * MIB);
      const vfs = createMemoryVfs();
      const logs: Log[] = [];
      for (let i = 0; i < 20; i++) {
        const directory = `/log-${i}`;
        await vfs.mkdir(directory);
        const parts = { name: `log-${i}`, directory, memory, vfs, clock: systemClock, readOnly: false };
        logs.push(await Log.open(parts, { sync: { mode } }));
      }
      const value = Buffer.alloc(1_000_000, 1);
      const offsets = await Promise.all(
        logs.flatMap((log) => [log.append({ value }), log.append({ value })]),
      );
      expect(offsets).toEqual(logs.flatMap(() => [0, 1]));
      for (const log of logs) {
        expect((await log.get(1)).value?.equals(value)).toBe(true);
        await log.close();
      }
      expect(memory.slabs.inUse()).toEqual([]);
    });
  }

  test('refuse a maxRecordBytes that the memory could never hold', async () => {
    const memory = Memory.create(8 * MIB);
    const vfs = createMemoryVfs();
    await vfs.mkdir('/log');
    const parts = { name: 'a', directory: '/log', memory, vfs, clock: systemClock, readOnly: false };
    await expect(Log.open(parts, { maxRecordBytes: 4 * MIB })).rejects.toThrow(/^maxRecordBytes .* must fit/);
    expect(memory.slabs.inUse()).toEqual([]);
    const log = await Log.open(parts, { maxRecordBytes: 2 * MIB - 64 * 1024 });
    const value = Buffer.alloc(2 * MIB - 64 * 1024, 1);
    await log.append({ value });
    expect((await log.get(0)).value?.equals(value)).toBe(true);
    await log.close();
    expect(memory.slabs.inUse()).toEqual([]);
  });
});
