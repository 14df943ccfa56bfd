/** The options of a log: what they are, their defaults, and that they make sense. */

import { isDeepStrictEqual } from 'node:util';
import {
  BATCH_BYTES_COMPRESSED_DEFAULT,
  BATCH_BYTES_DEFAULT,
  BUFFER_BYTES_COMPRESSED_DEFAULT,
  BUFFER_BYTES_DEFAULT,
  CLEANABLE_RATIO_DEFAULT,
  DELETE_RETENTION_MS_DEFAULT,
  INDEX_INTERVAL_BYTES_DEFAULT,
  KEY_MAP_BYTES_DEFAULT,
  KEY_MAP_BYTES_MIN,
  RECORD_BYTES_DEFAULT,
  RECORD_BYTES_MAX,
  ROLL_MS_DEFAULT,
  SEGMENT_BYTES_DEFAULT,
  SEGMENT_BYTES_MAX,
  SEGMENT_BYTES_MIN,
  SLAB_BYTES_MAX,
} from '../limits.ts';
import { booleanOption, checkOneOf, checkOptions, integerOption } from '../options.ts';
import {
  type Compression,
  type CompressionOptions,
  type ResolvedCompression,
  resolveCompression,
} from './compression-options.ts';
import { DIGEST_ALGORITHMS, type DigestAlgorithm } from './digest.ts';
import { type ResolvedSyncPolicy, resolveSyncPolicy, type SyncPolicy } from './sync-policy.ts';

/**
 * What recovery does about bytes that are not what was written; the names are RocksDB's.
 *
 * - `tolerateCorruptedTail` (default): a torn write at the end is cut off and kept aside; damage anywhere
 *   else refuses to open.
 * - `absoluteConsistency`: any damage, a torn tail included, refuses to open.
 * - `pointInTime`: the log ends before the first damage; what lies behind it is kept aside.
 * - `skipAnyCorrupted`: everything that is whole stays readable; reads step over the rest.
 */
export type RecoveryMode =
  | 'tolerateCorruptedTail'
  | 'absoluteConsistency'
  | 'pointInTime'
  | 'skipAnyCorrupted';

export const RECOVERY_MODES: readonly RecoveryMode[] = [
  'tolerateCorruptedTail',
  'absoluteConsistency',
  'pointInTime',
  'skipAnyCorrupted',
];

export type CleanupPolicy = 'delete' | 'compact' | 'both';

export const CLEANUP_POLICIES: readonly CleanupPolicy[] = ['delete', 'compact', 'both'];

export interface LogOptions {
  /** Which partition of the log; 0 unless given. */
  partition?: number;
  /** When to call fdatasync; `always` unless given. */
  sync?: SyncPolicy;
  /** A segment is rolled before it grows beyond this many bytes; 128 MiB unless given. */
  segmentBytes?: number;
  /** A segment is rolled when it is this old; 7 days unless given. */
  rollMs?: number;
  /** Bytes of log between two index entries; 4 KiB unless given. */
  indexIntervalBytes?: number;
  /**
   * A batch is full at this many bytes of records; 16 KiB unless given, 128 KiB where it is compressed (of segments
   * that are compressed when they are sealed, then).
   */
  batchBytes?: number;
  /** What is gathered while a flush is in flight; 1 MiB unless given, 4 MiB where it is compressed. */
  bufferBytes?: number;
  /** The largest record: key, value and headers together; 1 MiB unless given. */
  maxRecordBytes?: number;
  /** What old segments are removed by; nothing is unless given. */
  retention?: { bytes?: number; ageMs?: number };
  /**
   * What becomes of old records: `delete` (default) removes whole segments, by `retention`; `compact` keeps the newest
   * record of each key; `both` does both. Compacted logs take no record without key.
   */
  cleanup?: CleanupPolicy;
  /** How long deletions (records with a key and no value) are kept after compaction first met them; 1 day unless given. */
  deleteRetentionMs?: number;
  /** Compaction touches no segment with a younger record; 0 unless given. */
  minCompactionLagMs?: number;
  /** Compaction is due where a segment that was not compacted is older, whatever the ratio; never unless given. */
  maxCompactionLagMs?: number;
  /** Compaction is due when this share of the log was not compacted yet, from 0 to 1; 0.5 unless given. */
  minCleanableRatio?: number;
  /** The memory for keys while the log is compacted; what does not fit takes another pass. 64 MiB unless given. */
  keyMapBytes?: number;
  /** Fill the next segment with zeros ahead of its use, so that fdatasync has less to do; off unless given. */
  preallocate?: boolean;
  /** What to do about damage when the log is opened. */
  recovery?: RecoveryMode;
  /** How batches are compressed: a codec, or more about it; not at all unless given. */
  compression?: Compression | CompressionOptions;
  /** What the digests of sealed segments are made with; none are made unless given. */
  digest?: DigestAlgorithm | 'none';
  /** Reads what is sealed in the background, so that decay is noticed; not at all unless given. */
  scrub?: { bytesPerSecond: number };
}

