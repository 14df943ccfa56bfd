/** Reading one record by its offset: from everywhere, with and without a cache, beside damage. */

import { describe, expect, test } from 'vitest';
import type { Log } from '../../src/log/log.ts';
import type { LogOptions } from '../../src/log/options.ts';
import { settle } from '../kit/clock.ts';
import {
  type Disk,
  damageFile,
  failure,
  failureCode,
  fileBytes,
  range,
  readOffsets,
  resizeFile,
  segmentPath,
  useLogKit,
} from '../kit/log-kit.ts';
import { createRandom } from '../kit/random.ts';

const KIB = 1024;
const kit = useLogKit(8 * KIB * KIB);

function valueOf(offset: number, bytes: number): string {
  return `${offset}`.padEnd(bytes, `.${offset}`);
}

async function filled(
  disk: Disk,
  options: LogOptions,
  count: number,
  bytes: number,
  together: number,
): Promise<Log> {
  const log = await kit.open(disk, { sync: { mode: 'never' }, ...options });
  for (let i = 0; i < count; i += together) {
    const records = range(i, Math.min(count, i + together)).map((offset) => ({
      value: valueOf(offset, bytes),
    }));
    await log.appendMany(records);
  }
  await log.sync();
  await settle();
  return log;
}

describe('get', () => {
  const shapes: [string, LogOptions, number, number, number][] = [
    ['a record a batch', { segmentBytes: 64 * KIB }, 1500, 100, 1],
    [
      'small batches, sparse indexes',
      { segmentBytes: 256 * KIB, indexIntervalBytes: 16 * KIB, batchBytes: 512 },
      4000,
      60,
      500,
    ],
    [
      'batches larger than the interval',
      { segmentBytes: 256 * KIB, indexIntervalBytes: 1 * KIB },
      4000,
      100,
      4000,
    ],
    ['one batch a segment', { segmentBytes: 4 * KIB, batchBytes: 4 * KIB }, 300, 500, 300],
    [
      'records larger than the cache takes',
      { segmentBytes: 1024 * KIB, maxRecordBytes: 400 * KIB },
      12,
      390 * KIB,
      1,
    ],
    ['tiny records', { segmentBytes: 64 * KIB, batchBytes: 64 }, 3000, 1, 100],
  ];

  test.each(shapes)('finds every record (%s)', async (_, options, count, bytes, together) => {
    const disk = await kit.disk();
    const log = await filled(disk, options, count, bytes, together);
    const random = createRandom(count);
    const check = async (subject: Log): Promise<void> => {
      const offsets = [0, count - 1, ...range(0, 400).map(() => random.int(0, count - 1))];
      const wrong: number[] = [];
      for (const offset of offsets) {
        const record = await subject.get(offset);
        if (record.offset !== offset || record.value?.toString() !== valueOf(offset, bytes))
          wrong.push(offset);
      }
      expect(wrong).toEqual([]);
      expect(await failureCode(subject.get(count))).toBe('OUT_OF_RANGE');
    };
    await check(log);
    await log.close();
    const again = await kit.open(disk, options);
    await check(again);
    expect(kit.memory.slabs.inUseBytes).toBeLessThan(kit.memory.slabs.budgetBytes * 0.75);
  });

  test('answers from the cache, which stays within its share of the memory', async () => {
    const log = await filled(await kit.disk(), { segmentBytes: 1024 * KIB }, 60_000, 100, 5000);
    for (const offset of range(0, 200)) await log.get(offset * 300);
    const { cache } = log.metrics();
    expect(cache.bytes).toBeGreaterThan(0);
    for (const offset of range(190, 200)) await log.get(offset * 300);
    expect(log.metrics().cache.hits).toBeGreaterThanOrEqual(cache.hits + 9);
    const random = createRandom(1);
    for (const _ of range(0, 3000)) {
      const offset = random.int(0, 59_999);
      if ((await log.get(offset)).offset !== offset) throw new Error(`not the record ${offset}`);
    }
    expect(log.metrics().cache.bytes).toBeLessThanOrEqual(kit.memory.slabs.budgetBytes / 2);
  });

  test('sees a record as soon as it was acknowledged', async () => {
    const log = await kit.open(await kit.disk(), { segmentBytes: 16 * KIB, indexIntervalBytes: 600 });
    const wrong: number[] = [];
    for (const i of range(0, 400)) {
      await log.append({ value: valueOf(i, 50) });
      if ((await log.get(i)).value?.toString() !== valueOf(i, 50)) wrong.push(i);
      const earlier = (i * 7) % (i + 1);
      if ((await log.get(earlier)).offset !== earlier) wrong.push(earlier);
    }
    expect(wrong).toEqual([]);
  });

  test('does not see what was written before a write failed and its offsets were used again', async () => {
    const disk = await kit.disk();
    const log = await kit.open(disk, { indexIntervalBytes: 100 });
    for (const i of range(0, 10)) await log.append({ value: valueOf(i, 50) });
    disk.rules.push({ operation: 'write', path: /\d\.log$/, error: 'EIO', late: true, times: 1 });
    expect(await failureCode(log.append({ value: 'lost' }))).toBe('IO');
    expect(await failureCode(log.get(10))).toBe('OUT_OF_RANGE');
    await log.append({ value: 'kept' });
    expect((await log.get(10)).value?.toString()).toBe('kept');
  });

  test('works at the same time for many', async () => {
    const disk = await kit.disk();
    await (await filled(disk, { segmentBytes: 16 * KIB }, 2000, 100, 100)).close();
    const log = await kit.open(disk);
    const offsets = range(0, 300).map((i) => (i * 1999) % 2000);
    const records = await Promise.all(offsets.map((offset) => log.get(offset)));
    expect(records.map(({ offset }) => offset)).toEqual(offsets);
  });

  test('refuses what is no offset', async () => {
    const log = await kit.open(await kit.disk());
    for (const wrong of [-1, 1.5, Number.NaN, '0', undefined]) {
      await expect(log.get(wrong as number)).rejects.toThrow(/offset must be/);
    }
    expect(await failure(log.get(0))).toMatchObject({
      code: 'OUT_OF_RANGE',
      message: expect.stringMatching(/is empty/),
    });
  });
});

