/** Decoding a batch and finding one record in it: what was encoded comes back, what is broken is refused. */

import { describe, expect, it } from 'vitest';

import { COLUMN_BYTES, MARK_RECORDS, SLACK_BYTES } from '../../../src/memory/layout.ts';
import {
  type Arena,
  BYTES,
  COLUMNS,
  type Decoded,
  ENTRIES,
  headersBytes,
  randomRecords,
  type TestRecord,
} from '../../kit/arena.ts';
import { type BatchFields, batchBytes, recordBytes, varint } from '../../kit/batch-bytes.ts';
import { createRandom } from '../../kit/random.ts';

const SOURCE = BYTES + (2 << 20);
const ascii = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text));
const SAFE = 2n ** 53n;

function expectedOf(record: TestRecord, offsetDelta: number): Decoded {
  return {
    timestamp: record.timestamp,
    offsetDelta,
    key: record.key,
    value: record.value,
    headersCount: record.headers.length,
    headers: headersBytes(record.headers),
  };
}

/** Structures that must be refused, each wrong in one thing. */
const BROKEN: readonly (readonly [string, BatchFields])[] = [
  [
    'more records than the header counts',
    { records: [{ offsetDelta: 0 }, { offsetDelta: 1 }], recordCount: 1 },
  ],
  [
    'fewer records than the header counts',
    { records: [{ offsetDelta: 0, value: ascii('12345678') }], recordCount: 2, lastDelta: 1 },
  ],
  ['a negative record count', { records: [{ offsetDelta: 0 }], recordCount: -1 }],
  [
    'more records than the bytes could hold',
    { records: [{ offsetDelta: 0 }], recordCount: 2 ** 31 - 1, lastDelta: 2 ** 31 - 1 },
  ],
  ['bytes and no records', { records: [{ offsetDelta: 0 }], recordCount: 0 }],
  ['a negative last delta', { records: [{ offsetDelta: 0 }], lastDelta: -1 }],
  ['a delta above the last', { records: [{ offsetDelta: 0 }, { offsetDelta: 5 }], lastDelta: 4 }],
  ['a negative delta', { records: [{ offsetDelta: -1 }], lastDelta: 0 }],
  ['the same delta twice', { records: [{ offsetDelta: 1 }, { offsetDelta: 1 }], lastDelta: 2 }],
  ['falling deltas', { records: [{ offsetDelta: 1 }, { offsetDelta: 0 }], lastDelta: 2 }],
  ['a record that is longer than its fields', { records: [{ offsetDelta: 0, extra: [0] }] }],
  [
    'a record that is shorter than its fields',
    { records: [{ offsetDelta: 0, value: ascii('abc'), bodyLength: 8 }] },
  ],
  [
    'a record that passes the end of the batch',
    { records: [{ offsetDelta: 0, value: ascii('abc'), bodyLength: 10 }] },
  ],
  ['a negative record length', { records: [{ offsetDelta: 0, bodyLength: -7 }] }],
  ['a record length below the least', { records: [{ offsetDelta: 0, bodyLength: 5, value: ascii('abc') }] }],
  ['a key length below -1', { records: Uint8Array.from([12, 0, 0, 0, 3, 1, 0]), recordCount: 1 }],
  ['a key that passes the record', { records: Uint8Array.from([12, 0, 0, 0, 8, 1, 0]), recordCount: 1 }],
  ['a value length below -1', { records: Uint8Array.from([12, 0, 0, 0, 1, 3, 0]), recordCount: 1 }],
  ['a value that passes the record', { records: Uint8Array.from([12, 0, 0, 0, 1, 8, 0]), recordCount: 1 }],
  [
    'a value of 2^31 - 1 bytes',
    { records: Uint8Array.from([20, 0, 0, 0, 1, ...varint(2 ** 31 - 1), 0]), recordCount: 1 },
  ],
  ['a negative number of headers', { records: Uint8Array.from([12, 0, 0, 0, 1, 1, 1]), recordCount: 1 }],
  [
    'more headers than the bytes could hold',
    { records: Uint8Array.from([20, 0, 0, 0, 1, 1, ...varint(2 ** 31 - 1)]), recordCount: 1 },
  ],
  ['a header with a null key', { records: Uint8Array.from([16, 0, 0, 0, 1, 1, 2, 1, 1]), recordCount: 1 }],
  [
    'a header whose key passes the record',
    { records: Uint8Array.from([16, 0, 0, 0, 1, 1, 2, 4, 1]), recordCount: 1 },
  ],
  [
    'a header whose value passes the record',
    { records: Uint8Array.from([16, 0, 0, 0, 1, 1, 2, 0, 4]), recordCount: 1 },
  ],
  [
    'a header whose value length is below -1',
    { records: Uint8Array.from([16, 0, 0, 0, 1, 1, 2, 0, 3]), recordCount: 1 },
  ],
  [
    'a length of six bytes',
    { records: Uint8Array.from([0x8c, 0x80, 0x80, 0x80, 0x80, 0, 0, 0, 0, 1, 1, 0]), recordCount: 1 },
  ],
  [
    'a time delta of eleven bytes',
    { records: Uint8Array.from([32, 0, ...Array(10).fill(0x80), 0, 0, 1, 1, 0]), recordCount: 1 },
  ],
  ['a base timestamp of 2^53', { records: [{ offsetDelta: 0 }], baseTimestamp: SAFE }],
  ['a base timestamp of -2^53', { records: [{ offsetDelta: 0 }], baseTimestamp: -SAFE }],
  ['a timestamp of 2^53', { records: [{ offsetDelta: 0, timestampDelta: SAFE - 1n }], baseTimestamp: 1n }],
  ['a timestamp of -2^53', { records: [{ offsetDelta: 0, timestampDelta: -SAFE }], baseTimestamp: 0n }],
  [
    'a timestamp that wraps around to a small one',
    { records: [{ offsetDelta: 0, timestampDelta: -(2n ** 63n) }], baseTimestamp: -1n },
  ],
  ['a log append time of 2^53', { records: [{ offsetDelta: 0 }], attributes: 8, maxTimestamp: SAFE }],
];

