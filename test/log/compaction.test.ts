/** Key compaction: what stays, what goes, and what readers see of it. */

import { describe, expect, test } from 'vitest';
import type { Log } from '../../src/log/log.ts';
import type { LogOptions } from '../../src/log/options.ts';
import type { RecordInput } from '../../src/record/record.ts';
import { batchBytes } from '../kit/batch-bytes.ts';
import { COMPACTED, contents, fill, repeatedKeys } from '../kit/keyed.ts';
import { damageFile, failureCode, range, readOffsets, segmentPath, useLogKit } from '../kit/log-kit.ts';

const kit = useLogKit();
const DAY_MS = 86_400_000;

/** A log with everything sealed. */
async function filled(count: number, keys: number, options: LogOptions = {}): Promise<Log> {
  const log = await kit.open(await kit.disk(), { ...COMPACTED, ...options });
  await fill(log, count, keys);
  await log.roll();
  return log;
}

describe('a log that is compacted', () => {
  test('keeps the last record of each key, with its offset, in order', async () => {
    const disk = await kit.disk();
    const log = await kit.open(disk, COMPACTED);
    await fill(log, 1000, 10);
    await log.roll();
    const before = log.info();
    const report = await log.compact({ force: true });
    const kept = range(990, 1000).map((i) => `${i} key-${i % 10} ${i}`);
    expect(await contents(log)).toEqual(kept);
    expect(report).toMatchObject({ isDone: true, supersededRecords: 990, keys: 10, passes: 1, skipped: [] });
    const after = log.info();
    expect([report.bytesBefore, report.bytesAfter]).toEqual([before.bytes, after.bytes]);
    expect(after).toMatchObject({ firstOffset: 0, nextOffset: 1000, records: 10, removedRecords: 990 });
    expect((await log.verify({ deep: true })).problems).toEqual([]);
    expect((await log.get(995)).value?.toString()).toMatch(/^995/);
    expect(await failureCode(log.get(5))).toBe('OUT_OF_RANGE');
    await log.close();
    const again = await kit.open(disk, COMPACTED);
    expect(await contents(again)).toEqual(kept);
    expect(again.info()).toMatchObject({ records: 10, removedRecords: 990 });
    expect(again.compaction.isDue).toBe(false);
  });

  test('is read from any offset and any time, also where the record is gone', async () => {
    const log = await kit.open(await kit.disk(), COMPACTED);
    for (const i of range(0, 400)) await log.append({ key: `${i % 7}`, value: `${i}`, timestamp: 1000 + i });
    await log.roll();
    await log.compact({ force: true });
    await fill(log, 3, 3);
    const kept = [...range(393, 400), 400, 401, 402];
    for (const from of [0, 1, 100, 392, 393, 396, 400])
      expect(await readOffsets(log, { fromOffset: from })).toEqual(kept.filter((offset) => offset >= from));
    expect(await readOffsets(log, { fromTimestamp: 1395, toTimestamp: 1398 })).toEqual([395, 396, 397]);
    expect(await readOffsets(log, { fromOffset: 10, limit: 2 })).toEqual([393, 394]);
    let records = 0;
    let next = 0;
    for await (const batch of log.batches()) {
      // No hole between batches: what was removed is told from what was lost.
      expect(batch.baseOffset).toBe(next);
      next = batch.lastOffset + 1;
      records += batch.records().length;
    }
    expect([next, records]).toEqual([403, kept.length]);
  });

  test('goes on as it was for who reads it meanwhile', async () => {
    const log = await filled(1000, 10);
    const offsets: number[] = [];
    for await (const { offset } of log.read()) {
      offsets.push(offset);
      if (offset === 500) await log.compact({ force: true });
    }
    // What was being read is read to its end; then only what is left.
    const end = offsets.findIndex((offset, i) => i > 0 && offset !== (offsets[i - 1] as number) + 1);
    expect(end).toBeGreaterThan(500);
    expect(offsets.slice(-10)).toEqual(range(990, 1000));
    expect(offsets).toEqual([...new Set(offsets)].sort((a, b) => a - b));
  });

  test('puts small segments together', async () => {
    const log = await filled(2000, 4, { deleteRetentionMs: 0 });
    expect(log.info().segments.length).toBeGreaterThan(20);
    await log.compact({ force: true });
    const report = await log.compact({ force: true });
    expect(report.rewrittenSegments).toBeGreaterThan(report.writtenSegments);
    expect(log.info().segments.length).toBe(2);
    expect(await readOffsets(log)).toEqual(range(1996, 2000));
  });

  test('is compacted when it is time, and not before', async () => {
    const log = await filled(1000, 1000, { minCleanableRatio: 0.5 });
    expect(log.compaction.ratio).toBe(1);
    expect((await log.compact()).isDone).toBe(true);
    await fill(log, 200, 5);
    await log.roll();
    expect(log.compaction.isDue).toBe(false);
    expect((await log.compact()).isDone).toBe(false);
    await fill(log, 1000, 5);
    await log.roll();
    expect((await log.compact()).isDone).toBe(true);
    expect(await repeatedKeys(log, log.nextOffset)).toEqual([]);
  });

  test('keeps what is young as it is', async () => {
    const log = await filled(500, 5, { minCompactionLagMs: 60_000 });
    expect((await log.compact({ force: true })).isDone).toBe(false);
    await kit.clock.advance(61_000);
    await fill(log, 500, 5);
    await log.roll();
    await log.compact({ force: true });
    const { cleanedTo } = await log.compact({ force: true });
    expect(cleanedTo).toBe(500);
    expect(await repeatedKeys(log, 500)).toEqual([]);
    expect((await readOffsets(log, { fromOffset: 500 })).length).toBe(500);
  });

  test('compacts what is old, whatever the ratio', async () => {
    const log = await filled(500, 500, { minCleanableRatio: 1, maxCompactionLagMs: 100_000 });
    await log.compact({ force: true });
    await fill(log, 100, 5);
    await log.roll();
    expect((await log.compact()).isDone).toBe(false);
    await kit.clock.advance(200_000);
    expect((await log.compact()).isDone).toBe(true);
    expect(await repeatedKeys(log, 600)).toEqual([]);
  });

  test('takes several passes where its keys do not fit', async () => {
    const log = await kit.open(await kit.disk(), { ...COMPACTED, keyMapBytes: 64 * 1024 });
    const keys = range(0, 2000).map((i) => `key-${i}`.padEnd(60, '-'));
    for (let round = 0; round < 3; round++) {
      await log.appendMany(keys.map((key, i) => ({ key, value: `${round} ${i}` })));
    }
    await log.roll();
    const report = await log.compact({ force: true });
    expect(report.passes).toBeGreaterThan(3);
    expect(await readOffsets(log)).toEqual(range(4000, 6000));
    expect((await log.verify()).problems).toEqual([]);
  });

  test('says what would go, and changes nothing', async () => {
    const log = await filled(1000, 10);
    const before = log.info();
    const steps: number[] = [];
    const dry = await log.compact({
      force: true,
      dryRun: true,
      onProgress: (done, total) => steps.push(done / total),
    });
    expect(log.info()).toEqual(before);
    expect(steps.every((step, i) => step <= 1 && step >= (steps[i - 1] ?? 0))).toBe(true);
    const real = await log.compact({ force: true });
    expect(dry).toMatchObject({ supersededRecords: 990, bytesAfter: real.bytesAfter, isDryRun: true });
  });

  test('keeps records without key, headers and times', async () => {
    const disk = await kit.disk();
    const plain = await kit.open(disk, { ...COMPACTED, cleanup: 'delete', keyMapBytes: undefined });
    await plain.append({ value: 'no key', timestamp: 77 });
    await plain.append({ key: 'a', value: 'old', timestamp: 99 });
    await plain.append({ key: 'a', value: 'new', timestamp: 88, headers: [{ key: 'h', value: 'v' }] });
    await plain.append({ key: '', value: 'empty', timestamp: -5 });
    await plain.close();
    const log = await kit.open(disk, COMPACTED);
    await log.roll();
    await log.compact({ force: true });
    const found = [];
    for await (const record of log.read()) found.push(record);
    expect(found.map(({ offset, timestamp }) => [offset, timestamp])).toEqual([
      [0, 77],
      [2, 88],
      [3, -5],
    ]);
    expect(found[1]?.headers).toEqual([{ key: 'h', value: Buffer.from('v') }]);
  });
});

