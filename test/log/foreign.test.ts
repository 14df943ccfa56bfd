/** Batches that were made elsewhere: taken as they are, or refused before anything happens. */

import { describe, expect, test } from 'vitest';
import type { LogOptions } from '../../src/log/options.ts';
import { type BatchFields, batchBytes, crc32cOf } from '../kit/batch-bytes.ts';
import { createGate, settle } from '../kit/clock.ts';
import {
  failureCode,
  fileBytes,
  range,
  readOffsets,
  readRecords,
  readValues,
  segmentPath,
  soon,
  useLogKit,
} from '../kit/log-kit.ts';
import { createRandom } from '../kit/random.ts';

const kit = useLogKit();

function batch(values: readonly string[], fields: Partial<BatchFields> = {}): Uint8Array {
  return batchBytes({
    records: values.map((value, i) => ({
      offsetDelta: i,
      timestampDelta: BigInt(i),
      value: Buffer.from(value),
    })),
    maxTimestamp: 1_700_000_000_000n + BigInt(values.length - 1),
    ...fields,
  });
}

describe('appendBatches', () => {
  test('takes batches as they are, but for base offset and leader epoch', async () => {
    const disk = await kit.disk();
    const log = await kit.open(disk);
    await log.append({ value: 'own' });
    const batches = [
      batch(['a', 'b'], { baseOffset: 500n, leaderEpoch: 77 }),
      batch(['c'], { baseOffset: 7n }),
    ];
    expect(await log.appendBatches(Buffer.concat(batches))).toEqual({ firstOffset: 1, lastOffset: 3 });
    expect(await log.append({ value: 'own too' })).toBe(4);
    expect(await readValues(log)).toEqual(['own', 'a', 'b', 'c', 'own too']);
    const stored = await fileBytes(disk.inner, segmentPath(0));
    let at = 12 + stored.readInt32BE(8);
    for (const [i, bytes] of batches.entries()) {
      expect(stored.readBigInt64BE(at)).toBe(BigInt(i === 0 ? 1 : 3));
      expect(stored.subarray(at + 8, at + 12)).toEqual(Buffer.from(bytes.subarray(8, 12)));
      expect(stored.subarray(at + 16, at + bytes.length)).toEqual(Buffer.from(bytes.subarray(16)));
      at += bytes.length;
    }
    expect((await log.verify()).problems).toEqual([]);
  });

  test('keeps keys, headers and times, and those of the append', async () => {
    const log = await kit.open(await kit.disk());
    await log.appendBatches(
      batchBytes({
        baseTimestamp: 1000n,
        maxTimestamp: 5000n,
        records: [
          { offsetDelta: 0, timestampDelta: 4000n, key: Buffer.from('k'), value: null },
          { offsetDelta: 1, timestampDelta: -900n, headers: [{ key: Buffer.from('h'), value: null }] },
        ],
      }),
    );
    const logAppendTime = batchBytes({
      attributes: 8,
      baseTimestamp: 10n,
      maxTimestamp: 77n,
      records: [{ offsetDelta: 0 }, { offsetDelta: 1, timestampDelta: 3n }],
    });
    await log.appendBatches(logAppendTime);
    const records = await readRecords(log);
    expect(records.map(({ timestamp }) => timestamp)).toEqual([5000, 100, 77, 77]);
    expect(records[0]?.key?.toString()).toBe('k');
    expect(records[1]?.headers).toEqual([{ key: 'h', value: null }]);
    expect(await readOffsets(log, { fromTimestamp: 70, toTimestamp: 101 })).toEqual([1, 2, 3]);
  });

  test.each<LogOptions>([{ sync: { mode: 'always' } }, { sync: { mode: 'never' }, segmentBytes: 4096 }])(
    'goes well with everything else (%o)',
    async (options) => {
      const log = await kit.open(await kit.disk(), options);
      const random = createRandom(1);
      const expected: string[] = [];
      const calls: Promise<unknown>[] = [];
      for (const i of range(0, 300)) {
        const values = range(0, random.int(1, 5)).map((j) => `${i}.${j}`.padEnd(random.int(1, 400), '.'));
        expected.push(...values);
        if (random.chance(0.4)) calls.push(log.appendBatches(batch(values)));
        else calls.push(log.appendMany(values.map((value) => ({ value }))));
        if (random.chance(0.05)) await settle(1);
      }
      await soon(Promise.all(calls));
      expect(await readValues(log)).toEqual(expected);
    },
  );

  test('resolves at the level that was asked for', async () => {
    const disk = await kit.disk();
    const log = await kit.open(disk, { sync: { mode: 'never' } });
    const gate = createGate();
    disk.rules.push({ operation: 'datasync', path: /\d\.log$/, delay: () => gate.opened });
    await log.appendBatches(batch(['a']));
    await log.appendBatches(batch(['b']), { durability: 'accepted' });
    const synced = log.appendBatches(batch(['c']), { durability: 'synced' });
    await settle();
    expect(log.durable).toMatchObject({ written: 3, synced: 0 });
    gate.open();
    await synced;
    expect(log.durable.synced).toBe(3);
  });

  const good = batch(['x', 'y']);
  const changed = (at: number, mask = 1): Uint8Array =>
    good.map((byte, i) => (i === at ? byte ^ mask : byte));
  const wrong: [string, Uint8Array][] = [
    ['nothing', new Uint8Array(0)],
    ['half a header', good.subarray(0, 30)],
    ['a batch that is cut off', good.subarray(0, good.length - 1)],
    ['a byte too many', Buffer.concat([good, Buffer.alloc(1)])],
    ['a wrong checksum', changed(17)],
    ['a wrong byte', changed(70)],
    ['another magic number', batch(['x'], { magic: 1 })],
    ['a negative length', batch(['x'], { batchLength: -5 })],
    ['a huge length', batch(['x'], { batchLength: 2 ** 30 })],
    ['no record', batch([], { recordCount: 0, lastDelta: 0 })],
    ['fewer records than it says', batch(['x'], { recordCount: 2, lastDelta: 1 })],
    ['more records than it says', batch(['x', 'y'], { recordCount: 1, lastDelta: 0 })],
    ['a gap in its offsets', batchBytes({ records: [{ offsetDelta: 0 }, { offsetDelta: 2 }] })],
    ['offsets that do not begin at once', batchBytes({ records: [{ offsetDelta: 1 }], lastDelta: 0 })],
    [
      'offsets that do not grow',
      batchBytes({ records: [{ offsetDelta: 0 }, { offsetDelta: 0 }], lastDelta: 1 }),
    ],
    ['a record with a wrong length', batchBytes({ records: [{ offsetDelta: 0, bodyLength: 3 }] })],
    ['a record with bytes behind it', batchBytes({ records: [{ offsetDelta: 0, extra: [1, 2] }] })],
    ['a good batch and then a bad one', Buffer.concat([good, changed(70)])],
  ];

  test.each(wrong)('refuses %s, and nothing happens', async (_, bytes) => {
    const disk = await kit.disk();
    const log = await kit.open(disk);
    await log.append({ value: 'before' });
    await expect(log.appendBatches(bytes)).rejects.toThrow(RangeError);
    expect(log.nextOffset).toBe(1);
    await log.append({ value: 'behind' });
    expect(await readValues(log)).toEqual(['before', 'behind']);
  });

  test('refuses what it could not read, and says why', async () => {
    const log = await kit.open(await kit.disk());
    for (const attributes of [1, 2, 3, 4]) {
      const bytes = batchBytes({ attributes, records: new Uint8Array(20), recordCount: 1 });
      // Without its package, a codec cannot look into the batch.
      const error = await log.appendBatches(bytes).catch((caught: unknown) => caught);
      if (!(error instanceof RangeError)) expect(error).toMatchObject({ code: 'UNSUPPORTED' });
    }
    for (const attributes of [5, 6, 7]) {
      const bytes = batchBytes({ attributes, records: new Uint8Array(20), recordCount: 1 });
      expect(await failureCode(log.appendBatches(bytes))).toBe('UNSUPPORTED');
    }
    expect(await failureCode(log.appendBatches(batch(['x'], { attributes: 32 })))).toBe('UNSUPPORTED');
    await expect(log.appendBatches('text' as unknown as Uint8Array)).rejects.toThrow(TypeError);
  });

  test('refuses a header without a name', async () => {
    const log = await kit.open(await kit.disk());
    // A name of length -1: zigzag 1.
    const headers = [{ key: Buffer.from('h'), value: Buffer.from('v') }];
    const bytes = Buffer.from(batchBytes({ records: [{ offsetDelta: 0, headers }] }));
    const at = bytes.lastIndexOf('h') - 1;
    bytes[at] = 1;
    bytes.writeUInt32BE(crc32cOf(bytes.subarray(21)), 17);
    await expect(log.appendBatches(bytes)).rejects.toThrow(RangeError);
  });

  test('refuses records newer than the header says, which reads by time would miss', async () => {
    const log = await kit.open(await kit.disk());
    const lying = batch(['old', 'new'], { baseTimestamp: 1000n, maxTimestamp: 5n });
    await expect(log.appendBatches(lying)).rejects.toThrow(/newer than its header says/);
    // One that says more than it has costs a look, and misses nothing.
    await log.appendBatches(batch(['old', 'new'], { baseTimestamp: 1000n, maxTimestamp: 9000n }));
    expect(await readOffsets(log, { fromTimestamp: 1001 })).toEqual([1]);
    expect(await readOffsets(log, { fromTimestamp: 2000 })).toEqual([]);
  });

  test('never reads beyond what it was given, whatever the bytes', async () => {
    const log = await kit.open(await kit.disk());
    const random = createRandom(4);
    for (const _ of range(0, 500)) {
      const bytes = Buffer.from(
        batch(range(0, random.int(1, 4)).map((i) => `${i}`.repeat(random.int(1, 30)))),
      );
      for (const __ of range(0, random.int(1, 3)))
        bytes[random.int(0, bytes.length - 1)] = random.int(0, 255);
      if (random.chance(0.5)) bytes.writeUInt32BE(crc32cOf(bytes.subarray(21)), 17);
      await log.appendBatches(bytes.subarray(0, random.int(1, bytes.length))).catch((error: unknown) => {
        if (!(error instanceof RangeError)) expect(error).toMatchObject({ code: 'UNSUPPORTED' });
      });
    }
    expect(await readOffsets(log)).toEqual(range(0, log.nextOffset));
    expect((await log.verify()).problems).toEqual([]);
  });
});

