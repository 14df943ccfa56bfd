/**
 * Batches with a few bytes changed, and what kernels make of them, as numbers that two implementations can be
 * compared by.
 *
 * @module
 */

import type { Kernels } from '../../src/memory/kernels.ts';
import {
  COLUMN_BYTES,
  COLUMN_END,
  COLUMN_HEADERS,
  COLUMN_KEY,
  COLUMN_KEY_LENGTH,
  COLUMN_VALUE,
  COLUMN_VALUE_LENGTH,
  MARK_BYTES,
  ROW_BYTES,
  SCAN_STATUS_BYTES,
} from '../../src/memory/layout.ts';
import { type Arena, COLUMNS, ROWS, randomRecords, STATUS } from './arena.ts';
import { batchBytes } from './batch-bytes.ts';
import { createRandom, type Random } from './random.ts';

/** A few small batches of all kinds; small, so that a mutation hits structure more often than text. */
function createSeeds(random: Random): Uint8Array[] {
  return Array.from({ length: 40 }, (_, i) => {
    const records = randomRecords(random, random.int(1, 4), 4);
    let delta = -1;
    return batchBytes({
      baseTimestamp: BigInt(records[0]?.timestamp ?? 0),
      attributes: i % 5 === 0 ? 8 : 0,
      records: records.map((record) => {
        delta += i % 3 === 0 ? random.int(1, 100) : 1;
        const timestampDelta = BigInt(record.timestamp) - BigInt(records[0]?.timestamp ?? 0);
        return { ...record, offsetDelta: delta, timestampDelta };
      }),
    });
  });
}

/** Changes a few bytes, from a position on. */
export function mutate(bytes: Uint8Array, from: number, random: Random): void {
  for (let changes = random.int(1, 3); changes > 0; changes--) {
    const at = random.int(from, bytes.length - 1);
    const old = bytes[at] ?? 0;
    bytes[at] = random.pick([
      old ^ (1 << random.int(0, 7)),
      old + 1,
      old - 1,
      random.int(0, 255),
      0,
      0xff,
      0x80,
    ]);
  }
}

/** FNV-1a, to compare 100,000 results without keeping them. */
function fingerprint(u8: Uint8Array, address: number, length: number, seed: number): number {
  let hash = seed ^ 0x811c9dc5;
  for (let i = address; i < address + length; i++) hash = Math.imul(hash ^ (u8[i] ?? 0), 0x01000193);
  return hash;
}

/**
 * What the decoders of `kernels` make of mutations, one number each.
 *
 * @throws Error where a result points out of its batch
 */
export function runDecoders(
  { u8, view }: Arena,
  kernels: Kernels,
  seed: number,
  mutations: number,
): Int32Array {
  const random = createRandom(seed);
  const seeds = createSeeds(random);
  const results = new Int32Array(mutations);
  for (let i = 0; i < mutations; i++) {
    const bytes = Uint8Array.from(random.pick(seeds));
    mutate(bytes, random.chance(0.8) ? 61 : 0, random);
    // At the very end of the memory, less the slack: what reads too far traps.
    const address = u8.length - 16 - bytes.length;
    u8.set(bytes, address);
    const target = random.int(0, 4);
    const count = kernels.decodeBatch(address, bytes.length, COLUMNS);
    for (let n = 0; n < count; n++)
      checkBounds(view, COLUMNS + n * COLUMN_BYTES, address, address + bytes.length);
    let hash = fingerprint(u8, COLUMNS, Math.max(count, 0) * COLUMN_BYTES, count);
    const found = kernels.findRecord(address, bytes.length, target, COLUMNS);
    if (found === 1) checkBounds(view, COLUMNS, address, address + bytes.length);
    hash = fingerprint(u8, COLUMNS, found === 1 ? COLUMN_BYTES : 0, hash ^ found);
    const marks = COLUMNS + COLUMN_BYTES;
    const marked = kernels.markRecords(address, bytes.length, marks);
    hash = fingerprint(u8, marks, Math.max(marked, 0) * MARK_BYTES, hash ^ marked);
    if (marked > 0 && kernels.findMarked(address, bytes.length, target, marks, COLUMNS) !== found) hash ^= -1;
    results[i] = hash;
  }
  return results;
}

function checkBounds(view: DataView, column: number, start: number, end: number): void {
  const field = (offset: number): number => view.getInt32(column + offset, true);
  const places: readonly (readonly [number, number])[] = [
    [field(COLUMN_KEY), field(COLUMN_KEY_LENGTH)],
    [field(COLUMN_VALUE), field(COLUMN_VALUE_LENGTH)],
    [field(COLUMN_HEADERS), field(COLUMN_END) - field(COLUMN_HEADERS)],
  ];
  for (const [address, length] of places) {
    const isInside = address >= start + 61 && length >= -1 && address + Math.max(length, 0) <= end;
    if (!isInside) throw new Error(`${address} + ${length} is outside of ${start} to ${end}`);
  }
}

/** What the scanners make of mutations, one number each. */
export function runScanners({ u8 }: Arena, kernels: Kernels, seed: number, mutations: number): Int32Array {
  const random = createRandom(seed);
  const seeds = createSeeds(random);
  const results = new Int32Array(mutations);
  for (let i = 0; i < mutations; i++) {
    const bytes = Buffer.concat([random.pick(seeds), random.pick(seeds), random.pick(seeds)]);
    if (random.chance(0.9)) mutate(bytes, 0, random);
    const address = u8.length - 16 - bytes.length;
    u8.set(bytes, address);
    const length = random.chance(0.5) ? bytes.length : random.int(0, bytes.length);
    const count = kernels.scanBatches(address, length, ROWS, 4, STATUS);
    let hash = fingerprint(u8, ROWS, count * ROW_BYTES, count);
    hash = fingerprint(u8, STATUS, SCAN_STATUS_BYTES, hash);
    results[i] = hash ^ kernels.findBatch(address, length, 0, random.int(0, 3));
  }
  return results;
}
