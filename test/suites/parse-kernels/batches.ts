/** Encoding entries as batches that lie end to end. */

import { describe, expect, it } from 'vitest';

import {
  ENCODED_BATCHES,
  ENCODED_BYTES,
  ENCODED_LEFT,
  ENCODED_SIZE,
  ENTRY_BYTES,
  ENTRY_HEADERS,
  ENTRY_HEADERS_COUNT,
  ENTRY_HEADERS_LENGTH,
  ENTRY_KEY,
  ENTRY_KEY_LENGTH,
  ENTRY_TIMESTAMP,
  ENTRY_VALUE,
  ENTRY_VALUE_LENGTH,
  ROW_BASE_OFFSET,
  ROW_BYTES,
  ROW_RECORD_COUNT,
  SCAN_STATUS_STOP,
  SCAN_STOP_END,
} from '../../../src/memory/layout.ts';
import { ENCODED, ENTRIES, OUT, type ParseArena, SPANS, TEXT } from '../../kit/parse-arena.ts';
import { createRandom } from '../../kit/random.ts';

const ROOM = 1 << 20;
const ROWS = SPANS;
const STATUS = ENCODED + ENCODED_BYTES;

export function batchesSuite(arena: ParseArena, reference: ParseArena): void {
  const { kernels, view } = arena;

  /** Writes entries that have values of the given lengths. */
  function putEntries(lengths: readonly number[], into: ParseArena = arena): void {
    lengths.forEach((length, i) => {
      const at = ENTRIES + i * ENTRY_BYTES;
      into.view.setFloat64(at + ENTRY_TIMESTAMP, 1000 + i, true);
      const zeros = [ENTRY_KEY, ENTRY_HEADERS, ENTRY_HEADERS_LENGTH, ENTRY_HEADERS_COUNT];
      for (const field of zeros) into.view.setInt32(at + field, 0, true);
      into.view.setInt32(at + ENTRY_KEY_LENGTH, -1, true);
      into.view.setInt32(at + ENTRY_VALUE, TEXT + (i % 100), true);
      into.view.setInt32(at + ENTRY_VALUE_LENGTH, length, true);
    });
  }

  interface Options {
    batchBytes?: number;
    maxRecords?: number;
    baseOffset?: number;
    last?: number;
    room?: number;
  }

  function encode(lengths: readonly number[], options: Options = {}, by: ParseArena = arena): number {
    const { batchBytes = 100, maxRecords = 1000, baseOffset = 0, last = 1, room = ROOM } = options;
    putEntries(lengths, by);
    const count = lengths.length;
    return by.kernels.encodeBatches(
      ENTRIES,
      count,
      OUT,
      room,
      batchBytes,
      maxRecords,
      baseOffset,
      last,
      ENCODED,
    );
  }

  const encoded = (field: number): number => view.getInt32(ENCODED + field, true);

  /** The batches that were written: first offset and number of records. */
  function batches(): { baseOffset: number; records: number }[] {
    const count = kernels.scanBatches(OUT, encoded(ENCODED_SIZE), ROWS, 2000, STATUS);
    expect(view.getInt32(STATUS + SCAN_STATUS_STOP, true)).toBe(SCAN_STOP_END);
    expect(encoded(ENCODED_BATCHES)).toBe(count);
    return Array.from({ length: count }, (_, i) => ({
      baseOffset: view.getFloat64(ROWS + i * ROW_BYTES + ROW_BASE_OFFSET, true),
      records: view.getInt32(ROWS + i * ROW_BYTES + ROW_RECORD_COUNT, true),
    }));
  }

  const sizes = (): number[] => batches().map(({ records }) => records);

  describe('encodeBatches', () => {
    it('closes a batch before it has too many bytes', () => {
      expect(encode([50, 50, 1, 99, 100, 1])).toBe(6);
      expect(sizes()).toEqual([2, 2, 1, 1]);
      expect(encoded(ENCODED_LEFT)).toBe(0);
    });

    it('closes a batch when it has enough records', () => {
      expect(encode([1, 1, 1, 1, 1, 1, 1], { maxRecords: 3 })).toBe(7);
      expect(sizes()).toEqual([3, 3, 1]);
    });

    it('gives a record that is larger than a batch one of its own', () => {
      encode([10, 500, 10, 101, 101]);
      expect(sizes()).toEqual([1, 1, 1, 1, 1]);
    });

    it('numbers the records on from the base offset', () => {
      encode([60, 60, 40, 100], { baseOffset: 2 ** 40 });
      expect(batches()).toEqual([
        { baseOffset: 2 ** 40, records: 1 },
        { baseOffset: 2 ** 40 + 1, records: 2 },
        { baseOffset: 2 ** 40 + 3, records: 1 },
      ]);
    });

    it('leaves a batch that more entries may join, where more will come', () => {
      expect(encode([60, 60, 30], { last: 0 })).toBe(1);
      expect(encoded(ENCODED_LEFT)).toBe(90);
      expect(encode([60, 30], { last: 0 })).toBe(0);
      expect(encoded(ENCODED_LEFT)).toBe(90);
      expect([encoded(ENCODED_SIZE), encoded(ENCODED_BATCHES)]).toEqual([0, 0]);
      expect(encode([1, 1, 1], { last: 0, maxRecords: 3 })).toBe(3);
      expect(encode([], { last: 0 })).toBe(0);
      expect(encoded(ENCODED_LEFT)).toBe(0);
    });

    it('stops where there is no room for the next batch, and writes nothing beyond', () => {
      const lengths = [90, 90, 90, 90];
      encode(lengths);
      const whole = encoded(ENCODED_SIZE);
      let most = 0;
      for (let room = 0; room < whole + 200; room += 7) {
        arena.u8.fill(0xa5, OUT, OUT + room + 400);
        const done = encode(lengths, { room });
        expect(sizes()).toEqual(new Array(done).fill(1));
        expect(arena.slice(OUT + room, 400).every((byte) => byte === 0xa5)).toBe(true);
        expect(done).toBeGreaterThanOrEqual(most);
        most = done;
      }
      expect(most).toBe(4);
    });

    it('makes the bytes of the reference', () => {
      const random = createRandom(23);
      const text = random.bytes(4000);
      for (const each of [arena, reference]) each.putText(text);
      for (let i = 0; i < 60; i++) {
        const longest = random.pick([0, 5, 300, 2000]);
        const lengths = Array.from({ length: random.int(0, 120) }, () => random.int(0, longest));
        const options = {
          batchBytes: random.pick([1, 64, 1000, 16_384]),
          maxRecords: random.pick([1, 10, 1000]),
          baseOffset: random.int(0, 2 ** 50),
          last: random.int(0, 1),
          room: random.pick([ROOM, random.int(0, 10_000)]),
        };
        const done = encode(lengths, options);
        expect(done).toBe(encode(lengths, options, reference));
        expect(arena.slice(ENCODED, ENCODED_BYTES).equals(reference.slice(ENCODED, ENCODED_BYTES))).toBe(
          true,
        );
        const size = encoded(ENCODED_SIZE);
        expect(arena.slice(OUT, size).equals(reference.slice(OUT, size))).toBe(true);
      }
    });
  });
}
