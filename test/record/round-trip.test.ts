/** What goes in comes out: keys, values, headers and times of every kind, through batches of every size. */

import { describe, expect, test } from 'vitest';
import { BATCH_RECORDS_MAX } from '../../src/limits.ts';
import type { Log } from '../../src/log/log.ts';
import type { LogOptions } from '../../src/log/options.ts';
import type { LogRecord, RecordInput } from '../../src/record/record.ts';
import { range, readRecords, useLogKit } from '../kit/log-kit.ts';
import { createRandom, type Random } from '../kit/random.ts';

const kit = useLogKit(64 * 1024 * 1024);
const MIB = 1024 * 1024;

async function opened(options?: LogOptions): Promise<Log> {
  return kit.open(await kit.disk(), { sync: { mode: 'never' }, ...options });
}

function bytesOf(value: string | Uint8Array | null | undefined): string | null {
  if (value === null || value === undefined) return null;
  return Buffer.from(value as Uint8Array).toString('hex');
}

/** A record as text, however it is held. */
function show(record: RecordInput | LogRecord): string {
  const headers = (record.headers ?? []).map(({ key, value }) => `${key}=${bytesOf(value)}`);
  return `${record.timestamp} ${bytesOf(record.key)} ${bytesOf(record.value)} ${headers.join('&')}`;
}

async function expectSame(log: Log, records: readonly RecordInput[]): Promise<void> {
  const read = (await readRecords(log)).map(show);
  const expected = records.map(show);
  expect(read.findIndex((text, i) => text !== expected[i])).toBe(-1);
  expect(read).toHaveLength(expected.length);
  const step = Math.ceil(records.length / 50);
  for (let offset = 0; offset < records.length; offset += step) {
    expect(show(await log.get(offset))).toBe(expected[offset]);
  }
}

function randomRecord(random: Random): RecordInput {
  const bytes = (): Uint8Array | string | null => {
    const kind = random.int(0, 5);
    if (kind === 0) return null;
    if (kind === 1) return '';
    if (kind === 2) return random.pick(['plain', 'grüße', '日本語', '🪵🪵', '\u0000', 'a\ud800b', 'é']);
    return random.bytes(random.pick([1, 7, 63, 64, 127, 128, 300, 2000]));
  };
  return {
    key: bytes(),
    value: bytes(),
    timestamp:
      random.pick([0, -1, 1_700_000_000_000, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER]) ||
      random.int(0, 1e9),
    ...(random.chance(0.5)
      ? {}
      : {
          headers: range(0, random.int(0, 4)).map(() => ({
            key: random.pick(['', 'id', 'id', 'trace', 'größe', '鍵']),
            value: bytes(),
          })),
        }),
  };
}

describe('records of every kind', () => {
  test.each<LogOptions>([
    {},
    { batchBytes: 64 },
    { batchBytes: MIB, bufferBytes: 2 * MIB },
    { segmentBytes: 4096, indexIntervalBytes: 1 },
  ])('come out as they went in (%o)', async (options) => {
    const random = createRandom(JSON.stringify(options).length);
    const log = await opened(options);
    const records = range(0, 1500).map(() => randomRecord(random));
    for (let i = 0; i < records.length; ) {
      const count = random.int(1, 90);
      await log.appendMany(records.slice(i, i + count));
      i += count;
    }
    await expectSame(log, records);
  });

  test('may be empty in every way', async () => {
    const log = await opened();
    const records: RecordInput[] = [
      {},
      { key: null, value: null },
      { key: undefined, value: undefined, headers: [] },
      { key: '', value: '' },
      { key: new Uint8Array(0) },
      { value: Buffer.alloc(0) },
      { headers: [{ key: '', value: null }] },
      {
        headers: [
          { key: '', value: '' },
          { key: '', value: new Uint8Array(0) },
        ],
      },
    ];
    for (const record of records) await log.append({ ...record, timestamp: 5 });
    await log.appendMany(records.map((record) => ({ ...record, timestamp: 5 })));
    await expectSame(
      log,
      [...records, ...records].map((record) => ({ ...record, timestamp: 5 })),
    );
    const first = await log.get(0);
    expect([first.key, first.value, first.headers, first.headerCount]).toEqual([null, null, [], 0]);
    const third = await log.get(3);
    expect([third.key, third.value]).toEqual([Buffer.alloc(0), Buffer.alloc(0)]);
  });

  test('keep headers in their order, with names that repeat', async () => {
    const log = await opened();
    const headers = [
      { key: 'b', value: '1' },
      { key: 'a', value: null },
      { key: 'b', value: Buffer.from([0, 255]) },
      { key: 'b', value: '1' },
    ];
    await log.append({ value: 'x', headers });
    const record = await log.get(0);
    expect(record.headerCount).toBe(4);
    expect(record.headers).toEqual([
      { key: 'b', value: Buffer.from('1') },
      { key: 'a', value: null },
      { key: 'b', value: Buffer.from([0, 255]) },
      { key: 'b', value: Buffer.from('1') },
    ]);
  });

  test('may have very many headers, and very large ones', async () => {
    const log = await opened({ maxRecordBytes: 4 * MIB });
    const many = range(0, 20_000).map((i) => ({ key: `header ${i}`, value: `${i}` }));
    const large = [{ key: 'k'.repeat(100_000), value: Buffer.alloc(MIB, 7) }];
    const records = [
      { timestamp: 1, headers: many },
      { timestamp: 2, headers: large },
    ];
    await log.appendMany(records);
    await expectSame(log, records);
  });

  test('are copied when they are accepted, and again when they are read', async () => {
    const log = await opened();
    const value = Buffer.from('before');
    const offset = log.enqueue({ value });
    value.write('after!');
    await log.sync();
    const record = await log.get(offset);
    expect(record.value?.toString()).toBe('before');
    record.value?.fill(0);
    expect((await log.get(offset)).value?.toString()).toBe('before');
    expect((await readRecords(log))[0]?.value?.toString()).toBe('before');
  });

  test('may be views of a larger memory, shared or not', async () => {
    const log = await opened();
    const shared = new Uint8Array(new SharedArrayBuffer(100)).fill(3);
    const value = shared.subarray(10, 20);
    await log.append({ key: new Uint8Array(100).fill(9).subarray(50, 53), value });
    const record = await log.get(0);
    expect([record.key, record.value]).toEqual([Buffer.alloc(3, 9), Buffer.alloc(10, 3)]);
  });
});

