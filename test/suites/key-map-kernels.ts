/**
 * What every implementation of the kernels of compaction must do: compared with a `Map` of all keys.
 *
 * @module
 */

import { describe, expect, it } from 'vitest';

import {
  GATHERED_BASE_OFFSET,
  GATHERED_BASE_TIMESTAMP,
  GATHERED_COUNT,
  GATHERED_COUNT_MAX,
  GATHERED_END,
  GATHERED_FULL,
  GATHERED_LAST_DELTA,
  GATHERED_MAX_TIMESTAMP,
  GATHERED_NEXT,
  KEEP_LAST,
  KEEP_RECORDS,
  KEY_MAP_BIT_COUNT,
  KEY_MAP_BITS,
  KEY_MAP_BYTES,
  KEY_MAP_END,
  KEY_MAP_LIMIT,
  KEY_MAP_NEXT,
  KEY_MAP_SLOT_COUNT,
  KEY_MAP_SLOTS,
  KEY_MAP_USED,
  KEY_MAP_WITHIN,
  KEY_SLOT_BYTES,
} from '../../src/memory/key-map-layout.ts';
import {
  BATCH_HEADER_BYTES,
  COLUMN_END,
  COLUMN_KEY,
  RESERVED_BYTES,
  SLACK_BYTES,
  TABLES_BYTES,
} from '../../src/memory/layout.ts';
import type { AllKernels } from '../../src/memory/parse-kernels.ts';
import { type WasmMemory, WebAssembly } from '../../src/memory/webassembly.ts';
import { batchBytes } from '../kit/batch-bytes.ts';
import { createRandom, type Random } from '../kit/random.ts';

const PAGES = 64;
const MAP = 64 * 1024;
const COLUMNS = 128 * 1024;
const FOUND = 256 * 1024;
const GATHERED = 300 * 1024;
const SOURCE = 512 * 1024;
const TARGET = 1024 * 1024;
const ARENA = 2 * 1024 * 1024;

interface Item {
  key: Buffer | null;
  value: Buffer | null;
  timestamp: number;
  offsetDelta: number;
}

class Bench {
  readonly kernels: AllKernels;
  readonly u8: Uint8Array;
  readonly view: DataView;

  constructor(factory: (memory: WasmMemory) => AllKernels) {
    const memory = new WebAssembly.Memory({ initial: PAGES, maximum: PAGES, shared: true });
    this.u8 = new Uint8Array(memory.buffer);
    this.view = new DataView(memory.buffer);
    this.kernels = factory(memory);
    this.kernels.init(RESERVED_BYTES, RESERVED_BYTES + TABLES_BYTES, 1);
  }

  set(address: number, value: number): void {
    this.view.setInt32(address, value, true);
  }

  get(address: number): number {
    return this.view.getInt32(address, true);
  }

  /** An empty map with room for so many keys and bytes of keys. */
  layOut(keys: number, arenaBytes: number, bits: number, within = 2 ** 31 - 1): void {
    const slotCount = Math.ceil(keys * 1.25) + 1;
    const slots = MAP + KEY_MAP_BYTES;
    const bitsAt = ARENA + (1 << 20);
    this.u8.fill(0, slots, slots + slotCount * KEY_SLOT_BYTES);
    this.u8.fill(0, bitsAt, bitsAt + bits / 8 + 1);
    this.set(MAP + KEY_MAP_SLOTS, slots);
    this.set(MAP + KEY_MAP_SLOT_COUNT, slotCount);
    this.set(MAP + KEY_MAP_USED, 0);
    this.set(MAP + KEY_MAP_LIMIT, keys);
    this.set(MAP + KEY_MAP_NEXT, ARENA);
    this.set(MAP + KEY_MAP_END, ARENA + arenaBytes + SLACK_BYTES);
    this.set(MAP + KEY_MAP_BITS, bitsAt);
    this.set(MAP + KEY_MAP_BIT_COUNT, bits);
    this.set(MAP + KEY_MAP_WITHIN, within);
  }

  /** Puts records into a batch, and their columns where the kernels expect them. */
  decode(items: readonly Item[]): void {
    const base = items[0]?.timestamp ?? 0;
    const bytes = batchBytes({
      baseTimestamp: BigInt(base),
      maxTimestamp: BigInt(Math.max(...items.map(({ timestamp }) => timestamp))),
      lastDelta: items.at(-1)?.offsetDelta ?? 0,
      records: items.map(({ key, value, timestamp, offsetDelta }) => {
        return { key, value, offsetDelta, timestampDelta: BigInt(timestamp - base) };
      }),
    });
    this.u8.set(bytes, SOURCE);
    expect(this.kernels.decodeBatch(SOURCE, bytes.length, COLUMNS)).toBe(items.length);
  }