describe('deletions', () => {
  test('stay for their time after they were first met, and then go', async () => {
    const disk = await kit.disk();
    const options = { ...COMPACTED, deleteRetentionMs: DAY_MS };
    const log = await kit.open(disk, options);
    await fill(log, 100, 2);
    await log.append({ key: 'key-0', value: null });
    await log.roll();
    expect(await log.compact({ force: true })).toMatchObject({ begunTombstones: 1, forgottenTombstones: 0 });
    expect(await readOffsets(log)).toEqual([99, 100]);
    await kit.clock.advance(DAY_MS - 1);
    expect(await log.compact({ force: true })).toMatchObject({ begunTombstones: 0, forgottenTombstones: 0 });
    await log.close();
    const again = await kit.open(disk, options);
    expect((await again.get(100)).timestamp).toBeLessThan(kit.clock.now());
    await kit.clock.advance(2);
    expect(await again.compact({ force: true })).toMatchObject({ forgottenTombstones: 1 });
    expect(await readOffsets(again)).toEqual([99]);
  });

  test('are superseded like any other record', async () => {
    const log = await kit.open(await kit.disk(), { ...COMPACTED, deleteRetentionMs: 0 });
    await log.append({ key: 'a', value: null });
    await log.append({ key: 'a', value: 'back' });
    await log.roll();
    await log.compact({ force: true });
    expect(await contents(log)).toEqual(['1 a back']);
  });
});

