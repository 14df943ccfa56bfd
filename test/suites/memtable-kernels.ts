/**
 * What every implementation of the memtable's kernels must do: compared with a sorted array of all that was
 * ever written.
 *
 * @module
 */

import { describe, expect, it } from 'vitest';

import { OperationsEncoder } from '../../src/lsm/operations.ts';
import { RESERVED_BYTES, TABLES_BYTES } from '../../src/memory/layout.ts';
import {
  CELL_KEY,
  CELL_KEY_LENGTH,
  CELL_KIND,
  CELL_SEQUENCE,
  FOUND_SEQUENCE,
  FOUND_VALUE,
  FOUND_VALUE_LENGTH,
  KIND_DELETE,
  KIND_NONE,
  KIND_PUT,
  MEMTABLE_ARENA_NEXT,
  MEMTABLE_CELLS,
  MEMTABLE_DEAD,
  MEMTABLE_FIRST_SEQUENCE,
  MEMTABLE_KEYS,
  MEMTABLE_LAST_SEQUENCE,
  MEMTABLE_RANGE_COUNT,
  MEMTABLE_RANGES,
  MEMTABLE_SLOT_MASK,
  MEMTABLE_SLOTS,
  MEMTABLE_TOMBSTONES,
  SLOT_BYTES,
  TARGET_BYTES,
  TARGET_FROM_SEQUENCE,
  TARGET_MEMTABLE,
  TARGET_NEED_BYTES,
  TARGET_NEED_CELLS,
  TARGET_NEED_RANGES,
  TARGET_TREE,
} from '../../src/memory/lsm-layout.ts';
import type { AllKernels } from '../../src/memory/parse-kernels.ts';
import { type WasmMemory, WebAssembly } from '../../src/memory/webassembly.ts';
import { createRandom, type Random } from '../kit/random.ts';

const MIB = 1 << 20;
const PAGES = 128;
const TARGETS = 64 * 1024;
const FOUND = 66 * 1024;
const KEY = 68 * 1024;
const OPERATIONS = 256 * 1024;
const RUNS = 2 * MIB;
const SCRATCH = 3 * MIB;
const TREES = [7, 300];

interface Write {
  sequence: number;
  kind: 'put' | 'delete' | 'range';
  key: Buffer;
  second: Buffer;
  /** Its place in its batch. */
  at: number;
}

/** Two memtables, and everything that was written to them. */
class Tables {
  readonly kernels: AllKernels;
  readonly u8: Uint8Array;
  readonly view: DataView;
  readonly history: Write[][] = TREES.map(() => []);

  constructor(factory: (memory: WasmMemory) => AllKernels, slots: number) {
    const memory = new WebAssembly.Memory({ initial: PAGES, maximum: PAGES, shared: true });
    this.u8 = new Uint8Array(memory.buffer);
    this.view = new DataView(memory.buffer);
    this.kernels = factory(memory);
    this.kernels.init(RESERVED_BYTES, RESERVED_BYTES + TABLES_BYTES, 1);
    for (const [i, tree] of TREES.entries()) {
      const target = TARGETS + i * TARGET_BYTES;
      this.view.setInt32(target + TARGET_TREE, tree, true);
      this.view.setInt32(target + TARGET_MEMTABLE, this.memtable(i), true);
      this.view.setFloat64(target + TARGET_FROM_SEQUENCE, i === 0 ? 0 : 3, true);
      this.view.setInt32(this.memtable(i) + MEMTABLE_ARENA_NEXT, this.arena(i), true);
      this.clear(i, slots);
    }
  }

  memtable(i: number): number {
    return 80 * 1024 + i * 1024;
  }

  arena(i: number): number {
    return (4 + 2 * i) * MIB;
  }

  field(i: number, offset: number): number {
    return this.view.getInt32(this.memtable(i) + offset, true);
  }

  /** Clears what a memtable counts, and gives it an empty index. */
  clear(i: number, slots: number, address: number = MIB + i * 128 * 1024): void {
    const memtable = this.memtable(i);
    const next = this.field(i, MEMTABLE_ARENA_NEXT);
    this.u8.fill(0, memtable, memtable + 72);
    this.view.setInt32(memtable + MEMTABLE_ARENA_NEXT, next, true);
    this.view.setFloat64(memtable + MEMTABLE_FIRST_SEQUENCE, -1, true);
    this.view.setFloat64(memtable + MEMTABLE_LAST_SEQUENCE, -1, true);
    this.view.setInt32(memtable + MEMTABLE_RANGES, 90 * 1024 + i * 8192, true);
    this.view.setInt32(memtable + MEMTABLE_SLOTS, address, true);
    this.view.setInt32(memtable + MEMTABLE_SLOT_MASK, slots - 1, true);
    this.u8.fill(0, address, address + slots * SLOT_BYTES);
  }

