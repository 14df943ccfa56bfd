/**
 * LZ4 in its frame format (https://github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md), with blocks that do
 * not refer to each other, which is the form that Java's clients of Kafka read. The packing itself is the
 * package `lz4-napi`; it expands one frame and has no bound, so frames are walked here first.
 *
 *     frame:  magic 0x184D2204 | FLG | BD | content size u64? | dictionary u32? | header checksum u8
 *             blocks: length u32, its top bit: stored | bytes | checksum u32?
 *             end: 0 u32 | content checksum u32?
 *
 * Integers are little-endian. FLG: 6-7 version 1, 5 independent blocks, 4 block checksums, 3 content size,
 * 2 content checksum, 0 dictionary. BD: 4-6 the most that a block expands to.
 *
 * @module
 */

import { broken, type Codec, concatenated, reasonOf, tooLarge } from './codec.ts';

/** What is used of the package. */
export interface Lz4Package {
  compressFrameSync(bytes: Buffer): Uint8Array;
  decompressFrameSync(bytes: Buffer): Uint8Array;
}

const MAGIC = 0x184d2204;
/** Frames that are to be stepped over: magic numbers from this one to 15 more. */
const SKIPPABLE_MAGIC = 0x184d2a50;
const FLAG_DICTIONARY = 1;
const FLAG_CONTENT_CHECKSUM = 4;
const FLAG_CONTENT_SIZE = 8;
const FLAG_BLOCK_CHECKSUM = 16;
const STORED_BIT = 0x8000_0000;
/** No block becomes more than this for each of its bytes. */
const EXPANSION_MAX = 255;
const TWO_TO_32 = 4_294_967_296;

/** One frame, and what is known of it without expanding it. */
interface Frame {
  start: number;
  end: number;
  /** What it says that it expands to. */
  declared: number | undefined;
  /** The most that its blocks can expand to. */
  most: number;
  /** Its packed blocks: where each begins and ends. */
  packed: { start: number; end: number }[];
  /** Bytes of its blocks that are stored as they are. */
  stored: number;
}

function cutOff(): Error {
  return broken('lz4', 'they are cut off');
}

class FrameWalk {
  readonly #bytes: Uint8Array;
  readonly #data: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#data = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  /** All frames but those that are to be stepped over. */
  run(): Frame[] {
    const frames: Frame[] = [];
    while (this.#at < this.#bytes.length) {
      const start = this.#at;
      const magic = this.#u32();
      if (magic === MAGIC) frames.push(this.#frame(start));
      else if (magic >>> 4 === SKIPPABLE_MAGIC >>> 4) this.#skip(this.#u32());
      else throw broken('lz4', 'they are no frame');
    }
    if (frames.length === 0) throw cutOff();
    return frames;
  }

  #frame(start: number): Frame {
    this.#skip(2);
    const flags = this.#bytes[this.#at - 2] as number;
    const blockKind = ((this.#bytes[this.#at - 1] as number) >> 4) & 7;
    if (flags >> 6 !== 1 || blockKind < 4) throw broken('lz4', 'a frame of a kind that is not known');
    if ((flags & FLAG_DICTIONARY) !== 0) throw broken('lz4', 'they need a dictionary');
    const blockBytesMax = 2 ** (8 + 2 * blockKind);
    const declared = (flags & FLAG_CONTENT_SIZE) === 0 ? undefined : this.#u32() + this.#u32() * TWO_TO_32;
    this.#skip(1);
    const frame: Frame = { start, end: 0, declared, most: 0, packed: [], stored: 0 };
    for (let length = this.#u32(); length !== 0; length = this.#u32()) {
      const isStored = (length & STORED_BIT) !== 0;
      const bytes = length & ~STORED_BIT;
      const from = this.#at;
      this.#skip(bytes + ((flags & FLAG_BLOCK_CHECKSUM) === 0 ? 0 : 4));
      if (isStored) frame.stored += bytes;
      else frame.packed.push({ start: from, end: from + bytes });
      frame.most += isStored ? bytes : Math.min(blockBytesMax, bytes * EXPANSION_MAX);
    }
    if ((flags & FLAG_CONTENT_CHECKSUM) !== 0) this.#skip(4);
    frame.end = this.#at;
    return frame;
  }

  #u32(): number {
    if (this.#at + 4 > this.#bytes.length) throw cutOff();
    this.#at += 4;
    return this.#data.getUint32(this.#at - 4, true);
  }

  #skip(bytes: number): void {
    if (this.#at + bytes > this.#bytes.length) throw cutOff();
    this.#at += bytes;
  }
}

/** What a packed block expands to, counted along its sequences: literals, then a match, without their bytes. */
function exactBytes(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  let total = 0;
  const more = (): number => {
    let length = 0;
    for (;;) {
      if (at >= end) throw cutOff();
      const byte = bytes[at++] as number;
      length += byte;
      if (byte !== 255) return length;
    }
  };
  while (at < end) {
    const token = bytes[at++] as number;
    let literals = token >> 4;
    if (literals === 15) literals += more();
    at += literals;
    total += literals;
    if (at === end) return total;
    // Where the match lies, and how long it is: 4 bytes at least.
    at += 2;
    let match = token & 15;
    if (match === 15) match += more();
    total += match + 4;
  }
  throw cutOff();
}

/** Whether frames stay within a bound: by what they say, by what they can be, and where that leaves it open by count. */
function fits(bytes: Uint8Array, frames: readonly Frame[], maxBytes: number): boolean {
  const declared = frames.reduce((sum, frame) => sum + (frame.declared ?? 0), 0);
  if (declared > maxBytes) return false;
  if (frames.reduce((sum, { most }) => sum + most, 0) <= maxBytes) return true;
  let exact = 0;
  for (const { stored, packed } of frames) {
    exact += stored;
    for (const { start, end } of packed) {
      exact += exactBytes(bytes, start, end);
      if (exact > maxBytes) return false;
    }
  }
  return exact <= maxBytes;
}

/** The package takes nothing but a Buffer. */
function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}

export function createLz4(lz4: Lz4Package): Codec {
  return {
    name: 'lz4',
    compress: (bytes) => lz4.compressFrameSync(bufferOf(bytes)),
    expand(bytes, maxBytes) {
      const frames = new FrameWalk(bytes).run();
      if (!fits(bytes, frames, maxBytes)) throw tooLarge('lz4', maxBytes);
      return concatenated(
        frames.map(({ start, end, declared }) => {
          const expanded = expandFrame(lz4, bytes.subarray(start, end));
          const isOther = declared !== undefined && expanded.length !== declared;
          if (isOther) throw broken('lz4', 'a frame is not as long as it says');
          return expanded;
        }),
      );
    },
  };
}

function expandFrame(lz4: Lz4Package, frame: Uint8Array): Uint8Array {
  try {
    return lz4.decompressFrameSync(bufferOf(frame));
  } catch (error) {
    throw broken('lz4', reasonOf(error), error);
  }
}
