/** Scanning and finding batches: every truncation, every damaged header byte, every place to start. */

import { describe, expect, it } from 'vitest';

import type { Kernels } from '../../../src/memory/kernels.ts';
import {
  BATCH_BYTES_MAX,
  ROW_ADDRESS,
  ROW_ATTRIBUTES,
  ROW_BASE_OFFSET,
  ROW_BASE_TIMESTAMP,
  ROW_BYTES,
  ROW_LAST_DELTA,
  ROW_LEADER_EPOCH,
  ROW_MAX_TIMESTAMP,
  ROW_RECORD_COUNT,
  ROW_SIZE,
  SCAN_STOP_END,
  SCAN_STOP_INCOMPLETE,
  SCAN_STOP_INVALID,
} from '../../../src/memory/layout.ts';
import { type Arena, BYTES, ROWS, STATUS } from '../../kit/arena.ts';
import { type BatchFields, batchBytes } from '../../kit/batch-bytes.ts';
import { createRandom } from '../../kit/random.ts';

const SAFE = 2n ** 53n;
const text = (length: number): Uint8Array => new Uint8Array(length).fill(0x61);

const BATCHES = [
  batchBytes({ baseOffset: 5n, records: [{ offsetDelta: 0, value: text(10) }] }),
  batchBytes({
    baseOffset: 6n,
    leaderEpoch: 3,
    records: [{ offsetDelta: 0 }, { offsetDelta: 4, value: text(90) }],
    lastDelta: 6,
  }),
  batchBytes({
    baseOffset: 13n,
    attributes: 2,
    records: text(5),
    recordCount: 100,
    lastDelta: 99,
    maxTimestamp: 9n,
  }),
];
const STARTS = [0, 0, 0];
for (const i of [1, 2]) STARTS[i] = (STARTS[i - 1] ?? 0) + (BATCHES[i - 1]?.length ?? 0);
const WHOLE = Buffer.concat(BATCHES);

/** Batches that are intact as bytes go and contradict themselves. */
const CONTRADICTIONS: readonly (readonly [string, BatchFields])[] = [
  ['magic 1', { records: [{ offsetDelta: 0 }], magic: 1 }],
  ['a negative base offset', { records: [{ offsetDelta: 0 }], baseOffset: -1n }],
  ['a base offset of 2^53', { records: [{ offsetDelta: 0 }], baseOffset: SAFE }],
  ['a last offset of 2^53', { records: [{ offsetDelta: 0 }], baseOffset: SAFE - 5n, lastDelta: 5 }],
  ['a negative last delta', { records: [{ offsetDelta: 0 }], lastDelta: -1 }],
  ['a negative record count', { records: [{ offsetDelta: 0 }], recordCount: -1 }],
  ['more records than offsets', { records: [{ offsetDelta: 0, value: text(20) }], recordCount: 2 }],
  ['more records than there is room for', { records: [{ offsetDelta: 0 }], recordCount: 2, lastDelta: 1 }],
  ['another checksum', { records: [{ offsetDelta: 0 }], crc: 1 }],
  ['a length below that of a header', { records: [], batchLength: 48 }],
  ['a negative length', { records: [], batchLength: -1 }],
  ['the greatest length of all', { records: [], batchLength: 2 ** 31 - 1 }],
  ['a length beyond the greatest', { records: [], batchLength: BATCH_BYTES_MAX - 12 + 1 }],
];

