/**
 * Walks Zstandard frames (RFC 8878) without expanding them: where each begins and ends, what it says that it
 * expands to, and the most that its blocks can.
 *
 *     frame:  magic 0xFD2FB528 | descriptor u8 | window u8? | dictionary 0-4 | content size 0-8
 *             blocks: u24, bit 0 the last, bits 1-2 kind, then length | bytes
 *             checksum u32?
 *
 * Integers are little-endian.
 *
 * @module
 */

import { broken } from './codec.ts';

const MAGIC = 0xfd2fb528;
/** Frames that are to be stepped over: magic numbers from this one to 15 more. */
const SKIPPABLE_MAGIC = 0x184d2a50;
const BLOCK_BYTES_MAX = 128 * 1024;
const BLOCK_REPEATED = 1;
const BLOCK_PACKED = 2;
const BLOCK_RESERVED = 3;
const TWO_TO_32 = 4_294_967_296;
/** What the reference implementation decodes in pieces unless it is told otherwise. */
const WINDOW_BYTES_MAX: number = 2 ** 27;

/** One frame, and what is known of it without expanding it. */
export interface ZstdFrame {
  start: number;
  end: number;
  /** What it says that it expands to. */
  declared: number | undefined;
  /** The most that its blocks can expand to. */
  most: number;
}

class FrameWalk {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  run(): ZstdFrame[] {
    const frames: ZstdFrame[] = [];
    while (this.#at < this.#bytes.length) {
      const start = this.#at;
      const magic = this.#take(4);
      if (magic === MAGIC) frames.push(this.#frame(start));
      else if (magic - (magic % 16) === SKIPPABLE_MAGIC) this.#skip(this.#take(4));
      else throw broken('zstd', 'they are no frame');
    }
    if (frames.length === 0) throw broken('zstd', 'they are cut off');
    return frames;
  }

  #frame(start: number): ZstdFrame {
    const descriptor = this.#take(1);
    const isSingle = (descriptor & 32) !== 0;
    if ((descriptor & 8) !== 0) throw broken('zstd', 'a frame of a kind that is not known');
    let windowBytes = isSingle ? 0 : windowOf(this.#take(1));
    const dictionary = this.#take([0, 1, 2, 4][descriptor & 3] as number);
    if (dictionary !== 0) throw broken('zstd', 'they need a dictionary');
    const sizeKind = descriptor >> 6;
    const sizeBytes = sizeKind === 0 ? Number(isSingle) : 2 ** sizeKind;
    const size = this.#take(sizeBytes) + (sizeKind === 1 ? 256 : 0);
    if (isSingle) windowBytes = size;
    else if (windowBytes > WINDOW_BYTES_MAX) throw broken('zstd', `a window of ${windowBytes} bytes`);
    const blocks = this.#blocks(Math.min(windowBytes, BLOCK_BYTES_MAX));
    if ((descriptor & 4) !== 0) this.#skip(4);
    const declared = sizeBytes === 0 ? undefined : size;
    return { start, end: this.#at, declared, most: blocks };
  }

  /** @returns the most that the blocks can expand to */
  #blocks(packedMax: number): number {
    let most = 0;
    for (;;) {
      const header = this.#take(3);
      const kind = (header >> 1) & 3;
      const length = header >> 3;
      if (kind === BLOCK_RESERVED) throw broken('zstd', 'a block of a kind that is not known');
      most += kind === BLOCK_PACKED ? packedMax : length;
      this.#skip(kind === BLOCK_REPEATED ? 1 : length);
      if ((header & 1) !== 0) return most;
    }
  }

  /** Reads an integer of up to 8 bytes; what is beyond 2^53 is inexact, and too much in any case. */
  #take(count: number): number {
    const from = this.#at;
    this.#skip(count);
    let low = 0;
    let high = 0;
    for (let i = Math.min(count, 4) - 1; i >= 0; i--) low = low * 256 + (this.#bytes[from + i] as number);
    for (let i = count - 1; i >= 4; i--) high = high * 256 + (this.#bytes[from + i] as number);
    return high * TWO_TO_32 + low;
  }

  #skip(bytes: number): void {
    if (this.#at + bytes > this.#bytes.length) throw broken('zstd', 'they are cut off');
    this.#at += bytes;
  }
}

function windowOf(descriptor: number): number {
  const base = 2 ** (10 + (descriptor >> 3));
  return base + (base / 8) * (descriptor & 7);
}

/**
 * Finds the frames, but for those that are to be stepped over.
 *
 * @throws VarveError `CORRUPT` where the bytes are no frames, or are cut off
 */
export function zstdFrames(bytes: Uint8Array): ZstdFrame[] {
  return new FrameWalk(bytes).run();
}
