/**
 * What lookups need of an open table in the shared memory: its key range from the beginning, its parts and the
 * places of their blocks once somebody has asked for one. Drawn in `lookup-layout.ts`.
 *
 *     slab of the table:  | numbers of an index entry | table | smallest key | largest key |
 *     slab of its parts:  | parts | places of blocks, and of each part's index and filter | last keys |
 *
 * @module
 */

import { assert } from '../../assert.ts';
import { SLACK_BYTES } from '../../memory/layout.ts';
import * as lookup from '../../memory/lookup-layout.ts';
import type { Memory, MemoryView } from '../../memory/memory.ts';
import type { Slab } from '../../memory/slabs.ts';
import { INDEX_FIELDS_BYTES } from '../../memory/table-layout.ts';
import type { Places } from './block-cache.ts';
import type { Part } from './format.ts';
import type { TableProperties } from './table-file.ts';

const OWNER = 'table';
const TABLE_POSITION = 64;
const KEYS_POSITION: number = TABLE_POSITION + lookup.LOOKUP_TABLE_BYTES;

assert(INDEX_FIELDS_BYTES <= TABLE_POSITION, 'the numbers of an index entry have room');

/** How much memory the description of a table takes. */
export function tableHeadBytes({ smallestKey, largestKey }: TableProperties): number {
  return KEYS_POSITION + smallestKey.length + SLACK_BYTES + largestKey.length + SLACK_BYTES;
}

/**
 * Describes a table whose parts are not known yet.
 *
 * @param head room for `tableHeadBytes`
 * @returns the address of the table
 */
export function writeTableHead(memory: MemoryView, head: number, properties: TableProperties): number {
  const { u8, i32 } = memory;
  const { smallestKey, largestKey, largestExclusive } = properties;
  const table = head + TABLE_POSITION;
  const smallest = head + KEYS_POSITION;
  const largest = smallest + smallestKey.length + SLACK_BYTES;
  u8.fill(0, head, head + tableHeadBytes(properties));
  u8.set(smallestKey, smallest);
  u8.set(largestKey, largest);
  i32[(table + lookup.LOOKUP_TABLE_SMALLEST) >> 2] = smallest;
  i32[(table + lookup.LOOKUP_TABLE_SMALLEST_LENGTH) >> 2] = smallestKey.length;
  i32[(table + lookup.LOOKUP_TABLE_LARGEST) >> 2] = largest;
  i32[(table + lookup.LOOKUP_TABLE_LARGEST_LENGTH) >> 2] = largestKey.length;
  i32[(table + lookup.LOOKUP_TABLE_EXCLUSIVE) >> 2] = Number(largestExclusive);
  return table;
}

/** The parts of an open table. */
export class OpenParts {
  readonly parts: readonly Part[];
  /** Of blocks of data by number; then, for each part, of its index and of its filter. */
  readonly places: Places;
  readonly #slab: Slab;

  /**
   * @param table its address, where the parts are named
   * @throws VarveError `NO_MEMORY`
   */
  constructor(memory: Memory, table: number, parts: readonly Part[], { blocks }: TableProperties) {
    const { u8, i32 } = memory;
    const count = blocks + 2 * parts.length;
    const placesAt = parts.length * lookup.LOOKUP_PART_BYTES;
    const keysAt = placesAt + count * lookup.PLACE_BYTES;
    const keyBytes = parts.reduce((sum, { lastKey }) => sum + lastKey.length, 0);
    this.parts = parts;
    this.#slab = memory.slabs.allocate(keysAt + keyBytes + SLACK_BYTES, OWNER);
    const { address } = this.#slab;
    this.places = { address: address + placesAt, numbers: new Int32Array(count) };
    u8.fill(0, address, address + keysAt);
    let key = address + keysAt;
    for (const [i, { lastKey, filter, firstBlock, blocks: ofPart }] of parts.entries()) {
      const part = address + i * lookup.LOOKUP_PART_BYTES;
      u8.set(lastKey, key);
      i32[(part + lookup.LOOKUP_PART_LAST) >> 2] = key;
      i32[(part + lookup.LOOKUP_PART_LAST_LENGTH) >> 2] = lastKey.length;
      i32[(part + lookup.LOOKUP_PART_BLOCKS) >> 2] = this.#place(firstBlock);
      i32[(part + lookup.LOOKUP_PART_BLOCK_COUNT) >> 2] = ofPart;
      i32[(part + lookup.LOOKUP_PART_INDEX) >> 2] = this.#place(blocks + 2 * i);
      i32[(part + lookup.LOOKUP_PART_FILTER) >> 2] = filter.bytes === 0 ? 0 : this.#place(blocks + 2 * i + 1);
      key += lastKey.length;
    }
    i32[(table + lookup.LOOKUP_TABLE_PARTS) >> 2] = address;
    i32[(table + lookup.LOOKUP_TABLE_PART_COUNT) >> 2] = parts.length;
  }

  #place(slot: number): number {
    return this.places.address + slot * lookup.PLACE_BYTES;
  }

  release(): void {
    this.#slab.release();
  }
}

/** Says whether kernels may look something up in a table. */
export function setReady(memory: MemoryView, table: number, isReady: boolean): void {
  memory.i32[(table + lookup.LOOKUP_TABLE_READY) >> 2] = Number(isReady);
}
