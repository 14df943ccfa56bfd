/**
 * The kernels of `memtable-kernels.ts` in plain JavaScript: the specification that the WebAssembly builds are
 * compared with. What they leave in memory is the same but for the hash, which each may choose.
 *
 * @module
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
  MEMTABLE_KEY_BYTES,
  MEMTABLE_KEYS,
  MEMTABLE_LAST_SEQUENCE,
  MEMTABLE_RANGE_COUNT,
  MEMTABLE_RANGES,
  MEMTABLE_SLOT_MASK,
  MEMTABLE_SLOTS,
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
} from './lsm-layout.ts';
import type { MemtableKernels } from './memtable-kernels.ts';

const KEY_BYTES_MAX = 65_535;
const LENGTH_MAX = 2 ** 31 - 1;
const VARINT_BYTES_MAX = 5;

interface Operation {
  kind: number;
  tree: number;
  key: Uint8Array;
  value: Uint8Array;
  /** Address behind it. */
  end: number;
}

/** The reference over one memory. */
export function createMemtableReference(buffer: SharedArrayBuffer): MemtableKernels {
  const u8 = new Uint8Array(buffer);
  const view = new DataView(buffer);
  const i32 = (at: number): number => view.getInt32(at, true);
  const u32 = (at: number): number => view.getUint32(at, true);
  const f64 = (at: number): number => view.getFloat64(at, true);
  const put = (at: number, value: number): void => view.setInt32(at, value, true);
  const putF64 = (at: number, value: number): void => view.setFloat64(at, value, true);
  const add = (at: number, value: number): void => put(at, i32(at) + value);

  function varint(at: number, end: number): { value: number; at: number } | undefined {
    let value = 0;
    for (let i = 0; i < VARINT_BYTES_MAX && at < end; i++) {
      const byte = u8[at++] as number;
      value += (byte & 0x7f) * 2 ** (7 * i);
      if (byte < 0x80) return value > LENGTH_MAX ? undefined : { value, at };
    }
    return undefined;
  }

  function readOperation(at: number, end: number): Operation | undefined {
    const kind = u8[at] as number;
    if (kind < KIND_PUT || kind > KIND_DELETE_RANGE) return undefined;
    const tree = varint(at + 1, end);
    const keyLength = tree && varint(tree.at, end);
    const second =
      keyLength && (kind === KIND_DELETE ? { value: 0, at: keyLength.at } : varint(keyLength.at, end));
    if (tree === undefined || keyLength === undefined || second === undefined) return undefined;
    const keyAt = second.at;
    const valueAt = keyAt + keyLength.value;
    const last = valueAt + second.value;
    if (keyLength.value < 1 || keyLength.value > KEY_BYTES_MAX || last > end) return undefined;
    if (kind === KIND_DELETE_RANGE && (second.value < 1 || second.value > KEY_BYTES_MAX)) return undefined;
    const [key, value] = [u8.slice(keyAt, valueAt), u8.slice(valueAt, last)];
    return { kind, tree: tree.value, key, value, end: last };
  }

  const cellBytes = (key: number, value: number): number =>
    Math.ceil((CELL_KEY + key + value) / CELL_ALIGN) * CELL_ALIGN;
  const keyOf = (cell: number): Uint8Array =>
    u8.slice(cell + CELL_KEY, cell + CELL_KEY + view.getUint16(cell + CELL_KEY_LENGTH, true));
  const valueAddress = (cell: number): number =>
    cell + CELL_KEY + view.getUint16(cell + CELL_KEY_LENGTH, true);
  const valueOf = (cell: number): Uint8Array =>
    u8.slice(valueAddress(cell), valueAddress(cell) + u32(cell + CELL_VALUE_LENGTH));
  const sequenceOf = (cell: number): number => f64(cell + CELL_SEQUENCE);
  const kindOf = (cell: number): number => u8[cell + CELL_KIND] as number;
  const bytesOf = (cell: number): number =>
    cellBytes(view.getUint16(cell + CELL_KEY_LENGTH, true), u32(cell + CELL_VALUE_LENGTH));
  const compare = (a: Uint8Array, b: Uint8Array): number => Buffer.compare(a, b);

  function targetOf(tree: number, targets: number, count: number): number | undefined {
    for (let i = 0; i < count; i++) {
      if (u32(targets + i * TARGET_BYTES + TARGET_TREE) === tree) return targets + i * TARGET_BYTES;
    }
    return undefined;
  }

  /** FNV-1a. */
  function hashOf(key: Uint8Array): number {
    let hash = 0x811c9dc5;
    for (const byte of key) hash = Math.imul(hash ^ byte, 0x01000193);
    return hash >>> 0;
  }

  function slotOf(memtable: number, key: Uint8Array): number {
    const mask = u32(memtable + MEMTABLE_SLOT_MASK);
    for (let index = hashOf(key) & mask; ; index = (index + 1) & mask) {
      const slot = u32(memtable + MEMTABLE_SLOTS) + index * SLOT_BYTES;
      const cell = u32(slot + SLOT_CELL);
      if (cell === 0 || compare(keyOf(cell), key) === 0) return slot;
    }
  }

  function countCell(memtable: number, cell: number): void {
    add(memtable + MEMTABLE_CELLS, 1);
    const first = memtable + MEMTABLE_FIRST_SEQUENCE;
    if (f64(first) < 0) putF64(first, sequenceOf(cell));
    putF64(memtable + MEMTABLE_LAST_SEQUENCE, sequenceOf(cell));
    putF64(memtable + MEMTABLE_KEY_BYTES, f64(memtable + MEMTABLE_KEY_BYTES) + keyOf(cell).length);
    putF64(
      memtable + MEMTABLE_VALUE_BYTES,
      f64(memtable + MEMTABLE_VALUE_BYTES) + u32(cell + CELL_VALUE_LENGTH),
    );
    if (kindOf(cell) === KIND_DELETE) add(memtable + MEMTABLE_TOMBSTONES, 1);
  }

  function addRange(memtable: number, cell: number): void {
    put(u32(memtable + MEMTABLE_RANGES) + u32(memtable + MEMTABLE_RANGE_COUNT) * 4, cell);
    add(memtable + MEMTABLE_RANGE_COUNT, 1);
  }

  function link(memtable: number, cell: number): void {
    const key = keyOf(cell);
    const slot = slotOf(memtable, key);
    let older = u32(slot + SLOT_CELL);
    if (older === 0) {
      put(slot + SLOT_HASH, hashOf(key));
      add(memtable + MEMTABLE_KEYS, 1);
    } else if (sequenceOf(older) === sequenceOf(cell)) {
      if (kindOf(older) === KIND_DELETE) add(memtable + MEMTABLE_TOMBSTONES, -1);
      u8[older + CELL_KIND] = KIND_NONE;
      add(memtable + MEMTABLE_DEAD, 1);
      older = u32(older + CELL_OLDER);
    }
    put(cell + CELL_OLDER, older);
    put(slot + SLOT_CELL, cell);
  }

  function makeCell(memtable: number, { kind, key, value }: Operation, sequence: number): number {
    const cell = u32(memtable + MEMTABLE_ARENA_NEXT);
    put(memtable + MEMTABLE_ARENA_NEXT, cell + cellBytes(key.length, value.length));
    putF64(cell + CELL_SEQUENCE, sequence);
    put(cell + CELL_VALUE_LENGTH, value.length);
    view.setUint16(cell + CELL_KEY_LENGTH, key.length, true);
    view.setUint16(cell + CELL_KIND, kind, true);
    put(cell + CELL_OLDER, 0);
    put(cell + CELL_OLDER + 4, 0);
    u8.set(key, cell + CELL_KEY);
    u8.set(value, cell + CELL_KEY + key.length);
    countCell(memtable, cell);
    return cell;
  }

  /** A deletion of a range deletes what the same batch has put before it, each by itself. */
  function deleteEarlier(
    memtable: number,
    range: Operation,
    earlier: readonly Operation[],
    sequence: number,
  ): void {
    for (const { kind, key, tree } of earlier) {
      if (tree !== range.tree || kind !== KIND_PUT) continue;
      if (compare(key, range.key) < 0 || compare(key, range.value) >= 0) continue;
      const cell = u32(slotOf(memtable, key) + SLOT_CELL);
      if (cell === 0 || sequenceOf(cell) !== sequence || kindOf(cell) !== KIND_PUT) continue;
      u8[cell + CELL_KIND] = KIND_DELETE;
      add(memtable + MEMTABLE_TOMBSTONES, 1);
    }
  }

  /** The cells of a chunk. */
  function* cellsOf(from: number, to: number): Generator<number> {
    for (let cell = from; cell < to; ) {
      const next = cell + bytesOf(cell);
      yield cell;
      cell = next;
    }
  }

  function compareCells(a: number, b: number): number {
    return compare(keyOf(a), keyOf(b)) || sequenceOf(b) - sequenceOf(a);
  }

  function putRun(run: number, cells: readonly number[]): void {
    for (const [i, cell] of cells.entries()) put(run + i * 4, cell);
  }

  const runOf = (run: number, count: number): number[] =>
    Array.from({ length: count }, (_, i) => u32(run + i * 4));

  return {
    measureOperations(operations, length, targets, count) {
      for (let i = 0; i < count; i++) {
        for (const need of [TARGET_NEED_BYTES, TARGET_NEED_CELLS, TARGET_NEED_RANGES]) {
          put(targets + i * TARGET_BYTES + need, 0);
        }
      }
      if (length < 1 || u8[operations] !== OPERATIONS_FORMAT) return -1;
      const end = operations + length;
      let found = 0;
      for (let at = operations + 1; at < end; found++) {
        const operation = readOperation(at, end);
        if (operation === undefined) return -1;
        at = operation.end;
        const target = targetOf(operation.tree, targets, count);
        if (target === undefined) continue;
        add(target + TARGET_NEED_BYTES, cellBytes(operation.key.length, operation.value.length));
        add(target + TARGET_NEED_CELLS, 1);
        if (operation.kind === KIND_DELETE_RANGE) add(target + TARGET_NEED_RANGES, 1);
      }
      return found;
    },

    applyOperations(operations, length, sequence, targets, count) {
      const earlier: Operation[] = [];
      let applied = 0;
      for (let at = operations + 1; at < operations + length; ) {
        const operation = readOperation(at, operations + length) as Operation;
        at = operation.end;
        const target = targetOf(operation.tree, targets, count);
        if (target === undefined || sequence < f64(target + TARGET_FROM_SEQUENCE)) continue;
        const memtable = u32(target + TARGET_MEMTABLE);
        const cell = makeCell(memtable, operation, sequence);
        if (operation.kind === KIND_DELETE_RANGE) {
          addRange(memtable, cell);
          deleteEarlier(memtable, operation, earlier, sequence);
        } else {
          link(memtable, cell);
        }
        earlier.push(operation);
        applied++;
      }
      return applied;
    },

    growMemtable(slots, count, memtable) {
      for (let i = 0; i < count; i++) {
        const cell = u32(slots + i * SLOT_BYTES + SLOT_CELL);
        if (cell === 0) continue;
        const slot = slotOf(memtable, keyOf(cell));
        put(slot + SLOT_HASH, u32(slots + i * SLOT_BYTES + SLOT_HASH));
        put(slot + SLOT_CELL, cell);
      }
    },

    indexCells(memtable, from, to, sequence) {
      let kept = 0;
      for (const cell of cellsOf(from, to)) {
        if (sequenceOf(cell) >= sequence) u8[cell + CELL_KIND] = KIND_NONE;
        if (kindOf(cell) === KIND_NONE) continue;
        countCell(memtable, cell);
        kept++;
        if (kindOf(cell) === KIND_DELETE_RANGE) addRange(memtable, cell);
        else link(memtable, cell);
      }
      return kept;
    },

    gatherCells(from, to, run) {
      const cells = [...cellsOf(from, to)].filter((cell) => [KIND_PUT, KIND_DELETE].includes(kindOf(cell)));
      putRun(run, cells);
      return cells.length;
    },

    sortRun(run, count) {
      putRun(run, runOf(run, count).sort(compareCells));
    },

    mergeRuns(a, aCount, b, bCount, out) {
      putRun(out, [...runOf(a, aCount), ...runOf(b, bCount)].sort(compareCells));
    },

    memtableGet(memtable, key, keyLength, snapshot, found) {
      const wanted = u8.slice(key, key + keyLength);
      const ranges = runOf(u32(memtable + MEMTABLE_RANGES), u32(memtable + MEMTABLE_RANGE_COUNT))
        .filter((cell) => sequenceOf(cell) < snapshot)
        .filter((cell) => compare(keyOf(cell), wanted) <= 0 && compare(wanted, valueOf(cell)) < 0);
      const covered = Math.max(-1, ...ranges.map(sequenceOf));
      let cell = u32(slotOf(memtable, wanted) + SLOT_CELL);
      while (cell !== 0 && sequenceOf(cell) >= snapshot) cell = u32(cell + CELL_OLDER);
      if (cell === 0 || sequenceOf(cell) < covered) {
        putF64(found + FOUND_SEQUENCE, covered);
        return covered < 0 ? KIND_NONE : KIND_DELETE;
      }
      put(found + FOUND_VALUE, valueAddress(cell));
      put(found + FOUND_VALUE_LENGTH, u32(cell + CELL_VALUE_LENGTH));
      putF64(found + FOUND_SEQUENCE, sequenceOf(cell));
      return kindOf(cell);
    },
  };
}
