/**
 * The kernels of `key-map-kernels.ts` in plain JavaScript: the specification that the WebAssembly builds are
 * compared with. What a map looks like inside each may choose, but for what it counts.
 *
 * @module
 */

import type { KeyMapKernels } from './key-map-kernels.ts';
import {
  GATHERED_BASE_OFFSET,
  GATHERED_BASE_TIMESTAMP,
  GATHERED_COUNT,
  GATHERED_COUNT_MAX,
  GATHERED_END,
  GATHERED_FULL,
  GATHERED_LAST_DELTA,
  GATHERED_MAX_TIMESTAMP,
  GATHERED_NEXT,
  KEEP_LAST,
  KEY_MAP_BIT_COUNT,
  KEY_MAP_BITS,
  KEY_MAP_END,
  KEY_MAP_LIMIT,
  KEY_MAP_NEXT,
  KEY_MAP_SLOTS,
  KEY_MAP_USED,
  KEY_MAP_WITHIN,
  KEY_SLOT_BYTES,
  KEY_SLOT_CELL,
  KEY_SLOT_LONG,
  KEY_SLOT_NUMBER,
  KEY_SLOT_TAG,
  WHOLE_RECORD_BYTES,
  WHOLE_RECORD_KEY_LENGTH,
} from './key-map-layout.ts';
import {
  COLUMN_BYTES,
  COLUMN_END,
  COLUMN_KEY,
  COLUMN_KEY_LENGTH,
  COLUMN_OFFSET_DELTA,
  COLUMN_TIMESTAMP,
  RECORD_OVERHEAD_MAX,
  SLACK_BYTES,
} from './layout.ts';
import { varint } from './reference.ts';

