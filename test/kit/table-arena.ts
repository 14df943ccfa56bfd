/**
 * A memory for the tests of the kernels of tables, with helpers that put entries into it as blocks, runs and
 * sources, and take out what the kernels made of them.
 *
 * @module
 */

import { RESERVED_BYTES, SLACK_BYTES, TABLES_BYTES } from '../../src/memory/layout.ts';
import {
  CELL_KEY,
  CELL_KEY_LENGTH,
  CELL_KIND,
  CELL_SEQUENCE,
  CELL_VALUE_LENGTH,
  KIND_DELETE,
  KIND_PUT,
} from '../../src/memory/lsm-layout.ts';
import type { AllKernels } from '../../src/memory/parse-kernels.ts';
import * as layout from '../../src/memory/table-layout.ts';
import { type WasmMemory, WebAssembly } from '../../src/memory/webassembly.ts';
import type { Random } from './random.ts';

const MEMORY_PAGES = 256;
const FIRST_ADDRESS = 65_536;

/** An entry of a table or a memtable. */
export interface TestEntry {
  key: Uint8Array;
  value: Uint8Array;
  sequence: number;
  kind: number;
}

export interface BuildOptions {
  target?: number;
  interval?: number;
  base?: number;
  withHashes?: boolean;
}

export interface TableArena {
  memory: WasmMemory;
  u8: Uint8Array;
  view: DataView;
  kernels: AllKernels;
  /** Forgets everything that was put into the memory. */
  clear(): void;
  /** Room, aligned to 8 bytes, with slack behind it; it is not cleared. */
  allocate(bytes: number): number;
  put(bytes: Uint8Array): number;
  slice(address: number, length: number): Buffer;
  builder(options?: BuildOptions): number;
  /** Builds one block of entries, which must fit. */
  build(entries: readonly TestEntry[], options?: BuildOptions): Buffer;
  rowAt(address: number): TestEntry;
  /** Takes a block apart; undefined where the kernel refuses it. */
  decode(block: Uint8Array): TestEntry[] | undefined;
  /** Addresses of cells with these entries, as a run. */
  run(entries: readonly TestEntry[]): number;
  i32(address: number): number;
  setI32(address: number, value: number): void;
  f64(address: number): number;
  setF64(address: number, value: number): void;
}

