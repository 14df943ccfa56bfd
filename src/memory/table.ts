/**
 * A table of counted keys in the shared memory (`TABLE_*` in layout.ts), as its owner sees it: the kernels
 * count, and this makes, reads and clears it, and makes room in it.
 *
 * Room is made by the way of Anderson, Bevin, Lang, Liberty, Rhodes and Thaler ("A High-Performance Algorithm
 * for Identifying Frequent Items in Data Streams", IMC 2017), which extends Misra and Gries: the median of
 * all counts is taken off each of them, and keys that have none left are forgotten. What a count lacks then
 * is at most the sum of what was taken off, so the frequent keys stay, with a bound on their error.
 *
 * @module
 */

import { assert } from '../assert.ts';
import {
  SLOT_BYTES,
  SLOT_COUNT,
  SLOT_KEY,
  SLOT_NUMBER,
  TABLE_BYTES,
  TABLE_LIMIT,
  TABLE_MASK,
  TABLE_SLOTS,
  TABLE_STRIDE,
  TABLE_TEXTS,
  TABLE_USED,
} from './layout.ts';
import type { MemoryView } from './memory.ts';

/** How large a table is. */
export interface TableShape {
  /** A power of two. */
  slots: number;
  /** How many of them may be in use. */
  limit: number;
  /** Bytes of the text of each, a multiple of 4. */
  stride: number;
}

const align = (bytes: number): number => Math.ceil(bytes / 64) * 64;

/** How much memory a table needs. */
export function tableBytes({ slots, limit, stride }: TableShape): number {
  return align(TABLE_BYTES) + slots * SLOT_BYTES + align(limit * stride);
}

export class Table {
  readonly address: number;
  readonly #memory: MemoryView;
  readonly #shape: TableShape;
  readonly #slots: number;
  readonly #texts: number;

  /**
   * Makes a table, empty.
   *
   * @param address of `tableBytes(shape)`, aligned to 64 bytes
   */
  constructor(memory: MemoryView, address: number, shape: TableShape) {
    assert(shape.limit < shape.slots && (shape.slots & (shape.slots - 1)) === 0, 'a search in a table ends');
    this.address = address;
    this.#memory = memory;
    this.#shape = shape;
    this.#slots = address + align(TABLE_BYTES);
    this.#texts = this.#slots + shape.slots * SLOT_BYTES;
    this.clear();
  }

  clear(): void {
    const { i32, u8 } = this.#memory;
    u8.fill(0, this.#slots, this.#texts);
    i32[(this.address + TABLE_SLOTS) >> 2] = this.#slots;
    i32[(this.address + TABLE_MASK) >> 2] = this.#shape.slots - 1;
    i32[(this.address + TABLE_USED) >> 2] = 0;
    i32[(this.address + TABLE_LIMIT) >> 2] = this.#shape.limit;
    i32[(this.address + TABLE_TEXTS) >> 2] = this.#texts;
    i32[(this.address + TABLE_STRIDE) >> 2] = this.#shape.stride;
  }

  get isFull(): boolean {
    return (this.#memory.i32[(this.address + TABLE_USED) >> 2] as number) >= this.#shape.limit;
  }

  /** Calls `visit` for each key, with the addresses of its slot and of its text. */
  forEach(visit: (slot: number, text: number) => void): void {
    const { i32 } = this.#memory;
    for (let slot = this.#slots; slot < this.#texts; slot += SLOT_BYTES) {
      if (this.#isFree(slot)) continue;
      visit(slot, this.#texts + (i32[(slot + SLOT_NUMBER) >> 2] as number) * this.#shape.stride);
    }
  }

  /**
   * All texts, one character a byte (latin1), and how often each was counted.
   */
  texts(): { text: string; count: number }[] {
    const { i32 } = this.#memory;
    const found: { text: string; count: number }[] = [];
    this.forEach((slot, at) => {
      const text = this.#memory.buffer(at + 4, i32[at >> 2] as number).toString('latin1');
      found.push({ text, count: i32[(slot + SLOT_COUNT) >> 2] as number });
    });
    return found;
  }

  /**
   * Makes room: at least half of the keys go, those with the lowest counts.
   *
   * @returns how much every count lacks from now on
   */
  reduce(): number {
    const { i32, u8 } = this.#memory;
    const kept: { low: number; high: number; count: number; text: number }[] = [];
    const counts: number[] = [];
    this.forEach((slot) => counts.push(i32[(slot + SLOT_COUNT) >> 2] as number));
    const off = counts.sort((a, b) => a - b)[counts.length >> 1] ?? 0;
    this.forEach((slot, text) => {
      const count = (i32[(slot + SLOT_COUNT) >> 2] as number) - off;
      const key = (slot + SLOT_KEY) >> 2;
      if (count > 0) kept.push({ low: i32[key] as number, high: i32[key + 1] as number, count, text });
    });
    // In the order of their texts, so that each is moved to where none that is still needed lies.
    kept.sort((a, b) => a.text - b.text);
    this.clear();
    const { slots, stride } = this.#shape;
    for (const [number, { low, high, count, text }] of kept.entries()) {
      u8.copyWithin(this.#texts + number * stride, text, text + stride);
      let index = low & (slots - 1);
      while (!this.#isFree(this.#slots + index * SLOT_BYTES)) index = (index + 1) & (slots - 1);
      const at = (this.#slots + index * SLOT_BYTES) >> 2;
      i32[at + SLOT_KEY / 4] = low;
      i32[at + SLOT_KEY / 4 + 1] = high;
      i32[at + SLOT_COUNT / 4] = count;
      i32[at + SLOT_NUMBER / 4] = number;
    }
    i32[(this.address + TABLE_USED) >> 2] = kept.length;
    return off;
  }

  #isFree(slot: number): boolean {
    const key = (slot + SLOT_KEY) >> 2;
    return this.#memory.i32[key] === 0 && this.#memory.i32[key + 1] === 0;
  }
}
