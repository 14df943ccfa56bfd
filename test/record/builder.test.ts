/** The builder frames records on its own: byte for byte what the reference encoder makes of the same records. */

import { describe, expect, onTestFinished, test } from 'vitest';
import { BATCH_RECORDS_MAX } from '../../src/limits.ts';
import {
  ENTRY_BYTES,
  ENTRY_HEADERS,
  ENTRY_HEADERS_COUNT,
  ENTRY_HEADERS_LENGTH,
  ENTRY_KEY,
  ENTRY_KEY_LENGTH,
  ENTRY_TIMESTAMP,
  ENTRY_VALUE,
  ENTRY_VALUE_LENGTH,
} from '../../src/memory/layout.ts';
import { Memory } from '../../src/memory/memory.ts';
import { createReferenceKernels } from '../../src/memory/reference.ts';
import { BatchBuilder, createMeasured, type Measured, measure } from '../../src/record/builder.ts';
import type { RecordInput } from '../../src/record/record.ts';
import {
  differenceBytes,
  lengthBytes,
  varintBytes,
  writeDifference,
  writeLength,
  writeVarint,
} from '../../src/record/varint.ts';
import { createRandom, type Random } from '../kit/random.ts';

const MIB = 1024 * 1024;
const memory = Memory.create(64 * MIB);
const reference = createReferenceKernels(memory.bytes);

function measured(record: RecordInput): Measured {
  const into = createMeasured();
  measure(record, into);
  return into;
}

/** What the specification makes of records, from entries as the kernels are given them. */
function expected(records: readonly RecordInput[], baseOffset: number): Buffer {
  const payload = records.reduce((sum, record) => sum + measured(record).bytes, 0);
  const slab = memory.slabs.allocate(records.length * ENTRY_BYTES + payload + MIB, 'test');
  const out = memory.slabs.allocate(records.length * ENTRY_BYTES + payload + MIB, 'test');
  let at = slab.address + records.length * ENTRY_BYTES;
  const put = (word: number, lengthWord: number, bytes: Uint8Array | null, absent: number): void => {
    memory.i32[word >> 2] = at;
    memory.i32[lengthWord >> 2] = bytes?.length ?? absent;
    memory.u8.set(bytes ?? [], at);
    at += bytes?.length ?? 0;
  };
  for (const [i, record] of records.entries()) {
    const { key, value, headers, headerCount, timestamp } = measured(record);
    const entry = slab.address + i * ENTRY_BYTES;
    memory.f64[(entry + ENTRY_TIMESTAMP) >> 3] = timestamp;
    put(entry + ENTRY_KEY, entry + ENTRY_KEY_LENGTH, key, -1);
    put(entry + ENTRY_VALUE, entry + ENTRY_VALUE_LENGTH, value, -1);
    put(entry + ENTRY_HEADERS, entry + ENTRY_HEADERS_LENGTH, headers, 0);
    memory.i32[(entry + ENTRY_HEADERS_COUNT) >> 2] = headerCount;
  }
  const size = reference.encodeBatch(slab.address, records.length, out.address, baseOffset, 0);
  const bytes = Buffer.from(memory.u8.slice(out.address, out.address + size));
  slab.release();
  out.release();
  return bytes;
}

/** What the builder makes of them, at an address that is `shift` bytes behind a multiple of 8. */
function built(
  builder: BatchBuilder,
  records: readonly RecordInput[],
  baseOffset: number,
  shift = 0,
): Buffer {
  const payload = records.reduce((sum, record) => sum + measured(record).bytes, 0);
  const room = builder.roomFor(payload) + records.length * ENTRY_BYTES;
  const slab = memory.slabs.allocate(room + 8, 'test');
  const address = slab.address + shift;
  expect(builder.begin(measured(records[0] as RecordInput).bytes, address, room)).toBe(true);
  for (const record of records) {
    const one = measured(record);
    expect(builder.hasRoom(one.bytes)).toBe(true);
    builder.add(one);
  }
  expect(builder.count).toBe(records.length);
  const size = builder.encode(address, baseOffset);
  expect(builder.count).toBe(0);
  const bytes = Buffer.from(memory.u8.slice(address, address + size));
  slab.release();
  return bytes;
}

function expectSame(records: readonly RecordInput[], baseOffset = 0, batchBytes = MIB, shift = 0): void {
  const builder = new BatchBuilder(memory, batchBytes);
  onTestFinished(() => expect(memory.slabs.inUse()).toEqual([]));
  const [is, should] = [built(builder, records, baseOffset, shift), expected(records, baseOffset)];
  expect(is.equals(should), `${is.toString('hex', 0, 200)} is ${should.toString('hex', 0, 200)}`).toBe(true);
}

const NOW = 1_700_000_000_000;
const text = (bytes: number): Buffer => Buffer.alloc(bytes, 'varve ');

