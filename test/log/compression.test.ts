/** Logs whose batches are compressed: written, read, cut, damaged and repaired. */

import { describe, expect, test } from 'vitest';
import type { CodecName } from '../../src/codec/codec.ts';
import { codecs } from '../../src/codec/registry.ts';
import { VarveError } from '../../src/errors.ts';
import type { Log } from '../../src/log/log.ts';
import type { LogOptions } from '../../src/log/options.ts';
import { repairLog } from '../../src/log/repair.ts';
import { type LogWork, workHere } from '../../src/log/work.ts';
import { compressBatches } from '../../src/record/compression.ts';
import type { RecordInput } from '../../src/record/record.ts';
import { createMemoryVfs } from '../../src/vfs/memory.ts';
import { joinPath } from '../../src/vfs/vfs.ts';
import { batchBytes, recordBytes } from '../kit/batch-bytes.ts';
import { CODECS_HERE } from '../kit/codecs.ts';
import { DIRECTORY, type Disk, failure, range, readOffsets, readRecords, useLogKit } from '../kit/log-kit.ts';
import { createRandom } from '../kit/random.ts';

const kit = useLogKit();
const SEGMENT = joinPath(DIRECTORY, '00000000000000000000.log');

/** A line as logs have them: much alike, never the same. */
function line(i: number): string {
  return `081109 2036${i % 60} ${i % 997} INFO dfs.DataNode$PacketResponder: Received block blk_${i * 7919} of size ${i * 31}`;
}

function record(i: number): RecordInput {
  const headers = i % 5 === 0 ? [{ key: 'level', value: 'INFO' }] : undefined;
  const input: RecordInput = { key: `host-${i % 4}`, value: line(i), timestamp: 1000 + i };
  return headers === undefined ? input : { ...input, headers };
}

async function bytesOf(disk: Disk, path = SEGMENT): Promise<Buffer> {
  const file = await disk.inner.open(path, 'read');
  const bytes = Buffer.alloc(await file.size());
  await file.read(bytes, 0);
  await file.close();
  return bytes;
}

async function change(disk: Disk, position: number, bytes: Uint8Array, path = SEGMENT): Promise<void> {
  const file = await disk.inner.open(path, 'write');
  await file.write(bytes, position);
  await file.close();
}

/** Attributes and places of the batches of a segment, by their lengths. */
function batchesIn(bytes: Buffer): { position: number; size: number; codec: number; records: number }[] {
  const found = [];
  for (let at = 0; at < bytes.length; ) {
    const size = bytes.readInt32BE(at + 8) + 12;
    found.push({
      position: at,
      size,
      codec: bytes.readInt16BE(at + 21) & 7,
      records: bytes.readInt32BE(at + 57),
    });
    at += size;
  }
  return found;
}

async function expectRecords(log: Log, count: number): Promise<void> {
  const records = await readRecords(log);
  expect(records.map(({ offset }) => offset)).toEqual(range(0, count));
  for (const i of range(0, count)) {
    const { key, value, timestamp, headers } = records[i] as (typeof records)[number];
    expect(record(i)).toMatchObject({ key: key?.toString(), value: value?.toString(), timestamp });
    expect(headers.length).toBe(i % 5 === 0 ? 1 : 0);
  }
}

