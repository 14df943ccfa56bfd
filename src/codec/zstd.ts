/**
 * Zstandard (RFC 8878): from Node.js itself where it has it, else from the package `@cloudpss/zstd`. Which of
 * the two, `packages.ts` decides.
 *
 * @module
 */

import * as zlib from 'node:zlib';
import { VarveError } from '../errors.ts';
import { broken, type Codec, concatenated, type Levels, reasonOf, tooLarge } from './codec.ts';
import { type ZstdFrame, zstdFrames } from './zstd-frames.ts';

/** On text of logs the lowest level is the fastest, and in batches of this size as small as the usual one. */
export const ZSTD_LEVELS: Levels = { least: 1, greatest: 22, usual: 1 };

/** What is used of the package: the functions below those that it documents, which have no bound but 1 GiB. */
export interface ZstdPackage {
  _NapiBindings: {
    compress(bytes: Buffer, level: number): Uint8Array;
    /** @param maxBytes the first length that is too much */
    decompress(bytes: Buffer, maxBytes: number): Uint8Array;
    Decompressor: new () => {
      data(bytes: Buffer, take: (part: Uint8Array) => void): void;
      end(take: (part: Uint8Array) => void): void;
    };
  };
}

/** What newer lines of Node.js add to their zlib. */
interface NewerZlib {
  zstdCompressSync?: (bytes: Uint8Array, options: { params: Record<number, number> }) => Uint8Array;
  zstdDecompressSync?: (
    bytes: Uint8Array,
    options: { maxOutputLength: number; chunkSize: number },
  ) => Uint8Array;
}

/** The number of the parameter, `ZSTD_c_compressionLevel`, which the types of older lines lack. */
const LEVEL_PARAMETER = 100;
const PIECE_BYTES_MIN = 1024;
const PIECE_BYTES_MAX = 1024 * 1024;

/** What is handed to the package at once, of a frame that does not say how long it is. */
const FEED_BYTES = 1024;

/** Expands one frame to at most so many bytes; `declared` is what it says. */
type ExpandFrame = (frame: Uint8Array, maxBytes: number, declared: number | undefined) => Uint8Array;

function createCodec(compress: Codec['compress'], expandFrame: ExpandFrame): Codec {
  return {
    name: 'zstd',
    compress,
    expand(bytes, maxBytes) {
      const frames = zstdFrames(bytes);
      const declared = frames.reduce((sum, frame) => sum + (frame.declared ?? 0), 0);
      if (declared > maxBytes) throw tooLarge('zstd', maxBytes);
      let left = maxBytes;
      return concatenated(
        frames.map((frame) => {
          const part = expandOne(bytes, frame, left, expandFrame);
          left -= part.length;
          if (left < 0) throw tooLarge('zstd', maxBytes);
          return part;
        }),
      );
    },
  };
}

function expandOne(bytes: Uint8Array, frame: ZstdFrame, maxBytes: number, expand: ExpandFrame): Uint8Array {
  const { start, end, declared, most } = frame;
  if (declared === 0) return new Uint8Array(0);
  // What it says has been looked at; it cannot become more than its blocks can, whatever it says.
  const bound = Math.max(1, Math.min(maxBytes, declared ?? most, most));
  const part = expand(bytes.subarray(start, end), bound, declared);
  if (declared !== undefined && part.length !== declared) {
    throw broken('zstd', 'a frame is not as long as it says');
  }
  return part;
}

/** The codec of Node.js; undefined where this one has none. */
export function createBuiltInZstd(from: NewerZlib = zlib as NewerZlib): Codec | undefined {
  const { zstdCompressSync, zstdDecompressSync } = from;
  if (zstdCompressSync === undefined || zstdDecompressSync === undefined) return undefined;
  return createCodec(
    (bytes, level = ZSTD_LEVELS.usual) => zstdCompressSync(bytes, { params: { [LEVEL_PARAMETER]: level } }),
    (frame, maxBytes) => {
      const chunkSize = Math.max(PIECE_BYTES_MIN, Math.min(maxBytes, PIECE_BYTES_MAX));
      try {
        return zstdDecompressSync(frame, { maxOutputLength: maxBytes, chunkSize });
      } catch (error) {
        if (error instanceof RangeError) throw tooLarge('zstd', maxBytes);
        throw broken('zstd', reasonOf(error), error);
      }
    },
  );
}

/** The package takes nothing but a Buffer. */
function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** The codec of the package. */
export function createPackagedZstd({ _NapiBindings: zstd }: ZstdPackage): Codec {
  return createCodec(
    (bytes, level = ZSTD_LEVELS.usual) => zstd.compress(bufferOf(bytes), level),
    (frame, maxBytes, declared) => {
      try {
        if (declared !== undefined) return zstd.decompress(bufferOf(frame), maxBytes + 1);
        return expandInParts(zstd, bufferOf(frame), maxBytes);
      } catch (error) {
        if (error instanceof VarveError) throw error;
        throw broken('zstd', reasonOf(error), error);
      }
    },
  );
}

/** Expands a frame that does not say how long it is. The package would make room for all that it could be. */
function expandInParts(zstd: ZstdPackage['_NapiBindings'], frame: Buffer, maxBytes: number): Uint8Array {
  const decoder = new zstd.Decompressor();
  const parts: Uint8Array[] = [];
  let bytes = 0;
  const take = (part: Uint8Array): void => {
    bytes += part.length;
    // What is too much is not kept.
    if (bytes <= maxBytes) parts.push(part);
  };
  for (let at = 0; at < frame.length && bytes <= maxBytes; at += FEED_BYTES) {
    decoder.data(frame.subarray(at, at + FEED_BYTES), take);
  }
  if (bytes <= maxBytes) decoder.end(take);
  if (bytes > maxBytes) throw tooLarge('zstd', maxBytes);
  return parts.length === 0 ? new Uint8Array(0) : concatenated(parts);
}
