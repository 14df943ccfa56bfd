/** What a caller can ask of `read` and `batches`, checked. */

import { booleanOption, checkInteger, checkOptions } from '../options.ts';

export interface ReadOptions {
  /** The first offset to be read; the first of the log unless given. */
  fromOffset?: number;
  /** The offset behind the last one to be read. */
  toOffset?: number;
  /** Only records with this timestamp or a later one (milliseconds since the epoch). */
  fromTimestamp?: number;
  /** Only records with an earlier timestamp. */
  toTimestamp?: number;
  /** How many records at most. */
  limit?: number;
  /** Wait at the end for more, until the signal aborts or the log closes. */
  follow?: boolean;
  signal?: AbortSignal;
}

export interface ResolvedReadOptions {
  fromOffset: number | undefined;
  toOffset: number;
  fromTimestamp: number;
  toTimestamp: number;
  limit: number;
  follow: boolean;
  signal: AbortSignal | undefined;
}

const NAMES = ['fromOffset', 'toOffset', 'fromTimestamp', 'toTimestamp', 'limit', 'follow', 'signal'];
const MAX = Number.MAX_SAFE_INTEGER;

/**
 * Checks read options and fills in the defaults.
 *
 * @throws TypeError, RangeError with the name of the option that is wrong
 */
export function resolveReadOptions(options: ReadOptions = {}): ResolvedReadOptions {
  checkOptions('read options', options, NAMES);
  const { fromOffset, toOffset, fromTimestamp, toTimestamp, limit, signal } = options;
  if (signal !== undefined && !(signal instanceof AbortSignal))
    throw new TypeError('signal must be an AbortSignal');
  return {
    fromOffset: fromOffset === undefined ? undefined : checkInteger('fromOffset', fromOffset, 0, MAX),
    toOffset: toOffset === undefined ? Infinity : checkInteger('toOffset', toOffset, 0, MAX),
    fromTimestamp:
      fromTimestamp === undefined ? -Infinity : checkInteger('fromTimestamp', fromTimestamp, -MAX, MAX),
    toTimestamp: toTimestamp === undefined ? Infinity : checkInteger('toTimestamp', toTimestamp, -MAX, MAX),
    limit: limit === undefined ? Infinity : checkInteger('limit', limit, 0, MAX),
    follow: booleanOption('follow', options.follow, false),
    signal,
  };
}
