/**
 * What a codec is: bytes in, fewer bytes out, and back within a bound.
 *
 * Compressed bytes come from a disk that may rot, or from a client that may lie. A few of them can stand for
 * gigabytes. So whoever expands says how much it may become; what claims more is refused before anything is
 * decoded, and what turns out to be more is given up on the way there.
 *
 * @module
 */

import type { Transform } from 'node:stream';
import { VarveError } from '../errors.ts';

/** The codecs that Kafka knows, by their names there, but for `none`. */
export type CodecName = 'gzip' | 'snappy' | 'lz4' | 'zstd';

/** All of them: with `deflate`, which is what gzip packs with, for blocks that have a checksum of their own. */
export type AnyCodecName = CodecName | 'deflate';

export interface Codec<Name extends AnyCodecName = CodecName> {
  readonly name: Name;
  /**
   * Compresses bytes, on this thread.
   *
   * @param bytes may lie in shared memory; they must not change meanwhile
   * @param level for codecs that have levels; its own default unless given
   */
  compress(bytes: Uint8Array, level?: number): Uint8Array;
  /**
   * Expands bytes, on this thread.
   *
   * @param bytes what `compress` made, here or elsewhere: one frame, or several end to end
   * @param maxBytes the most that they may become
   * @throws VarveError `CORRUPT` where they are broken, cut off, or would become more
   */
  expand(bytes: Uint8Array, maxBytes: number): Uint8Array;
}

/** A codec that can expand a stream, too, whose length nobody knows. */
export interface StreamingCodec extends Codec {
  /** Takes compressed bytes, and gives out what they become. Bytes of two frames must not come in one piece. */
  createDecoder(): Transform;
}

/** The levels of a codec: more is smaller and slower. */
export interface Levels {
  readonly least: number;
  readonly greatest: number;
  readonly usual: number;
}

/** The error for bytes that do not expand. */
export function broken(name: AnyCodecName, reason: string, cause?: unknown): VarveError {
  const details = cause === undefined ? {} : { cause };
  return new VarveError('CORRUPT', `the bytes do not expand with ${name}: ${reason}`, details);
}

/** The error for bytes that are, or claim to be, too much. */
export function tooLarge(name: AnyCodecName, maxBytes: number): VarveError {
  return broken(name, `they would become more than ${maxBytes} bytes`);
}

/** Puts parts end to end; a single one is returned as it is. */
export function concatenated(parts: readonly Uint8Array[]): Uint8Array {
  return parts.length === 1 ? (parts[0] as Uint8Array) : Buffer.concat(parts);
}

/** Says why something that another's code threw was thrown. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