/** Creates the reference over `memory`. */
export function createKeyMapReference(memory: SharedArrayBuffer | ArrayBuffer): KeyMapKernels {
  const view = new DataView(memory);
  const u8 = new Uint8Array(memory);
  const int = (address: number): number => view.getInt32(address, true);
  const put = (address: number, value: number): void => view.setInt32(address, value, true);
  const bytesAt = (address: number, length: number): Buffer => Buffer.from(memory, address, length);

  /** The key that a column says, or undefined where there is none. */
  function keyOf(column: number): Buffer | undefined {
    const length = int(column + COLUMN_KEY_LENGTH);
    return length < 0 ? undefined : bytesAt(int(column + COLUMN_KEY), length);
  }

  /** The slot of a key; here they are used from the first on, one behind the other. */
  function slotOf(map: number, key: Buffer): number | undefined {
    for (let i = 0; i < int(map + KEY_MAP_USED); i++) {
      const slot = int(map + KEY_MAP_SLOTS) + i * KEY_SLOT_BYTES;
      if (bytesAt(int(slot + KEY_SLOT_CELL), int(slot + KEY_SLOT_TAG)).equals(key)) return slot;
    }
    return undefined;
  }

  function mark(map: number, number: number): void {
    const at = int(map + KEY_MAP_BITS) + (number >> 3);
    u8[at] = (u8[at] as number) | (1 << (number & 7));
  }

  /** Takes a key in, if there is room for it. */
  function add(map: number, key: Buffer, number: number): boolean {
    const used = int(map + KEY_MAP_USED);
    const next = int(map + KEY_MAP_NEXT);
    const bytes = key.length + (key.length >= KEY_SLOT_LONG ? 4 : 0);
    if (used === int(map + KEY_MAP_LIMIT) || next + bytes + SLACK_BYTES > int(map + KEY_MAP_END))
      return false;
    const slot = int(map + KEY_MAP_SLOTS) + used * KEY_SLOT_BYTES;
    put(slot + KEY_SLOT_TAG, key.length);
    put(slot + KEY_SLOT_CELL, next);
    put(slot + KEY_SLOT_NUMBER, number);
    u8.set(key, next);
    put(map + KEY_MAP_USED, used + 1);
    put(map + KEY_MAP_NEXT, next + bytes);
    return true;
  }

  return {
    mapKeys(map, columns, count, from, number, keep) {
      for (let i = from; i < count; i++) {
        if (number + i >= int(map + KEY_MAP_BIT_COUNT)) return i;
        const key = keyOf(columns + i * COLUMN_BYTES);
        if (key === undefined) continue;
        const slot = slotOf(map, key);
        if (slot === undefined) {
          if (!add(map, key, number + i)) return i;
        } else {
          const [before, own] = [int(slot + KEY_SLOT_NUMBER), number + i];
          const keepsLast = keep === KEEP_LAST || key.readInt32LE(WHOLE_RECORD_KEY_LENGTH) >= 0;
          if (own - before <= int(map + KEY_MAP_WITHIN)) mark(map, keepsLast ? before : own);
          put(slot + KEY_SLOT_NUMBER, own);
        }
      }
      return count;
    },

    findKeys(map, columns, count, found) {
      let total = 0;
      for (let i = 0; i < count; i++) {
        const key = keyOf(columns + i * COLUMN_BYTES);
        const isThere = key !== undefined && slotOf(map, key) !== undefined;
        u8[found + i] = isThere ? 1 : 0;
        total += isThere ? 1 : 0;
      }
      return total;
    },

    wholeRecords(columns, count, out) {
      let at = out;
      for (let i = 0; i < count; i++) {
        const column = columns + i * COLUMN_BYTES;
        const key = int(column + COLUMN_KEY);
        const rest = int(column + COLUMN_END) - key;
        view.setFloat64(at, view.getFloat64(column + COLUMN_TIMESTAMP, true), true);
        put(at + 8, int(column + COLUMN_KEY_LENGTH));
        u8.copyWithin(at + WHOLE_RECORD_BYTES, key, key + rest);
        put(column + COLUMN_KEY, at);
        put(column + COLUMN_KEY_LENGTH, rest + WHOLE_RECORD_BYTES);
        at += rest + WHOLE_RECORD_BYTES;
      }
      return at;
    },

    gatherRecords(gathered, columns, count, from, kept, baseOffset) {
      const base = view.getFloat64(gathered + GATHERED_BASE_TIMESTAMP, true);
      const shift = baseOffset - view.getFloat64(gathered + GATHERED_BASE_OFFSET, true);
      for (let i = from; i < count; i++) {
        if (u8[kept + i] === 0) continue;
        const column = columns + i * COLUMN_BYTES;
        const key = int(column + COLUMN_KEY);
        const rest = bytesAt(key, int(column + COLUMN_END) - key);
        const records = int(gathered + GATHERED_COUNT);
        const at = int(gathered + GATHERED_NEXT);
        const bound = at + rest.length + RECORD_OVERHEAD_MAX;
        const isFull =
          bound > int(gathered + GATHERED_FULL) || records === int(gathered + GATHERED_COUNT_MAX);
        if ((records > 0 && isFull) || bound > int(gathered + GATHERED_END)) return i;
        const timestamp = view.getFloat64(column + COLUMN_TIMESTAMP, true);
        const delta = int(column + COLUMN_OFFSET_DELTA) + shift;
        const record = [
          0,
          ...varint(BigInt(timestamp) - BigInt(base)),
          ...varint(BigInt(delta)),
          ...varint(BigInt(int(column + COLUMN_KEY_LENGTH))),
          ...rest,
        ];
        const bytes = [...varint(BigInt(record.length)), ...record];
        u8.set(bytes, at);
        put(gathered + GATHERED_NEXT, at + bytes.length);
        put(gathered + GATHERED_COUNT, records + 1);
        put(gathered + GATHERED_LAST_DELTA, delta);
        const latest = view.getFloat64(gathered + GATHERED_MAX_TIMESTAMP, true);
        view.setFloat64(gathered + GATHERED_MAX_TIMESTAMP, Math.max(latest, timestamp), true);
      }
      return count;
    },
  };
}
