/**
 * A memtable: the newest writes of one tree, in the shared memory. Cells lie in an arena of chunks in the order
 * in which they came; an index by hash finds those of a key; for whoever reads in order they are sorted, each
 * time only those that have come since (`sorted-runs.ts`).
 *
 *     slab 0:  | descriptor, 128 bytes | deletions of ranges, u32 each | slots of the index |
 *     chunks:  | cell | cell | ...       the first of 64 KiB, each twice as large as the one before, up to 1 MiB
 *
 * One that nothing was written to has no memory: all of them share a descriptor (`MemtableArea`), so that a tree can
 * always begin another. It knows nothing of the disk. Whoever uses it holds it: its memory goes when nobody does any more.
 *
 * @module
 */

import { assert } from '../assert.ts';
import { SLAB_BYTES_MIN } from '../limits.ts';
import { SLACK_BYTES } from '../memory/layout.ts';
import {
  CELL_KEY,
  CELL_KEY_LENGTH,
  CELL_SEQUENCE,
  CELL_VALUE_LENGTH,
  MEMTABLE_ARENA_NEXT,
  MEMTABLE_BYTES,
  MEMTABLE_CELLS,
  MEMTABLE_DEAD,
  MEMTABLE_FIRST_SEQUENCE,
  MEMTABLE_KEY_BYTES,
  MEMTABLE_KEYS,
  MEMTABLE_LAST_SEQUENCE,
  MEMTABLE_RANGE_COUNT,
  MEMTABLE_RANGES,
  MEMTABLE_SLOT_MASK,
  MEMTABLE_SLOTS,
  MEMTABLE_TOMBSTONES,
  MEMTABLE_VALUE_BYTES,
  SLOT_BYTES,
} from '../memory/lsm-layout.ts';
import type { Memory } from '../memory/memory.ts';
import type { Slab } from '../memory/slabs.ts';
import { type Chunk, type Run, SortedRuns } from './sorted-runs.ts';

const DESCRIPTOR_BYTES = 128;
const FIRST_SLOTS = 1024;
const FIRST_RANGES = 256;
const FIRST_CHUNK_BYTES = 64 * 1024;
const CHUNK_BYTES_MAX = 1024 * 1024;
/** An index is at most so full. */
const LOAD_MAX = 0.6;
const OWNER = 'memtable';

/** A deletion of a range, as a copy. */
export interface RangeDeletion {
  start: Buffer;
  /** Does not belong to it. */
  end: Buffer;
  sequence: number;
}

assert(DESCRIPTOR_BYTES >= MEMTABLE_BYTES, 'the descriptor has room');
assert(
  DESCRIPTOR_BYTES + FIRST_RANGES * 4 + FIRST_SLOTS * SLOT_BYTES <= SLAB_BYTES_MIN,
  'what a memtable begins with takes the smallest slab',
);

/** What the memtables of a database share. */
export class MemtableArea {
  readonly memory: Memory;
  /** Shared memory that memtables hold, but for their runs: also of those that were written to tables but are read. */
  heldBytes = 0;
  readonly #empty: Slab;

  /** @throws VarveError `NO_MEMORY` */
  constructor(memory: Memory) {
    this.memory = memory;
    this.#empty = memory.slabs.allocate(SLAB_BYTES_MIN, OWNER);
    clearDescriptor(memory, this.empty);
  }

  /** The descriptor of memtables that nothing was written to. */
  get empty(): number {
    return this.#empty.address;
  }

  release(): void {
    this.#empty.release();
  }
}

export class Memtable {
  /** Of its descriptor: another one from the first `reserve` on. */
  address: number;
  /** Number of the tree that it is of. */
  readonly tree: number;
  readonly #area: MemtableArea;
  readonly #memory: Memory;
  #base: Slab | undefined;
  readonly #runs: SortedRuns;
  #slots: Slab | undefined;
  #slotCount = FIRST_SLOTS;
  #ranges: Slab | undefined;
  #rangeRoom = FIRST_RANGES;
  #chunks: Chunk[] = [];
  /** Where the last chunk ends. */
  #limit = 0;
  /** Bytes of cells in the chunks before the last. */
  #closedBytes = 0;
  #holders = 1;
  #bytes = 0;

  constructor(area: MemtableArea, tree: number) {
    this.#area = area;
    this.#memory = area.memory;
    this.tree = tree;
    this.address = area.empty;
    this.#runs = new SortedRuns(area.memory);
  }

  /** Cells, also those that count no more. */
  get cells(): number {
    return this.#field(MEMTABLE_CELLS);
  }