export function createTableArena(factory: (memory: WasmMemory) => AllKernels): TableArena {
  const memory = new WebAssembly.Memory({ initial: MEMORY_PAGES, maximum: MEMORY_PAGES, shared: true });
  const u8 = new Uint8Array(memory.buffer);
  const view = new DataView(memory.buffer);
  const kernels = factory(memory);
  kernels.init(RESERVED_BYTES, RESERVED_BYTES + TABLES_BYTES, 1);
  let next = FIRST_ADDRESS;

  const i32 = (address: number): number => view.getInt32(address, true);
  const setI32 = (address: number, value: number): void => view.setInt32(address, value, true);
  const f64 = (address: number): number => view.getFloat64(address, true);
  const setF64 = (address: number, value: number): void => view.setFloat64(address, value, true);
  const slice = (address: number, length: number): Buffer =>
    Buffer.from(u8.slice(address, address + length).buffer);

  function allocate(bytes: number): number {
    const address = next;
    next = (next + bytes + SLACK_BYTES + 7) & ~7;
    if (next + SLACK_BYTES > u8.length) throw new RangeError('the arena is full');
    return address;
  }

  function put(bytes: Uint8Array): number {
    const address = allocate(bytes.length);
    u8.set(bytes, address);
    return address;
  }

  function builder({ target = 4096, interval = 16, base = 0, withHashes = true }: BuildOptions = {}): number {
    const address = allocate(layout.BUILDER_BYTES);
    u8.fill(0, address, address + layout.BUILDER_BYTES);
    setI32(address + layout.BUILDER_TARGET, target);
    setI32(address + layout.BUILDER_INTERVAL, interval);
    setI32(address + layout.BUILDER_RESTARTS, allocate(layout.BLOCK_ENTRIES_MAX * layout.RESTART_BYTES));
    setI32(address + layout.BUILDER_LAST_KEY, allocate(layout.KEY_ROOM_BYTES));
    setI32(address + layout.BUILDER_LAST_KEY_LENGTH, -1);
    const counts = allocate(layout.FILTER_COUNTS * 8);
    u8.fill(0, counts, counts + layout.FILTER_COUNTS * 8);
    setI32(address + layout.BUILDER_COUNTS, counts);
    if (withHashes) setI32(address + layout.BUILDER_HASHES, allocate(256 * 1024));
    setF64(address + layout.BUILDER_BASE, base);
    setF64(address + layout.BUILDER_LEAST_SEQUENCE, Number.POSITIVE_INFINITY);
    setF64(address + layout.BUILDER_GREATEST_SEQUENCE, -1);
    const start = allocate(Math.max(target, layout.LARGE_ENTRY_BYTES) + 16_384);
    setI32(address + layout.BUILDER_START, start);
    setI32(address + layout.BUILDER_AT, start);
    return address;
  }

  function build(entries: readonly TestEntry[], options: BuildOptions = {}): Buffer {
    const at = builder(options);
    for (const { key, value, sequence, kind } of entries) {
      kernels.addEntry(at, put(key), key.length, put(value), value.length, sequence, kind);
    }
    return slice(i32(at + layout.BUILDER_START), kernels.finishBlock(at));
  }

  function rowAt(row: number): TestEntry {
    const length = view.getUint16(row + layout.ROW_KEY_LENGTH, true);
    return {
      key: slice(i32(row + layout.ROW_KEY), length),
      value: slice(i32(row + layout.ROW_VALUE), i32(row + layout.ROW_VALUE_LENGTH)),
      sequence: f64(row + layout.ROW_SEQUENCE),
      kind: view.getUint8(row + layout.ROW_KIND),
    };
  }

  function decode(block: Uint8Array): TestEntry[] | undefined {
    const room = 512 * 1024;
    const mark = next;
    const out = allocate(room);
    const count = kernels.decodeBlock(put(block), block.length, out, room);
    next = mark;
    if (count < 0) return undefined;
    return Array.from({ length: count }, (_, i) => rowAt(out + i * layout.ROW_ENTRY_BYTES));
  }

  function run(entries: readonly TestEntry[]): number {
    const slots = allocate(entries.length * 4);
    for (const [i, { key, value, sequence, kind }] of entries.entries()) {
      const cell = allocate(CELL_KEY + key.length + value.length);
      setF64(cell + CELL_SEQUENCE, sequence);
      setI32(cell + CELL_VALUE_LENGTH, value.length);
      view.setUint16(cell + CELL_KEY_LENGTH, key.length, true);
      view.setUint8(cell + CELL_KIND, kind);
      u8.set(key, cell + CELL_KEY);
      u8.set(value, cell + CELL_KEY + key.length);
      setI32(slots + i * 4, cell);
    }
    return slots;
  }

  const clear = (): void => {
    next = FIRST_ADDRESS;
  };
  const values = { memory, u8, view, kernels, i32, setI32, f64, setF64, slice };
  return { ...values, clear, allocate, put, builder, build, rowAt, decode, run };
}

/** Orders entries as tables and runs have them. */
export function compareEntries(a: TestEntry, b: TestEntry): number {
  return Buffer.compare(a.key, b.key) || b.sequence - a.sequence;
}

/** Keys that share much, in every way that makes a difference: beginnings of each other, zeros, long ones. */
export function randomKey(random: Random): Uint8Array {
  const shape = random.int(0, 9);
  if (shape < 4) return Buffer.from(`key-${String(random.int(0, 60)).padStart(random.int(1, 12), '0')}`);
  if (shape < 6) return new Uint8Array(random.int(1, 20)).fill(random.pick([0, 1, 255]));
  if (shape < 8) return random.bytes(random.int(1, 4)).map((byte) => byte & 3);
  if (shape < 9) return Buffer.from('x'.repeat(random.int(1, 300)) + random.int(0, 9));
  return random.bytes(random.int(1, 40));
}

/**
 * Entries in order, no two of them with the same key and sequence number.
 *
 * @param sequences they are drawn from below this
 */
export function randomEntries(random: Random, count: number, sequences: number, longest = 60): TestEntry[] {
  const entries = new Map<string, TestEntry>();
  for (let i = 0; i < count; i++) {
    const key = randomKey(random);
    const sequence = random.int(0, sequences - 1);
    const kind = random.chance(0.25) ? KIND_DELETE : KIND_PUT;
    const value =
      kind === KIND_PUT ? random.bytes(random.chance(0.1) ? 0 : random.int(0, longest)) : new Uint8Array();
    entries.set(`${Buffer.from(key).toString('hex')} ${sequence}`, { key, value, sequence, kind });
  }
  return [...entries.values()].sort(compareEntries);
}

/** An entry in a form that compares and prints well. */
export function textOf({ key, value, sequence, kind }: TestEntry): string {
  const bytes = (data: Uint8Array): string => Buffer.from(data).toString('hex');
  return `${bytes(key)}@${sequence}${kind === KIND_PUT ? `=${bytes(value)}` : ` kind ${kind}`}`;
}
