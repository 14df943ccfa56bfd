/**
 * Deflate (RFC 1951) without a header or a checksum, which Node.js always has: for what has both already.
 *
 * @module
 */

import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { broken, type Codec, reasonOf, tooLarge } from './codec.ts';

/** Blocks are small and written once for many times that they are read: the fastest level. */
const LEVEL = 1;

export const deflate: Codec<'deflate'> = {
  name: 'deflate',
  compress: (bytes, level = LEVEL) => deflateRawSync(bytes, { level }),
  expand(bytes, maxBytes) {
    try {
      return inflateRawSync(bytes, { maxOutputLength: maxBytes });
    } catch (error) {
      if (error instanceof RangeError) throw tooLarge('deflate', maxBytes);
      throw broken('deflate', reasonOf(error), error);
    }
  },
};
