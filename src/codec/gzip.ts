/**
 * Gzip (RFC 1952), which Node.js always has. Members end to end are one text, as the RFC says.
 *
 * @module
 */

import { gunzipSync, gzipSync } from 'node:zlib';
import { broken, type Codec, type Levels, reasonOf, tooLarge } from './codec.ts';

export const GZIP_LEVELS: Levels = { least: 1, greatest: 9, usual: 6 };

/** Below this zlib refuses to work in pieces; above that, pieces only take memory. */
const PIECE_BYTES_MIN = 1024;
const PIECE_BYTES_MAX = 1024 * 1024;
/** A member has a header of 10 bytes, two bytes of deflate at least, and a trailer of 8. */
const MEMBER_BYTES_MIN = 20;
/** Deflate makes no more than this of a byte. */
const EXPANSION_MAX = 1032;

/** What the last member says that it expands to, as a hint only: it is one of several, and modulo 2^32. */
function hint(bytes: Uint8Array, maxBytes: number): number {
  const trailer = new DataView(bytes.buffer, bytes.byteOffset + bytes.length - 4);
  const most = Math.min(maxBytes, bytes.length * EXPANSION_MAX);
  const size = Math.min(trailer.getUint32(0, true), most);
  return Math.max(PIECE_BYTES_MIN, Math.min(size, PIECE_BYTES_MAX));
}

export const gzip: Codec = {
  name: 'gzip',
  compress: (bytes, level = GZIP_LEVELS.usual) => gzipSync(bytes, { level }),
  expand(bytes, maxBytes) {
    if (bytes.length < MEMBER_BYTES_MIN) throw broken('gzip', 'they are cut off');
    try {
      return gunzipSync(bytes, { maxOutputLength: maxBytes, chunkSize: hint(bytes, maxBytes) });
    } catch (error) {
      if (error instanceof RangeError) throw tooLarge('gzip', maxBytes);
      throw broken('gzip', reasonOf(error), error);
    }
  },
};
