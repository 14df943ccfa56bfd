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
  /**
   * `append` (default): before they are written. `seal`: what is written is plain, and a thread compresses each
   * segment once it is sealed, as a task of maintenance.
   */
  when?: CompressionTime;
}

/** When batches are compressed. */
export type CompressionTime = 'append' | 'seal';

export interface ResolvedCompression {
  codec: Compression;
  level: number | undefined;
  when: CompressionTime;
}

const TIMES: readonly CompressionTime[] = ['append', 'seal'];
const COMPRESSIONS: readonly Compression[] = ['none', ...CODEC_NAMES];

/**
 * Checks the option and fills in the defaults.
 *
 * @throws TypeError, RangeError with the name of the field that is wrong
 */
export function resolveCompression(asked: Compression | CompressionOptions = 'none'): ResolvedCompression {
  const options = typeof asked === 'string' ? { codec: asked } : asked;
  checkOptions('compression', options, ['codec', 'level', 'when']);
  const codec = checkOneOf(
    typeof asked === 'string' ? 'compression' : 'compression.codec',
    options.codec,
    COMPRESSIONS,
  );
  const when = checkOneOf('compression.when', options.when ?? 'append', TIMES);
  if (codec === 'none' && when === 'seal') throw new RangeError('compression.when: none compresses nothing');
  const levels = codec === 'none' ? undefined : CODEC_LEVELS[codec];
  if (options.level === undefined) return { codec, level: levels?.usual, when };
  if (levels === undefined) throw new RangeError(`compression.level: ${codec} has no levels`);
  return {
    codec,
    level: checkInteger('compression.level', options.level, levels.least, levels.greatest),
    when,
  };
}

/** What sealed segments are compressed with; undefined where that is not done. */
export function sealedCodec({
  codec,
  level,
  when,
}: ResolvedCompression): { codec: CodecName; level: number | undefined } | undefined {
  return codec === 'none' || when === 'append' ? undefined : { codec, level };
}