  get isEmpty(): boolean {
    return this.cells === 0;
  }

  /** Cells that are puts or deletions of a key, and count. */
  get entries(): number {
    return this.cells - this.#field(MEMTABLE_DEAD) - this.rangeCount;
  }

  get tombstones(): number {
    return this.#field(MEMTABLE_TOMBSTONES);
  }

  /** Deletions of ranges. */
  get rangeCount(): number {
    return this.#field(MEMTABLE_RANGE_COUNT);
  }

  /** The least and the greatest sequence number, or -1 where it is empty. */
  get firstSequence(): number {
    return this.#double(MEMTABLE_FIRST_SEQUENCE);
  }

  get lastSequence(): number {
    return this.#double(MEMTABLE_LAST_SEQUENCE);
  }

  /** Bytes of keys and values that were written to it. */
  get dataBytes(): number {
    return this.#double(MEMTABLE_KEY_BYTES) + this.#double(MEMTABLE_VALUE_BYTES);
  }

  /** Bytes that its cells take. */
  get usedBytes(): number {
    const last = this.#chunks.at(-1);
    return last === undefined ? 0 : this.#closedBytes + this.#field(MEMTABLE_ARENA_NEXT) - last.slab.address;
  }

  /** Shared memory that it holds, but for its runs. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The parts of its arena, in their order. */
  get chunks(): readonly { address: number; end: number }[] {
    this.#closeChunk();
    return this.#chunks.map(({ slab, end }) => ({ address: slab.address, end }));
  }