  needs(i: number): number[] {
    const target = TARGETS + i * TARGET_BYTES;
    return [TARGET_NEED_BYTES, TARGET_NEED_CELLS, TARGET_NEED_RANGES].map((at) =>
      this.view.getInt32(target + at, true),
    );
  }

  /** Writes a batch to both, as far as they take it. Returns what applying it returned. */
  write(encoder: OperationsEncoder, sequence: number): number {
    this.u8.set(encoder.bytes, OPERATIONS);
    const { length } = encoder;
    expect(this.kernels.measureOperations(OPERATIONS, length, TARGETS, TREES.length)).toBe(encoder.count);
    const before = TREES.map((_, i) => this.field(i, MEMTABLE_ARENA_NEXT));
    const applied = this.kernels.applyOperations(OPERATIONS, length, sequence, TARGETS, TREES.length);
    for (const [i, next] of before.entries()) {
      const grown = this.field(i, MEMTABLE_ARENA_NEXT) - next;
      if (grown !== 0) expect(grown).toBe(this.needs(i)[0]);
    }
    return applied;
  }

  get(i: number, key: Buffer, snapshot: number): string {
    this.u8.set(key, KEY);
    const kind = this.kernels.memtableGet(this.memtable(i), KEY, key.length, snapshot, FOUND);
    if (kind === KIND_NONE) return 'nothing';
    const sequence = this.view.getFloat64(FOUND + FOUND_SEQUENCE, true);
    if (kind === KIND_DELETE) return `deleted ${sequence}`;
    expect(kind).toBe(KIND_PUT);
    const value = this.view.getInt32(FOUND + FOUND_VALUE, true);
    const length = this.view.getInt32(FOUND + FOUND_VALUE_LENGTH, true);
    return `${Buffer.from(this.u8.slice(value, value + length)).toString('hex')} ${sequence}`;
  }

  /** What the history says that `get` answers. */
  expected(i: number, key: Buffer, snapshot: number): string {
    let best: Write | undefined;
    for (const write of this.history[i] as Write[]) {
      const { kind, sequence } = write;
      if (sequence >= snapshot) continue;
      const isAbout =
        kind === 'range'
          ? Buffer.compare(write.key, key) <= 0 && Buffer.compare(key, write.second) < 0
          : write.key.equals(key);
      if (isAbout) best = write;
    }
    if (best === undefined) return 'nothing';
    return best.kind === 'put'
      ? `${best.second.toString('hex')} ${best.sequence}`
      : `deleted ${best.sequence}`;
  }

  /** A run of what is in a chunk, as lines. */
  lines(run: number, count: number): string[] {
    return Array.from({ length: count }, (_, at) => {
      const cell = this.view.getInt32(run + at * 4, true);
      const keyLength = this.view.getUint16(cell + CELL_KEY_LENGTH, true);
      const key = Buffer.from(this.u8.slice(cell + CELL_KEY, cell + CELL_KEY + keyLength));
      const sequence = this.view.getFloat64(cell + CELL_SEQUENCE, true);
      return `${key.toString('hex')} ${sequence} ${this.u8[cell + CELL_KIND]}`;
    });
  }

  /** What a run of all cells must be: of each key the last write of each sequence number. */
  expectedLines(i: number): string[] {
    const writes = this.history[i] as Write[];
    const last = new Map<string, Write>();
    for (const write of writes) {
      if (write.kind !== 'range') last.set(`${write.key.toString('hex')} ${write.sequence}`, write);
    }
    const covered = ({ sequence, key, at }: Write): boolean =>
      writes.some(
        (range) =>
          range.kind === 'range' &&
          range.sequence === sequence &&
          range.at > at &&
          Buffer.compare(range.key, key) <= 0 &&
          Buffer.compare(key, range.second) < 0,
      );
    return [...last.values()]
      .sort((a, b) => Buffer.compare(a.key, b.key) || b.sequence - a.sequence)
      .map((write) => {
        const kind = write.kind === 'put' && !covered(write) ? KIND_PUT : KIND_DELETE;
        return `${write.key.toString('hex')} ${write.sequence} ${kind}`;
      });
  }
}