export interface ResolvedLogOptions {
  partition: number;
  sync: ResolvedSyncPolicy;
  segmentBytes: number;
  rollMs: number;
  indexIntervalBytes: number;
  batchBytes: number;
  /** The same of segments that are rewritten. */
  sealedBatchBytes: number;
  bufferBytes: number;
  maxRecordBytes: number;
  retention: { bytes: number; ageMs: number };
  cleanup: CleanupPolicy;
  deleteRetentionMs: number;
  minCompactionLagMs: number;
  maxCompactionLagMs: number;
  minCleanableRatio: number;
  keyMapBytes: number;
  preallocate: boolean;
  recovery: RecoveryMode;
  compression: ResolvedCompression;
  digest: DigestAlgorithm | 'none';
  /** 0: not in the background. */
  scrub: { bytesPerSecond: number };
}

const OPTION_NAMES: (keyof LogOptions)[] = [
  'partition',
  'sync',
  'segmentBytes',
  'rollMs',
  'indexIntervalBytes',
  'batchBytes',
  'bufferBytes',
  'maxRecordBytes',
  'retention',
  'cleanup',
  'deleteRetentionMs',
  'minCompactionLagMs',
  'maxCompactionLagMs',
  'minCleanableRatio',
  'keyMapBytes',
  'preallocate',
  'recovery',
  'compression',
  'digest',
  'scrub',
];

const DIGESTS: readonly (DigestAlgorithm | 'none')[] = ['none', ...DIGEST_ALGORITHMS];
const BATCH_BYTES_MIN = 64;
const BATCH_BYTES_MAX = 1024 * 1024;
const BUFFER_BYTES_MIN = 64 * 1024;
const BUFFER_BYTES_MAX = 64 * 1024 * 1024;
const PARTITION_MAX = 2 ** 31 - 1;

/**
 * Checks options and fills in the defaults.
 *
 * @throws TypeError, RangeError with the name of the option that is wrong
 */
export function resolveLogOptions(options: LogOptions = {}): ResolvedLogOptions {
  checkOptions('options', options, OPTION_NAMES);
  const retention = options.retention ?? {};
  checkOptions('retention', retention, ['bytes', 'ageMs']);
  if (options.scrub !== undefined) checkOptions('scrub', options.scrub, ['bytesPerSecond']);
  const compression = resolveCompression(options.compression);
  const isPlain = compression.codec === 'none' || compression.when === 'seal';
  const batchBytes = integerOption(
    'batchBytes',
    options.batchBytes,
    isPlain ? BATCH_BYTES_DEFAULT : BATCH_BYTES_COMPRESSED_DEFAULT,
    BATCH_BYTES_MIN,
    BATCH_BYTES_MAX,
  );
  const isSealedLarger = options.batchBytes === undefined && compression.when === 'seal';
  return {
    partition: integerOption('partition', options.partition, 0, 0, PARTITION_MAX),
    sync: resolveSyncPolicy(options.sync),
    segmentBytes: integerOption(
      'segmentBytes',
      options.segmentBytes,
      SEGMENT_BYTES_DEFAULT,
      SEGMENT_BYTES_MIN,
      SEGMENT_BYTES_MAX,
    ),
    rollMs: integerOption('rollMs', options.rollMs, ROLL_MS_DEFAULT, 1),
    indexIntervalBytes: integerOption(
      'indexIntervalBytes',
      options.indexIntervalBytes,
      INDEX_INTERVAL_BYTES_DEFAULT,
      1,
      SEGMENT_BYTES_MAX,
    ),
    batchBytes,
    sealedBatchBytes: isSealedLarger ? BATCH_BYTES_COMPRESSED_DEFAULT : batchBytes,
    bufferBytes: integerOption(
      'bufferBytes',
      options.bufferBytes,
      isPlain ? BUFFER_BYTES_DEFAULT : BUFFER_BYTES_COMPRESSED_DEFAULT,
      BUFFER_BYTES_MIN,
      BUFFER_BYTES_MAX,
    ),
    maxRecordBytes: integerOption(
      'maxRecordBytes',
      options.maxRecordBytes,
      RECORD_BYTES_DEFAULT,
      1,
      RECORD_BYTES_MAX,
    ),
    retention: {
      bytes: integerOption('retention.bytes', retention.bytes, Number.MAX_SAFE_INTEGER, 0),
      ageMs: integerOption('retention.ageMs', retention.ageMs, Number.MAX_SAFE_INTEGER, 0),
    },
    ...resolveCleanup(options),
    preallocate: booleanOption('preallocate', options.preallocate, false),
    recovery: checkOneOf('recovery', options.recovery ?? 'tolerateCorruptedTail', RECOVERY_MODES),
    compression,
    digest: checkOneOf('digest', options.digest ?? 'none', DIGESTS),
    scrub: {
      bytesPerSecond: integerOption('scrub.bytesPerSecond', options.scrub?.bytesPerSecond, 0, 0),
    },
  };
}