describe('a damaged byte', () => {
  const options: LogOptions = { segmentBytes: 64 * KIB, indexIntervalBytes: 2 * KIB, batchBytes: 512 };

  /** Where the batches of a segment lie, by reading their headers. */
  async function layout(
    disk: Disk,
    base: number,
  ): Promise<{ start: number; end: number; first: number; last: number }[]> {
    const bytes = await fileBytes(disk.inner, segmentPath(base));
    const batches = [];
    for (let start = 0; start < bytes.length; ) {
      const end = start + 12 + bytes.readInt32BE(start + 8);
      const first = Number(bytes.readBigInt64BE(start));
      batches.push({ start, end, first, last: first + bytes.readInt32BE(start + 23) });
      start = end;
    }
    return batches;
  }

  test.each([
    ['in the base offset', 7],
    ['in the length', 11],
    ['in the magic number', 16],
    ['in the checksum', 18],
    ['in the header', 30],
    ['in a record', 100],
  ])('%s costs the records of its batch, and says which they are', async (_, at) => {
    const disk = await kit.disk();
    const log = await filled(disk, options, 400, 100, 400);
    await log.close();
    const batches = await layout(disk, 0);
    expect(batches.length).toBeGreaterThan(50);
    for (const number of [0, 1, 17, 18, batches.length - 2]) {
      const { start, first, last } = batches[number] as (typeof batches)[0];
      const image = await fileBytes(disk.inner, segmentPath(0));
      await damageInPlace(disk, start + at);
      const fresh = await reader(disk);
      for (const { offset } of [{ offset: first }, { offset: last }]) {
        expect(await failure(fresh.get(offset))).toMatchObject({
          code: 'CORRUPT',
          file: segmentPath(0),
          position: start,
          offsets: { first, last },
        });
      }
      const others = [first - 1, first - 3, last + 1, last + 5, 0, 399].filter(
        (offset) => offset >= 0 && offset < 400 && (offset < first || offset > last),
      );
      for (const offset of others)
        expect((await fresh.get(offset)).value?.toString()).toBe(valueOf(offset, 100));
      // From the start, a reader comes as far as the damage; from behind it, to the end.
      const seen: number[] = [];
      const error = await failure(async () => {
        for await (const { offset } of fresh.read()) seen.push(offset);
      });
      expect(seen).toEqual(range(0, first));
      expect(error).toMatchObject({
        code: 'CORRUPT',
        file: segmentPath(0),
        position: start,
        offsets: { first, last },
      });
      expect(await readOffsets(fresh, { fromOffset: last + 1 })).toEqual(range(last + 1, 400));
      // From within, it is the whole batch that is named.
      expect(await failure(readOffsets(fresh, { fromOffset: last }))).toMatchObject({
        offsets: { first, last },
      });
      expect(fresh.metrics().corruptions).toBeGreaterThan(2);
      await fresh.close();
      await restore(disk, image);
    }
  });

  /** A log that was closed, of which nobody has looked at a byte since. */
  function reader(disk: Disk): Promise<Log> {
    return kit.open(disk, options, { readOnly: true });
  }

  async function damageInPlace(disk: Disk, position: number): Promise<void> {
    await damageFile(disk.inner, segmentPath(0), position, 0x10);
  }

  async function restore(disk: Disk, bytes: Buffer): Promise<void> {
    const file = await disk.inner.open(segmentPath(0), 'write');
    await file.write(bytes, 0);
    await file.close();
  }

  test('is found while the log is open, too', async () => {
    const disk = await kit.disk();
    const log = await filled(disk, { ...options, segmentBytes: 4 * KIB }, 200, 100, 50);
    const [batch] = (await layout(disk, 0)).slice(2);
    // The file is open, so it must be changed in place.
    const file = await disk.inner.open(segmentPath(0), 'write');
    await file.write(Buffer.from([0xff]), (batch?.start ?? 0) + 90);
    await file.close();
    const { first = 0, last = 0, start = 0 } = batch ?? {};
    const expected = { code: 'CORRUPT', position: start, offsets: { first, last } };
    expect(await failure(log.get(first))).toMatchObject(expected);
    expect(await failure(readOffsets(log))).toMatchObject(expected);
    expect((await log.verify()).problems).toMatchObject([
      { file: segmentPath(0), position: start, offsets: { first, last } },
    ]);
    expect((await log.get(last + 1)).offset).toBe(last + 1);
    await log.append({ value: 'goes on' });
  });

  test('a file that was cut off under the log is damage, and said to be', async () => {
    const disk = await kit.disk();
    const log = await filled(disk, { ...options, segmentBytes: 4 * KIB }, 200, 100, 50);
    const batches = await layout(disk, 0);
    const { start, first } = batches[3] as (typeof batches)[0];
    await resizeFile(disk.inner, segmentPath(0), start + 70);
    const last = batches.at(-1)?.last ?? 0;
    expect((await log.get(first - 1)).offset).toBe(first - 1);
    expect(await failure(log.get(first))).toMatchObject({
      code: 'CORRUPT',
      position: start,
      offsets: { first, last },
    });
    // Nothing before it says where its batch would have begun.
    expect(await failure(log.get(last))).toMatchObject({ code: 'CORRUPT', offsets: { first: last, last } });
    expect(await failure(readOffsets(log))).toMatchObject({
      code: 'CORRUPT',
      position: start,
      offsets: { first, last },
    });
    expect((await log.get(last + 1)).offset).toBe(last + 1);
  });
});
