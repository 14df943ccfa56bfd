/** What a caller can ask of `compact`, `deduplicate` and `recompress`, checked. */

import { KEY_MAP_BYTES_MIN } from '../../limits.ts';
import { booleanOption, checkInteger, checkOptions } from '../../options.ts';
import type { CompactionRequest } from './compaction-run.ts';
import type { RecompressionRequest } from './recompressor.ts';

export interface CompactOptions {
  /** Compact all that may be touched, whether it is time or not. */
  force?: boolean;
  /** Only say what would go. */
  dryRun?: boolean;
  signal?: AbortSignal;
  /** Told after each step how many bytes were read, of about how many. */
  onProgress?: (doneBytes: number, totalBytes: number) => void;
}

export interface DeduplicateOptions {
  /** How many records one may lie behind the last that was the same, to be one too many. */
  withinRecords: number;
  /** Memory for records while they are compared; that of the log unless given, 64 MiB. What does not fit takes another pass. */
  keyMapBytes?: number;
  /** Only say what would go. */
  dryRun?: boolean;
  signal?: AbortSignal;
  /** Told after each step how many bytes were read, of about how many. */
  onProgress?: (doneBytes: number, totalBytes: number) => void;
}

export interface RecompressOptions {
  /** Look again at segments that could not be read before. */
  force?: boolean;
  /** Only say what would be compressed, and what that would save. */
  dryRun?: boolean;
  /** After so long, begin with no other segment: the next call goes on. As long as it takes unless given. */
  budgetMs?: number;
  signal?: AbortSignal;
  /** Told after each segment how many bytes were looked at, of how many. */
  onProgress?: (doneBytes: number, totalBytes: number) => void;
}

const SHARED = ['dryRun', 'signal', 'onProgress'];
const WITHIN_MAX = 2 ** 30;

function resolveShared(
  options: Pick<CompactOptions, 'dryRun' | 'signal' | 'onProgress'>,
): Pick<RecompressionRequest, 'dryRun' | 'signal' | 'onProgress'> {
  const { signal, onProgress } = options;
  if (signal !== undefined && !(signal instanceof AbortSignal))
    throw new TypeError('signal must be an AbortSignal');
  if (onProgress !== undefined && typeof onProgress !== 'function')
    throw new TypeError('onProgress must be a function');
  return { dryRun: booleanOption('dryRun', options.dryRun, false), signal, onProgress };
}

/** @throws TypeError, RangeError with the name of the option that is wrong */
export function resolveCompactOptions(options: CompactOptions): CompactionRequest {
  checkOptions('compact options', options, ['force', ...SHARED]);
  const force = booleanOption('force', options.force, false);
  return { ...resolveShared(options), force, duplicatesWithin: undefined, keyMapBytes: undefined };
}

/** @throws TypeError, RangeError with the name of the option that is wrong */
export function resolveRecompressOptions(options: RecompressOptions): RecompressionRequest {
  checkOptions('recompress options', options, ['force', 'budgetMs', ...SHARED]);
  const { budgetMs } = options;
  return {
    ...resolveShared(options),
    force: booleanOption('force', options.force, false),
    budgetMs:
      budgetMs === undefined ? Infinity : checkInteger('budgetMs', budgetMs, 1, Number.MAX_SAFE_INTEGER),
  };
}

/** @throws TypeError, RangeError with the name of the option that is wrong */
export function resolveDeduplicateOptions(options: DeduplicateOptions): CompactionRequest {
  checkOptions('deduplicate options', options, ['withinRecords', 'keyMapBytes', ...SHARED]);
  const duplicatesWithin = checkInteger('withinRecords', options.withinRecords, 1, WITHIN_MAX);
  const { keyMapBytes } = options;
  if (keyMapBytes !== undefined)
    checkInteger('keyMapBytes', keyMapBytes, KEY_MAP_BYTES_MIN, Number.MAX_SAFE_INTEGER);
  return { ...resolveShared(options), force: true, duplicatesWithin, keyMapBytes };
}