describe('appendFramed', () => {
  test('writes batches from where they lie, in the order of the calls', async () => {
    const disk = await kit.disk();
    const log = await kit.open(disk, { sync: { mode: 'never' } });
    const { slabs, u8 } = kit.memory;
    const slab = slabs.allocate(64 * 1024, 'framed');
    const places = range(0, 5).map((i) => {
      const bytes = Buffer.concat([batch([`${i} a`, `${i} b`]), batch([`${i} c`])]);
      const address = slab.address + i * 1024;
      u8.set(bytes, address);
      return { address, bytes: bytes.length };
    });
    const calls = [log.append({ value: 'first' }), ...places.map((place) => log.appendFramed(place))];
    expect(await Promise.all(calls)).toEqual([
      0,
      ...range(0, 5).map((i) => ({ firstOffset: 1 + 3 * i, lastOffset: 3 + 3 * i })),
    ]);
    slab.release();
    expect(await readValues(log)).toEqual([
      'first',
      ...range(0, 5).flatMap((i) => [`${i} a`, `${i} b`, `${i} c`]),
    ]);
    expect(log.durable).toMatchObject({ written: 16, synced: 0 });
    await log.reached(15, 'synced');
  });

  test('fails with the write, and its memory stays the caller’s', async () => {
    const disk = await kit.disk();
    const log = await kit.open(disk);
    const slab = kit.memory.slabs.allocate(1024, 'framed');
    const bytes = batch(['x']);
    kit.memory.u8.set(bytes, slab.address);
    disk.rules.push({ operation: 'write', path: /\d\.log$/, error: 'ENOSPC', times: 1 });
    const place = { address: slab.address, bytes: bytes.length };
    expect(await failureCode(log.appendFramed(place))).toBe('NO_SPACE');
    expect(await log.appendFramed(place)).toEqual({ firstOffset: 0, lastOffset: 0 });
    slab.release();
  });
});