export function decodeSuite(arena: Arena): void {
  const { kernels, u8 } = arena;

  function decode(bytes: Uint8Array): Decoded[] | -1 {
    u8.set(bytes, BYTES);
    const count = kernels.decodeBatch(BYTES, bytes.length, COLUMNS);
    return count === -1 ? -1 : Array.from({ length: count }, (_, i) => arena.column(i));
  }

  function find(bytes: Uint8Array, offsetDelta: number): Decoded | number {
    u8.set(bytes, BYTES);
    const found = kernels.findRecord(BYTES, bytes.length, offsetDelta, COLUMNS);
    return found === 1 ? arena.column(0) : found;
  }

  describe('decodeBatch and findRecord', () => {
    it('give back what encodeBatch was given', () => {
      const random = createRandom(20);
      for (let i = 0; i < 100; i++) {
        const records = randomRecords(random, random.int(1, random.pick([1, 5, 150])), random.pick([3, 100]));
        arena.putEntries(records, SOURCE);
        const size = kernels.encodeBatch(ENTRIES, records.length, BYTES, 0, 0);
        expect(kernels.decodeBatch(BYTES, size, COLUMNS)).toBe(records.length);
        for (const [delta, record] of records.entries())
          expect(arena.column(delta)).toEqual(expectedOf(record, delta));
        for (let tries = 0; tries < 5; tries++) {
          const delta = random.int(0, records.length - 1);
          expect(kernels.findRecord(BYTES, size, delta, COLUMNS)).toBe(1);
          expect(arena.column(0)).toEqual(expectedOf(records[delta] as TestRecord, delta));
        }
        const marks = COLUMNS + COLUMN_BYTES;
        expect(kernels.markRecords(BYTES, size, marks)).toBe(Math.ceil(records.length / MARK_RECORDS));
        for (const [delta, record] of records.entries()) {
          expect(kernels.findMarked(BYTES, size, delta, marks, COLUMNS)).toBe(1);
          expect(arena.column(0)).toEqual(expectedOf(record, delta));
        }
        expect(kernels.findMarked(BYTES, size, records.length, marks, COLUMNS)).toBe(0);
        expect(kernels.findMarked(BYTES, size, -1, marks, COLUMNS)).toBe(0);
        expect(kernels.findRecord(BYTES, size, records.length, COLUMNS)).toBe(0);
        expect(kernels.findRecord(BYTES, size, -1, COLUMNS)).toBe(0);
      }
    });

    it('keep the gaps that compaction leaves', () => {
      const deltas = [2, 3, 90, 400];
      const records = deltas.map((offsetDelta) => ({
        offsetDelta,
        key: ascii(`k${offsetDelta}`),
        timestampDelta: -300n,
      }));
      const bytes = batchBytes({ records, lastDelta: 500 });
      const decoded = decode(bytes);
      expect(decoded).toMatchObject(
        deltas.map((offsetDelta) => ({ offsetDelta, timestamp: 1_699_999_999_700 })),
      );
      for (let delta = -2; delta <= 502; delta++) {
        const index = deltas.indexOf(delta);
        expect(find(bytes, delta)).toEqual(index < 0 ? 0 : (decoded as Decoded[])[index]);
      }
    });

    it('take a batch that compaction left empty', () => {
      const bytes = batchBytes({ records: [], lastDelta: 12 });
      expect(decode(bytes)).toEqual([]);
      expect(find(bytes, 3)).toBe(0);
    });

    it('give every record the time of the log where the attributes say so', () => {
      const records = [{ offsetDelta: 0, timestampDelta: 2n ** 62n }, { offsetDelta: 1 }];
      const bytes = batchBytes({ records, attributes: 8, baseTimestamp: -(2n ** 63n), maxTimestamp: 77n });
      expect(decode(bytes)).toMatchObject([{ timestamp: 77 }, { timestamp: 77 }]);
      expect(find(bytes, 1)).toMatchObject({ timestamp: 77, offsetDelta: 1 });
    });

    it('ignore the attributes of a record, of which none are in use', () => {
      expect(decode(batchBytes({ records: [{ offsetDelta: 0, attributes: 0xff }] }))).toHaveLength(1);
    });

    it('take varints that are longer than they need to be', () => {
      const record = Uint8Array.from([24, 0, 0x80, 0x80, 0x00, 0x80, 0x80, 0x80, 0x80, 0x00, 1, 1, 0]);
      expect(decode(batchBytes({ records: record, recordCount: 1 }))).toHaveLength(1);
    });

    it('take the greatest and the least timestamps', () => {
      for (const timestampDelta of [SAFE - 1n, 1n - SAFE]) {
        const bytes = batchBytes({ records: [{ offsetDelta: 0, timestampDelta }], baseTimestamp: 0n });
        expect(decode(bytes)).toMatchObject([{ timestamp: Number(timestampDelta) }]);
      }
    });

    it.each(BROKEN)('refuse %s', (_, fields) => {
      expect(decode(batchBytes(fields))).toBe(-1);
    });

    it('refuse a record that is not where its delta belongs, if that is what is looked for', () => {
      const records = [{ offsetDelta: 1 }, { offsetDelta: 0 }];
      expect(find(batchBytes({ records, lastDelta: 1 }), 0)).toBe(-1);
    });

    it('refuse a batch that is cut off at any place', () => {
      const records = [0, 1, 2].map((offsetDelta) => ({
        offsetDelta,
        headers: [{ key: ascii('h'), value: null }],
      }));
      const bytes = batchBytes({ records });
      for (let size = 0; size < bytes.length; size++) {
        // What was cut off is still there, behind the size: it must not be looked at.
        u8.set(bytes, BYTES);
        expect(kernels.decodeBatch(BYTES, size, COLUMNS)).toBe(-1);
        if (size < bytes.length - recordBytes(records[2] as (typeof records)[0]).length) {
          expect(kernels.findRecord(BYTES, size, 2, COLUMNS)).toBe(-1);
        }
      }
    });

    it('read no further than the slack, whatever the last bytes are', () => {
      const bytes = batchBytes({ records: [{ offsetDelta: 0, value: ascii('abcdef') }], lastDelta: 9 });
      const address = u8.length - SLACK_BYTES - bytes.length;
      u8.set(bytes, address);
      u8.fill(0xff, u8.length - SLACK_BYTES);
      for (let from = bytes.length - 1; from >= 61; from--) {
        u8[address + from] = 0xff;
        expect(kernels.decodeBatch(address, bytes.length, COLUMNS)).toBe(-1);
        expect(kernels.findRecord(address, bytes.length, 0, COLUMNS)).toBe(-1);
        expect(kernels.findRecord(address, bytes.length, 9, COLUMNS)).toBeLessThanOrEqual(0);
      }
    });
  });
}
