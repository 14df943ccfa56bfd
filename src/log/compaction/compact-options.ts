/** What a caller can ask of `compact` and `deduplicate`, checked. */

import { booleanOption, checkInteger, checkOptions } from '../../options.ts';
import type { CompactionRequest } from './compactor.ts';

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
  /** How many records one may lie behind the other at most to be noticed for certain. */
  withinRecords: number;
  /** Only say what would go. */
  dryRun?: boolean;
  signal?: AbortSignal;
  /** Told after each step how many bytes were read, of about how many. */
  onProgress?: (doneBytes: number, totalBytes: number) => void;
}

const SHARED = ['dryRun', 'signal', 'onProgress'];
const WITHIN_MAX = 2 ** 30;

function resolveShared(
  options: Pick<CompactOptions, 'dryRun' | 'signal' | 'onProgress'>,
): Omit<CompactionRequest, 'force' | 'duplicatesWithin'> {
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
  return { ...resolveShared(options), force, duplicatesWithin: undefined };
}

/** @throws TypeError, RangeError with the name of the option that is wrong */
export function resolveDeduplicateOptions(options: DeduplicateOptions): CompactionRequest {
  checkOptions('deduplicate options', options, ['withinRecords', ...SHARED]);
  const duplicatesWithin = checkInteger('withinRecords', options.withinRecords, 1, WITHIN_MAX);
  return { ...resolveShared(options), force: true, duplicatesWithin };
}