describe('a batch has the bytes that the specification gives it', () => {
  test('wherever it goes', () => {
    const records = [1, 2, 3].map((i) => ({ value: text(100 + i), timestamp: NOW + i }));
    for (let shift = 0; shift < 8; shift++) expectSame(records, 2 ** 40 + 7, MIB, shift);
  });

  test('at every border of a varint: lengths, offsets, times', () => {
    for (const border of [0, 1, 63, 64, 127, 128, 8191, 8192, 2 ** 20 - 1, 2 ** 20].flatMap((n) => [
      n,
      n + 1,
    ])) {
      expectSame([{ value: text(border), timestamp: NOW }], 5, 2 * MIB);
      expectSame([{ key: text(border), value: null, timestamp: NOW }], 5, 2 * MIB);
    }
    // The length of a whole record, around its own borders.
    for (let bytes = 40; bytes < 75; bytes++) expectSame([{ value: text(bytes), timestamp: NOW }]);
    for (let bytes = 8170; bytes < 8200; bytes++) expectSame([{ value: text(bytes), timestamp: NOW }]);
    for (const count of [63, 64, 65, 66, BATCH_RECORDS_MAX])
      expectSame(Array.from({ length: count }, (_, i) => ({ value: `${i}`, timestamp: NOW })));
    const borders = [63, 64, 65, 8191, 8192, 2 ** 20, 2 ** 30 - 1, 2 ** 30, 2 ** 31, 2 ** 40, 2 ** 52];
    for (const delta of borders.flatMap((n) => [n, -n, n - 1]))
      expectSame([
        { value: 'a', timestamp: 3 },
        { value: 'b', timestamp: 3 + delta },
        { value: 'c', timestamp: 4 },
      ]);
  });

  test('with the first and the last of all times together', () => {
    const [first, last] = [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER];
    for (const times of [[first, last, first + 1, last - 1], [last, first, 0], [-1, -2, 0], [first], [last]])
      expectSame(times.map((timestamp) => ({ value: 'x', timestamp })));
  });

  test('whatever its records have', () => {
    const bytes = (random: Random): Uint8Array | string | null =>
      random.pick([null, '', 'größe', random.bytes(random.int(0, 300))]);
    for (let seed = 0; seed < 60; seed++) {
      const random = createRandom(seed);
      const records = Array.from({ length: random.int(1, 40) }, () => ({
        key: bytes(random),
        value: bytes(random),
        timestamp: NOW + random.pick([0, 1, -70, 100_000, -(2 ** 35)]),
        headers: Array.from({ length: random.pick([0, 0, 1, 70]) }, () => ({
          key: 'k',
          value: bytes(random),
        })),
      }));
      expectSame(records, random.int(0, 1e9), 4 * MIB, random.int(0, 7));
    }
  });

  test('where a record is larger than a batch', () => {
    const headers = [{ key: 'trace', value: 'a'.repeat(90) }];
    expectSame([{ key: 'k', value: text(70_000), timestamp: -5, headers }], 9, 1024, 3);
    expectSame([{ key: text(2000), value: null, timestamp: NOW }], 9, 1024);
  });
});

test('a large record has its batch alone: not even an empty one joins it', () => {
  const builder = new BatchBuilder(memory, 64);
  const record = measured({ value: text(1000), timestamp: NOW });
  expect(builder.begin(record.bytes, 1 << 20, builder.roomFor(record.bytes) + 1000)).toBe(true);
  builder.add(record);
  expect(builder.hasRoom(0)).toBe(false);
  builder.clear();
  expect(memory.slabs.inUse()).toEqual([]);
});

test('a batch is full by its bytes, by its room, and by its records', () => {
  const builder = new BatchBuilder(memory, 1000);
  builder.begin(400, 1 << 20, builder.roomFor(1000) + 200);
  builder.add(measured({ value: text(400), timestamp: NOW }));
  expect([600, 601].map((bytes) => builder.hasRoom(bytes))).toEqual([true, false]);
  builder.clear();
  builder.begin(100, 1 << 20, builder.roomFor(100));
  builder.add(measured({ value: text(100), timestamp: NOW }));
  expect(builder.hasRoom(40)).toBe(false);
  builder.clear();
  builder.begin(0, 1 << 20, MIB);
  for (let i = 0; i < BATCH_RECORDS_MAX; i++) builder.add(measured({ value: null, timestamp: NOW }));
  expect(builder.hasRoom(0)).toBe(false);
  builder.clear();
});

test('varints have the length that is foretold, and the parts agree with the whole', () => {
  const target = new Uint8Array(16);
  const written = (write: (target: Uint8Array, position: number) => number): number[] => [
    ...target.subarray(0, write(target.fill(0), 0)),
  ];
  for (const value of [0, 1, 63, 64, 8191, 8192, 2 ** 20, 2 ** 27, 2 ** 31 - 1]) {
    const bytes = written((into, at) => writeVarint(into, at, value));
    expect(bytes).toHaveLength(varintBytes(value));
    expect(lengthBytes(value)).toBe(bytes.length);
    expect(written((into, at) => writeLength(into, at, value))).toEqual(bytes);
    expect(written((into, at) => writeDifference(into, at, 100, 100 + value))).toEqual(bytes);
    expect(written((into, at) => writeVarint(into, at, -value))).toHaveLength(varintBytes(-value));
  }
  const [first, last] = [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER];
  for (const [from, to] of [
    [first, last],
    [last, first],
    [0, 2 ** 30],
    [0, -(2 ** 30)],
  ] as const)
    expect(written((into, at) => writeDifference(into, at, from, to))).toHaveLength(
      differenceBytes(from, to),
    );
});