describe.each(CODECS_HERE.map((one) => [`${one.name}${one.note}`, one] as const))(
  'a log compressed with %s',
  (_, { name, codec }) => {
    const isAbsent = codec === undefined;
    const options: LogOptions = { compression: name, batchBytes: 4096, sync: { mode: 'never' } };

    test.skipIf(isAbsent)(
      'gives back what went in, by every way of reading, before and after it was opened again',
      async () => {
        const disk = await kit.disk();
        const log = await kit.open(disk, options);
        await log.appendMany(range(0, 500).map(record));
        await expectRecords(log, 500);
        await log.close();
        const stored = batchesIn(await bytesOf(disk));
        expect(
          stored.every(({ codec: number }) => number === ['gzip', 'snappy', 'lz4', 'zstd'].indexOf(name) + 1),
        ).toBe(true);
        expect(stored.reduce((sum, { records }) => sum + records, 0)).toBe(500);
        const again = await kit.open(disk, options);
        await expectRecords(again, 500);
        for (const offset of [0, 499, 250, 250, 1, 37, 38, 498]) {
          const found = await again.get(offset);
          expect({ offset: found.offset, value: found.value?.toString() }).toEqual({
            offset,
            value: line(offset),
          });
        }
        expect(await readOffsets(again, { fromTimestamp: 1100, toTimestamp: 1110 })).toEqual(range(100, 110));
        expect(await readOffsets(again, { fromOffset: 77, toOffset: 80 })).toEqual([77, 78, 79]);
        const batched: number[] = [];
        for await (const batch of again.batches()) {
          expect(batch.bytes.length).toBe(batch.size);
          batched.push(...batch.records().map(({ offset }) => offset));
        }
        expect(batched).toEqual(range(0, 500));
        expect((await again.verify({ deep: true })).problems).toEqual([]);
        expect(again.info().bytes).toBeLessThan(500 * 120 * 0.6);
      },
    );

    test.skipIf(isAbsent)('recovers after a crash, makes its indexes again, and goes on', async () => {
      const disk = await kit.disk();
      const log = await kit.open(disk, { ...options, segmentBytes: 8192 });
      await log.appendMany(range(0, 800).map(record));
      await log.sync();
      for (const file of await disk.inner.readdir(DIRECTORY)) {
        if (!file.endsWith('.log')) await disk.inner.remove(joinPath(DIRECTORY, file));
      }
      const other = await kit.disk();
      for (const file of await disk.inner.readdir(DIRECTORY)) {
        const target = await other.inner.open(joinPath(DIRECTORY, file), 'create');
        await target.write(await bytesOf(disk, joinPath(DIRECTORY, file)), 0);
        await target.close();
      }
      const again = await kit.open(other, { ...options, segmentBytes: 8192 });
      expect(again.info().segments.length).toBeGreaterThan(1);
      await expectRecords(again, 800);
      await again.append(record(800));
      await expectRecords(again, 801);
      expect((await again.verify({ deep: true })).problems).toEqual([]);
    });

    test.skipIf(isAbsent)(
      'says which offsets a damaged batch costs, and a repair keeps the others',
      async () => {
        const disk = await kit.disk();
        const log = await kit.open(disk, options);
        await log.appendMany(range(0, 500).map(record));
        await log.close();
        const stored = batchesIn(await bytesOf(disk));
        const damaged = stored[2] as (typeof stored)[number];
        const first = (stored[0]?.records ?? 0) + (stored[1]?.records ?? 0);
        const last = first + damaged.records - 1;
        await change(disk, damaged.position + 70, Uint8Array.of(0xff, 0xff, 0xff));
        const again = await kit.open(disk, options);
        const error = await failure(again.get(first));
        expect(error).toMatchObject({
          code: 'CORRUPT',
          position: damaged.position,
          offsets: { first, last },
        });
        expect((await again.get(last + 1)).value?.toString()).toBe(line(last + 1));
        expect((await again.verify()).problems).toMatchObject([{ offsets: { first, last } }]);
        await again.close();
        const { memory } = kit;
        await repairLog(
          { memory, vfs: disk.vfs, directory: DIRECTORY, indexIntervalBytes: 4096 },
          { mode: 'skipAnyCorrupted', dryRun: false, clock: kit.clock },
        );
        const repaired = await kit.open(disk, options);
        expect(await readOffsets(repaired)).toEqual([...range(0, first), ...range(last + 1, 500)]);
        expect((await repaired.verify({ deep: true })).problems).toEqual([]);
      },
    );

    test.skipIf(isAbsent)('takes batches that are compressed already as they are', async () => {
      const bytes = await compressedBatch(name, range(0, 50));
      const log = await kit.open(await kit.disk());
      expect(await log.appendBatches(bytes)).toEqual({ firstOffset: 0, lastOffset: 49 });
      await log.append({ value: 'behind' });
      expect((await log.get(49)).value?.toString()).toBe(line(49));
      expect((await readRecords(log)).length).toBe(51);
      for await (const batch of log.batches({ toOffset: 50 })) {
        expect(Buffer.compare(batch.bytes.subarray(16), bytes.subarray(16))).toBe(0);
      }
    });
  },
);

/** A batch with these records, compressed. */
async function compressedBatch(codec: CodecName, lines: readonly number[]): Promise<Buffer> {
  const records = lines.map((i, offsetDelta) => ({ offsetDelta, value: Buffer.from(line(i)) }));
  return compressed(codec, Buffer.from(batchBytes({ records })));
}