/** Keys that have much in common: few letters, few lengths, long beginnings. */
function makeKeys(random: Random, count: number): Buffer[] {
  const shape = random.int(0, 3);
  return Array.from({ length: count }, (_, i) => {
    if (shape === 0) return Buffer.from(String(random.int(0, 3 * count)).padStart(16, '0'));
    if (shape === 1) return Buffer.from(random.bytes(random.int(1, 20)));
    if (shape === 2) return Buffer.from('a'.repeat(random.int(1, 40)) + random.pick(['', '\0', 'b']));
    const end = Buffer.alloc(4);
    end.writeUInt32BE(i);
    return Buffer.concat([Buffer.alloc(random.pick([0, 3, 9, 30]), 'x'), end]);
  });
}

/** Writes random batches to both memtables, and notes them. */
function writeBatches(tables: Tables, random: Random, keys: readonly Buffer[], batches: number): void {
  const encoder = new OperationsEncoder();
  for (let sequence = 1; sequence <= batches; sequence++) {
    encoder.clear();
    let applied = 0;
    const size = random.chance(0.3) ? 1 : random.int(1, 12);
    for (let at = 0; at < size; at++) {
      const i = random.int(0, 2);
      const tree = TREES[i] ?? 5;
      const [key, other] = [random.pick(keys), random.pick(keys)];
      let write: Write;
      if (random.chance(0.7)) {
        const second = Buffer.from(random.bytes(random.pick([0, 1, 100, 200])));
        write = { sequence, kind: 'put', key, second, at };
        encoder.put(tree, key, second);
      } else if (random.chance(0.8)) {
        write = { sequence, kind: 'delete', key, second: key, at };
        encoder.delete(tree, key);
      } else {
        write = { sequence, kind: 'range', key, second: other, at };
        encoder.deleteRange(tree, key, other);
      }
      if (i < TREES.length && (i === 0 || sequence >= 3)) {
        (tables.history[i] as Write[]).push(write);
        applied++;
      }
    }
    expect(tables.write(encoder, sequence)).toBe(applied);
  }
}

function expectSame(tables: Tables, random: Random, keys: readonly Buffer[], batches: number): void {
  for (let look = 0; look < 150; look++) {
    const i = random.int(0, 1);
    const key = random.chance(0.8) ? random.pick(keys) : Buffer.from(random.bytes(random.int(1, 12)));
    const snapshot = random.chance(0.5) ? batches + 1 : random.int(0, batches);
    expect(tables.get(i, key, snapshot)).toBe(tables.expected(i, key, snapshot));
  }
}

/**
 * Declares the tests of one implementation.
 *
 * @param factory makes all kernels over a memory
 */
