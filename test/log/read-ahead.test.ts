/** Windows of a segment are read ahead, two at a time: whatever becomes of one, records come in order, once. */

import { expect, test } from 'vitest';
import { failureCode, range, readOffsets, readValues, useLogKit } from '../kit/log-kit.ts';

const kit = useLogKit(64 * 1024 * 1024);
const MIB = 1024 * 1024;
const RECORDS = 600;
const value = (i: number): string => `${i}`.padEnd(10_000, '.');

/** A segment of some six windows, and the disk that it is on. */
async function written() {
  const disk = await kit.disk();
  const log = await kit.open(disk, { sync: { mode: 'never' } });
  for (let i = 0; i < RECORDS; i += 50)
    await log.appendMany(range(i, i + 50).map((offset) => ({ value: value(offset) })));
  expect(log.info().bytes).toBeGreaterThan(5 * MIB);
  return { disk, log };
}

test('a window that comes back short is no gap, and none is read twice', async () => {
  const { disk, log } = await written();
  const all = range(0, RECORDS).map(value);
  for (const skip of range(0, 6)) {
    for (const shortenTo of [1, 100_000, 300_000]) {
      disk.rules.splice(0, 1, { operation: 'read', path: /log$/, skip, times: 1, shortenTo });
      const before = disk.vfs.injected;
      expect(await readValues(log)).toEqual(all);
      expect(disk.vfs.injected).toBe(before + 1);
    }
  }
});

test('a window that cannot be read is an error when it is its turn, and the next reader goes on', async () => {
  const { disk, log } = await written();
  for (const skip of range(0, 6)) {
    disk.rules.splice(0, 1, { operation: 'read', path: /log$/, skip, times: 1, error: 'EIO' });
    const seen: number[] = [];
    const reading = (async () => {
      for await (const { offset } of log.read()) seen.push(offset);
    })();
    expect(await failureCode(reading)).toBe('IO');
    expect(seen).toEqual(range(0, seen.length));
    disk.rules.length = 0;
    expect(await readOffsets(log)).toEqual(range(0, RECORDS));
  }
});

test('a reader that leaves in the middle gives back what is on its way', async () => {
  const { log } = await written();
  const inUse = kit.memory.slabs.inUseBytes;
  for (const leaveAt of [0, 90, 200, 599]) {
    for await (const { offset } of log.read()) if (offset === leaveAt) break;
    expect(kit.memory.slabs.inUseBytes).toBeLessThanOrEqual(inUse);
  }
});