export function scanSuite(arena: Arena, reference: Kernels): void {
  const { kernels, u8, view } = arena;

  function scan(bytes: Uint8Array, maxRows = 100): { count: number; stop: number; at: number; need: number } {
    u8.set(bytes, BYTES);
    const count = kernels.scanBatches(BYTES, bytes.length, ROWS, maxRows, STATUS);
    const { stop, address, need } = arena.status();
    return { count, stop, at: address - BYTES, need };
  }

  describe('scanBatches', () => {
    it('writes a row for each batch', () => {
      expect(scan(WHOLE)).toEqual({ count: 3, stop: SCAN_STOP_END, at: WHOLE.length, need: 0 });
      const rows = [0, 1, 2].map((i) => {
        const row = ROWS + i * ROW_BYTES;
        const times = [
          view.getFloat64(row + ROW_BASE_TIMESTAMP, true),
          view.getFloat64(row + ROW_MAX_TIMESTAMP, true),
        ];
        const rest = [
          ROW_ADDRESS,
          ROW_SIZE,
          ROW_RECORD_COUNT,
          ROW_LAST_DELTA,
          ROW_ATTRIBUTES,
          ROW_LEADER_EPOCH,
        ];
        return [
          view.getFloat64(row + ROW_BASE_OFFSET, true),
          ...times,
          ...rest.map((field) => view.getInt32(row + field, true)),
        ];
      });
      const [first, second, third] = BATCHES.map((batch) => batch.length);
      expect(rows).toEqual([
        [5, 1_700_000_000_000, 1_700_000_000_999, BYTES, first, 1, 0, 0, 0],
        [6, 1_700_000_000_000, 1_700_000_000_999, BYTES + (STARTS[1] ?? 0), second, 2, 6, 0, 3],
        [13, 1_700_000_000_000, 9, BYTES + (STARTS[2] ?? 0), third, 100, 99, 2, 0],
      ]);
    });

    it('says at every truncation how many batches are whole and what is missing', () => {
      for (let length = 0; length <= WHOLE.length; length++) {
        u8.set(WHOLE, BYTES);
        const count = BATCHES.filter((batch, i) => (STARTS[i] ?? 0) + batch.length <= length).length;
        const at = count === 3 ? WHOLE.length : (STARTS[count] ?? 0);
        const isHeaderThere = length - at >= 12;
        expect(kernels.scanBatches(BYTES, length, ROWS, 100, STATUS)).toBe(count);
        expect(arena.status()).toEqual({
          stop: length === at ? SCAN_STOP_END : SCAN_STOP_INCOMPLETE,
          address: BYTES + at,
          need: length !== at && isHeaderThere ? BATCHES[count]?.length : 0,
        });
      }
    });

    it('stops where the rows end, to go on from there', () => {
      expect(scan(WHOLE, 0)).toEqual({ count: 0, stop: SCAN_STOP_END, at: 0, need: 0 });
      expect(scan(WHOLE, 2)).toEqual({ count: 2, stop: SCAN_STOP_END, at: STARTS[2], need: 0 });
    });

    it('notices every flipped bit that the checksum or the structure covers', () => {
      const start = STARTS[1] ?? 0;
      for (let at = 8; at < (BATCHES[1]?.length ?? 0); at++) {
        if (at >= 12 && at < 16) continue; // the leader epoch belongs to whoever stores the batch
        for (let bit = 0; bit < 8; bit++) {
          const bytes = Uint8Array.from(WHOLE);
          bytes[start + at] = (bytes[start + at] ?? 0) ^ (1 << bit);
          const { count, stop } = scan(bytes);
          expect({ at, bit, count, isEnd: stop === SCAN_STOP_END }).toEqual({
            at,
            bit,
            count: 1,
            isEnd: false,
          });
        }
      }
    });

    it.each(CONTRADICTIONS)('refuses %s', (_, fields) => {
      const bytes = Buffer.concat([batchBytes(fields), new Uint8Array(200)]);
      expect(scan(bytes)).toEqual({ count: 0, stop: SCAN_STOP_INVALID, at: 0, need: 0 });
    });

    it('takes the last offsets that there are', () => {
      expect(scan(batchBytes({ records: [{ offsetDelta: 0 }], baseOffset: SAFE - 1n }))).toMatchObject({
        count: 1,
      });
    });

    it('takes a batch that compaction left empty', () => {
      expect(scan(batchBytes({ records: [], lastDelta: 3 }))).toMatchObject({
        count: 1,
        stop: SCAN_STOP_END,
      });
    });

    it('never takes zeros for a batch, however many', () => {
      for (let length = 1; length <= 300; length++) {
        const expected = length < 12 ? SCAN_STOP_INCOMPLETE : SCAN_STOP_INVALID;
        expect(scan(new Uint8Array(length))).toEqual({ count: 0, stop: expected, at: 0, need: 0 });
      }
    });
  });

  describe('findBatch', () => {
    const find = (bytes: Uint8Array, min = 0, max = 2 ** 53): number => {
      u8.set(bytes, BYTES);
      const address = kernels.findBatch(BYTES, bytes.length, min, max);
      return address === -1 ? -1 : address - BYTES;
    };

    it('finds the next whole batch behind damage of any length', () => {
      const random = createRandom(30);
      for (let length = 0; length < 200; length++) {
        const garbage = random.chance(0.5) ? random.bytes(length) : new Uint8Array(length).fill(2);
        const bytes = Buffer.concat([garbage, WHOLE]);
        expect(find(bytes)).toBe(length);
        bytes[length + 60] = 77;
        expect(find(bytes)).toBe(length + (STARTS[1] ?? 0));
      }
    });

    it('passes over batches whose offset is out of range', () => {
      expect(find(WHOLE, 6)).toBe(STARTS[1]);
      expect(find(WHOLE, 7)).toBe(STARTS[2]);
      expect(find(WHOLE, 14)).toBe(-1);
      expect(find(WHOLE, 0, 4)).toBe(-1);
      expect(find(WHOLE, 13, 13)).toBe(STARTS[2]);
    });

    it('finds nothing in a batch that is cut off, in zeros and in nothing', () => {
      const [first] = BATCHES as [Uint8Array];
      for (let length = 0; length < first.length; length++) expect(find(first.subarray(0, length))).toBe(-1);
      expect(find(first)).toBe(0);
      expect(find(new Uint8Array(5000))).toBe(-1);
    });

    it('finds what the reference finds in bytes that look like headers', () => {
      const random = createRandom(31);
      for (let i = 0; i < 100; i++) {
        const bytes = Buffer.concat(
          Array.from({ length: 8 }, () => random.pick([...BATCHES, text(3), new Uint8Array(9)])),
        );
        for (let damage = random.int(0, 6); damage > 0; damage--)
          bytes[random.int(0, bytes.length - 1)] = random.int(0, 255);
        const [min, max] = [random.int(0, 7), random.int(5, 20)];
        const actual = find(bytes, min, max);
        const expected = reference.findBatch(BYTES, bytes.length, min, max);
        expect(actual).toBe(expected === -1 ? -1 : expected - BYTES);
      }
    });
  });
}
