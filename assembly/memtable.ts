/**
 * Memtables: encoded operations into cells, an index of them by hash, and lookups. The index is a table of
 * slots with linear probing, one slot a key; the cells of one key form a chain, the newest first.
 */

import {
  CELL_ALIGN,
  CELL_KEY,
  CELL_KEY_LENGTH,
  CELL_KIND,
  CELL_OLDER,
  CELL_SEQUENCE,
  CELL_VALUE_LENGTH,
  FOUND_SEQUENCE,
  FOUND_VALUE,
  FOUND_VALUE_LENGTH,
  KIND_DELETE,
  KIND_DELETE_RANGE,
  KIND_NONE,
  KIND_PUT,
  MEMTABLE_ARENA_NEXT,
  MEMTABLE_CELLS,
  MEMTABLE_DEAD,
  MEMTABLE_FIRST_SEQUENCE,
  MEMTABLE_KEYS,
  MEMTABLE_KEY_BYTES,
  MEMTABLE_LAST_SEQUENCE,
  MEMTABLE_RANGES,
  MEMTABLE_RANGE_COUNT,
  MEMTABLE_SLOTS,
  MEMTABLE_SLOT_MASK,
  MEMTABLE_TOMBSTONES,
  MEMTABLE_VALUE_BYTES,
  OPERATIONS_FORMAT,
  SLOT_BYTES,
  SLOT_CELL,
  SLOT_HASH,
  TARGET_BYTES,
  TARGET_FROM_SEQUENCE,
  TARGET_MEMTABLE,
  TARGET_NEED_BYTES,
  TARGET_NEED_CELLS,
  TARGET_NEED_RANGES,
  TARGET_TREE,
} from '../src/memory/lsm-layout';
import { copy } from './bytes';
import { compareKeys, equalKeys, hashKey } from './keys';

const KEY_BYTES_MAX: u32 = 65535;

// The operation that was read last.
let opKind: u32 = 0;
let opTree: u32 = 0;
let opKey: usize = 0;
let opKeyLength: u32 = 0;
let opValue: usize = 0;
let opValueLength: u32 = 0;

/** Reads an unsigned varint of at most five bytes into `varint`; returns the address behind it, or 0. */
let varint: u32 = 0;
// @ts-ignore: decorator
@inline
function readVarint(at: usize, end: usize): usize {
  if (at >= end) return 0;
  const first: u32 = load<u8>(at);
  if (first < 0x80) {
    varint = first;
    return at + 1;
  }
  return readLongVarint(at, end);
}

function readLongVarint(at: usize, end: usize): usize {
  let value: u64 = 0;
  for (let shift: u64 = 0; shift < 35 && at < end; shift += 7) {
    const byte: u64 = load<u8>(at++);
    value |= (byte & 0x7f) << shift;
    if (byte < 0x80) {
      if (value > 0x7fffffff) return 0;
      varint = <u32>value;
      return at;
    }
  }
  return 0;
}

/** Reads one operation; returns the address behind it, or 0 where there is none that is whole and right. */
// @ts-ignore: decorator
@inline
function readOperation(at: usize, end: usize): usize {
  opKind = load<u8>(at);
  if (opKind - KIND_PUT > <u32>(KIND_DELETE_RANGE - KIND_PUT)) return 0;
  at = readVarint(at + 1, end);
  if (at == 0) return 0;
  opTree = varint;
  at = readVarint(at, end);
  if (at == 0) return 0;
  opKeyLength = varint;
  opValueLength = 0;
  if (opKind != KIND_DELETE) {
    at = readVarint(at, end);
    if (at == 0) return 0;
    opValueLength = varint;
  }
  if (opKeyLength - 1 >= KEY_BYTES_MAX) return 0;
  const left = <u32>(end - at);
  if (opKeyLength > left || opValueLength > left - opKeyLength) return 0;
  if (opKind == KIND_DELETE_RANGE && opValueLength - 1 >= KEY_BYTES_MAX) return 0;
  opKey = at;
  opValue = at + opKeyLength;
  return opValue + opValueLength;
}

// @ts-ignore: decorator
@inline
function cellBytes(keyLength: u32, valueLength: u32): u32 {
  return (CELL_KEY + keyLength + valueLength + (CELL_ALIGN - 1)) & ~(CELL_ALIGN - 1);
}

/** The target of a tree, or 0. Most operations in a row are about the same one. */
// @ts-ignore: decorator
@inline
function findTarget(tree: u32, targets: usize, end: usize, last: usize): usize {
  if (last != 0 && load<u32>(last, TARGET_TREE) == tree) return last;
  for (let target = targets; target < end; target += TARGET_BYTES) {
    if (load<u32>(target, TARGET_TREE) == tree) return target;
  }
  return 0;
}

