/**
 * The kernels of tables in plain JavaScript: the specification, as `reference.ts` is for the others. It puts
 * every key together and looks at one entry after the other.
 *
 * @module
 */

import { createFilterReference, hashOf } from './filter-reference.ts';
import type { Kernels } from './kernels.ts';
import { compareBytes, prefixOf } from './key-reference.ts';
import {
  CELL_KEY,
  CELL_KEY_LENGTH,
  FOUND_SEQUENCE,
  FOUND_VALUE,
  FOUND_VALUE_LENGTH,
  KIND_DELETE,
  KIND_NONE,
  KIND_PUT,
  RUN_ENTRY_BYTES,
} from './lsm-layout.ts';
import { createMergeReference } from './merge-reference.ts';
import type { TableKernels } from './table-kernels.ts';
import * as layout from './table-layout.ts';

const SEQUENCE_LIMIT = 2n ** 53n;

/** An entry of a block as it lies there. */
interface Entry {
  key: Uint8Array;
  /** Where its own part of the key begins; how many bytes it shares with the key before. */
  rest: number;
  shared: number;
  value: number;
  valueLength: number;
  sequence: number;
  kind: number;
  end: number;
}

/** A block whose tail is sound. */
interface Block {
  address: number;
  /** Where entries end and restarts begin. */
  end: number;
  base: bigint;
  entries: number;
  restarts: number;
}

/**
 * Creates the reference of these kernels over `memory`.
 *
 * @param kernels the reference of the others, over the same memory
 */
