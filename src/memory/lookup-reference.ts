/**
 * The kernels of lookups in plain JavaScript: the specification. It goes through everything from the first to the
 * last, and searches nothing by halves.
 *
 * @module
 */

import { compareBytes } from './key-reference.ts';
import type { LookupKernels } from './lookup-kernels.ts';
import * as layout from './lookup-layout.ts';
import { KIND_NONE } from './lsm-layout.ts';
import type { MemtableKernels } from './memtable-kernels.ts';
import type { TableKernels } from './table-kernels.ts';
import {
  FILTER_LINE_BYTES,
  FORM_ROWS,
  FOUND_MORE,
  ROW_ENTRY_BYTES,
  SOURCE_FORM,
  SOURCE_NEXT,
  SOURCE_STATE,
  SOURCE_STOP,
  STATE_FRESH,
} from './table-layout.ts';

/**
 * Creates the reference of these kernels over a memory.
 *
 * @param kernels the reference of the others, over the same memory
 */
export function createLookupReference(
  memory: SharedArrayBuffer | ArrayBuffer,
  kernels: Pick<MemtableKernels, 'memtableGet'> &
    Pick<TableKernels, 'filterHash' | 'filterHas' | 'seekIndex' | 'findInBlock' | 'decodeBlock' | 'seekRows'>,
): LookupKernels {
  const view = new DataView(memory);
  const u8 = new Uint8Array(memory);
  const u32 = (address: number): number => view.getUint32(address, true);
  const setU32 = (address: number, value: number): void => view.setUint32(address, value, true);
  const bytesAt = (address: number): Uint8Array => u8.slice(u32(address), u32(address) + u32(address + 4));
  const listAt = (address: number): number[] =>
    Array.from({ length: u32(address + 4) }, (_, i) => u32(u32(address) + 4 * i));
  const count = (counter: number): void => view.setFloat64(counter, view.getFloat64(counter, true) + 1, true);

  /** The block of a place; undefined where it is not in memory. */
  function use(place: number, weight: number): { address: number; bytes: number } | undefined {
    const address = u32(place) - (u32(place) % layout.PLACE_ALIGN);
    if (address === 0) return undefined;
    view.setUint32(place, address + weight, true);
    return { address, bytes: u32(place + layout.PLACE_LENGTH) };
  }

  function endsBefore(table: number, key: Uint8Array): boolean {
    const order = compareBytes(bytesAt(table + layout.LOOKUP_TABLE_LARGEST), key);
    return order < 0 || (order === 0 && u32(table + layout.LOOKUP_TABLE_EXCLUSIVE) !== 0);
  }

  function partsOf(table: number): number[] {
    const first = u32(table + layout.LOOKUP_TABLE_PARTS);
    const parts = u32(table + layout.LOOKUP_TABLE_PART_COUNT);
    return Array.from({ length: parts }, (_, i) => first + i * layout.LOOKUP_PART_BYTES);
  }

  function seekPart(table: number, key: number, keyLength: number): number {
    const wanted = u8.slice(key, key + keyLength);
    const parts = partsOf(table);
    const found = parts.findIndex(
      (part) => compareBytes(bytesAt(part + layout.LOOKUP_PART_LAST), wanted) >= 0,
    );
    return found < 0 ? parts.length : found;
  }

  function findInTable(
    table: number,
    key: number,
    keyLength: number,
    snapshot: number,
    found: number,
    counters: number,
  ): number {
    if (u32(table + layout.LOOKUP_TABLE_READY) === 0) return layout.LOOKUP_ASK;
    const part = partsOf(table)[seekPart(table, key, keyLength)];
    if (part === undefined) return KIND_NONE;
    const filterPlace = u32(part + layout.LOOKUP_PART_FILTER);
    if (filterPlace !== 0) {
      const filter = use(filterPlace, layout.WEIGHT_INDEX);
      if (filter === undefined) return layout.LOOKUP_ASK;
      const lines = Math.floor(filter.bytes / FILTER_LINE_BYTES);
      if (kernels.filterHas(filter.address, lines, kernels.filterHash(key, keyLength)) === 0) {
        count(counters + layout.COUNTER_QUESTIONS);
        count(counters + layout.COUNTER_SPARED);
        return KIND_NONE;
      }
    }
    const index = use(u32(part + layout.LOOKUP_PART_INDEX), layout.WEIGHT_INDEX);
    if (index === undefined) return layout.LOOKUP_ASK;
    const entry = kernels.seekIndex(index.address, index.bytes, key, keyLength, 0);
    if (entry < 0 || entry >= u32(part + layout.LOOKUP_PART_BLOCK_COUNT)) return layout.LOOKUP_ASK;
    const block = use(u32(part + layout.LOOKUP_PART_BLOCKS) + entry * layout.PLACE_BYTES, layout.WEIGHT_DATA);
    if (block === undefined) return layout.LOOKUP_ASK;
    const kind = kernels.findInBlock(block.address, block.bytes, key, keyLength, snapshot, found);
    if (kind < 0 || kind === FOUND_MORE) return layout.LOOKUP_ASK;
    if (filterPlace !== 0) count(counters + layout.COUNTER_QUESTIONS);
    count(counters + layout.COUNTER_HITS);
    return kind;
  }

  function lookup(at: number, key: number, keyLength: number, snapshot: number, found: number): number {
    const wanted = u8.slice(key, key + keyLength);
    for (const memtable of listAt(at + layout.VIEW_MEMTABLES)) {
      const kind = kernels.memtableGet(memtable, key, keyLength, snapshot, found);
      if (kind !== KIND_NONE) return kind;
    }
    const tables = listAt(at + layout.VIEW_NEWEST).filter((table) => !endsBefore(table, wanted));
    for (let i = 0; i < u32(at + layout.VIEW_LEVEL_COUNT); i++) {
      const level = u32(at + layout.VIEW_LEVELS) + i * layout.LEVEL_BYTES;
      const first = listAt(level).find((table) => !endsBefore(table, wanted));
      if (first !== undefined) tables.push(first);
    }
    const counters = u32(at + layout.VIEW_COUNTERS);
    for (const table of tables) {
      if (compareBytes(wanted, bytesAt(table + layout.LOOKUP_TABLE_SMALLEST)) < 0) continue;
      const kind = findInTable(table, key, keyLength, snapshot, found, counters);
      if (kind !== KIND_NONE) return kind;
    }
    return KIND_NONE;
  }

  function seekTable(table: number, key: number, keyLength: number, cursor: number, source: number): number {
    if (u32(table + layout.LOOKUP_TABLE_READY) === 0) return layout.LOOKUP_ASK;
    const at = seekPart(table, key, keyLength);
    const part = partsOf(table)[at];
    if (part === undefined) return layout.LOOKUP_ASK;
    const index = use(u32(part + layout.LOOKUP_PART_INDEX), layout.WEIGHT_INDEX);
    if (index === undefined) return layout.LOOKUP_ASK;
    const entry = kernels.seekIndex(index.address, index.bytes, key, keyLength, 0);
    if (entry < 0 || entry >= u32(part + layout.LOOKUP_PART_BLOCK_COUNT)) return layout.LOOKUP_ASK;
    const block = use(u32(part + layout.LOOKUP_PART_BLOCKS) + entry * layout.PLACE_BYTES, layout.WEIGHT_DATA);
    if (block === undefined) return layout.LOOKUP_ASK;
    const isSet = seekBlock(block, key, keyLength, cursor, source);
    if (!isSet) return layout.LOOKUP_ASK;
    setU32(cursor + layout.CURSOR_PART, at);
    setU32(cursor + layout.CURSOR_ENTRY, entry);
    return 0;
  }

  /** Takes the whole block apart: what is shown may go on as far as it likes. */
  function seekBlock(
    { address, bytes }: { address: number; bytes: number },
    key: number,
    keyLength: number,
    cursor: number,
    source: number,
  ): boolean {
    const rows = u32(cursor + layout.CURSOR_ROWS);
    if (bytes + 8 > u32(cursor + layout.CURSOR_ROOM)) return false;
    u8.set(u8.slice(address, address + bytes), rows);
    const at = (rows + bytes + 7) & -8;
    const room = rows + u32(cursor + layout.CURSOR_ROOM) - at;
    const count = kernels.decodeBlock(rows, bytes, at, room);
    const first = count < 0 ? count : kernels.seekRows(at, count, key, keyLength, 0);
    if (first === count) return false;
    setU32(source + SOURCE_FORM, FORM_ROWS);
    setU32(source + SOURCE_NEXT, at + first * ROW_ENTRY_BYTES);
    setU32(source + SOURCE_STOP, at + count * ROW_ENTRY_BYTES);
    setU32(source + SOURCE_STATE, STATE_FRESH);
    setU32(cursor + layout.CURSOR_REST, 0);
    return true;
  }

  return { lookup, seekPart, seekTable };
}
