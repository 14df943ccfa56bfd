import { describe, expect, test } from 'vitest';
import type { Log } from '../../src/log/log.ts';
import { settle } from '../kit/clock.ts';
import { failure, failureCode, range, readOffsets, segmentPath, tree, useLogKit } from '../kit/log-kit.ts';

const kit = useLogKit();
const SMALL = { segmentBytes: 4096 };

/** Appends batches of ten records, of about a kilobyte each. */
async function append(log: Log, batches: number): Promise<void> {
  for (const _ of range(0, batches))
    await log.appendMany(range(0, 10).map(() => ({ value: Buffer.alloc(90) })));
  await settle();
}

describe('truncateBefore', () => {
  test('hides records within a batch at once', async () => {
    const log = await kit.open(await kit.disk());
    await append(log, 3);
    await log.truncateBefore(14);
    expect(log.firstOffset).toBe(14);
    expect(await readOffsets(log)).toEqual(range(14, 30));
    expect(await readOffsets(log, { fromTimestamp: 1 })).toEqual(range(14, 30));
    expect((await log.get(14)).offset).toBe(14);
    for (const offset of [0, 13]) {
      expect(await failureCode(log.get(offset))).toBe('OUT_OF_RANGE');
      expect(await failureCode(readOffsets(log, { fromOffset: offset }))).toBe('OUT_OF_RANGE');
    }
    expect(log.info()).toMatchObject({ firstOffset: 14, nextOffset: 30, records: 16 });
  });

  test('can empty a log, which goes on with the next offset', async () => {
    const disk = await kit.disk();
    const log = await kit.open(disk);
    await append(log, 1);
    await log.truncateBefore(10);
    expect(await readOffsets(log)).toEqual([]);
    expect(log.info()).toMatchObject({ firstOffset: 10, nextOffset: 10, records: 0 });
    expect(await failureCode(log.get(9))).toBe('OUT_OF_RANGE');
    await log.close();
    const again = await kit.open(disk);
    expect([again.firstOffset, again.nextOffset]).toEqual([10, 10]);
    expect(await again.append({ value: 'x' })).toBe(10);
    expect(await readOffsets(again)).toEqual([10]);
  });

  test('removes the files of the segments that end before, and only those', async () => {
    const disk = await kit.disk();
    const log = await kit.open(disk, SMALL);
    await append(log, 10);
    const bases = log.info().segments.map(({ baseOffset }) => baseOffset);
    expect(bases).toEqual([0, 30, 60, 90]);
    await log.truncateBefore(60);
    expect(log.info().segments.map(({ baseOffset }) => baseOffset)).toEqual([60, 90]);
    expect(log.metrics().droppedSegments).toBe(2);
    const left = [...(await tree(disk.inner)).keys()];
    for (const base of [0, 30]) {
      for (const kind of ['log', 'index', 'timeindex'] as const)
        expect(left).not.toContain(segmentPath(base, kind));
    }
    await log.truncateBefore(89);
    expect(log.info().segments.map(({ baseOffset }) => baseOffset)).toEqual([60, 90]);
  });

  test('backwards does nothing, and beyond the end is refused', async () => {
    const log = await kit.open(await kit.disk());
    await append(log, 2);
    await log.truncateBefore(15);
    await log.truncateBefore(3);
    expect(log.firstOffset).toBe(15);
    expect(await failure(log.truncateBefore(21))).toMatchObject({ code: 'OUT_OF_RANGE' });
    await expect(log.truncateBefore(-1)).rejects.toThrow(RangeError);
    await expect(log.truncateBefore(1.5)).rejects.toThrow(RangeError);
    expect(log.firstOffset).toBe(15);
  });
});

describe('a reader', () => {
  test('reads on in segments that are removed under it', async () => {
    const disk = await kit.disk();
    const log = await kit.open(disk, SMALL);
    await append(log, 10);
    const records = log.read();
    expect((await records.next()).value?.offset).toBe(0);
    await log.truncateBefore(95);
    const rest: number[] = [];
    const error = await failure(async () => {
      for await (const { offset } of records) rest.push(offset);
    });
    // The segment that it was in is read to its end; the ones behind are gone.
    expect(rest).toEqual(range(1, 30));
    expect(error).toMatchObject({ code: 'OUT_OF_RANGE', offsets: { first: 30, last: 94 } });
    expect(disk.vfs.openFiles).toBeLessThanOrEqual(2);
  });

  test('that has not begun yet does not see what was removed', async () => {
    const log = await kit.open(await kit.disk(), SMALL);
    await append(log, 10);
    const all = log.read();
    const some = log.read({ fromOffset: 20 });
    await log.truncateBefore(95);
    expect((await all.next()).value?.offset).toBe(95);
    await all.return?.();
    expect(await failureCode(some.next())).toBe('OUT_OF_RANGE');
  });

  test('that waits at the end does not mind that everything before it goes', async () => {
    const log = await kit.open(await kit.disk(), SMALL);
    await append(log, 7);
    const records = log.read({ fromOffset: 70, follow: true });
    const next = records.next();
    await settle();
    await log.truncateBefore(70);
    await append(log, 1);
    expect((await next).value?.offset).toBe(70);
    await records.return?.();
  });
});

describe('retention', () => {
  test('by bytes removes the oldest segments while the rest is as large as it may be', async () => {
    const log = await kit.open(await kit.disk(), { ...SMALL, retention: { bytes: 9000 } });
    await append(log, 20);
    const { segments, bytes } = log.info();
    const oldest = segments[0]?.bytes ?? 0;
    expect(bytes).toBeGreaterThanOrEqual(9000);
    expect(segments.length).toBeLessThan(7);
    expect(log.firstOffset).toBe(segments[0]?.baseOffset);
    expect(await readOffsets(log)).toEqual(range(log.firstOffset, 200));
    await log.retain();
    expect(log.info().bytes - oldest).toBeLessThan(9000 + 4096);
  });

  test('by age removes segments whose newest record is too old, and never the active one', async () => {
    const log = await kit.open(await kit.disk(), { ...SMALL, retention: { ageMs: 3_600_000 } });
    await append(log, 4);
    await kit.clock.advance(3_000_000);
    expect(await readOffsets(log)).toEqual(range(0, 40));
    await append(log, 3);
    await kit.clock.advance(1_000_000);
    expect(await log.retain()).toBeGreaterThan(0);
    expect(log.firstOffset).toBe(30);
    await kit.clock.advance(10_000_000);
    expect(await log.retain()).toBeGreaterThan(0);
    expect(log.info().segments).toHaveLength(1);
    expect(log.info().segments[0]?.isSealed).toBe(false);
    expect(await readOffsets(log)).toEqual(range(60, 70));
  });

  test('when the log is opened does what was missed', async () => {
    const disk = await kit.disk();
    const log = await kit.open(disk, SMALL);
    await append(log, 10);
    await log.close();
    const again = await kit.open(disk, { ...SMALL, retention: { bytes: 0 } });
    expect(await readOffsets(again)).toEqual(range(90, 100));
  });
});
