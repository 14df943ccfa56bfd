/**
 * Zstandard (RFC 8878): from Node.js itself where it has it, else from the package `@cloudpss/zstd`. Which of
 * the two, `registry.ts` decides.
 *
 * @module
 */

import type { Transform } from 'node:stream';
import * as zlib from 'node:zlib';
import { VarveError } from '../errors.ts';
import {
  broken,
  type Codec,
  concatenated,
  type Levels,
  reasonOf,
  type StreamingCodec,
  tooLarge,
} from './codec.ts';
import { type ZstdFrame, zstdFrames } from './zstd-frames.ts';

export const ZSTD_LEVELS: Levels = { least: 1, greatest: 22, usual: 3 };

/**
 * What is used of the package: contexts of one's own. Its simple functions share one context between all
 * threads of the process, which two of them must never use at the same time.
 */
export interface ZstdPackage {
  _NapiBindings?: ZstdBindings;
  /** A stream. */
  Decompressor: new () => Transform;
}

interface ZstdBindings {
  Compressor: new (level: number) => ZstdContext;
  Decompressor: new () => ZstdContext;
}

/** Takes bytes of one frame, then its end, and goes on with the next. */
interface ZstdContext {
  data(bytes: Buffer, take: (part: Uint8Array) => void): void;
  end(take: (part: Uint8Array) => void): void;
}

/** What newer lines of Node.js add to their zlib. */
interface NewerZlib {
  zstdCompressSync?: (bytes: Uint8Array, options: { params: Record<number, number> }) => Uint8Array;
  zstdDecompressSync?: (
    bytes: Uint8Array,
    options: { maxOutputLength: number; chunkSize: number },
  ) => Uint8Array;
  createZstdDecompress?: () => Transform;
}

/** The number of the parameter, `ZSTD_c_compressionLevel`, which the types of older lines lack. */
const LEVEL_PARAMETER = 100;
const PIECE_BYTES_MIN = 1024;
const PIECE_BYTES_MAX = 1024 * 1024;

/** What is handed to the package at once, of a frame that can become too much. */
const STEP_BYTES = 1024;
/** Blocks are rarely as large as they can be: so much more than the bound is nothing to worry about. */
const STEP_SLACK_BYTES: number = 4 * 1024 * 1024;

/** Expands one frame to at most so many bytes; `most` is what its blocks can become. */
type ExpandFrame = (frame: Uint8Array, maxBytes: number, most: number) => Uint8Array;

function createCodec(
  compress: Codec['compress'],
  expandFrame: ExpandFrame,
  createDecoder: () => Transform,
): StreamingCodec {
  return {
    name: 'zstd',
    createDecoder,
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
  const part = expand(bytes.subarray(start, end), bound, most);
  if (declared !== undefined && part.length !== declared) {
    throw broken('zstd', 'a frame is not as long as it says');
  }
  return part;
}

/** The codec of Node.js; undefined where this one has none. */
export function createBuiltInZstd(from: NewerZlib = zlib as NewerZlib): StreamingCodec | undefined {
  const { zstdCompressSync, zstdDecompressSync, createZstdDecompress } = from;
  if (!zstdCompressSync || !zstdDecompressSync || !createZstdDecompress) return undefined;
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
    createZstdDecompress,
  );
}

/** The package takes nothing but a Buffer. */
function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** Compresses and expands with contexts of this thread, which are made once. */
class PackagedZstd {
  readonly #zstd: ZstdBindings;
  readonly #compressors: Map<number, ZstdContext> = new Map();
  #decompressor: ZstdContext | undefined;

  constructor(zstd: ZstdBindings) {
    this.#zstd = zstd;
  }

  compress(bytes: Uint8Array, level: number): Uint8Array {
    const context = this.#compressors.get(level) ?? new this.#zstd.Compressor(level);
    // One that fails is in the middle of a frame, and not used again.
    this.#compressors.delete(level);
    const parts: Uint8Array[] = [];
    const take = (part: Uint8Array): number => parts.push(part);
    if (bytes.length > 0) context.data(bufferOf(bytes), take);
    context.end(take);
    this.#compressors.set(level, context);
    return concatenated(parts);
  }

  /** @param most what the blocks of the frame can become */
  expand(frame: Uint8Array, maxBytes: number, most: number): Uint8Array {
    const context = this.#decompressor ?? new this.#zstd.Decompressor();
    this.#decompressor = undefined;
    const parts: Uint8Array[] = [];
    let bytes = 0;
    const take = (part: Uint8Array): void => {
      bytes += part.length;
      // What is too much is not kept.
      if (bytes <= maxBytes) parts.push(part);
    };
    // A frame that can become much more than it may is looked at after every little.
    const step = most <= maxBytes + STEP_SLACK_BYTES ? frame.length : STEP_BYTES;
    for (let at = 0; at < frame.length && bytes <= maxBytes; at += step) {
      context.data(bufferOf(frame.subarray(at, at + step)), take);
    }
    if (bytes > maxBytes) throw tooLarge('zstd', maxBytes);
    context.end(take);
    this.#decompressor = context;
    return parts.length === 0 ? new Uint8Array(0) : concatenated(parts);
  }
}

/** The codec of the package. */
export function createPackagedZstd({ _NapiBindings, Decompressor }: ZstdPackage): StreamingCodec {
  if (_NapiBindings === undefined) throw new Error('its native part is not there');
  const zstd = new PackagedZstd(_NapiBindings);
  return createCodec(
    (bytes, level = ZSTD_LEVELS.usual) => zstd.compress(bytes, level),
    (frame, maxBytes, most) => {
      try {
        return zstd.expand(frame, maxBytes, most);
      } catch (error) {
        if (error instanceof VarveError) throw error;
        throw broken('zstd', reasonOf(error), error);
      }
    },
    () => new Decompressor(),
  );
}