async function compressed(codec: CodecName, batch: Uint8Array): Promise<Buffer> {
  const { memory } = kit;
  const slab = memory.slabs.allocate(batch.length + 16, 'the test');
  try {
    memory.u8.set(batch, slab.address);
    const args = { address: slab.address, sizes: [batch.length], codec, level: undefined };
    const [size = 0] = await compressBatches(memory, args);
    return memory.copy(slab.address, size);
  } finally {
    slab.release();
  }
}

describe('compression of a log', () => {
  test('leaves a batch plain that would not become smaller', async () => {
    const disk = await kit.disk();
    const log = await kit.open(disk, { compression: 'gzip' });
    await log.append({ value: 'short' });
    await log.append({ value: createRandom(5).bytes(5000) });
    await log.append({ value: 'a'.repeat(5000) });
    await log.close();
    expect(batchesIn(await bytesOf(disk)).map(({ codec }) => codec)).toEqual([0, 0, 1]);
    expect((await kit.open(disk, { compression: 'gzip' })).nextOffset).toBe(3);
  });

  test('counts what it saves', async () => {
    const log = await kit.open(await kit.disk(), { compression: { codec: 'gzip', level: 9 } });
    await log.appendMany(range(0, 1000).map(record));
    const { compression, appendedBytes } = log.metrics();
    expect(compression.storedBytes).toBe(appendedBytes);
    expect(compression.storedBytes).toBeLessThan(compression.plainBytes / 3);
  });

  test('rolls by what is stored, and keeps the order of all that was accepted', async () => {
    const log = await kit.open(await kit.disk(), {
      compression: 'gzip',
      batchBytes: 4096,
      segmentBytes: 8192,
      bufferBytes: 65_536,
      sync: { mode: 'never' },
    });
    const appends: Promise<number>[] = [];
    for (const i of range(0, 3000)) appends.push(log.append(record(i)));
    expect(await Promise.all(appends)).toEqual(range(0, 3000));
    expect(log.info().segments.every(({ bytes }) => bytes <= 8192)).toBe(true);
    await expectRecords(log, 3000);
  });

  test.each([
    [{ compression: 'brotli' }, /compression must be one of none, gzip, snappy, lz4, zstd/],
    [{ compression: { codec: 'zip' } }, /compression\.codec must be one of/],
    [{ compression: { codec: 'gzip', level: 10 } }, /compression\.level must be a whole number from 1 to 9/],
    [{ compression: { codec: 'lz4', level: 1 } }, /compression\.level: lz4 has no levels/],
    [{ compression: { codec: 'gzip', levl: 1 } }, /compression has no option levl/],
    [{ compression: 7 }, /compression must be an object/],
  ])('%j is refused with the name of the field', async (options, message) => {
    const disk = await kit.disk();
    await expect(kit.open(disk, options as LogOptions)).rejects.toThrow(message);
    expect(await disk.inner.readdir(DIRECTORY)).toEqual([]);
  });

  test('a group that is compressed by other threads is written as one, whoever refuses or fails', async () => {
    const gzip = { compression: { codec: 'gzip' }, sync: { mode: 'never' }, batchBytes: 8192 } as const;
    let mode: 'work' | 'refuse' | 'fail' = 'work';
    let parts = 0;
    const work: LogWork = {
      ...workHere(kit.memory, createMemoryVfs()),
      idleThreads: () => 3,
      compressBatches: (args: Parameters<typeof compressBatches>[1]) => {
        parts++;
        if (mode === 'refuse') return Promise.reject(new VarveError('BACKPRESSURE', 'too many'));
        if (mode === 'fail') return Promise.reject(new VarveError('IO', 'the thread ended'));
        return compressBatches(kit.memory, args);
      },
    };
    const log = await kit.open(await kit.disk(), gzip, { work });
    await log.appendMany(range(0, 4000).map(record));
    expect(parts).toBeGreaterThan(1);
    mode = 'refuse';
    await log.appendMany(range(4000, 8000).map(record));
    await expectRecords(log, 8000);
    mode = 'fail';
    expect((await failure(log.appendMany(range(8000, 12_000).map(record)))).code).toBe('IO');
    expect(log.nextOffset).toBeLessThan(12_000);
    mode = 'work';
    const next = log.nextOffset;
    await log.appendMany(range(next, 9000).map(record));
    await expectRecords(log, 9000);
    expect((await log.verify({ deep: true })).problems).toEqual([]);
  });

  test('a batch that claims to become 4 GiB is damaged, wherever it is met, and takes no memory', async () => {
    // A block of snappy that says so; a real one of gzip, which becomes too much.
    const bombs: [CodecName, Uint8Array][] = [];
    if (codecs.loaded('snappy') !== undefined)
      bombs.push(['snappy', Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x0f, 0, 97)]);
    if (codecs.loaded('zstd') !== undefined) {
      bombs.push(['zstd', Buffer.from('28b52ffde0000000000100000003030000', 'hex')]);
    }
    const zeros = Buffer.concat(
      Array.from(
        { length: 140 },
        () => codecs.loaded('gzip')?.compress(Buffer.alloc(1 << 20)) ?? Buffer.alloc(0),
      ),
    );
    bombs.push(['gzip', zeros]);
    for (const [name, records] of bombs) {
      const attributes = ['gzip', 'snappy', 'lz4', 'zstd'].indexOf(name) + 1;
      const bomb = Buffer.from(
        batchBytes({ attributes, records, recordCount: 2_000_000_000, lastDelta: 1_999_999_999 }),
      );
      const disk = await kit.disk();
      const log = await kit.open(disk);
      const before = process.memoryUsage().arrayBuffers;
      await expect(log.appendBatches(bomb)).rejects.toThrow(/do not expand/);
      await log.close();
      await change(disk, 0, bomb);
      const again = await kit.open(disk);
      expect((await failure(readRecords(again))).code).toBe('CORRUPT');
      expect((await failure(again.get(3))).code).toBe('CORRUPT');
      for await (const batch of again.batches())
        expect((await failure(() => batch.records())).code).toBe('CORRUPT');
      expect((await again.verify()).problems.length).toBeGreaterThan(0);
      expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(400 << 20);
      await again.close();
    }
  });

  test('more records than can be in what a batch becomes are damage, too', async () => {
    const records = Uint8Array.from(recordBytes({ offsetDelta: 0, value: Buffer.from('a'.repeat(200)) }));
    const expanded = codecs.loaded('gzip')?.compress(records) ?? records;
    const batch = batchBytes({ attributes: 1, records: expanded, recordCount: 1000, lastDelta: 999 });
    const log = await kit.open(await kit.disk());
    await expect(log.appendBatches(batch)).rejects.toThrow(RangeError);
  });

  test('behind damage, batches count that hold more records than a plain log could have there', async () => {
    const disk = await kit.disk();
    const log = await kit.open(disk, { compression: 'gzip', sync: { mode: 'always' } });
    const same = { value: 'a'.repeat(20) };
    for (const _ of range(0, 6)) await log.appendMany(range(0, 1000).map(() => same));
    await log.close();
    const stored = batchesIn(await bytesOf(disk));
    expect(stored.length).toBe(6);
    expect(stored[1]?.size).toBeLessThan(1000 * 7);
    // The header of one is gone, too: nothing leads from it to the next.
    const { position, size } = stored[1] as (typeof stored)[number];
    await change(disk, position, new Uint8Array(size).fill(1));
    const again = await kit.open(disk, { recovery: 'skipAnyCorrupted' });
    expect(await readOffsets(again)).toEqual([...range(0, 1000), ...range(2000, 6000)]);
    const error = await failure(again.get(1500));
    expect(error).toMatchObject({ code: 'CORRUPT', offsets: { first: 1000, last: 1999 } });
  });

  test('random records come back whatever batches they fell into', async () => {
    const random = createRandom(23);
    for (const { name, codec } of CODECS_HERE) {
      if (codec === undefined) continue;
      const disk = await kit.disk();
      const options: LogOptions = {
        compression: name,
        batchBytes: 2000,
        segmentBytes: 20_000,
        sync: { mode: 'never' },
      };
      let log = await kit.open(disk, options);
      const expected: string[] = [];
      for (const _ of range(0, 40)) {
        const many = range(0, random.int(1, 30)).map(() =>
          random.chance(0.2)
            ? Buffer.from(random.bytes(random.int(0, 3000))).toString('latin1')
            : line(random.int(0, 50)).repeat(random.int(0, 4)),
        );
        await log.appendMany(many.map((value) => ({ value })));
        expected.push(...many);
        if (random.chance(0.1)) {
          await log.close();
          log = await kit.open(disk, options);
        }
        const at = random.int(0, expected.length - 1);
        expect((await log.get(at)).value?.toString()).toBe(expected[at]);
      }
      expect((await readRecords(log)).map(({ value }) => value?.toString())).toEqual(expected);
      expect((await log.verify({ deep: true })).problems).toEqual([]);
      await log.close();
    }
  });
});