describe('a segment that is damaged', () => {
  test('is left as it is and reported, and deletions behind it stay', async () => {
    const disk = await kit.disk();
    const log = await kit.open(disk, { ...COMPACTED, deleteRetentionMs: 0 });
    await fill(log, 1000, 10);
    await log.append({ key: 'key-3', value: null });
    await log.roll();
    const segments = log.info().segments;
    const victim = segments[3]?.baseOffset as number;
    const next = segments[4]?.baseOffset as number;
    await damageFile(disk.inner, segmentPath(victim), 1500);
    const report = await log.compact({ force: true });
    expect(report.skipped).toMatchObject([
      { file: segmentPath(victim), offsets: { first: victim, last: next - 1 } },
    ]);
    await log.compact({ force: true });
    const offsets = await readOffsets(log, { fromOffset: next });
    expect(offsets).toEqual([...range(990, 1000).filter((i) => i % 10 !== 3), 1000]);
    // It is due no more: what could not be read will not be read the next time.
    expect(log.compaction.isDue).toBe(false);
    await damageFile(disk.inner, segmentPath(victim), 1500);
    expect((await readOffsets(log, { fromOffset: victim, toOffset: next })).length).toBe(next - victim);
    await log.compact({ force: true });
    await log.compact({ force: true });
    expect(await readOffsets(log)).toEqual(range(990, 1000).filter((i) => i % 10 !== 3));
  });
});

describe('what is refused', () => {
  test('is a record without key, before anything happens', async () => {
    const log = await kit.open(await kit.disk(), COMPACTED);
    expect(() => log.enqueue({ value: 'a' })).toThrow(TypeError);
    log.enqueue({ key: Buffer.from('k'), value: Buffer.from('v') });
    expect(() => log.enqueue({ value: Buffer.from('a') })).toThrow(/must have a key/);
    await expect(log.append({ value: 'a' })).rejects.toThrow(TypeError);
    await expect(log.appendMany([{ key: 'k', value: 'a' }, { value: 'a' }])).rejects.toThrow(TypeError);
    const foreign = batchBytes({ records: [{ offsetDelta: 0, value: Buffer.from('a') }] });
    await expect(log.appendBatches(foreign)).rejects.toThrow(/without key/);
    expect(log.nextOffset).toBe(1);
  });

  test.each<[LogOptions, RegExp]>([
    [{ cleanup: 'never' as 'delete' }, /cleanup must be one of delete, compact, both/],
    [{ minCleanableRatio: 0.5 }, /minCleanableRatio is about compaction/],
    [{ cleanup: 'compact', minCleanableRatio: 1.1 }, /minCleanableRatio/],
    [{ cleanup: 'compact', minCleanableRatio: '1' as unknown as number }, /minCleanableRatio/],
    [{ cleanup: 'both', deleteRetentionMs: -1 }, /deleteRetentionMs/],
    [{ cleanup: 'both', minCompactionLagMs: 1.5 }, /minCompactionLagMs/],
    [{ cleanup: 'both', minCompactionLagMs: 10, maxCompactionLagMs: 9 }, /maxCompactionLagMs/],
    [{ cleanup: 'both', keyMapBytes: 100 }, /keyMapBytes/],
    [{ cleanup: 'compact', retention: { bytes: 1000 } }, /retention/],
  ])('is the policy %j', async (options, message) => {
    const disk = await kit.disk();
    await expect(kit.open(disk, options)).rejects.toThrow(message);
    expect(await disk.inner.readdir('/logs/events-0')).toEqual([]);
  });

  test('is to compact a log that is not compacted, or to do it in an unknown way', async () => {
    const log = await kit.open(await kit.disk());
    await expect(log.compact()).rejects.toThrow(/not compacted/);
    await expect(log.compact({ forced: true } as object)).rejects.toThrow(/no option forced/);
    await expect(log.deduplicate({ withinRecords: 0 })).rejects.toThrow(/withinRecords/);
  });
});

