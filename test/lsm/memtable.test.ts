/** A memtable as the tree uses it: its memory grows as it needs it, is bounded by what there is, and comes back. */

import { afterEach, describe, expect, test } from 'vitest';
import { Memtable, MemtableArea } from '../../src/lsm/memtable.ts';
import { OperationsEncoder } from '../../src/lsm/operations.ts';
import type { Run } from '../../src/lsm/sorted-runs.ts';
import {
  CELL_KEY,
  CELL_KEY_LENGTH,
  CELL_SEQUENCE,
  FOUND_VALUE,
  FOUND_VALUE_LENGTH,
  KIND_DELETE,
  KIND_PUT,
  TARGET_MEMTABLE,
  TARGET_NEED_BYTES,
  TARGET_NEED_CELLS,
  TARGET_NEED_RANGES,
  TARGET_TREE,
} from '../../src/memory/lsm-layout.ts';
import { Memory } from '../../src/memory/memory.ts';
import type { Slab } from '../../src/memory/slabs.ts';
import { createRandom } from '../kit/random.ts';

const MIB = 1 << 20;
const memory = Memory.create(32 * MIB);
const area = new MemtableArea(memory);
const TREE = 3;

/** A memtable, and a place for what is written to it. */
class Written {
  readonly table: Memtable = new Memtable(area, TREE);
  readonly #encoder = new OperationsEncoder();
  readonly #work: Slab = memory.slabs.allocate(4 * MIB, 'the test');