export function measureOperations(operations: usize, length: i32, targets: usize, count: i32): i32 {
  const end = operations + length;
  const targetsEnd = targets + count * TARGET_BYTES;
  for (let target = targets; target < targetsEnd; target += TARGET_BYTES) {
    store<i32>(target, 0, TARGET_NEED_BYTES);
    store<i32>(target, 0, TARGET_NEED_CELLS);
    store<i32>(target, 0, TARGET_NEED_RANGES);
  }
  if (length < 1 || load<u8>(operations) != OPERATIONS_FORMAT) return -1;
  let at = operations + 1;
  let found = 0;
  let target: usize = 0;
  while (at < end) {
    at = readOperation(at, end);
    if (at == 0) return -1;
    found++;
    target = findTarget(opTree, targets, targetsEnd, target);
    if (target == 0) continue;
    const bytes = load<i32>(target, TARGET_NEED_BYTES) + <i32>cellBytes(opKeyLength, opValueLength);
    store<i32>(target, bytes, TARGET_NEED_BYTES);
    store<i32>(target, load<i32>(target, TARGET_NEED_CELLS) + 1, TARGET_NEED_CELLS);
    if (opKind == KIND_DELETE_RANGE) {
      store<i32>(target, load<i32>(target, TARGET_NEED_RANGES) + 1, TARGET_NEED_RANGES);
    }
  }
  return found;
}

export function applyOperations(
  operations: usize,
  length: i32,
  sequence: f64,
  targets: usize,
  count: i32,
): i32 {
  const end = operations + length;
  const targetsEnd = targets + count * TARGET_BYTES;
  let at = operations + 1;
  let applied = 0;
  let target: usize = 0;
  while (at < end) {
    at = readOperation(at, end);
    assert(at != 0);
    target = findTarget(opTree, targets, targetsEnd, target);
    if (target == 0 || sequence < load<f64>(target, TARGET_FROM_SEQUENCE)) continue;
    const memtable: usize = load<u32>(target, TARGET_MEMTABLE);
    applied++;
    const cell = makeCell(memtable, sequence);
    if (opKind == KIND_DELETE_RANGE) {
      const tree = opTree;
      addRange(memtable, cell);
      // What the same batch has written before is no older than the deletion: it is deleted one by one.
      if (lastSequenceBefore == sequence) deleteEarlier(memtable, cell, tree, operations + 1, at, sequence);
    } else {
      link(memtable, cell, opKey, opKeyLength);
    }
  }
  return applied;
}

/** The last sequence number that the memtable had before the cell that was made last. */
let lastSequenceBefore: f64 = 0;

/** Makes a cell of the operation that was read last. */
// @ts-ignore: decorator
@inline
function makeCell(memtable: usize, sequence: f64): usize {
  const cell: usize = load<u32>(memtable, MEMTABLE_ARENA_NEXT);
  store<u32>(memtable, <u32>cell + cellBytes(opKeyLength, opValueLength), MEMTABLE_ARENA_NEXT);
  store<f64>(cell, sequence, CELL_SEQUENCE);
  store<u32>(cell, opValueLength, CELL_VALUE_LENGTH);
  store<u32>(cell, opKeyLength | (opKind << 16), CELL_KEY_LENGTH);
  store<u64>(cell, 0, CELL_OLDER);
  copy(cell + CELL_KEY, opKey, opKeyLength);
  if (opValueLength != 0) copy(cell + CELL_KEY + opKeyLength, opValue, opValueLength);
  lastSequenceBefore = load<f64>(memtable, MEMTABLE_LAST_SEQUENCE);
  countCell(memtable, cell);
  return cell;
}

/** Adds a cell to what the memtable counts. */
// @ts-ignore: decorator
@inline
function countCell(memtable: usize, cell: usize): void {
  const sequence = load<f64>(cell, CELL_SEQUENCE);
  store<i32>(memtable, load<i32>(memtable, MEMTABLE_CELLS) + 1, MEMTABLE_CELLS);
  if (load<f64>(memtable, MEMTABLE_FIRST_SEQUENCE) < 0) {
    store<f64>(memtable, sequence, MEMTABLE_FIRST_SEQUENCE);
  }
  store<f64>(memtable, sequence, MEMTABLE_LAST_SEQUENCE);
  const keyBytes = load<f64>(memtable, MEMTABLE_KEY_BYTES) + <f64>load<u16>(cell, CELL_KEY_LENGTH);
  store<f64>(memtable, keyBytes, MEMTABLE_KEY_BYTES);
  const valueBytes = load<f64>(memtable, MEMTABLE_VALUE_BYTES) + <f64>load<u32>(cell, CELL_VALUE_LENGTH);
  store<f64>(memtable, valueBytes, MEMTABLE_VALUE_BYTES);
  if (load<u8>(cell, CELL_KIND) == KIND_DELETE) {
    store<i32>(memtable, load<i32>(memtable, MEMTABLE_TOMBSTONES) + 1, MEMTABLE_TOMBSTONES);
  }
}