describe('a batch', () => {
  async function counts(log: Log): Promise<number[]> {
    const found: number[] = [];
    for await (const { recordCount } of log.batches()) found.push(recordCount);
    return found;
  }

  test(`has at most ${BATCH_RECORDS_MAX} records`, async () => {
    const log = await opened({ batchBytes: MIB, bufferBytes: 2 * MIB });
    await log.appendMany(
      range(0, 3 * BATCH_RECORDS_MAX + 1).map((i) => ({ key: null, value: null, timestamp: i })),
    );
    expect(await counts(log)).toEqual([BATCH_RECORDS_MAX, BATCH_RECORDS_MAX, BATCH_RECORDS_MAX, 1]);
    expect((await log.get(2 * BATCH_RECORDS_MAX)).timestamp).toBe(2 * BATCH_RECORDS_MAX);
  });

  test('is full when its records have so many bytes', async () => {
    const log = await opened({ batchBytes: 1000 });
    await log.appendMany(range(0, 25).map(() => ({ value: Buffer.alloc(100) })));
    expect(await counts(log)).toEqual([10, 10, 5]);
  });

  test('holds one record that is larger than that, and beside it only empty ones', async () => {
    const log = await opened({ batchBytes: 1000 });
    const sizes = [1, 999, 1000, 1001, 5, 5, 50_000, 50_000, 0, 0, 1000, 0, 1];
    const records = sizes.map((size, i) => ({ value: Buffer.alloc(size, i), timestamp: i }));
    await log.appendMany(records);
    await expectSame(log, records);
    const found = await counts(log);
    expect(found.reduce((sum, count) => sum + count, 0)).toBe(sizes.length);
    for await (const batch of log.batches()) {
      const filled = batch.records().flatMap(({ value }) => (value?.length ? [value.length] : []));
      const bytes = filled.reduce((sum, length) => sum + length, 0);
      expect(bytes <= 1000 || filled.length === 1).toBe(true);
    }
  });

  test.each([MIB - 1, MIB, 4 * MIB, 16 * MIB])('can be as large as one record of %i bytes', async (size) => {
    const log = await opened({ maxRecordBytes: 16 * MIB });
    const value = Buffer.alloc(size, 5);
    await expect(log.append({ value: Buffer.alloc(16 * MIB + 1) })).rejects.toThrow(RangeError);
    await log.appendMany([{ value: 'before' }, { value }, { value: 'behind' }]);
    expect(await counts(log)).toEqual([1, 1, 1]);
    expect((await log.get(1)).value?.equals(value)).toBe(true);
    expect((await readRecords(log)).map((record) => record.value?.length)).toEqual([6, size, 6]);
  });

  test('tells the newest of its times, whatever their order', async () => {
    const log = await opened();
    await log.appendMany([5, 9, -3, 7].map((timestamp) => ({ timestamp })));
    await log.appendMany([{ timestamp: -100 }, { timestamp: -7 }]);
    const found: number[] = [];
    for await (const { maxTimestamp } of log.batches()) found.push(maxTimestamp);
    expect(found).toEqual([9, -7]);
    expect(log.info().segments[0]?.maxTimestamp).toBe(9);
  });
});