describe('records that are there twice', () => {
  test('go, byte for byte the same, within the window; the first stays', async () => {
    const log = await kit.open(await kit.disk(), { ...COMPACTED, cleanup: 'delete', keyMapBytes: undefined });
    const lines = range(0, 300).map((i) => ({ value: `line ${i}`, timestamp: 1000 + i }));
    await log.appendMany(lines);
    await log.appendMany(lines.slice(100, 250));
    await log.appendMany(lines.slice(0, 3).map(({ value }) => ({ value, timestamp: 5 })));
    await log.append({ ...lines[120], headers: [{ key: 'a', value: 'b' }] });
    await log.append({ ...lines[120], key: '' });
    await log.roll();
    const dry = await log.deduplicate({ withinRecords: 250, dryRun: true });
    expect(log.info().removedRecords).toBe(0);
    const report = await log.deduplicate({ withinRecords: 250 });
    expect([dry.duplicateRecords, report.duplicateRecords]).toEqual([150, 150]);
    expect(await readOffsets(log)).toEqual([...range(0, 300), ...range(450, 455)]);
    expect((await log.deduplicate({ withinRecords: 250 })).duplicateRecords).toBe(0);
    expect((await log.verify({ deep: true })).problems).toEqual([]);
  });

  test('may stay where they are further apart', async () => {
    const log = await kit.open(await kit.disk(), { ...COMPACTED, cleanup: 'delete', keyMapBytes: undefined });
    const lines = range(0, 1000).map((i) => ({ value: `line ${i % 900}`, timestamp: 7 }));
    await log.appendMany(lines);
    await log.roll();
    expect((await log.deduplicate({ withinRecords: 10 })).duplicateRecords).toBe(0);
    expect((await log.deduplicate({ withinRecords: 900 })).duplicateRecords).toBe(100);
  });
});

test('a log with batches larger than what a step works in is compacted, and keeps no memory', async () => {
  const MIB = 1024 * 1024;
  for (const mebibytes of [2, 3]) {
    const log = await kit.open(await kit.disk(), {
      cleanup: 'compact',
      maxRecordBytes: 6 * MIB,
      segmentBytes: 64 * MIB,
    });
    const value = Buffer.alloc(mebibytes * MIB, 7);
    for (const key of ['a', 'b', 'a']) await log.append({ key, value });
    await log.roll();
    expect(await log.compact({ force: true })).toMatchObject({ supersededRecords: 1, skipped: [] });
    expect(await readOffsets(log)).toEqual([1, 2]);
    await log.close();
  }
});

test('a compaction that has nothing to do takes no memory', async () => {
  const log = await kit.open(await kit.disk(), COMPACTED);
  await fill(log, 500, 10);
  await log.roll();
  await log.compact({ force: true });
  const others = kit.exhaust(0);
  expect(await log.compact()).toMatchObject({ isDone: false, passes: 0 });
  others.release();
});

test('what a compaction in the background has left as it is can be asked for', async () => {
  const disk = await kit.disk();
  const log = await kit.open(disk, COMPACTED);
  await fill(log, 500, 10);
  await log.roll();
  const [first] = log.info().segments;
  await damageFile(disk.inner, segmentPath(first?.baseOffset as number), 200);
  expect(log.backgroundError).toBeUndefined();
  await log.compact();
  expect(log.backgroundError).toMatchObject({
    code: 'CORRUPT',
    file: segmentPath(first?.baseOffset as number),
  });
});