  write(sequence: number, fill: (encoder: OperationsEncoder) => void): boolean {
    const { kernels, i32, u8 } = memory;
    const target = this.#work.address >> 2;
    i32[target + (TARGET_TREE >> 2)] = TREE;
    i32[target + (TARGET_MEMTABLE >> 2)] = this.table.address;
    this.#encoder.clear();
    fill(this.#encoder);
    const { bytes } = this.#encoder;
    const at = this.#work.address + 64;
    u8.set(bytes, at);
    expect(kernels.measureOperations(at, bytes.length, this.#work.address, 1)).toBe(this.#encoder.count);
    const need = (field: number): number => i32[target + (field >> 2)] as number;
    const isRoom = this.table.reserve(
      need(TARGET_NEED_BYTES),
      need(TARGET_NEED_CELLS),
      need(TARGET_NEED_RANGES),
    );
    i32[target + (TARGET_MEMTABLE >> 2)] = this.table.address;
    if (isRoom) kernels.applyOperations(at, bytes.length, sequence, this.#work.address, 1);
    return isRoom;
  }

  get(key: string, snapshot = 1e9): string | undefined {
    const [at, found] = [this.#work.address + 1024, this.#work.address + 512];
    memory.u8.set(Buffer.from(key), at);
    const kind = memory.kernels.memtableGet(this.table.address, at, Buffer.byteLength(key), snapshot, found);
    if (kind === KIND_DELETE) return 'deleted';
    if (kind !== KIND_PUT) return undefined;
    const value = memory.i32[(found + FOUND_VALUE) >> 2] as number;
    return memory.copy(value, memory.i32[(found + FOUND_VALUE_LENGTH) >> 2] as number).toString();
  }

  /** All cells of the runs, merged here. */
  lines(): string[] {
    const runs = this.table.runs();
    const lines = runs.flatMap((run) => linesOf(run));
    for (const run of runs) run.release();
    return lines.sort();
  }

  end(): void {
    this.table.release();
    this.#work.release();
  }
}

function linesOf(run: Run): string[] {
  return Array.from({ length: run.count }, (_, i) => {
    const cell = memory.i32[(run.address >> 2) + i] as number;
    const length = memory.data.getUint16(cell + CELL_KEY_LENGTH, true);
    const sequence = memory.data.getFloat64(cell + CELL_SEQUENCE, true);
    return `${memory.copy(cell + CELL_KEY, length)} ${2e6 - sequence}`;
  });
}

const keyOf = (i: number): string => `key ${String(i).padStart(9, '0')}`;

describe('a memtable', () => {
  afterEach(() => {
    // The descriptor of those that are empty.
    expect(memory.slabs.inUse().map(({ bytes }) => bytes)).toEqual([16_384]);
  });

  test('grows with what is written to it, and finds all of it', () => {
    const written = new Written();
    const random = createRandom(1);
    const keys = new Map<string, string>();
    for (let sequence = 0; sequence < 400; sequence++) {
      const isRoom = written.write(sequence, (encoder) => {
        for (let i = 0; i < 50; i++) {
          const [key, value] = [keyOf(random.int(0, 12_000)), `${sequence} ${i}`.padEnd(random.int(5, 200))];
          encoder.put(TREE, Buffer.from(key), Buffer.from(value));
          keys.set(key, value);
        }
      });
      expect(isRoom).toBe(true);
    }
    for (const [key, value] of keys) expect(written.get(key)).toBe(value);
    expect(written.get('none')).toBeUndefined();
    expect(written.table.bytes).toBeGreaterThan(3 * MIB);
    expect(written.table.bytes).toBeLessThan(8 * MIB);
    written.end();
  });

  test('is sorted a part at a time, and runs stay as they are while more is written', () => {
    const written = new Written();
    const expected: string[] = [];
    let held: Run[] = [];
    let before: string[] = [];
    for (let sequence = 0; sequence < 700; sequence++) {
      const key = keyOf((sequence * 7919) % 500);
      written.write(sequence, (encoder) => encoder.put(TREE, Buffer.from(key), Buffer.alloc(300)));
      expected.push(`${key} ${2e6 - sequence}`);
      if (sequence % 30 === 0) expect(written.lines()).toEqual([...expected].sort());
      if (sequence === 350) {
        held = written.table.runs();
        before = held.flatMap(linesOf);
      }
    }
    const runs = written.table.runs();
    expect(runs.length).toBeLessThan(8);
    for (const run of runs) {
      expect(linesOf(run)).toEqual(linesOf(run).sort());
      run.release();
    }
    expect(held.flatMap(linesOf)).toEqual(before);
    for (const run of held) run.release();
    written.end();
  });

  test('holds many deletions of ranges, and forgets what was written last', () => {
    const written = new Written();
    written.write(0, (encoder) => encoder.put(TREE, Buffer.from('m'), Buffer.from('old')));
    for (let sequence = 1; sequence <= 600; sequence++) {
      written.write(sequence, (encoder) => encoder.deleteRange(TREE, Buffer.from('a'), Buffer.from('b')));
    }
    written.write(601, (encoder) => {
      encoder.deleteRange(TREE, Buffer.from('l'), Buffer.from('n'));
      encoder.put(TREE, Buffer.from('m2'), Buffer.from('new'));
    });
    expect([written.get('m'), written.get('m', 601), written.get('m2')]).toEqual(['deleted', 'old', 'new']);
    expect(written.table.rangeCount).toBe(601);
    const last = written.table.rangeDeletions().at(-1);
    expect(last).toEqual({ start: Buffer.from('l'), end: Buffer.from('n'), sequence: 601 });
    written.table.forget(601);
    expect([written.get('m'), written.get('m2')]).toEqual(['old', undefined]);
    expect([written.table.rangeCount, written.table.lastSequence]).toEqual([600, 600]);
    written.table.forget(0);
    expect([written.get('m'), written.table.isEmpty, written.table.firstSequence]).toEqual([
      undefined,
      true,
      -1,
    ]);
    written.end();
  });

  test('says where there is no memory, and loses nothing', () => {
    const written = new Written();
    const taken: Slab[] = [];
    let sequence = 0;
    const put = (): boolean =>
      written.write(sequence, (encoder) => {
        for (let i = 0; i < 100; i++)
          encoder.put(TREE, Buffer.from(keyOf(sequence * 100 + i)), Buffer.from('v'));
      });
    while (sequence < 5) {
      expect(put()).toBe(true);
      sequence++;
    }
    for (let bytes = 16 * MIB; bytes >= 16 * 1024; ) {
      const slab = memory.slabs.tryAllocate(bytes, 'the test');
      if (slab === undefined) bytes /= 2;
      else taken.push(slab);
    }
    while (put()) sequence++;
    expect(sequence).toBeLessThan(30);
    for (const slab of taken) slab.release();
    expect(put()).toBe(true);
    for (let i = 0; i < sequence * 100; i++) expect(written.get(keyOf(i))).toBe('v');
    written.end();
  });
});