// @ts-ignore: decorator
@inline
function addRange(memtable: usize, cell: usize): void {
  const count = load<i32>(memtable, MEMTABLE_RANGE_COUNT);
  store<u32>(load<u32>(memtable, MEMTABLE_RANGES) + (count << 2), <u32>cell);
  store<i32>(memtable, count + 1, MEMTABLE_RANGE_COUNT);
}

/** The slot of a key, or the empty one where it would go. */
// @ts-ignore: decorator
@inline
function findSlot(memtable: usize, key: usize, keyLength: u32, hash: u32): usize {
  const slots: usize = load<u32>(memtable, MEMTABLE_SLOTS);
  const mask = load<u32>(memtable, MEMTABLE_SLOT_MASK);
  let index = hash & mask;
  let slot = slots + (index << 3);
  let cell: usize = load<u32>(slot, SLOT_CELL);
  while (cell != 0) {
    const isSame =
      load<u32>(slot, SLOT_HASH) == hash &&
      load<u16>(cell, CELL_KEY_LENGTH) == keyLength &&
      equalKeys(cell + CELL_KEY, key, keyLength);
    if (isSame) break;
    index = (index + 1) & mask;
    slot = slots + (index << 3);
    cell = load<u32>(slot, SLOT_CELL);
  }
  return slot;
}

/** Makes a cell the newest of its key. One of the same sequence number counts no more. */
// @ts-ignore: decorator
@inline
function link(memtable: usize, cell: usize, key: usize, keyLength: u32): void {
  const hash = hashKey(key, keyLength);
  const slot = findSlot(memtable, key, keyLength, hash);
  let older: usize = load<u32>(slot, SLOT_CELL);
  if (older == 0) {
    store<u32>(slot, hash, SLOT_HASH);
    store<i32>(memtable, load<i32>(memtable, MEMTABLE_KEYS) + 1, MEMTABLE_KEYS);
  } else if (load<f64>(older, CELL_SEQUENCE) == load<f64>(cell, CELL_SEQUENCE)) {
    kill(memtable, older);
    older = load<u32>(older, CELL_OLDER);
  }
  store<u32>(cell, <u32>older, CELL_OLDER);
  store<u32>(slot, <u32>cell, SLOT_CELL);
}

function kill(memtable: usize, cell: usize): void {
  if (load<u8>(cell, CELL_KIND) == KIND_DELETE) {
    store<i32>(memtable, load<i32>(memtable, MEMTABLE_TOMBSTONES) - 1, MEMTABLE_TOMBSTONES);
  }
  store<u8>(cell, KIND_NONE, CELL_KIND);
  store<i32>(memtable, load<i32>(memtable, MEMTABLE_DEAD) + 1, MEMTABLE_DEAD);
}

/** Deletes what operations of the same batch, up to the deletion of a range, have put there. */
function deleteEarlier(
  memtable: usize,
  range: usize,
  tree: u32,
  at: usize,
  end: usize,
  sequence: f64,
): void {
  const start = range + CELL_KEY;
  const startLength: u32 = load<u16>(range, CELL_KEY_LENGTH);
  const stop = start + startLength;
  const stopLength = load<u32>(range, CELL_VALUE_LENGTH);
  while (at < end) {
    at = readOperation(at, end);
    if (opTree != tree || opKind != KIND_PUT) continue;
    if (compareKeys(opKey, opKeyLength, start, startLength) < 0) continue;
    if (compareKeys(opKey, opKeyLength, stop, stopLength) >= 0) continue;
    const slot = findSlot(memtable, opKey, opKeyLength, hashKey(opKey, opKeyLength));
    const cell: usize = load<u32>(slot, SLOT_CELL);
    if (cell == 0 || load<f64>(cell, CELL_SEQUENCE) != sequence) continue;
    if (load<u8>(cell, CELL_KIND) != KIND_PUT) continue;
    store<u8>(cell, KIND_DELETE, CELL_KIND);
    store<i32>(memtable, load<i32>(memtable, MEMTABLE_TOMBSTONES) + 1, MEMTABLE_TOMBSTONES);
  }
}

