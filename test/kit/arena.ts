/**
 * A memory for the tests of the kernels, cut into fixed regions, with helpers that put structures into it
 * and take them out.
 *
 *     2 KiB     tables, scratch          64 KiB     small structures          1 MiB     bytes        end
 *
 * @module
 */

import type { Kernels } from '../../src/memory/kernels.ts';
import {
  COLUMN_BYTES,
  COLUMN_END,
  COLUMN_HEADERS,
  COLUMN_HEADERS_COUNT,
  COLUMN_KEY,
  COLUMN_KEY_LENGTH,
  COLUMN_OFFSET_DELTA,
  COLUMN_TIMESTAMP,
  COLUMN_VALUE,
  COLUMN_VALUE_LENGTH,
  ENTRY_BYTES,
  ENTRY_HEADERS,
  ENTRY_HEADERS_COUNT,
  ENTRY_HEADERS_LENGTH,
  ENTRY_KEY,
  ENTRY_KEY_LENGTH,
  ENTRY_TIMESTAMP,
  ENTRY_VALUE,
  ENTRY_VALUE_LENGTH,
  RESERVED_BYTES,
  SCAN_STATUS_ADDRESS,
  SCAN_STATUS_NEED,
  SCAN_STATUS_STOP,
  TABLES_BYTES,
} from '../../src/memory/layout.ts';
import { type WasmMemory, WebAssembly } from '../../src/memory/webassembly.ts';
import { varint } from './batch-bytes.ts';
import type { Random } from './random.ts';

export const TABLES: number = RESERVED_BYTES;
export const SCRATCH: number = RESERVED_BYTES + TABLES_BYTES;
export const STATUS: number = 64 * 1024;
export const ROWS: number = 80 * 1024;
export const ENTRIES: number = 128 * 1024;
export const COLUMNS: number = 256 * 1024;
export const BYTES: number = 1024 * 1024;
export const MEMORY_PAGES = 128;

export interface Header {
  key: Uint8Array;
  value: Uint8Array | null;
}

export interface TestRecord {
  timestamp: number;
  key: Uint8Array | null;
  value: Uint8Array | null;
  headers: Header[];
}

/** A record as a column entry describes it, with the bytes it points at. */
export interface Decoded {
  timestamp: number;
  offsetDelta: number;
  key: Uint8Array | null;
  value: Uint8Array | null;
  headersCount: number;
  headers: Uint8Array;
}

export interface Arena {
  memory: WasmMemory;
  u8: Uint8Array;
  view: DataView;
  kernels: Kernels;
  /** Writes entries to `ENTRIES`, or elsewhere, and what they point at from `at` on; returns the address behind. */
  putEntries(records: readonly TestRecord[], at: number, entries?: number): number;
  column(index: number): Decoded;
  /** What is at `address`, copied. */
  slice(address: number, length: number): Uint8Array;
  status(): { stop: number; address: number; need: number };
}

export function createArena(factory: (memory: WasmMemory) => Kernels): Arena {
  const memory = new WebAssembly.Memory({ initial: MEMORY_PAGES, maximum: MEMORY_PAGES, shared: true });
  const u8 = new Uint8Array(memory.buffer);
  const view = new DataView(memory.buffer);
  const kernels = factory(memory);
  kernels.init(TABLES, SCRATCH, 1);

  function putBytes(addressAt: number, lengthAt: number, bytes: Uint8Array | null, at: number): number {
    view.setInt32(addressAt, bytes === null ? 0 : at, true);
    view.setInt32(lengthAt, bytes === null ? -1 : bytes.length, true);
    if (bytes !== null) u8.set(bytes, at);
    return at + (bytes?.length ?? 0);
  }

  function bytesOf(addressAt: number, lengthAt: number): Uint8Array | null {
    const length = view.getInt32(lengthAt, true);
    return length === -1 ? null : slice(view.getInt32(addressAt, true), length);
  }

  function slice(address: number, length: number): Uint8Array {
    return u8.slice(address, address + length);
  }

  return {
    memory,
    u8,
    view,
    kernels,
    slice,
    putEntries(records, at, entries = ENTRIES) {
      let entry = entries;
      for (const record of records) {
        view.setFloat64(entry + ENTRY_TIMESTAMP, record.timestamp, true);
        at = putBytes(entry + ENTRY_KEY, entry + ENTRY_KEY_LENGTH, record.key, at);
        at = putBytes(entry + ENTRY_VALUE, entry + ENTRY_VALUE_LENGTH, record.value, at);
        const headers = headersBytes(record.headers);
        at = putBytes(entry + ENTRY_HEADERS, entry + ENTRY_HEADERS_LENGTH, headers, at);
        view.setInt32(entry + ENTRY_HEADERS_COUNT, record.headers.length, true);
        entry += ENTRY_BYTES;
      }
      return at;
    },
    column(index) {
      const column = COLUMNS + index * COLUMN_BYTES;
      const headers = view.getInt32(column + COLUMN_HEADERS, true);
      return {
        timestamp: view.getFloat64(column + COLUMN_TIMESTAMP, true),
        offsetDelta: view.getInt32(column + COLUMN_OFFSET_DELTA, true),
        key: bytesOf(column + COLUMN_KEY, column + COLUMN_KEY_LENGTH),
        value: bytesOf(column + COLUMN_VALUE, column + COLUMN_VALUE_LENGTH),
        headersCount: view.getInt32(column + COLUMN_HEADERS_COUNT, true),
        headers: slice(headers, view.getInt32(column + COLUMN_END, true) - headers),
      };
    },
    status: () => ({
      stop: view.getInt32(STATUS + SCAN_STATUS_STOP, true),
      address: view.getInt32(STATUS + SCAN_STATUS_ADDRESS, true),
      need: view.getInt32(STATUS + SCAN_STATUS_NEED, true),
    }),
  };
}

/** Headers in wire form, without their count. */
export function headersBytes(headers: readonly Header[]): Uint8Array {
  const bytes = headers.flatMap(({ key, value }) => [
    ...varint(key.length),
    ...key,
    ...(value === null ? varint(-1) : [...varint(value.length), ...value]),
  ]);
  return Uint8Array.from(bytes);
}

/** Records of all kinds: null and empty keys and values, headers, times that go forth and back. */
export function randomRecords(random: Random, count: number, longest = 300): TestRecord[] {
  const shape = random.int(0, 3);
  let timestamp = random.pick([0, 1_700_000_000_000, -5, 2 ** 53 - 1, -(2 ** 53) + 1]);
  const bytes = (): Uint8Array => random.bytes(random.chance(0.1) ? 0 : random.int(0, longest));
  return Array.from({ length: count }, () => {
    if (shape === 1) timestamp = Math.min(timestamp + random.int(0, 100_000), 2 ** 53 - 1);
    if (shape === 2) timestamp = Math.max(timestamp - random.int(0, 1e12), -(2 ** 53) + 1);
    if (shape === 3) timestamp = random.int(-(2 ** 53) + 1, 2 ** 53 - 1);
    return {
      timestamp,
      key: random.chance(0.3) ? null : bytes(),
      value: random.chance(0.1) ? null : bytes(),
      headers: Array.from({ length: random.chance(0.7) ? 0 : random.int(1, 5) }, () => ({
        key: random.bytes(random.int(0, 20)),
        value: random.chance(0.2) ? null : random.bytes(random.int(0, 70)),
      })),
    };
  });
}
