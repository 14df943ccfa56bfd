/**
 * How blocks are compressed: which codec has which number in a file, and how its bytes are framed. The codecs
 * themselves are those of `codec/`. 0 is none, so that zeros are no block. What a block may expand to is stated
 * in the block and bounded, so that a damaged or hostile one cannot take the memory.
 *
 *     compressed block:  length of what it expands to, u32 | compressed bytes
 *
 * Blocks are read on the spot, and codecs are loaded when they are needed first: so a table says which one it has
 * been written with, and whoever opens it has that loaded (`settleTable`).
 *
 * @module
 */

import type { AnyCodecName } from '../../codec/codec.ts';
import { type CodecRegistry, codecs } from '../../codec/registry.ts';
import { isVarveError, VarveError } from '../../errors.ts';
import { KEY_ROOM_BYTES, LARGE_ENTRY_BYTES } from '../../memory/table-layout.ts';

/** A block as it is. */
export const CODEC_NONE = 1;

/** What may be asked for when a table is written. */
export type Compression = 'none' | 'deflate' | 'zstd' | 'lz4';

/** In the order of their numbers, the first of which is 1. */
export const COMPRESSIONS: readonly Compression[] = ['none', 'deflate', 'zstd', 'lz4'];

/** A block of data has at most so many bytes when it is not compressed, unless it is one large entry. */
export const EXPANDED_BYTES_MAX: number = 2 * LARGE_ENTRY_BYTES + KEY_ROOM_BYTES;

const LENGTH_BYTES = 4;

function codecOf(number: number): AnyCodecName | undefined {
  const name = COMPRESSIONS[number - CODEC_NONE];
  return name === undefined || name === 'none' ? undefined : name;
}

/** The number of a compression. */
export function codecNumber(compression: Compression): number {
  return CODEC_NONE + COMPRESSIONS.indexOf(compression);
}

/** The name of a codec, for people. */
export function codecName(number: number): string {
  return COMPRESSIONS[number - CODEC_NONE] ?? `unknown (${number})`;
}

/**
 * Loads what compresses, before anything is written with it.
 *
 * @throws VarveError `UNSUPPORTED` where it is not to be had; it says what is missing
 */
export async function loadCompression(
  compression: Compression,
  registry: CodecRegistry = codecs,
): Promise<void> {
  if (compression !== 'none') await registry.load(compression);
}

/**
 * Loads what a table is read with. Where that is not to be had, the blocks that need it say so.
 *
 * @param codec what the table says of itself; those of earlier builds say nothing, and knew what Node.js has
 */
export async function settleTable(
  codec: number | undefined,
  registry: CodecRegistry = codecs,
): Promise<void> {
  const name = codec === undefined ? 'zstd' : codecOf(codec);
  if (name !== undefined) await registry.settle(name);
}

/**
 * What tables are written with where that was asked for once, perhaps on another machine: nothing, where what
 * compresses is not to be had here.
 *
 * @param compression whose codec was settled
 */
export function compressionHere(compression: Compression): Compression {
  return compression === 'none' || codecs.has(compression) ? compression : 'none';
}

/**
 * Compresses a block.
 *
 * @param codec a number whose codec has been loaded
 * @param bytes the block; it is not kept
 * @returns what to store instead, or undefined where that is not shorter by an eighth
 * @throws VarveError `UNSUPPORTED`
 */
export function compressBlock(codec: number, bytes: Uint8Array): Uint8Array | undefined {
  const name = codecOf(codec);
  if (name === undefined || bytes.length > EXPANDED_BYTES_MAX) return undefined;
  const compressed = codecs.settled(name).compress(bytes);
  if (compressed.length + LENGTH_BYTES > bytes.length - (bytes.length >> 3)) return undefined;
  const stored = new Uint8Array(LENGTH_BYTES + compressed.length);
  new DataView(stored.buffer).setUint32(0, bytes.length, true);
  stored.set(compressed, LENGTH_BYTES);
  return stored;
}

/** What a compressed block says that it expands to; undefined where that cannot be. */
export function expandedBytes(stored: Uint8Array): number | undefined {
  if (stored.length <= LENGTH_BYTES) return undefined;
  const length = new DataView(stored.buffer, stored.byteOffset).getUint32(0, true);
  return length === 0 || length > EXPANDED_BYTES_MAX ? undefined : length;
}

/**
 * Expands a block.
 *
 * @param file and position say where it is, for errors
 * @throws VarveError `UNSUPPORTED` where the codec is missing, `CORRUPT` where the bytes are none of its
 */
export function expandBlock(
  codec: number,
  stored: Uint8Array,
  file: string,
  position: number,
  registry: CodecRegistry = codecs,
): Uint8Array {
  const name = codecOf(codec);
  const where = `the block at position ${position} of ${file}`;
  if (name === undefined) {
    const message = `${where} is compressed with ${codecName(codec)}, which needs a newer varve`;
    throw new VarveError('UNSUPPORTED', message, { file, position });
  }
  const length = expandedBytes(stored);
  let cause: unknown;
  if (length !== undefined) {
    try {
      const expanded = registry.settled(name).expand(stored.subarray(LENGTH_BYTES), length);
      if (expanded.length === length) return expanded;
    } catch (error) {
      if (isVarveError(error, 'UNSUPPORTED')) {
        throw new VarveError('UNSUPPORTED', `${where}: ${error.message}`, { file, position, cause: error });
      }
      cause = error;
    }
  }
  throw new VarveError('CORRUPT', `${where} does not expand (${name})`, { file, position, cause });
}
