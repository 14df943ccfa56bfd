/**
 * How the batches of a log are to be compressed.
 *
 * @module
 */

import type { CodecName } from '../codec/codec.ts';
import { CODEC_LEVELS, CODEC_NAMES } from '../codec/registry.ts';
import { checkInteger, checkOneOf, checkOptions } from '../options.ts';

/** What batches are compressed with; the names are Kafka's. */
export type Compression = CodecName | 'none';

export interface CompressionOptions {
  codec: Compression;
  /** More is smaller and slower: gzip 1 to 9 (6), zstd 1 to 22 (3). The others have none. */
  level?: number;
}

export interface ResolvedCompression {
  codec: Compression;
  level: number | undefined;
}

const COMPRESSIONS: readonly Compression[] = ['none', ...CODEC_NAMES];

/**
 * Checks the option and fills in the defaults.
 *
 * @throws TypeError, RangeError with the name of the field that is wrong
 */
export function resolveCompression(asked: Compression | CompressionOptions = 'none'): ResolvedCompression {
  const options = typeof asked === 'string' ? { codec: asked } : asked;
  checkOptions('compression', options, ['codec', 'level']);
  const codec = checkOneOf(
    typeof asked === 'string' ? 'compression' : 'compression.codec',
    options.codec,
    COMPRESSIONS,
  );
  const levels = codec === 'none' ? undefined : CODEC_LEVELS[codec];
  if (options.level === undefined) return { codec, level: levels?.usual };
  if (levels === undefined) throw new RangeError(`compression.level: ${codec} has no levels`);
  return {
    codec,
    level: checkInteger('compression.level', options.level, levels.least, levels.greatest),
  };
}