describe('deduplicate', () => {
  const PLAIN: LogOptions = { ...COMPACTED, cleanup: 'delete', keyMapBytes: undefined };

  test('keeps what each key is, where keys count', async () => {
    const log = await kit.open(await kit.disk(), COMPACTED);
    const at = (key: string, value: string | null): RecordInput => ({ key, value, timestamp: 5 });
    await log.appendMany([
      at('u', 'on'),
      at('u', null),
      at('u', 'on'),
      at('q', '1'),
      at('q', '2'),
      at('q', '1'),
    ]);
    await log.roll();
    expect((await log.deduplicate({ withinRecords: 100 })).duplicateRecords).toBe(2);
    expect(await readOffsets(log)).toEqual([1, 2, 4, 5]);
    await log.compact({ force: true });
    expect(await readOffsets(log)).toEqual([2, 5]);
  });

  test('goes by how many records lie between one and the last that was the same', async () => {
    for (const [withinRecords, left] of [
      [1, [0, 2, 3, 4, 5, 6, 7, 8]],
      [2, [0, 2, 3, 4, 5, 6, 7, 8]],
      [3, [0, 2, 3, 5, 6, 7, 8]],
      [4, [0, 2, 3, 5, 6, 7]],
    ] as const) {
      const log = await kit.open(await kit.disk(), PLAIN);
      for (const value of 'aabcadefa') await log.append({ value, timestamp: 5 });
      await log.roll();
      const dry = await log.deduplicate({ withinRecords, dryRun: true });
      const report = await log.deduplicate({ withinRecords });
      expect([dry.duplicateRecords, dry.bytesAfter]).toEqual([report.duplicateRecords, report.bytesAfter]);
      expect(await readOffsets(log)).toEqual(left);
    }
  });

  test('in several passes finds all, and needs none more for a small window', async () => {
    const log = await kit.open(await kit.disk(), PLAIN);
    // Seven blocks of 300 lines, each there three times.
    for (let n = 0; n < 21; n++) {
      const first = Math.floor(n / 3) * 300;
      await log.appendMany(
        range(first, first + 300).map((i) => ({ value: `line ${i}`.padEnd(60), timestamp: 5 })),
      );
    }
    await log.roll();
    expect((await log.deduplicate({ withinRecords: 1 })).passes).toBe(1);
    const asked = { withinRecords: 300, keyMapBytes: 65_536 };
    const dry = await log.deduplicate({ ...asked, dryRun: true });
    expect(dry.passes).toBeGreaterThan(1);
    expect(dry.bytesAfter).toBeGreaterThan(0);
    expect(dry.duplicateRecords).toBeLessThanOrEqual(4200);
    expect((await log.deduplicate(asked)).duplicateRecords).toBe(4200);
    expect(await readOffsets(log)).toEqual(
      range(0, 7).flatMap((block) => range(block * 900, block * 900 + 300)),
    );
    // A window that there is no memory for is refused, not made smaller.
    expect(await failureCode(log.deduplicate({ ...asked, withinRecords: 2000 }))).toBe('NO_MEMORY');
  });
});

describe('a log that another handle has open read-only', () => {
  test('is read on while it is compacted', async () => {
    const disk = await kit.disk();
    const log = await kit.open(disk, COMPACTED);
    await fill(log, 1000, 10);
    await log.roll();
    const onlooker = await kit.open(disk, COMPACTED, { readOnly: true });
    expect((await readOffsets(onlooker)).length).toBe(1000);
    const offsets: number[] = [];
    for await (const { offset } of onlooker.read({ fromOffset: 300 })) {
      offsets.push(offset);
      if (offset === 400) await log.compact({ force: true });
    }
    expect(offsets.slice(0, 101)).toEqual(range(300, 401));
    expect(offsets.slice(-10)).toEqual(range(990, 1000));
    await onlooker.refresh();
    expect(await readOffsets(onlooker)).toEqual(range(990, 1000));
    await fill(log, 5, 5);
    await log.compact({ force: true });
    expect((await onlooker.get(997)).offset).toBe(997);
    await onlooker.refresh();
    expect(await readOffsets(onlooker)).toEqual(range(990, 1005));
  });
});

describe('a log whose batches are compressed', () => {
  test.each(['gzip', 'plain'] as const)('is compacted, and stays as it was (%s)', async (codec) => {
    const compressed: LogOptions = codec === 'gzip' ? { compression: 'gzip' } : {};
    const log = await kit.open(await kit.disk(), { ...COMPACTED, ...compressed, batchBytes: 4096 });
    for (let i = 0; i < 40; i++) await fill(log, 50, 500);
    await log.roll();
    const { skipped, bytesBefore, bytesAfter } = await log.compact({ force: true });
    expect(skipped).toEqual([]);
    expect(bytesAfter).toBeLessThan(bytesBefore / 2);
    expect(await readOffsets(log)).toEqual(range(1500, 2000));
    const kinds = new Set<number>();
    for await (const { attributes, recordCount } of log.batches())
      if (recordCount > 0) kinds.add(attributes & 7);
    expect([...kinds]).toEqual([codec === 'gzip' ? 1 : 0]);
    expect((await log.verify({ deep: true })).problems).toEqual([]);
  });
});
