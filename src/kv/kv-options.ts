/** The options of a store of keys: what they are, their defaults, and that they make sense. */

import type { TreeOptions } from '../lsm/tree-options.ts';
import { checkOneOf, checkOptions, integerOption } from '../options.ts';
import { KEYS, type KvKeys, type KvValues, VALUES } from './codecs.ts';

/**
 * How keys that have expired are removed. All of them are hidden at once, and dropped when tables are merged.
 *
 * - `lazy`: nothing else is done.
 * - `eager`: each is in an index by time, and removed in the background soon after it is due.
 * - `hybrid`: those with a long time to live are in an index of whole minutes and are removed in large batches;
 *   the others as with `lazy`.
 */
export type ExpiryMode = 'lazy' | 'eager' | 'hybrid';

/**
 * What is done when a store has `maxBytes`, with the names that Redis has for it: refuse to write; or remove keys
 * that were not used for long, of all or of those that expire; those that expire next; or any.
 */
export type EvictionPolicy =
  | 'noeviction'
  | 'allkeys-lru'
  | 'volatile-lru'
  | 'volatile-ttl'
  | 'allkeys-random';

export interface KvOptions {
  /** What values are: `bytes` unless given. It is kept with the store; `stored` takes what was kept. */
  values?: KvValues | 'stored';
  /** What keys are handed out as: strings (`utf8`) unless given. They are always taken as both. */
  keys?: KvKeys;
  /** How keys that have expired are removed; `hybrid` unless given. */
  expiry?: ExpiryMode;
  /** With `hybrid`: what is a long time to live, in milliseconds; 60,000 unless given. */
  longTtlMs?: number;
  /** How long expired keys wait until a batch of them is removed; 10,000 ms, with `eager` 100 ms, unless given. */
  sweepIntervalMs?: number;
  /** Which share of the time removing may take, in percent; 25 unless given. */
  sweepPercent?: number;
  /** What keys and values may have together, in bytes; no limit unless given. */
  maxBytes?: number;
  /** What happens at that limit; `noeviction` unless given. */
  eviction?: EvictionPolicy;
  /** How the values are kept in memory and on the disk. */
  tree?: TreeOptions;
}

export interface ResolvedKvOptions {
  values: KvValues | 'stored';
  keys: KvKeys;
  expiry: ExpiryMode;
  longTtlMs: number;
  sweepIntervalMs: number;
  sweepShare: number;
  maxBytes: number | undefined;
  eviction: EvictionPolicy;
  tree: TreeOptions;
}

const MODES: readonly ExpiryMode[] = ['lazy', 'eager', 'hybrid'];
const POLICIES: readonly EvictionPolicy[] = [
  'noeviction',
  'allkeys-lru',
  'volatile-lru',
  'volatile-ttl',
  'allkeys-random',
];
const NAMES = [
  'values',
  'keys',
  'expiry',
  'longTtlMs',
  'sweepIntervalMs',
  'sweepPercent',
  'maxBytes',
  'eviction',
  'tree',
];
const DAY_MS = 24 * 3600 * 1000;

/**
 * Checks options and fills in the defaults.
 *
 * @throws TypeError, RangeError with the name of the option that is wrong
 */
export function resolveKvOptions(options: KvOptions): ResolvedKvOptions {
  checkOptions('options', options, NAMES);
  const expiry = checkOneOf('expiry', options.expiry ?? 'hybrid', MODES);
  const eviction = checkOneOf('eviction', options.eviction ?? 'noeviction', POLICIES);
  if (options.maxBytes === undefined && options.eviction !== undefined && eviction !== 'noeviction') {
    throw new TypeError('eviction needs maxBytes');
  }
  return {
    values: checkOneOf('values', options.values ?? 'bytes', [...VALUES, 'stored']),
    keys: checkOneOf('keys', options.keys ?? 'utf8', KEYS),
    expiry,
    longTtlMs: integerOption('longTtlMs', options.longTtlMs, 60_000, 0),
    sweepIntervalMs: integerOption(
      'sweepIntervalMs',
      options.sweepIntervalMs,
      expiry === 'eager' ? 100 : 10_000,
      1,
      DAY_MS,
    ),
    sweepShare: integerOption('sweepPercent', options.sweepPercent, 25, 1, 100) / 100,
    maxBytes: options.maxBytes === undefined ? undefined : integerOption('maxBytes', options.maxBytes, 0, 1),
    eviction,
    tree: options.tree ?? {},
  };
}
