/**
 * A block that has one large entry: its key is read, and the first bytes of its value; the others are left in the
 * file until they are copied.
 *
 * @module
 */

import type { MemoryView } from '../../memory/memory.ts';
import * as layout from '../../memory/table-layout.ts';
import type { VfsFile } from '../../vfs/vfs.ts';
import { damagedBlock } from '../table/blocks.ts';
import { CODEC_NONE } from '../table/codecs.ts';
import { decodeEntries } from '../table/entries.ts';
import type { Handle } from '../table/format.ts';
import type { StreamedValue } from '../table/output-bytes.ts';

/** What a block of one entry has behind the value: a restart, the tail, and the trailer. */
const END_BYTES = layout.RESTART_BYTES + layout.BLOCK_TAIL_BYTES;
/** Of the value, as much is read as says when it may be dropped. */
const HEAD_BYTES_MAX = layout.KEY_BYTES_MAX + layout.ENTRY_HEADER_BYTES_MAX + layout.FILTER_TIME_BYTES;

export class LargeBlock implements StreamedValue {
  readonly bytes: number;
  readonly #memory: MemoryView;
  readonly #file: VfsFile;
  readonly #handle: Handle;
  /** Where in the file the value begins. */
  readonly #value: number;
  readonly #end: Uint8Array;
  #crc: number;

  private constructor(
    memory: MemoryView,
    file: VfsFile,
    handle: Handle,
    parts: { head: number; value: number; bytes: number; end: Uint8Array },
  ) {
    this.#memory = memory;
    this.#file = file;
    this.#handle = handle;
    this.bytes = parts.bytes;
    this.#value = handle.position + parts.value;
    this.#end = parts.end;
    this.#crc = memory.kernels.crc32c(parts.head, parts.value, 0);
  }

  /**
   * Reads a block's key, and makes a row of it, of whose value only the first bytes are there.
   *
   * @param window room for the longest key and what is around it; the key stays there
   * @param row room for a row
   * @throws VarveError `CORRUPT` where it has not one entry
   */
  static read(memory: MemoryView, file: VfsFile, handle: Handle, window: number, row: number): LargeBlock {
    const { position, bytes } = handle;
    const payload = bytes - layout.BLOCK_TRAILER_BYTES;
    const broken = (): Error => damagedBlock(file.path, position, 'its entry is broken');
    const headBytes = Math.min(HEAD_BYTES_MAX, payload - END_BYTES);
    if (headBytes <= 0) throw broken();
    const tail = window + headBytes;
    const tailBytes = END_BYTES + layout.BLOCK_TRAILER_BYTES;
    const read =
      file.readSync(memory.buffer(window, headBytes), position) +
      file.readSync(memory.buffer(tail, tailBytes), position + payload - END_BYTES);
    if (read < headBytes + tailBytes) throw damagedBlock(file.path, position, 'the file ends inside');
    const head = memory.u8.slice(window, tail);
    const end = memory.u8.slice(tail, tail + tailBytes);
    // With as little of the value as was read, it is a block of one entry like any other.
    const entry = decodeHead(head, end.subarray(0, END_BYTES), payload - END_BYTES);
    if (entry === undefined || end[END_BYTES] !== CODEC_NONE) throw broken();
    const { keyAt, keyBytes, valueBytes, sequence, kind } = entry;
    // Others are copied as they lie in memory.
    if (keyBytes + valueBytes <= layout.LARGE_ENTRY_BYTES) throw broken();
    const value = keyAt + keyBytes;
    const { i32, f64, u8 } = memory;
    for (let i = 0; i < 8; i++)
      u8[row + layout.ROW_PREFIX + 7 - i] = i < keyBytes ? (head[keyAt + i] as number) : 0;
    f64[(row + layout.ROW_SEQUENCE) >> 3] = sequence;
    i32[(row + layout.ROW_KEY) >> 2] = window + keyAt;
    memory.data.setUint16(row + layout.ROW_KEY_LENGTH, keyBytes, true);
    u8[row + layout.ROW_KIND] = kind;
    i32[(row + layout.ROW_VALUE) >> 2] = window + value;
    i32[(row + layout.ROW_VALUE_LENGTH) >> 2] = valueBytes;
    return new LargeBlock(memory, file, handle, { head: window, value, bytes: valueBytes, end });
  }

  read(address: number, from: number, bytes: number): void {
    const read = this.#file.readSync(this.#memory.buffer(address, bytes), this.#value + from);
    if (read < bytes) throw damagedBlock(this.#file.path, this.#handle.position, 'the file ends inside');
    this.#crc = this.#memory.kernels.crc32c(address, bytes, this.#crc);
  }

  verify(): void {
    const stored = new DataView(this.#end.buffer).getInt32(END_BYTES + layout.BLOCK_TRAILER_CHECKSUM, true);
    if (stored !== crcOf(this.#end.subarray(0, END_BYTES + 1), this.#crc)) {
      throw damagedBlock(this.#file.path, this.#handle.position, 'its checksum is wrong');
    }
  }
}

/** CRC-32C of a few bytes that lie in private memory. */
function crcOf(bytes: Uint8Array, before: number): number {
  let state = ~before;
  for (const byte of bytes) {
    state ^= byte;
    for (let bit = 0; bit < 8; bit++) state = (state >>> 1) ^ (state & 1 ? 0x82f63b78 : 0);
  }
  return ~state;
}

/**
 * The numbers and the key of a block of one entry, of whose value only the beginning is there.
 *
 * @param bytes how many the entry has
 */
function decodeHead(
  head: Uint8Array,
  end: Uint8Array,
  bytes: number,
): { keyAt: number; keyBytes: number; valueBytes: number; sequence: number; kind: number } | undefined {
  let at = 0;
  const number = (): number => {
    let value = 0;
    for (let scale = 1; scale < 2 ** 32; scale *= 128) {
      const byte = head[at++] ?? 128;
      value += (byte & 0x7f) * scale;
      if (byte < 128) return value;
    }
    return -1;
  };
  const [shared, keyBytes, valueBytes] = [number(), number(), number()];
  if (shared !== 0 || keyBytes < 1 || keyBytes > layout.KEY_BYTES_MAX) return undefined;
  const meta = at;
  while ((head[at++] ?? 0) >= 128) if (at - meta > 9) return undefined;
  if (valueBytes < 0 || at + keyBytes > head.length || at + keyBytes + valueBytes !== bytes) return undefined;
  // The same entry with an empty value is a whole block; so one decoder knows what a sequence number is.
  const small = [0, ...varint(keyBytes), 0, ...head.subarray(meta, at + keyBytes), ...end];
  const [entry, ...others] = decodeEntries(Uint8Array.from(small)) ?? [];
  if (entry === undefined || others.length > 0) return undefined;
  return { keyAt: at, keyBytes, valueBytes, sequence: entry.sequence, kind: entry.kind };
}

function varint(value: number): number[] {
  return value < 128 ? [value] : [(value % 128) | 0x80, ...varint(Math.floor(value / 128))];
}
