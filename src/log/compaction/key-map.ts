/**
 * The memory of a compaction: a key map and what its steps work in. A map is laid out for as many records as there
 * are to be taken in, or as many as it has room for; the rest is left for another pass.
 *
 * @module
 */

import { SLAB_BYTES_MIN } from '../../limits.ts';
import {
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
} from '../../memory/key-map-layout.ts';
import { SLACK_BYTES } from '../../memory/layout.ts';
import type { MemoryView } from '../../memory/memory.ts';
import type { Slab, SlabAllocator } from '../../memory/slabs.ts';

/** A part of the shared memory. */
export interface Region {
  address: number;
  bytes: number;
}

const MIB = 1024 * 1024;
/** What a step works in. */
const WORK_BYTES = [8 * MIB, 4 * MIB];
const MORE_WORK_BYTES = [64 * MIB, 32 * MIB, 16 * MIB];

/** The first of some sizes that there is room for. */
export function takeSlab(slabs: SlabAllocator, sizes: readonly number[]): Slab {
  for (const bytes of sizes) {
    const slab = slabs.tryAllocate(bytes, 'compaction');
    if (slab !== undefined) return slab;
  }
  return slabs.allocate(sizes.at(-1) as number, 'compaction');
}

/**
 * Memory for the steps of a compaction to work in.
 *
 * @throws VarveError `NO_MEMORY`
 */
export function takeWork(slabs: SlabAllocator): Slab {
  return takeSlab(slabs, WORK_BYTES);
}

/** The same, where a batch is too large for that; undefined where there is no more. */
export function takeMoreWork(slabs: SlabAllocator): Slab | undefined {
  for (const bytes of MORE_WORK_BYTES) {
    const slab = slabs.tryAllocate(bytes, 'compaction');
    if (slab !== undefined) return slab;
  }
  return undefined;
}

/** How full the slots become: beyond, looking for a key that is not there takes long. */
const LOAD = 0.85;
/** What a key takes beside its own bytes. */
const BYTES_PER_KEY: number = KEY_SLOT_BYTES / LOAD;
/** Behind slots and bits, so that what comes next is aligned. */
const ALIGN_BYTES = 16;

/** How much memory a map takes in which so many records find room, whatever their keys. */
export function keyMapBytes(records: number, meanKeyBytes: number): number {
  const keys = records * (BYTES_PER_KEY + meanKeyBytes) * 1.05;
  return Math.ceil(KEY_MAP_BYTES + keys + records / 8 + 4 * ALIGN_BYTES + SLAB_BYTES_MIN);
}

/** How an empty map is laid out. */
export interface KeyMapPlan {
  /** How many records there are to be taken in. */
  records: number;
  /** How long their keys are, about: slots and keys share the room accordingly. */
  meanKeyBytes: number;
  /** How many records two of one key may lie apart for one of them to be marked. */
  within: number;
}

/** Lays out an empty map. */
export function layOutKeyMap(
  memory: MemoryView,
  region: Region,
  { records, meanKeyBytes, within }: KeyMapPlan,
): void {
  const room = region.bytes - KEY_MAP_BYTES - 4 * ALIGN_BYTES - SLACK_BYTES;
  // So many records at least are looked at in one pass, though the map may be full before.
  const bitCount = Math.min(records, Math.max(1024, Math.floor(room / 2)), 2 ** 31 - 1);
  const bitBytes = align(Math.ceil(bitCount / 8));
  const left = room - bitBytes;
  const perKey = BYTES_PER_KEY + meanKeyBytes;
  const keys = Math.max(1, Math.min(records, Math.floor(left / perKey)));
  const slotCount = Math.ceil(keys / LOAD) + 1;
  const slots = region.address + KEY_MAP_BYTES;
  const bits = slots + align(slotCount * KEY_SLOT_BYTES);
  const arena = bits + bitBytes;
  const { u8, i32 } = memory;
  u8.fill(0, slots, arena);
  const set = (field: number, value: number): void => {
    i32[(region.address + field) >> 2] = value;
  };
  set(KEY_MAP_SLOTS, slots);
  set(KEY_MAP_SLOT_COUNT, slotCount);
  set(KEY_MAP_USED, 0);
  set(KEY_MAP_LIMIT, Math.max(1, Math.floor(slotCount * LOAD)));
  set(KEY_MAP_NEXT, arena);
  set(KEY_MAP_END, region.address + region.bytes);
  set(KEY_MAP_BITS, bits);
  set(KEY_MAP_BIT_COUNT, bitCount);
  set(KEY_MAP_WITHIN, Math.min(within, 2 ** 31 - 1));
}

/** How many keys a map has. */
export function keysOf(memory: MemoryView, { address }: Region): number {
  return memory.i32[(address + KEY_MAP_USED) >> 2] as number;
}

/** How many records from one number to before another are marked. */
export function countMarked(memory: MemoryView, { address }: Region, from: number, to: number): number {
  const { u8, i32 } = memory;
  const bits = i32[(address + KEY_MAP_BITS) >> 2] as number;
  let count = 0;
  let number = from;
  const isMarked = (one: number): number => ((u8[bits + (one >> 3)] as number) >> (one & 7)) & 1;
  while (number < to && number % 32 !== 0) count += isMarked(number++);
  for (; number + 32 <= to; number += 32) count += bitsOf(i32[(bits + number / 8) >> 2] as number);
  while (number < to) count += isMarked(number++);
  return count;
}

/** How many bits of a word are set. */
function bitsOf(word: number): number {
  let bits = word - ((word >>> 1) & 0x55555555);
  bits = (bits & 0x33333333) + ((bits >>> 2) & 0x33333333);
  return Math.imul((bits + (bits >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

function align(bytes: number): number {
  return Math.ceil(bytes / ALIGN_BYTES) * ALIGN_BYTES;
}
