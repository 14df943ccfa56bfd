/** What goes wrong while a segment is sealed costs time later, and never a record. */

import { describe, expect, test } from 'vitest';
import type { Log } from '../../src/log/log.ts';
import { settle } from '../kit/clock.ts';
import { DIRECTORY, range, readOffsets, readValues, segmentPath, tree, useLogKit } from '../kit/log-kit.ts';

const kit = useLogKit();
const SMALL = { segmentBytes: 4096 };

/** Appends records of about a kilobyte, one batch each: four fit into a small segment. */
async function append(log: Log, from: number, to: number, timestamp?: number): Promise<void> {
  for (const i of range(from, to)) {
    await log.append({ value: `${i}`.padEnd(900, '.'), ...(timestamp === undefined ? {} : { timestamp }) });
  }
  await settle();
}

function numbers(values: readonly (string | null)[]): number[] {
  return values.map((value) => Number.parseInt(value ?? '', 10));
}

describe('a segment whose index could not be written', () => {
  test.each(['index', 'timeindex'] as const)('keeps its records (%s)', async (kind) => {
    const disk = await kit.disk();
    const options = { ...SMALL, indexIntervalBytes: 512 };
    const log = await kit.open(disk, options);
    disk.rules.push({ operation: 'write', path: new RegExp(`0{20}\\.${kind}$`), error: 'ENOSPC' });
    await append(log, 0, 10);
    expect(log.backgroundError).toMatchObject({ code: 'NO_SPACE' });
    expect(numbers(await readValues(log))).toEqual(range(0, 10));
    await log.close();
    disk.rules.length = 0;
    const again = await kit.open(disk, options);
    expect(again.firstOffset).toBe(0);
    expect(numbers(await readValues(again))).toEqual(range(0, 10));
    expect((await again.get(1)).offset).toBe(1);
    expect((await again.verify()).problems.map(({ file }) => file)).toContain(segmentPath(0, kind));
  });

  test('does not let retention remove another one in its place', async () => {
    const disk = await kit.disk();
    const log = await kit.open(disk, { ...SMALL, retention: { ageMs: 1000 } });
    disk.rules.push({ operation: 'write', path: /0{20}\.index$/, error: 'ENOSPC' });
    const now = kit.clock.now();
    // The first segment is young, the second one old: retention removes from the beginning, so both stay.
    await append(log, 0, 4, now + 500_000);
    await append(log, 4, 8, now - 500_000);
    await append(log, 8, 10, now);
    await log.retain();
    expect(numbers(await readValues(log))).toEqual(range(0, 10));
    await kit.clock.advance(600_000);
    await log.retain();
    expect(await readOffsets(log)).toEqual([8, 9]);
  });
});

describe('a checkpoint that could not be written', () => {
  test('when a segment was sealed loses nothing', async () => {
    const disk = await kit.disk();
    const log = await kit.open(disk, SMALL);
    disk.rules.push({ operation: 'open', path: /recovery-point\.tmp$/, error: 'ENOSPC', times: 1 });
    await append(log, 0, 14);
    await log.close();
    const again = await kit.open(disk, SMALL);
    expect(again.recovery.wasClean).toBe(true);
    expect(numbers(await readValues(again))).toEqual(range(0, 14));
  });

  test('when segments are removed leaves them to the next try', async () => {
    const disk = await kit.disk();
    const log = await kit.open(disk, SMALL);
    await append(log, 0, 14);
    disk.rules.push({ operation: 'open', path: /recovery-point\.tmp$/, error: 'ENOSPC', times: 1 });
    await expect(log.truncateBefore(9)).rejects.toMatchObject({ code: 'NO_SPACE' });
    expect(log.firstOffset).toBe(0);
    expect(numbers(await readValues(log))).toEqual(range(0, 14));
    expect([...(await tree(disk.inner)).keys()]).toContain(segmentPath(0));
    await log.truncateBefore(9);
    expect(await readOffsets(log)).toEqual(range(9, 14));
    const left = [...(await tree(disk.inner)).keys()];
    expect(left).not.toContain(segmentPath(0));
    expect(left).not.toContain(segmentPath(4));
    expect(left).toContain(segmentPath(8));
    await log.close();
    expect(await readOffsets(await kit.open(disk, SMALL))).toEqual(range(9, 14));
  });
});

describe('a file that could not be removed', () => {
  test.each(['index', 'timeindex', 'log'])('is removed when the log is opened again (%s)', async (kind) => {
    const disk = await kit.disk();
    const log = await kit.open(disk, SMALL);
    await append(log, 0, 14);
    await readValues(log);
    disk.rules.push({ operation: 'remove', path: new RegExp(`0{20}\\.${kind}$`), error: 'EIO' });
    await expect(log.truncateBefore(9)).rejects.toMatchObject({ code: 'IO' });
    expect(await readOffsets(log)).toEqual(range(9, 14));
    await log.close();
    disk.rules.length = 0;
    const again = await kit.open(disk, SMALL);
    expect(await readOffsets(again)).toEqual(range(9, 14));
    const left = [...(await tree(disk.inner)).keys()].filter((path) => path.startsWith(`${DIRECTORY}/0`));
    expect(left.some((path) => path < segmentPath(8, 'index'))).toBe(false);
  });
});
