/**
 * Walks through the frames of Zstandard (RFC 8878) without decompressing them, to know where each of them ends.
 * Decoders do not tell: the one of Node.js (before 26) passes over a second frame that comes in the same piece as the
 * end of the first, and some say nothing of a text that ends in the middle of a frame. Both would be lines
 * lost in silence.
 *
 *     frame       magic u32 = 28 b5 2f fd | descriptor u8 | window, dictionary, size: 1 to 13 | block … | checksum u32?
 *     block       last: 1 bit, type: 2 bits, bytes: 21 bits | so many bytes; one, where it is repeated
 *     skippable   magic u32 = 5x 2a 4d 18 | bytes u32 | so many bytes, which are of no text
 *
 * @module
 */

import { VarveError } from '../errors.ts';

const MAGIC = 0xfd2fb528;
const SKIPPABLE_MAGIC = 0x184d2a50;
const SKIPPABLE_MASK = 0xfffffff0;
const MAGIC_BYTES = 4;
/** Type of a block that is one byte, many times. */
const BLOCK_REPEATED = 1;
const BLOCK_RESERVED = 3;
const CHECKSUM_BYTES = 4;
/** A block becomes 128 KiB at most. Some decoders hand out all that is in a piece at once. */
const BLOCKS_MAX = 16;
const DICTIONARY_BYTES: readonly number[] = [0, 1, 2, 4];
const SIZE_BYTES: readonly number[] = [0, 2, 4, 8];

/** What the next bytes are that are gathered. */
type Expected = 'magic' | 'skippable bytes' | 'descriptor' | 'block';

/** Where a walk is in its frames. */
class FrameWalk {
  /** Bytes that are passed over before the next ones are looked at. */
  #passing = 0;
  #expected: Expected = 'magic';
  /** The bytes that were gathered, as one number, and how many are still to come. */
  #value = 0;
  #gathered = 0;
  #wanted: number = MAGIC_BYTES;
  #hasChecksum = false;
  #blocks = 0;

  /** Whether the next byte begins a frame. */
  get isBetween(): boolean {
    return this.#expected === 'magic' && this.#gathered === 0 && this.#passing === 0;
  }

  /** Goes on to the end of the frame or of the piece, over some blocks at most. Returns where that is. */
  walk(piece: Uint8Array, from: number): number {
    let at = from;
    this.#blocks = 0;
    while (at < piece.length) {
      if (this.#passing > 0) {
        const bytes = Math.min(this.#passing, piece.length - at);
        this.#passing -= bytes;
        at += bytes;
      } else {
        this.#value += (piece[at++] as number) * 2 ** (8 * this.#gathered++);
        if (this.#gathered === this.#wanted) this.#take(this.#value);
      }
      if (this.isBetween || this.#blocks === BLOCKS_MAX) return at;
    }
    return at;
  }

  #take(value: number): void {
    if (this.#expected === 'magic') this.#takeMagic(value);
    else if (this.#expected === 'descriptor') this.#takeDescriptor(value);
    else if (this.#expected === 'block') this.#takeBlock(value);
    else {
      this.#passing = value;
      this.#expect('magic', MAGIC_BYTES);
    }
  }

  #expect(expected: Expected, bytes: number): void {
    this.#expected = expected;
    this.#wanted = bytes;
    this.#gathered = 0;
    this.#value = 0;
  }

  #takeMagic(value: number): void {
    if (value === MAGIC) this.#expect('descriptor', 1);
    else if ((value & SKIPPABLE_MASK) >>> 0 === SKIPPABLE_MAGIC) this.#expect('skippable bytes', 4);
    else throw new RangeError('there is something else behind a frame');
  }

  #takeDescriptor(value: number): void {
    const isSingle = (value & 0x20) !== 0;
    const sizeBytes = value >> 6 === 0 && isSingle ? 1 : (SIZE_BYTES[value >> 6] as number);
    this.#hasChecksum = (value & 4) !== 0;
    this.#passing = (isSingle ? 0 : 1) + (DICTIONARY_BYTES[value & 3] as number) + sizeBytes;
    this.#expect('block', 3);
  }

  #takeBlock(value: number): void {
    const type = (value >> 1) & 3;
    if (type === BLOCK_RESERVED) throw new RangeError('there is a block of no known type');
    const isLast = (value & 1) !== 0;
    this.#blocks++;
    this.#passing = type === BLOCK_REPEATED ? 1 : value >> 3;
    if (!isLast) this.#expect('block', 3);
    else {
      this.#passing += this.#hasChecksum ? CHECKSUM_BYTES : 0;
      this.#expect('magic', MAGIC_BYTES);
    }
  }
}

/**
 * Yields the same bytes, in pieces of which none has bytes of two frames, or becomes more than about 2 MiB.
 *
 * @param title what errors call it
 * @throws VarveError `CORRUPT` where it ends in the middle of a frame, or what is behind one is none
 */
export async function* cutAtFrames(
  pieces: AsyncIterable<Uint8Array>,
  title: string,
): AsyncGenerator<Uint8Array, void, undefined> {
  const walk = new FrameWalk();
  for await (const piece of pieces) {
    for (let at = 0; at < piece.length; ) {
      const from = at;
      try {
        at = walk.walk(piece, from);
      } catch (error) {
        if (error instanceof RangeError) throw corrupt(title, error.message);
        throw error;
      }
      yield piece.subarray(from, at);
    }
  }
  if (!walk.isBetween) throw corrupt(title, 'unexpected end of file');
}

function corrupt(title: string, reason: string): VarveError {
  return new VarveError('CORRUPT', `cannot decompress ${title}: ${reason}`, { file: title });
}