export function memtableKernelsSuite(name: string, factory: (memory: WasmMemory) => AllKernels): void {
  describe(name, () => {
    it('hold what a list of all writes would, and put it in order', () => {
      for (let seed = 1; seed <= 12; seed++) {
        const random = createRandom(seed);
        const tables = new Tables(factory, 2048);
        const keys = makeKeys(random, random.pick([3, 40, 400]));
        const batches = random.pick([4, 60, 150]);
        writeBatches(tables, random, keys, batches);
        expectSame(tables, random, keys, batches);
        for (const i of TREES.keys()) {
          const { kernels } = tables;
          const next = tables.field(i, MEMTABLE_ARENA_NEXT);
          const count = kernels.gatherCells(tables.arena(i), next, RUNS);
          const ranges = tables.field(i, MEMTABLE_RANGE_COUNT);
          expect(count).toBe(tables.field(i, MEMTABLE_CELLS) - tables.field(i, MEMTABLE_DEAD) - ranges);
          const half = count >> 1;
          const out = RUNS + count * 4;
          kernels.sortRun(RUNS, half, SCRATCH);
          kernels.sortRun(RUNS + half * 4, count - half, SCRATCH);
          kernels.mergeRuns(RUNS, half, RUNS + half * 4, count - half, out);
          const lines = tables.expectedLines(i);
          expect(tables.lines(out, count)).toEqual(lines);
          expect(tables.field(i, MEMTABLE_TOMBSTONES)).toBe(
            lines.filter((line) => line.endsWith(` ${KIND_DELETE}`)).length,
          );
        }
      }
    });

    it('sort many cells of few keys, of one key, and those that lie in order', () => {
      const random = createRandom(9);
      for (const draw of [0, 1, 2, 3, 4]) {
        const tables = new Tables(factory, 4096);
        const encoder = new OperationsEncoder();
        for (let sequence = 1; sequence <= 2000; sequence++) {
          const number = [sequence, 4000 - sequence, random.int(0, 5), 1, random.int(0, 1e9)][draw] as number;
          const key = Buffer.from(`key:${String(number).padStart(12, '0')}`);
          encoder.clear();
          encoder.delete(TREES[0] as number, key);
          tables.write(encoder, sequence);
          (tables.history[0] as Write[]).push({ sequence, kind: 'delete', key, second: key, at: 0 });
        }
        const next = tables.field(0, MEMTABLE_ARENA_NEXT);
        expect(tables.kernels.gatherCells(tables.arena(0), next, RUNS)).toBe(2000);
        tables.kernels.sortRun(RUNS, 2000, SCRATCH);
        expect(tables.lines(RUNS, 2000)).toEqual(tables.expectedLines(0));
      }
    });

    it('move to a larger index', () => {
      const random = createRandom(20);
      const tables = new Tables(factory, 512);
      const keys = makeKeys(random, 200);
      writeBatches(tables, random, keys, 80);
      for (const i of TREES.keys()) {
        const slots = tables.field(i, MEMTABLE_SLOTS);
        const memtable = tables.memtable(i);
        const larger = 3 * MIB + i * 65_536;
        tables.view.setInt32(memtable + MEMTABLE_SLOTS, larger, true);
        tables.view.setInt32(memtable + MEMTABLE_SLOT_MASK, 4095, true);
        tables.kernels.growMemtable(slots, 512, memtable);
        tables.u8.fill(0xee, slots, slots + 512 * SLOT_BYTES);
      }
      expectSame(tables, random, keys, 80);
    });

    it('forget what is at or behind a sequence number', () => {
      const random = createRandom(30);
      const tables = new Tables(factory, 2048);
      const keys = makeKeys(random, 60);
      writeBatches(tables, random, keys, 80);
      for (const i of TREES.keys()) {
        tables.history[i] = (tables.history[i] as Write[]).filter(({ sequence }) => sequence < 40);
        tables.clear(i, 2048);
        const next = tables.field(i, MEMTABLE_ARENA_NEXT);
        tables.kernels.indexCells(tables.memtable(i), tables.arena(i), next, 40);
        expect(tables.field(i, MEMTABLE_KEYS)).toBeGreaterThan(0);
        expect(tables.view.getFloat64(tables.memtable(i) + MEMTABLE_LAST_SEQUENCE, true)).toBeLessThan(40);
        const count = tables.kernels.gatherCells(tables.arena(i), next, RUNS);
        tables.kernels.sortRun(RUNS, count, SCRATCH);
        expect(tables.lines(RUNS, count)).toEqual(tables.expectedLines(i));
      }
      expectSame(tables, random, keys, 80);
    });

    it('refuse bytes that are no operations, whichever is changed or missing', () => {
      const tables = new Tables(factory, 512);
      const encoder = new OperationsEncoder();
      encoder.put(TREES[1] as number, Buffer.from('key'), Buffer.alloc(200));
      encoder.delete(TREES[0] as number, Buffer.from('other'));
      encoder.deleteRange(TREES[0] as number, Buffer.from('a'), Buffer.from('b'));
      const bytes = Buffer.from(encoder.bytes);
      const measure = (length: number): number =>
        tables.kernels.measureOperations(OPERATIONS, length, TARGETS, TREES.length);
      for (let length = 0; length < bytes.length; length++) {
        tables.u8.set(bytes.subarray(0, length), OPERATIONS);
        const isWhole = [1, 210, 218].includes(length);
        expect(measure(length) >= 0, `${length} bytes`).toBe(isWhole);
      }
      tables.u8.set(bytes, OPERATIONS);
      expect(measure(bytes.length)).toBe(3);
      expect(tables.needs(0)).toEqual([64, 2, 1]);
      expect(tables.needs(1)).toEqual([232, 1, 0]);
      for (const [at, value] of [
        [0, 2],
        [1, 0],
        [1, 4],
        [4, 0],
        [4, 0xff],
        [6, 0x7f],
      ] as const) {
        tables.u8.set(bytes, OPERATIONS);
        tables.u8[OPERATIONS + at] = value;
        expect(measure(bytes.length), `byte ${at} is ${value}`).toBe(-1);
      }
    });
  });
}