export function createTableReference(
  memory: SharedArrayBuffer | ArrayBuffer,
  kernels: Pick<Kernels, 'crc32c'>,
): TableKernels {
  const view = new DataView(memory);
  const u8 = new Uint8Array(memory);
  const u32 = (address: number): number => view.getUint32(address, true);
  const setU32 = (address: number, value: number): void => view.setUint32(address, value, true);
  const f64 = (address: number): number => view.getFloat64(address, true);
  const setF64 = (address: number, value: number): void => view.setFloat64(address, value, true);
  const bytesAt = (address: number, length: number): Uint8Array => u8.slice(address, address + length);

  /** Reads a varint that has at most so many bits; undefined where it is longer. */
  function readVarint(at: number, bits: number): { value: bigint; at: number } | undefined {
    let value = 0n;
    for (let shift = 0; shift < bits; shift += 7) {
      const byte = view.getUint8(at++);
      value |= BigInt(byte & 0x7f) << BigInt(shift);
      if (byte < 0x80) return value >> BigInt(bits) === 0n ? { value, at } : undefined;
    }
    return undefined;
  }

  function blockAt(address: number, bytes: number): Block | undefined {
    if (bytes < layout.BLOCK_TAIL_BYTES + layout.RESTART_BYTES) return undefined;
    const tail = address + bytes - layout.BLOCK_TAIL_BYTES;
    const base = view.getBigUint64(tail, true);
    const entries = u32(tail + layout.BLOCK_TAIL_ENTRIES);
    const restarts = u32(tail + layout.BLOCK_TAIL_RESTARTS);
    const end = tail - restarts * layout.RESTART_BYTES;
    if (restarts === 0 || restarts > entries || end < address || base >= SEQUENCE_LIMIT) return undefined;
    return { address, end, base, entries, restarts };
  }

  /** Reads the entry at `at`, whose key goes on from the one before. */
  function readEntry(block: Block, at: number, before: Uint8Array): Entry | undefined {
    const numbers: bigint[] = [];
    let next = at;
    for (const bits of [32, 32, 32, 56]) {
      const read = readVarint(next, bits);
      if (read === undefined) return undefined;
      numbers.push(read.value);
      next = read.at;
    }
    const [shared, rest, valueLength, meta] = numbers as [bigint, bigint, bigint, bigint];
    if (next > block.end || rest + valueLength > BigInt(block.end - next)) return undefined;
    if (shared > BigInt(before.length)) return undefined;
    const sequence = block.base + (meta >> 2n);
    if (sequence >= SEQUENCE_LIMIT) return undefined;
    const key = Uint8Array.from([...before.subarray(0, Number(shared)), ...bytesAt(next, Number(rest))]);
    return {
      key,
      rest: next,
      shared: Number(shared),
      value: next + Number(rest),
      valueLength: Number(valueLength),
      sequence: Number(sequence),
      kind: Number(meta & 3n),
      end: next + Number(rest) + Number(valueLength),
    };
  }

  /** All entries of a block; undefined where they do not fit together. */
  function entriesOf(address: number, bytes: number): Entry[] | undefined {
    const block = blockAt(address, bytes);
    if (block === undefined) return undefined;
    const entries: Entry[] = [];
    const restarts = Array.from({ length: block.restarts }, (_, i) =>
      u32(block.end + i * layout.RESTART_BYTES),
    );
    if (restarts[0] !== 0) return undefined;
    let at = address;
    for (let i = 0; i < block.entries; i++) {
      const before = entries.at(-1);
      const entry = at < block.end ? readEntry(block, at, before?.key ?? new Uint8Array()) : undefined;
      if (entry === undefined || entry.key.length === 0 || entry.key.length > layout.KEY_BYTES_MAX)
        return undefined;
      if (entry.kind === KIND_NONE || !isAfter(before, entry)) return undefined;
      if (at - address === restarts[0]) {
        if (entry.shared > 0) return undefined;
        restarts.shift();
      }
      entries.push(entry);
      at = entry.end;
    }
    return at === block.end && restarts.length === 0 ? entries : undefined;
  }

  function isAfter(before: Entry | undefined, entry: Entry): boolean {
    if (before === undefined) return true;
    const order = compareBytes(before.key, entry.key);
    if (order === 0) return before.sequence > entry.sequence;
    // What could have been shared is shared, except at a restart, where nothing is.
    const couldShare = before.key[entry.shared] === entry.key[entry.shared];
    return order < 0 && !(entry.shared > 0 && entry.shared < before.key.length && couldShare);
  }

  function findInBlock(
    address: number,
    bytes: number,
    key: number,
    keyLength: number,
    snapshot: number,
    found: number,
  ): number {
    const entries = entriesOf(address, bytes);
    if (entries === undefined) return -1;
    const wanted = bytesAt(key, keyLength);
    const versions = entries.filter((entry) => compareBytes(entry.key, wanted) === 0);
    const seen = versions.find((entry) => entry.sequence < snapshot);
    if (seen === undefined) {
      return versions.length > 0 && versions.at(-1) === entries.at(-1) ? layout.FOUND_MORE : KIND_NONE;
    }
    setU32(found + FOUND_VALUE, seen.value);
    setU32(found + FOUND_VALUE_LENGTH, seen.valueLength);
    setF64(found + FOUND_SEQUENCE, seen.sequence);
    return seen.kind;
  }

  function decodeBlock(address: number, bytes: number, out: number, outBytes: number): number {
    const entries = entriesOf(address, bytes);
    if (entries === undefined || entries.length * layout.ROW_ENTRY_BYTES > outBytes) return -1;
    let keysAt = out + entries.length * layout.ROW_ENTRY_BYTES;
    let lastKey = 0;
    for (const [i, entry] of entries.entries()) {
      const row = out + i * layout.ROW_ENTRY_BYTES;
      const before = entries[i - 1];
      let key = entry.rest;
      if (before !== undefined && compareBytes(before.key, entry.key) === 0) {
        key = lastKey;
      } else if (entry.shared > 0) {
        if (keysAt + entry.key.length > out + outBytes) return -1;
        key = keysAt;
        u8.set(entry.key, key);
        keysAt += entry.key.length;
      }
      view.setBigUint64(row + layout.ROW_PREFIX, prefixOf(entry.key), true);
      setF64(row + layout.ROW_SEQUENCE, entry.sequence);
      setU32(row + layout.ROW_KEY, key);
      view.setUint16(row + layout.ROW_KEY_LENGTH, entry.key.length, true);
      view.setUint8(row + layout.ROW_KIND, entry.kind);
      setU32(row + layout.ROW_VALUE, entry.value);
      setU32(row + layout.ROW_VALUE_LENGTH, entry.valueLength);
      lastKey = key;
    }
    return entries.length;
  }

  function seekRows(rows: number, count: number, key: number, keyLength: number, after: number): number {
    const wanted = bytesAt(key, keyLength);
    for (let i = 0; i < count; i++) {
      const row = rows + i * layout.ROW_ENTRY_BYTES;
      const length = view.getUint16(row + layout.ROW_KEY_LENGTH, true);
      if (compareBytes(bytesAt(u32(row + layout.ROW_KEY), length), wanted) >= after) return i;
    }
    return count;
  }

  function seekRun(run: number, count: number, key: number, keyLength: number): number {
    const wanted = bytesAt(key, keyLength);
    for (let i = 0; i < count; i++) {
      const cell = u32(run + i * RUN_ENTRY_BYTES);
      const other = bytesAt(cell + CELL_KEY, view.getUint16(cell + CELL_KEY_LENGTH, true));
      if (compareBytes(other, wanted) >= 0) return i;
    }
    return count;
  }

  /** The entries of an index, each with the numbers that its value has. */
  function indexOf(
    address: number,
    bytes: number,
  ): { key: Uint8Array; fields: number[] | undefined }[] | undefined {
    const block = blockAt(address, bytes);
    if (block === undefined || block.entries !== block.restarts) return undefined;
    const entries: { key: Uint8Array; fields: number[] | undefined }[] = [];
    for (let i = 0; i < block.restarts; i++) {
      const at = address + u32(block.end + i * layout.RESTART_BYTES);
      const entry = at < block.end ? readEntry(block, at, new Uint8Array()) : undefined;
      if (entry === undefined || entry.shared > 0) return undefined;
      entries.push({ key: entry.key, fields: fieldsOf(entry.value, entry.end) });
    }
    return entries;
  }

  function fieldsOf(from: number, end: number): number[] | undefined {
    const fields: number[] = [];
    for (let at = from; at < end; ) {
      const read = readVarint(at, 53);
      if (read === undefined || read.at > end || fields.length === layout.INDEX_FIELDS_MAX) return undefined;
      fields.push(Number(read.value));
      at = read.at;
    }
    return fields;
  }

  function seekIndex(address: number, bytes: number, key: number, keyLength: number, fields: number): number {
    const entries = indexOf(address, bytes);
    if (entries === undefined) return -1;
    const wanted = bytesAt(key, keyLength);
    const index = entries.findIndex((entry) => compareBytes(entry.key, wanted) >= 0);
    if (index < 0) return entries.length;
    return fields !== 0 && readIndex(address, bytes, index, fields) < 0 ? -1 : index;
  }

  function readIndex(address: number, bytes: number, index: number, fields: number): number {
    const read = indexOf(address, bytes)?.[index]?.fields;
    for (const [i, field] of read?.entries() ?? []) setF64(fields + i * 8, field);
    const count = read?.length ?? -1;
    if (fields !== 0) view.setInt32(fields + layout.INDEX_FIELDS_COUNT, count, true);
    return count;
  }

  // --- building -------------------------------------------------------------------------------------

  function writeVarint(at: number, value: bigint): number {
    while (value >= 0x80n) {
      view.setUint8(at++, Number(value & 0x7fn) | 0x80);
      value >>= 7n;
    }
    view.setUint8(at, Number(value));
    return at + 1;
  }

  function append(builder: number, key: Uint8Array, value: Uint8Array, sequence: number, kind: number): void {
    const count = u32(builder + layout.BUILDER_ENTRIES);
    const restarts = u32(builder + layout.BUILDER_RESTART_COUNT);
    const lastLength = view.getInt32(builder + layout.BUILDER_LAST_KEY_LENGTH, true);
    const last = bytesAt(u32(builder + layout.BUILDER_LAST_KEY), Math.max(lastLength, 0));
    const start = u32(builder + layout.BUILDER_AT);
    let shared = 0;
    if (count % u32(builder + layout.BUILDER_INTERVAL) === 0) {
      setU32(
        u32(builder + layout.BUILDER_RESTARTS) + restarts * 4,
        start - u32(builder + layout.BUILDER_START),
      );
      setU32(builder + layout.BUILDER_RESTART_COUNT, restarts + 1);
    } else {
      while (shared < key.length && shared < last.length && key[shared] === last[shared]) shared++;
    }
    const base = f64(builder + layout.BUILDER_BASE);
    let at = writeVarint(start, BigInt(shared));
    at = writeVarint(at, BigInt(key.length - shared));
    at = writeVarint(at, BigInt(value.length));
    at = writeVarint(at, BigInt(sequence - base) * 4n + BigInt(kind));
    u8.set(key.subarray(shared), at);
    u8.set(value, at + key.length - shared);
    setU32(builder + layout.BUILDER_AT, at + key.length - shared + value.length);
    setU32(builder + layout.BUILDER_ENTRIES, count + 1);
    setU32(builder + layout.BUILDER_KEY_BYTES, u32(builder + layout.BUILDER_KEY_BYTES) + key.length);
    u8.set(key, u32(builder + layout.BUILDER_LAST_KEY));
    view.setInt32(builder + layout.BUILDER_LAST_KEY_LENGTH, key.length, true);
    if (shared !== key.length || lastLength !== key.length) noteHash(builder, key);
  }

  function noteHash(builder: number, key: Uint8Array): void {
    const hashes = u32(builder + layout.BUILDER_HASHES);
    if (hashes === 0) return;
    const count = u32(builder + layout.BUILDER_HASH_COUNT);
    setU32(hashes + count * 4, hashOf(key));
    setU32(builder + layout.BUILDER_HASH_COUNT, count + 1);
  }

  function noteTags(
    builder: number,
    keyLength: number,
    value: number,
    valueLength: number,
    kind: number,
  ): void {
    if (kind === KIND_PUT && value === 0) return;
    let tags = 2n ** 64n - 1n;
    const [level = 255, hash = 255] = bytesAt(value, value === 0 ? 0 : Math.min(valueLength, 2));
    if (kind === KIND_PUT && level < layout.TAG_LEVELS && hash < layout.TAG_HASHES) {
      tags = (1n << BigInt(level)) | (1n << BigInt(layout.TAG_LEVELS + hash));
      const at = builder + layout.BUILDER_LEVEL_BYTES + level * 8;
      setF64(at, f64(at) + keyLength + valueLength);
    }
    const at = builder + layout.BUILDER_TAGS;
    view.setBigUint64(at, view.getBigUint64(at, true) | tags, true);
  }

  function count(
    builder: number,
    keyLength: number,
    value: number,
    valueLength: number,
    sequence: number,
    kind: number,
  ): void {
    const add = (field: number, more: number): void => setF64(builder + field, f64(builder + field) + more);
    if (u32(builder + layout.BUILDER_TAGGING) === layout.TAGS_EVENTS)
      noteTags(builder, keyLength, value, valueLength, kind);
    add(layout.BUILDER_ALL_ENTRIES, 1);
    if (kind === KIND_DELETE) add(layout.BUILDER_TOMBSTONES, 1);
    add(layout.BUILDER_RAW_KEY_BYTES, keyLength);
    add(layout.BUILDER_RAW_VALUE_BYTES, valueLength);
    const { BUILDER_LEAST_SEQUENCE: least, BUILDER_GREATEST_SEQUENCE: greatest } = layout;
    setF64(builder + least, Math.min(f64(builder + least), sequence));
    setF64(builder + greatest, Math.max(f64(builder + greatest), sequence));
    const raise = (field: number, to: number): void =>
      setU32(builder + field, Math.max(u32(builder + field), to));
    raise(layout.BUILDER_LONGEST_KEY, keyLength);
    raise(layout.BUILDER_LARGEST_ENTRY, keyLength + valueLength);
  }

  function addEntry(
    builder: number,
    key: number,
    keyLength: number,
    value: number,
    valueLength: number,
    sequence: number,
    kind: number,
  ): void {
    append(builder, bytesAt(key, keyLength), bytesAt(value, valueLength), sequence, kind);
    count(builder, keyLength, value, valueLength, sequence, kind);
  }

  function finishBlock(builder: number): number {
    const entries = u32(builder + layout.BUILDER_ENTRIES);
    const restarts = u32(builder + layout.BUILDER_RESTART_COUNT);
    let at = u32(builder + layout.BUILDER_AT);
    u8.set(bytesAt(u32(builder + layout.BUILDER_RESTARTS), restarts * 4), at);
    at += restarts * layout.RESTART_BYTES;
    view.setBigUint64(at + layout.BLOCK_TAIL_BASE, BigInt(f64(builder + layout.BUILDER_BASE)), true);
    setU32(at + layout.BLOCK_TAIL_ENTRIES, entries);
    setU32(at + layout.BLOCK_TAIL_RESTARTS, restarts);
    const decoded = entries * layout.ROW_ENTRY_BYTES + u32(builder + layout.BUILDER_KEY_BYTES);
    const most = Math.max(decoded, u32(builder + layout.BUILDER_MOST_DECODED));
    setU32(builder + layout.BUILDER_MOST_DECODED, most);
    setU32(builder + layout.BUILDER_ENTRIES, 0);
    setU32(builder + layout.BUILDER_RESTART_COUNT, 0);
    setU32(builder + layout.BUILDER_KEY_BYTES, 0);
    view.setInt32(builder + layout.BUILDER_LAST_KEY_LENGTH, -1, true);
    return at + layout.BLOCK_TAIL_BYTES - u32(builder + layout.BUILDER_START);
  }

  function sealBlock(address: number, bytes: number, compression: number): void {
    view.setUint8(address + bytes, compression);
    view.setInt32(
      address + bytes + layout.BLOCK_TRAILER_CHECKSUM,
      kernels.crc32c(address, bytes + 1, 0),
      true,
    );
  }

  function openBlock(address: number, storedBytes: number): number {
    const bytes = storedBytes - layout.BLOCK_TRAILER_BYTES;
    if (bytes <= 0) return -1;
    const stored = view.getInt32(address + bytes + layout.BLOCK_TRAILER_CHECKSUM, true);
    return stored === kernels.crc32c(address, bytes + 1, 0) ? view.getUint8(address + bytes) : -1;
  }

  function separate(a: number, aLength: number, b: number, bLength: number, out: number): number {
    const [from, to] = [bytesAt(a, aLength), bytesAt(b, bLength)];
    u8.set(from, out);
    for (let length = 1; length <= aLength; length++) {
      if (from[length - 1] === 255) continue;
      const candidate = from.slice(0, length);
      candidate[length - 1] = (candidate[length - 1] as number) + 1;
      // It must differ from b where a does, or later: a shorter key that begins b would do too, and is not taken.
      const isBelow = compareBytes(candidate, to) < 0 && compareBytes(candidate, to.slice(0, length)) !== 0;
      if (!isBelow) continue;
      u8.set(candidate, out);
      return length;
    }
    return aLength;
  }

  return {
    findInBlock,
    decodeBlock,
    seekRows,
    seekRun,
    seekIndex,
    readIndex,
    addEntry,
    finishBlock,
    sealBlock,
    openBlock,
    separate,
    moveBytes: (to, from, bytes) => u8.set(u8.slice(from, from + bytes), to),
    ...createFilterReference(view),
    ...createMergeReference(view, { append, count }),
  };
}