export function growMemtable(from: usize, count: i32, memtable: usize): void {
  const slots: usize = load<u32>(memtable, MEMTABLE_SLOTS);
  const mask = load<u32>(memtable, MEMTABLE_SLOT_MASK);
  const end = from + count * SLOT_BYTES;
  for (; from < end; from += SLOT_BYTES) {
    if (load<u32>(from, SLOT_CELL) == 0) continue;
    let index = load<u32>(from, SLOT_HASH) & mask;
    while (load<u32>(slots + (index << 3), SLOT_CELL) != 0) index = (index + 1) & mask;
    store<u64>(slots + (index << 3), load<u64>(from));
  }
}

export function indexCells(memtable: usize, from: usize, to: usize, sequence: f64): i32 {
  let kept = 0;
  for (let cell = from; cell < to; ) {
    const keyLength: u32 = load<u16>(cell, CELL_KEY_LENGTH);
    const next = cell + cellBytes(keyLength, load<u32>(cell, CELL_VALUE_LENGTH));
    const kind: u32 = load<u8>(cell, CELL_KIND);
    if (load<f64>(cell, CELL_SEQUENCE) >= sequence) store<u8>(cell, KIND_NONE, CELL_KIND);
    if (kind != KIND_NONE && load<f64>(cell, CELL_SEQUENCE) < sequence) {
      countCell(memtable, cell);
      kept++;
      if (kind == KIND_DELETE_RANGE) addRange(memtable, cell);
      else link(memtable, cell, cell + CELL_KEY, keyLength);
    }
    cell = next;
  }
  return kept;
}

export function gatherCells(from: usize, to: usize, run: usize): i32 {
  let out = run;
  for (let cell = from; cell < to; ) {
    const kind: u32 = load<u8>(cell, CELL_KIND);
    if (kind == KIND_PUT || kind == KIND_DELETE) {
      store<u32>(out, <u32>cell);
      out += 4;
    }
    cell += cellBytes(load<u16>(cell, CELL_KEY_LENGTH), load<u32>(cell, CELL_VALUE_LENGTH));
  }
  return <i32>(out - run) >> 2;
}

/** The newest deletion of a range that covers a key, among those before the snapshot; -1 where there is none. */
function coveredBy(memtable: usize, key: usize, keyLength: u32, snapshot: f64): f64 {
  let newest: f64 = -1;
  let at: usize = load<u32>(memtable, MEMTABLE_RANGES);
  const end = at + (load<u32>(memtable, MEMTABLE_RANGE_COUNT) << 2);
  for (; at < end; at += 4) {
    const cell: usize = load<u32>(at);
    const sequence = load<f64>(cell, CELL_SEQUENCE);
    if (sequence >= snapshot || sequence <= newest) continue;
    const start = cell + CELL_KEY;
    const startLength: u32 = load<u16>(cell, CELL_KEY_LENGTH);
    if (compareKeys(key, keyLength, start, startLength) < 0) continue;
    const stopLength = load<u32>(cell, CELL_VALUE_LENGTH);
    if (compareKeys(key, keyLength, start + startLength, stopLength) < 0) newest = sequence;
  }
  return newest;
}

/** `memtableGet` for a key whose hash is known. */
// @ts-ignore: decorator
@inline
export function findInMemtable(
  memtable: usize,
  key: usize,
  keyLength: u32,
  hash: u32,
  snapshot: f64,
  found: usize,
): i32 {
  const ranges = load<i32>(memtable, MEMTABLE_RANGE_COUNT);
  const covered: f64 = ranges == 0 ? -1 : coveredBy(memtable, key, keyLength, snapshot);
  let cell: usize = load<u32>(findSlot(memtable, key, keyLength, hash), SLOT_CELL);
  while (cell != 0 && load<f64>(cell, CELL_SEQUENCE) >= snapshot) cell = load<u32>(cell, CELL_OLDER);
  if (cell == 0 || load<f64>(cell, CELL_SEQUENCE) < covered) {
    store<f64>(found, covered, FOUND_SEQUENCE);
    return covered < 0 ? KIND_NONE : KIND_DELETE;
  }
  store<u32>(found, <u32>cell + CELL_KEY + keyLength, FOUND_VALUE);
  store<u32>(found, load<u32>(cell, CELL_VALUE_LENGTH), FOUND_VALUE_LENGTH);
  store<f64>(found, load<f64>(cell, CELL_SEQUENCE), FOUND_SEQUENCE);
  return load<u8>(cell, CELL_KIND);
}

export function memtableGet(memtable: usize, key: usize, keyLength: i32, snapshot: f64, found: usize): i32 {
  return findInMemtable(memtable, key, keyLength, hashKey(key, keyLength), snapshot, found);
}