type Cleanup = Pick<
  ResolvedLogOptions,
  | 'cleanup'
  | 'deleteRetentionMs'
  | 'minCompactionLagMs'
  | 'maxCompactionLagMs'
  | 'minCleanableRatio'
  | 'keyMapBytes'
>;

const COMPACTION_NAMES = [
  'deleteRetentionMs',
  'minCompactionLagMs',
  'maxCompactionLagMs',
  'minCleanableRatio',
  'keyMapBytes',
] as const;

/** @throws TypeError, RangeError with the name of the option that is wrong, or that does nothing with the others */
function resolveCleanup(options: LogOptions): Cleanup {
  const cleanup = checkOneOf('cleanup', options.cleanup ?? 'delete', CLEANUP_POLICIES);
  const idle = COMPACTION_NAMES.find((name) => options[name] !== undefined);
  if (cleanup === 'delete' && idle !== undefined) {
    throw new TypeError(
      `${idle} is about compaction, which cleanup 'delete' does not do: use 'compact' or 'both'`,
    );
  }
  const { retention } = options;
  if (cleanup === 'compact' && (retention?.bytes !== undefined || retention?.ageMs !== undefined)) {
    throw new TypeError(`retention removes segments, which cleanup 'compact' does not do: use 'both'`);
  }
  const minCompactionLagMs = integerOption('minCompactionLagMs', options.minCompactionLagMs, 0, 0);
  return {
    cleanup,
    deleteRetentionMs: integerOption(
      'deleteRetentionMs',
      options.deleteRetentionMs,
      DELETE_RETENTION_MS_DEFAULT,
      0,
    ),
    minCompactionLagMs,
    maxCompactionLagMs: integerOption(
      'maxCompactionLagMs',
      options.maxCompactionLagMs,
      Number.MAX_SAFE_INTEGER,
      Math.max(1, minCompactionLagMs),
    ),
    minCleanableRatio: ratioOption('minCleanableRatio', options.minCleanableRatio, CLEANABLE_RATIO_DEFAULT),
    keyMapBytes: integerOption(
      'keyMapBytes',
      options.keyMapBytes,
      KEY_MAP_BYTES_DEFAULT,
      KEY_MAP_BYTES_MIN,
      SLAB_BYTES_MAX,
    ),
  };
}

function ratioOption(name: string, value: unknown, fallback: number): number {
  if (value === undefined) return fallback;
  if (typeof value !== 'number') throw new TypeError(`${name} must be a number`);
  if (!(value >= 0 && value <= 1)) throw new RangeError(`${name} must be a number from 0 to 1, not ${value}`);
  return value;
}

/**
 * Checks that options which are given agree with those that a log was opened with; what is not given agrees.
 *
 * @param opened what it was opened with
 * @throws TypeError with the name of the option that does not
 */
export function checkSameOptions(log: string, given: LogOptions, opened: ResolvedLogOptions): void {
  const resolved = resolveLogOptions(given);
  for (const name of OPTION_NAMES) {
    if (given[name] === undefined || isDeepStrictEqual(resolved[name], opened[name])) continue;
    const [was, is] = [JSON.stringify(opened[name]), JSON.stringify(resolved[name])];
    throw new TypeError(`the log ${log} is open with ${name} ${was}: close it before you ask for ${is}`);
  }
}