  isMarked(number: number): boolean {
    const bits = this.get(MAP + KEY_MAP_BITS);
    return (((this.u8[bits + (number >> 3)] as number) >> (number & 7)) & 1) === 1;
  }
}

function drawItems(random: Random, count: number, keys: number): Item[] {
  let offsetDelta = 0;
  return Array.from({ length: count }, () => {
    const id = random.int(0, keys - 1);
    // Some keys are long, one is empty, and some records have none.
    const length = id === 1 ? 0 : id % 11 === 0 ? 250 + (id % 17) : 3 + (id % 19);
    const key = random.chance(0.05) ? null : Buffer.from(`${id}`.padEnd(length, 'k').slice(0, length));
    offsetDelta += random.chance(0.3) ? random.int(1, 200) : 1;
    const value = random.chance(0.1) ? null : Buffer.from(random.bytes(random.int(0, 300)));
    return { key, value, timestamp: 1_700_000_000_000 + random.int(-100_000, 100_000), offsetDelta };
  });
}

/**
 * Declares the tests of one implementation.
 *
 * @param factory makes the kernels over a memory; `init` is called on them first
 */
export function keyMapKernelsSuite(name: string, factory: (memory: WasmMemory) => AllKernels): void {
  describe(name, () => {
    it.each([4000, 90])(
      'marks all records of a key but the last, where they are near enough (%i)',
      (within) => {
        const bench = new Bench(factory);
        const random = createRandom(within);
        bench.layOut(400, 200_000, 4000, within);
        const last = new Map<string, number>();
        const marked = new Set<number>();
        let number = 0;
        for (let round = 0; round < 12; round++) {
          const items = drawItems(random, 60, 150);
          bench.decode(items);
          expect(bench.kernels.mapKeys(MAP, COLUMNS, items.length, 0, number, KEEP_LAST)).toBe(items.length);
          for (const [i, { key }] of items.entries()) {
            if (key === null) continue;
            const before = last.get(key.toString());
            const isNear = before !== undefined && number + i - before <= within;
            if (isNear) marked.add(before);
            last.set(key.toString(), number + i);
          }
          number += items.length;
        }
        expect(bench.get(MAP + KEY_MAP_USED)).toBe(last.size);
        for (let i = 0; i < number; i++) expect([i, bench.isMarked(i)]).toEqual([i, marked.has(i)]);
        const items = drawItems(random, 100, 400);
        bench.decode(items);
        const found = items.map(({ key }) => (key !== null && last.has(key.toString()) ? 1 : 0));
        expect(bench.kernels.findKeys(MAP, COLUMNS, items.length, FOUND)).toBe(
          found.filter((is) => is === 1).length,
        );
        expect([...bench.u8.subarray(FOUND, FOUND + items.length)]).toEqual(found);
      },
    );

    it('stops before the first record that there is no room for', () => {
      const bench = new Bench(factory);
      const key = (i: number): Item => {
        return { key: Buffer.from(`key-${i}`.padEnd(10)), value: null, timestamp: 0, offsetDelta: i };
      };
      const items = Array.from({ length: 20 }, (_, i) => key(i));
      bench.layOut(7, 10_000, 1000);
      bench.decode(items);
      expect(bench.kernels.mapKeys(MAP, COLUMNS, 20, 0, 0, KEEP_LAST)).toBe(7);
      expect(bench.kernels.mapKeys(MAP, COLUMNS, 20, 7, 0, KEEP_LAST)).toBe(7);
      bench.layOut(20, 55, 1000);
      expect(bench.kernels.mapKeys(MAP, COLUMNS, 20, 2, 0, KEEP_LAST)).toBe(7);
      bench.layOut(20, 10_000, 13);
      expect(bench.kernels.mapKeys(MAP, COLUMNS, 20, 0, 0, KEEP_LAST)).toBe(13);
      // What has a key that is there needs no room.
      bench.layOut(5, 10_000, 1000);
      bench.decode([0, 1, 2, 3, 4, 3, 2, 1, 0].map((i, offsetDelta) => ({ ...key(i), offsetDelta })));
      expect(bench.kernels.mapKeys(MAP, COLUMNS, 9, 0, 0, KEEP_LAST)).toBe(9);
    });

    it('takes whole records for keys', () => {
      const bench = new Bench(factory);
      const value = Buffer.from('v');
      const first: Item = { key: Buffer.from('a'), value, timestamp: 5, offsetDelta: 0 };
      const items = [
        first,
        { ...first, timestamp: 6 },
        { ...first, key: Buffer.from('av'), value: Buffer.from('') },
        { ...first, key: null },
        { ...first, value: null },
        first,
        { ...first, key: Buffer.from('') },
        { ...first, key: null },
      ].map((item, offsetDelta) => ({ ...item, offsetDelta }));
      bench.layOut(20, 10_000, 100);
      bench.decode(items);
      bench.kernels.wholeRecords(COLUMNS, items.length, TARGET);
      expect(bench.kernels.mapKeys(MAP, COLUMNS, items.length, 0, 0, KEEP_RECORDS)).toBe(items.length);
      expect(items.map((_, i) => bench.isMarked(i))).toEqual([
        // Of those with a key the last stays, of the others the first.
        true,
        false,
        false,
        false,
        false,
        false,
        false,
        true,
      ]);
    });

    it('gathers records as they were, until the batch is full', () => {
      const bench = new Bench(factory);
      const random = createRandom(3);
      for (let round = 0; round < 20; round++) {
        const items = drawItems(random, 80, 60);
        bench.decode(items);
        const kept = items.map(() => random.chance(0.6));
        for (const [i, is] of kept.entries()) bench.u8[FOUND + i] = is ? 1 : 0;
        const start = TARGET + BATCH_HEADER_BYTES;
        bench.set(GATHERED + GATHERED_NEXT, start);
        bench.set(GATHERED + GATHERED_END, TARGET + 512 * 1024);
        bench.set(GATHERED + GATHERED_FULL, start + 4000);
        bench.set(GATHERED + GATHERED_COUNT, 0);
        bench.set(GATHERED + GATHERED_COUNT_MAX, 30);
        bench.set(GATHERED + GATHERED_LAST_DELTA, 0);
        bench.view.setFloat64(GATHERED + GATHERED_BASE_OFFSET, 1000, true);
        bench.view.setFloat64(GATHERED + GATHERED_BASE_TIMESTAMP, 1_700_000_000_000, true);
        bench.view.setFloat64(GATHERED + GATHERED_MAX_TIMESTAMP, -Infinity, true);
        const end = bench.kernels.gatherRecords(GATHERED, COLUMNS, items.length, 0, FOUND, 1234);
        const taken = items.filter((_, i) => i < end && kept[i] === true);
        expect(bench.get(GATHERED + GATHERED_COUNT)).toBe(taken.length);
        if (end < items.length) expect(kept[end]).toBe(true);
        expect(bench.get(GATHERED + GATHERED_LAST_DELTA)).toBe((taken.at(-1)?.offsetDelta ?? 0) + 234);
        const expected = batchBytes({
          baseTimestamp: 1_700_000_000_000n,
          lastDelta: (taken.at(-1)?.offsetDelta ?? 0) + 234,
          records: taken.map(({ key, value, timestamp, offsetDelta }) => {
            const timestampDelta = BigInt(timestamp - 1_700_000_000_000);
            return { key, value, timestampDelta, offsetDelta: offsetDelta + 234 };
          }),
        });
        const size = bench.get(GATHERED + GATHERED_NEXT) - start;
        const bytes = Buffer.from(bench.u8.slice(start, start + size));
        expect(bytes.equals(Buffer.from(expected).subarray(BATCH_HEADER_BYTES))).toBe(true);
        const latest = Math.max(...taken.map(({ timestamp }) => timestamp));
        expect(bench.view.getFloat64(GATHERED + GATHERED_MAX_TIMESTAMP, true)).toBe(latest);
      }
    });

    it('writes nothing where there is no room for a record', () => {
      const bench = new Bench(factory);
      bench.decode([{ key: Buffer.from('k'), value: Buffer.alloc(1000), timestamp: 0, offsetDelta: 0 }]);
      bench.u8[FOUND] = 1;
      bench.set(GATHERED + GATHERED_NEXT, TARGET);
      bench.set(GATHERED + GATHERED_END, TARGET + 900);
      bench.set(GATHERED + GATHERED_FULL, TARGET + 100);
      bench.set(GATHERED + GATHERED_COUNT, 0);
      bench.set(GATHERED + GATHERED_COUNT_MAX, 30);
      bench.view.setFloat64(GATHERED + GATHERED_BASE_OFFSET, 0, true);
      bench.view.setFloat64(GATHERED + GATHERED_BASE_TIMESTAMP, 0, true);
      expect(bench.kernels.gatherRecords(GATHERED, COLUMNS, 1, 0, FOUND, 0)).toBe(0);
      bench.set(GATHERED + GATHERED_END, TARGET + 1100);
      // One that is larger than a batch has one for itself.
      expect(bench.kernels.gatherRecords(GATHERED, COLUMNS, 1, 0, FOUND, 0)).toBe(1);
      expect(bench.get(COLUMNS + COLUMN_END) - bench.get(COLUMNS + COLUMN_KEY)).toBeGreaterThan(1000);
    });
  });
}
