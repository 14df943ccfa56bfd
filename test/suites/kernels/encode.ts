/** Encoding: byte for byte what the reference makes, and field for field what was given. */

import { describe, expect, it } from 'vitest';

import type { Kernels } from '../../../src/memory/kernels.ts';
import { BATCH_HEADER_BYTES, RECORD_OVERHEAD_MAX, SLACK_BYTES } from '../../../src/memory/layout.ts';
import {
  type Arena,
  BYTES,
  COLUMNS,
  ENTRIES,
  headersBytes,
  randomRecords,
  type TestRecord,
} from '../../kit/arena.ts';
import { crc32cOf } from '../../kit/batch-bytes.ts';
import { createRandom } from '../../kit/random.ts';

const OUT = BYTES;
const REFERENCE_OUT = BYTES + (1 << 20);
const SOURCE = BYTES + (2 << 20);

const range = (from: number, to: number): number[] =>
  Array.from({ length: to - from + 1 }, (_, i) => from + i);

function room(records: readonly TestRecord[]): number {
  const bytes = records.map(
    ({ key, value, headers }) => (key?.length ?? 0) + (value?.length ?? 0) + headersBytes(headers).length,
  );
  return bytes.reduce((sum, length) => sum + length + RECORD_OVERHEAD_MAX, BATCH_HEADER_BYTES);
}

