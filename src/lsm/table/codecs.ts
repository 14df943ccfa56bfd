/**
 * How blocks are compressed. The number of a codec is part of the format; 0 is none, so that zeros are no block.
 * What a block may expand to is stated in the block and bounded, so that a damaged or hostile one cannot take
 * the memory.
 *
 *     compressed block:  length of what it expands to, u32 | compressed bytes
 *
 * @module
 */

import * as zlib from 'node:zlib';
import { VarveError } from '../../errors.ts';
import { KEY_ROOM_BYTES, LARGE_ENTRY_BYTES } from '../../memory/table-layout.ts';

/** A block as it is. */
export const CODEC_NONE = 1;

/** What may be asked for when a table is written. */
export type Compression = 'none' | 'deflate' | 'zstd';

/** A block of data has at most so many bytes when it is not compressed, unless it is one large entry. */
export const EXPANDED_BYTES_MAX: number = 2 * LARGE_ENTRY_BYTES + KEY_ROOM_BYTES;

const LENGTH_BYTES = 4;

interface Codec {
  readonly name: string;
  /** What is missing where it cannot be used. */
  readonly missing: string;
  readonly compress: ((bytes: Uint8Array) => Uint8Array) | undefined;
  readonly expand: ((bytes: Uint8Array, length: number) => Uint8Array) | undefined;
}

/** What newer lines of Node add to their zlib. */
interface NewerZlib {
  zstdCompressSync?: (bytes: Uint8Array) => Uint8Array;
  zstdDecompressSync?: (bytes: Uint8Array, options: { maxOutputLength: number }) => Uint8Array;
}

const { zstdCompressSync, zstdDecompressSync } = zlib as NewerZlib;

const CODECS: ReadonlyMap<number, Codec> = new Map([
  [
    2,
    {
      name: 'deflate',
      missing: '',
      compress: (bytes) => zlib.deflateRawSync(bytes, { level: 1 }),
      expand: (bytes, length) => zlib.inflateRawSync(bytes, { maxOutputLength: length }),
    },
  ],
  [
    3,
    {
      name: 'zstd',
      missing: 'Node 22.15, or 23.8, or later',
      compress: zstdCompressSync,
      expand:
        zstdDecompressSync &&
        ((bytes: Uint8Array, length: number): Uint8Array =>
          zstdDecompressSync(bytes, { maxOutputLength: length })),
    },
  ],
  [4, { name: 'lz4', missing: 'a build of varve with lz4', compress: undefined, expand: undefined }],
] satisfies [number, Codec][] as [number, Codec][]);

/**
 * The number of a codec that is to be written with.
 *
 * @throws VarveError `UNSUPPORTED` where this Node cannot
 */
export function codecNumber(compression: Compression): number {
  if (compression === 'none') return CODEC_NONE;
  for (const [number, codec] of CODECS) {
    if (codec.name !== compression) continue;
    if (codec.compress !== undefined) return number;
    throw new VarveError('UNSUPPORTED', `compression with ${codec.name} needs ${codec.missing}`);
  }
  throw new RangeError(`there is no compression ${compression as string}`);
}

/** The name of a codec, for people. */
export function codecName(number: number): string {
  return number === CODEC_NONE ? 'none' : (CODECS.get(number)?.name ?? `unknown (${number})`);
}

/**
 * Compresses a block.
 *
 * @param bytes the block; it is not kept
 * @returns what to store instead, or undefined where that is not shorter by an eighth
 */
export function compressBlock(codec: number, bytes: Uint8Array): Uint8Array | undefined {
  const compress = CODECS.get(codec)?.compress;
  if (compress === undefined || bytes.length > EXPANDED_BYTES_MAX) return undefined;
  const compressed = compress(bytes);
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
export function expandBlock(codec: number, stored: Uint8Array, file: string, position: number): Uint8Array {
  const { name, missing, expand } = CODECS.get(codec) ?? { name: codecName(codec), missing: 'a newer varve' };
  if (expand === undefined) {
    const message = `the block at position ${position} of ${file} is compressed with ${name}, which needs ${missing}`;
    throw new VarveError('UNSUPPORTED', message, { file, position });
  }
  const length = expandedBytes(stored);
  let cause: unknown;
  if (length !== undefined) {
    try {
      const expanded = expand(stored.subarray(LENGTH_BYTES), length);
      if (expanded.length === length) return expanded;
    } catch (error) {
      cause = error;
    }
  }
  const message = `the block at position ${position} of ${file} does not expand (${name})`;
  throw new VarveError('CORRUPT', message, { file, position, cause });
}
