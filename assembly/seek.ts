/**
 * Seeks in a table: of the block where a key would be, only the entries between two restarts are taken apart,
 * which is all that a short walk needs.
 */

import { KIND_NONE } from '../src/memory/lsm-layout';
import {
  CURSOR_ENTRY,
  CURSOR_PART,
  CURSOR_REST,
  CURSOR_ROOM,
  CURSOR_ROWS,
  CURSOR_ROWS_MAX,
  LOOKUP_ASK,
  LOOKUP_PART_BLOCK_COUNT,
  LOOKUP_PART_BLOCKS,
  LOOKUP_PART_BYTES,
  LOOKUP_PART_INDEX,
  LOOKUP_TABLE_PART_COUNT,
  LOOKUP_TABLE_PARTS,
  LOOKUP_TABLE_READY,
  PLACE_BYTES,
  PLACE_LENGTH,
  WEIGHT_DATA,
  WEIGHT_INDEX,
} from '../src/memory/lookup-layout';
import {
  FORM_ROWS,
  KEY_BYTES_MAX,
  RESTART_BYTES,
  ROW_ENTRY_BYTES,
  ROW_KEY,
  ROW_KEY_LENGTH,
  ROW_KIND,
  ROW_PREFIX,
  ROW_SEQUENCE,
  ROW_VALUE,
  ROW_VALUE_LENGTH,
  SOURCE_FORM,
  SOURCE_NEXT,
  SOURCE_STATE,
  SOURCE_STOP,
  STATE_FRESH,
} from '../src/memory/table-layout';
import {
  baseSequence,
  isSequence,
  meta,
  readEntry,
  rest,
  restartCount,
  restartsOf,
  shared,
  valueLength,
} from './block-format';
import { restartBefore, seekIndex, seekRows, touch, touchRestarts } from './block-read';
import { copy } from './bytes';
import { prefixOf } from './key-prefix';
import { seekPart, useBlock } from './lookup';

/**
 * Takes entries apart whose first one has its key as a whole. They are not told from damaged ones, but nothing
 * outside is touched.
 *
 * @param keysAt where keys go that have to be put together, up to `limit`
 * @returns how many there are; -1 where they are broken, or too many
 */
function decodeEntries(at: usize, end: usize, base: u64, rows: usize, keysAt: usize, limit: usize): i32 {
  let row = rows;
  const rowsEnd = rows + CURSOR_ROWS_MAX * ROW_ENTRY_BYTES;
  let last: usize = 0;
  let lastLength: u32 = 0;
  while (at < end) {
    const tail = readEntry(at, end);
    if (tail == 0 || row == rowsEnd || shared > lastLength || !isSequence(base, meta)) return -1;
    const length = shared + rest;
    const kind = <u32>(meta & 3);
    if (length == 0 || length > <u32>KEY_BYTES_MAX || kind == KIND_NONE) return -1;
    let key = tail;
    if (shared != 0) {
      if (length > <u32>(limit - keysAt)) return -1;
      key = keysAt;
      copy(key, last, shared);
      copy(key + shared, tail, rest);
      keysAt += length;
    }
    store<u64>(row, prefixOf(key, length), ROW_PREFIX);
    store<f64>(row, <f64>(base + (meta >> 2)), ROW_SEQUENCE);
    store<u32>(row, <u32>key, ROW_KEY);
    store<u16>(row, length, ROW_KEY_LENGTH);
    store<u8>(row, kind, ROW_KIND);
    store<u32>(row, <u32>(tail + rest), ROW_VALUE);
    store<u32>(row, valueLength, ROW_VALUE_LENGTH);
    last = key;
    lastLength = length;
    row += ROW_ENTRY_BYTES;
    at = tail + rest + valueLength;
  }
  return <i32>(row - rows) / ROW_ENTRY_BYTES;
}

/** Seeks in a block; returns whether the source was set. */
function seekBlock(block: usize, bytes: u32, key: usize, keyLength: u32, cursor: usize, source: usize): bool {
  const restarts = restartsOf(block, bytes);
  if (restarts == 0) return false;
  const all = restartCount(block, bytes);
  const base = baseSequence(block, bytes);
  touchRestarts(block, restarts, all);
  const before = restartBefore(block, restarts, all, key, keyLength);
  if (before < 0) return false;
  const rows = <usize>load<u32>(cursor, CURSOR_ROWS);
  const entries = rows + CURSOR_ROWS_MAX * ROW_ENTRY_BYTES;
  const limit = rows + load<u32>(cursor, CURSOR_ROOM);
  for (let restart = <u32>before; restart < all; restart++) {
    const slot = restarts + restart * RESTART_BYTES;
    const from = block + load<u32>(slot);
    const end = restart + 1 < all ? block + load<u32>(slot, RESTART_BYTES) : restarts;
    if (from >= end || end > restarts || from < block) return false;
    const length = <u32>(end - from);
    if (entries > limit || length > <u32>(limit - entries)) return false;
    touch(from, end);
    memory.copy(entries, from, length);
    const count = decodeEntries(entries, entries + length, base, rows, entries + length, limit);
    if (count < 0) return false;
    const first = seekRows(rows, count, key, keyLength, 0);
    if (first == count) continue;
    store<i32>(source, FORM_ROWS, SOURCE_FORM);
    store<u32>(source, <u32>(rows + first * ROW_ENTRY_BYTES), SOURCE_NEXT);
    store<u32>(source, <u32>(rows + count * ROW_ENTRY_BYTES), SOURCE_STOP);
    store<i32>(source, STATE_FRESH, SOURCE_STATE);
    store<u32>(cursor, end == restarts ? 0 : <u32>(end - block), CURSOR_REST);
    return true;
  }
  return false;
}

export function seekTable(table: usize, key: usize, keyLength: i32, cursor: usize, source: usize): i32 {
  if (load<i32>(table, LOOKUP_TABLE_READY) == 0) return LOOKUP_ASK;
  const at = <u32>seekPart(table, key, keyLength);
  if (at == load<u32>(table, LOOKUP_TABLE_PART_COUNT)) return LOOKUP_ASK;
  const part = <usize>load<u32>(table, LOOKUP_TABLE_PARTS) + at * LOOKUP_PART_BYTES;
  const indexPlace = <usize>load<u32>(part, LOOKUP_PART_INDEX);
  const index = useBlock(indexPlace, WEIGHT_INDEX);
  if (index == 0) return LOOKUP_ASK;
  const entry = seekIndex(index, load<u32>(indexPlace, PLACE_LENGTH), key, keyLength, 0);
  if (<u32>entry >= load<u32>(part, LOOKUP_PART_BLOCK_COUNT)) return LOOKUP_ASK;
  const place = <usize>load<u32>(part, LOOKUP_PART_BLOCKS) + <usize>entry * PLACE_BYTES;
  const block = useBlock(place, WEIGHT_DATA);
  if (block == 0) return LOOKUP_ASK;
  if (!seekBlock(block, load<u32>(place, PLACE_LENGTH), key, keyLength, cursor, source)) return LOOKUP_ASK;
  store<u32>(cursor, at, CURSOR_PART);
  store<i32>(cursor, entry, CURSOR_ENTRY);
  return 0;
}