export function encodeSuite(arena: Arena, reference: Kernels): void {
  const { kernels, u8, view } = arena;

  function encodeBoth(
    records: TestRecord[],
    baseOffset: number,
    epoch: number,
  ): { actual: Buffer; expected: Buffer } {
    arena.putEntries(records, SOURCE);
    const size = kernels.encodeBatch(ENTRIES, records.length, OUT, baseOffset, epoch);
    const expectedSize = reference.encodeBatch(ENTRIES, records.length, REFERENCE_OUT, baseOffset, epoch);
    return {
      actual: Buffer.from(arena.slice(OUT, size)),
      expected: Buffer.from(arena.slice(REFERENCE_OUT, expectedSize)),
    };
  }

  describe('encodeBatch', () => {
    it('makes the bytes of the reference from random records', () => {
      const random = createRandom(10);
      for (let i = 0; i < 150; i++) {
        const records = randomRecords(
          random,
          random.int(1, random.pick([1, 3, 40, 200])),
          random.pick([3, 40, 300]),
        );
        const baseOffset = random.pick([0, 1, random.int(0, 2 ** 53 - 2000)]);
        const { actual, expected } = encodeBoth(records, baseOffset, random.int(-(2 ** 31), 2 ** 31 - 1));
        if (!actual.equals(expected)) expect(actual.toString('hex')).toBe(expected.toString('hex'));
      }
    });

    it('makes the bytes of the reference where lengths reach the next size of varint', () => {
      const random = createRandom(11);
      for (const length of [
        0,
        1,
        15,
        16,
        17,
        32,
        33,
        ...range(48, 66),
        127,
        128,
        129,
        511,
        512,
        513,
        1024,
        1025,
        7995,
        8000,
        8001,
        8180,
        8191,
        8192,
        70_000,
      ]) {
        const records = [
          { timestamp: 5, key: random.bytes(length), value: null, headers: [] },
          { timestamp: 5, key: null, value: random.bytes(length), headers: [] },
          { timestamp: 5, key: null, value: null, headers: [{ key: random.bytes(length), value: null }] },
        ];
        const { actual, expected } = encodeBoth(records, 0, 0);
        expect(actual.equals(expected), `length ${length}`).toBe(true);
      }
    });

    it('makes the bytes of the reference where times reach the next size of varint', () => {
      const limits = [0, 63, 64, 8191, 8192, 2 ** 20, 2 ** 27, 2 ** 34, 2 ** 41, 2 ** 48, 2 ** 52];
      const deltas = limits.flatMap((limit) =>
        [limit - 1, limit, limit + 1].flatMap((delta) => [delta, -delta]),
      );
      for (const base of [0, 1_700_000_000_000, -3, 2 ** 53 - 1, -(2 ** 53) + 1]) {
        const times = deltas.map((delta) => base + delta).filter(Number.isSafeInteger);
        const records = [base, ...times].map((timestamp) => ({
          timestamp,
          key: null,
          value: null,
          headers: [],
        }));
        const { actual, expected } = encodeBoth(records, 0, 0);
        expect(actual.toString('hex')).toBe(expected.toString('hex'));
      }
    });

    it('makes the bytes of the reference where a record reaches the next size of its length', () => {
      const random = createRandom(13);
      for (const longest of [70, 8200]) {
        const records = Array.from({ length: 110 }, (_, i) => {
          const payload = longest - 40 + (i % 50);
          const value = random.bytes(random.pick([0, payload >> 1, payload]));
          return {
            timestamp: random.int(0, 200),
            key: random.bytes(payload - value.length),
            value,
            headers: [],
          };
        });
        const { actual, expected } = encodeBoth(records, 0, 0);
        expect(actual.equals(expected), `up to ${longest} bytes`).toBe(true);
      }
    });

    it('makes the bytes of the reference from more records than two bytes can count', () => {
      const value = Buffer.from('v');
      const records = Array.from({ length: 8200 }, (_, i) => ({
        timestamp: i % 100,
        key: null,
        value,
        headers: [],
      }));
      const entries = SOURCE + 100_000;
      arena.putEntries(records, SOURCE, entries);
      const size = kernels.encodeBatch(entries, records.length, OUT, 7, 0);
      const expected = reference.encodeBatch(entries, records.length, REFERENCE_OUT, 7, 0);
      expect(Buffer.compare(arena.slice(OUT, size), arena.slice(REFERENCE_OUT, expected))).toBe(0);
      expect(kernels.decodeBatch(OUT, size, COLUMNS)).toBe(8200);
    });

    it('writes the header that Kafka documents', () => {
      const records = [30, 10, 20].map((timestamp) => ({
        timestamp,
        key: null,
        value: Buffer.from('v'),
        headers: [],
      }));
      arena.putEntries(records, SOURCE);
      const size = kernels.encodeBatch(ENTRIES, 3, OUT, 2 ** 40 + 7, 9);
      expect(view.getBigInt64(OUT)).toBe(2n ** 40n + 7n);
      expect(view.getInt32(OUT + 8)).toBe(size - 12);
      expect(view.getInt32(OUT + 12)).toBe(9);
      expect(view.getInt8(OUT + 16)).toBe(2);
      expect(view.getUint32(OUT + 17)).toBe(crc32cOf(u8.subarray(OUT + 21, OUT + size)));
      expect(view.getInt16(OUT + 21)).toBe(0);
      expect(view.getInt32(OUT + 23)).toBe(2);
      expect([view.getBigInt64(OUT + 27), view.getBigInt64(OUT + 35)]).toEqual([30n, 30n]);
      expect([view.getBigInt64(OUT + 43), view.getInt16(OUT + 51), view.getInt32(OUT + 53)]).toEqual([
        -1n,
        -1,
        -1,
      ]);
      expect(view.getInt32(OUT + 57)).toBe(3);
      // length 7, attributes, time -20, delta 1, null key, 1 byte, 'v', no headers
      expect([...arena.slice(OUT + 61 + 8, 8)]).toEqual([14, 0, 39, 2, 1, 2, 0x76, 0]);
    });

    it('writes nothing beyond the room it asks for', () => {
      const random = createRandom(12);
      for (let i = 0; i < 50; i++) {
        const records = randomRecords(random, random.int(1, 20), random.pick([5, 200]));
        arena.putEntries(records, SOURCE);
        const end = OUT + room(records) + SLACK_BYTES;
        u8.fill(0xa5, OUT - 100, end + 100);
        kernels.encodeBatch(ENTRIES, records.length, OUT, 0, 0);
        const around = [...arena.slice(OUT - 100, 100), ...arena.slice(end, 100)];
        expect(around.every((byte) => byte === 0xa5)).toBe(true);
      }
    });

    it('reads no further than the slack behind a key, a value and headers', () => {
      const last = u8.length - SLACK_BYTES;
      for (const length of [1, 15, 16, 17, 500]) {
        const bytes = createRandom(length).bytes(length);
        const fields = { timestamp: 0, key: null, value: null, headers: [] };
        for (const records of [[{ ...fields, key: bytes }], [{ ...fields, value: bytes }]]) {
          arena.putEntries(records, last - length);
          const size = kernels.encodeBatch(ENTRIES, 1, OUT, 0, 0);
          const expected = reference.encodeBatch(ENTRIES, 1, REFERENCE_OUT, 0, 0);
          expect(Buffer.compare(arena.slice(OUT, size), arena.slice(REFERENCE_OUT, expected))).toBe(0);
        }
      }
    });
  });
}