  /**
   * Makes room for what `measureOperations` has counted.
   *
   * @returns false where there is no memory for it; nothing is lost then
   */
  reserve(bytes: number, cells: number, ranges: number): boolean {
    if (this.#base === undefined && !this.#begin()) return false;
    const isRoom = this.#field(MEMTABLE_ARENA_NEXT) + bytes <= this.#limit;
    if (!isRoom && !this.#addChunk(bytes)) return false;
    if (this.#field(MEMTABLE_KEYS) + cells > this.#slotCount * LOAD_MAX && !this.#growIndex(cells))
      return false;
    return this.rangeCount + ranges <= this.#rangeRoom || this.#growRanges(ranges);
  }

  /** Copies of its deletions of ranges, in the order in which they came, without the first of them. */
  rangeDeletions(from = 0): RangeDeletion[] {
    const { i32, data } = this.#memory;
    const first = (this.#field(MEMTABLE_RANGES) >> 2) + from;
    return Array.from({ length: this.rangeCount - from }, (_, i) => {
      const cell = i32[first + i] as number;
      const keyLength = data.getUint16(cell + CELL_KEY_LENGTH, true);
      const key = cell + CELL_KEY;
      return {
        start: this.#memory.copy(key, keyLength),
        end: this.#memory.copy(key + keyLength, i32[(cell + CELL_VALUE_LENGTH) >> 2] as number),
        sequence: data.getFloat64(cell + CELL_SEQUENCE, true),
      };
    });
  }

  /**
   * Its puts and deletions of keys in order, as runs that are to be let go by whoever asked.
   *
   * @throws VarveError `NO_MEMORY`
   */
  runs(): Run[] {
    this.#closeChunk();
    return this.#runs.take(this.#chunks);
  }

  /** Whether most of it is in order already, since somebody has read it so. */
  get isSorted(): boolean {
    return this.#runs.isBegun;
  }

  /** Forgets all cells from a sequence number on: their write failed. */
  forget(sequence: number): void {
    if (this.lastSequence < sequence) return;
    this.#closeChunk();
    this.#runs.release();
    this.#clear();
    for (const { slab, end } of this.#chunks) {
      this.#memory.kernels.indexCells(this.address, slab.address, end, sequence);
    }
  }

  /** Keeps its memory until `release` was called as often. */
  hold(): this {
    assert(this.#holders > 0, 'a memtable that is held is there');
    this.#holders++;
    return this;
  }

  release(): void {
    assert(this.#holders > 0, 'a memtable is let go as often as it is held');
    if (--this.#holders > 0) return;
    this.#runs.release();
    for (const { slab } of this.#chunks) slab.release();
    this.#chunks = [];
    this.#slots?.release();
    this.#ranges?.release();
    this.#base?.release();
    this.#took(-this.#bytes);
  }

  #begin(): boolean {
    const base = this.#memory.slabs.tryAllocateSparingly(SLAB_BYTES_MIN, OWNER);
    if (base === undefined) return false;
    this.#base = base;
    this.address = base.address;
    clearDescriptor(this.#memory, this.address);
    this.#took(base.bytes);
    return true;
  }

  #took(bytes: number): void {
    this.#bytes += bytes;
    this.#area.heldBytes += bytes;
  }

  #addChunk(bytes: number): boolean {
    const wanted = FIRST_CHUNK_BYTES * 2 ** Math.min(this.#chunks.length, 10);
    const size = Math.max(Math.min(wanted, CHUNK_BYTES_MAX), bytes + SLACK_BYTES);
    const slab = this.#memory.slabs.tryAllocateSparingly(size, OWNER);
    if (slab === undefined) return false;
    this.#closedBytes = this.usedBytes;
    this.#closeChunk();
    this.#chunks.push({ slab, end: slab.address });
    this.#took(slab.bytes);
    this.#set(MEMTABLE_ARENA_NEXT, slab.address);
    this.#limit = slab.address + slab.bytes - SLACK_BYTES;
    return true;
  }

  /** Notes where the last chunk ends. */
  #closeChunk(): void {
    const last = this.#chunks.at(-1);
    if (last !== undefined) last.end = this.#field(MEMTABLE_ARENA_NEXT);
  }

  #growIndex(cells: number): boolean {
    const { memory, old, count } = { memory: this.#memory, old: this.#slots, count: this.#slotCount };
    const needed = (this.#field(MEMTABLE_KEYS) + cells) / LOAD_MAX;
    const larger = 2 ** Math.ceil(Math.log2(Math.max(needed, count * 2)));
    const slab = memory.slabs.tryAllocateSparingly(larger * SLOT_BYTES, OWNER);
    if (slab === undefined) return false;
    memory.u8.fill(0, slab.address, slab.address + larger * SLOT_BYTES);
    const before = this.#field(MEMTABLE_SLOTS);
    this.#set(MEMTABLE_SLOTS, slab.address);
    this.#set(MEMTABLE_SLOT_MASK, larger - 1);
    memory.kernels.growMemtable(before, count, this.address);
    this.#slots = slab;
    this.#slotCount = larger;
    this.#took(slab.bytes - (old?.bytes ?? 0));
    old?.release();
    return true;
  }

  #growRanges(ranges: number): boolean {
    const { u8, slabs } = this.#memory;
    const count = this.rangeCount;
    const slab = slabs.tryAllocateSparingly(Math.max(count + ranges, this.#rangeRoom * 2) * 4, OWNER);
    if (slab === undefined) return false;
    const before = this.#field(MEMTABLE_RANGES);
    u8.copyWithin(slab.address, before, before + count * 4);
    this.#set(MEMTABLE_RANGES, slab.address);
    this.#took(slab.bytes - (this.#ranges?.bytes ?? 0));
    this.#ranges?.release();
    this.#ranges = slab;
    this.#rangeRoom = slab.bytes / 4;
    return true;
  }

  /** Clears its index and what it counts; its cells stay where they are. */
  #clear(): void {
    const next = this.#field(MEMTABLE_ARENA_NEXT);
    clearDescriptor(this.#memory, this.address);
    this.#set(MEMTABLE_ARENA_NEXT, next);
    if (this.#ranges !== undefined) this.#set(MEMTABLE_RANGES, this.#ranges.address);
    const slots = this.#slots;
    if (slots === undefined) return;
    this.#set(MEMTABLE_SLOTS, slots.address);
    this.#set(MEMTABLE_SLOT_MASK, this.#slotCount - 1);
    this.#memory.u8.fill(0, slots.address, slots.address + this.#slotCount * SLOT_BYTES);
  }

  #field(offset: number): number {
    return this.#memory.i32[(this.address + offset) >> 2] as number;
  }

  #set(offset: number, value: number): void {
    this.#memory.i32[(this.address + offset) >> 2] = value;
  }

  #double(offset: number): number {
    return this.#memory.f64[(this.address + offset) >> 3] as number;
  }
}

/** Makes a descriptor that counts nothing, with an index of its own behind it. */
function clearDescriptor({ u8, i32, f64 }: Memory, address: number): void {
  u8.fill(0, address, address + SLAB_BYTES_MIN);
  const ranges = address + DESCRIPTOR_BYTES;
  i32[(address + MEMTABLE_RANGES) >> 2] = ranges;
  i32[(address + MEMTABLE_SLOTS) >> 2] = ranges + FIRST_RANGES * 4;
  i32[(address + MEMTABLE_SLOT_MASK) >> 2] = FIRST_SLOTS - 1;
  f64[(address + MEMTABLE_FIRST_SEQUENCE) >> 3] = -1;
  f64[(address + MEMTABLE_LAST_SEQUENCE) >> 3] = -1;
}
