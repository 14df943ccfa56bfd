/** What a database is opened with: the options, their defaults, and that they make sense. */

import { SEGMENT_BYTES_MAX, SEGMENT_BYTES_MIN, WAL_SEGMENT_BYTES_DEFAULT } from './limits.ts';
import { RECOVERY_MODES, type RecoveryMode } from './log/options.ts';
import { resolveSyncPolicy, type SyncPolicy } from './log/sync-policy.ts';
import { type MaintenanceOptions, resolveMaintenanceOptions } from './maintenance.ts';
import { booleanOption, checkOneOf, checkOptions, integerOption } from './options.ts';
import { Runtime, sharedRuntime } from './runtime.ts';
import { nodeVfs } from './vfs/node.ts';
import type { Vfs } from './vfs/vfs.ts';

export interface OpenOptions {
  /** Memory and threads; those that the process shares unless given. */
  runtime?: Runtime;
  /** Read beside a process that writes: takes no lock and changes nothing. */
  readOnly?: boolean;
  /** Make the directory where there is none; true unless it is opened read-only. */
  create?: boolean;
  /** What logs do about damage, unless their own options say. */
  recovery?: RecoveryMode;
  /** The disk; the real one unless given. */
  vfs?: Vfs;
  /** How often retention and compaction are looked after, and for how long; `false` for never by itself. */
  maintenance?: MaintenanceOptions | false;
  wal?: WalOptions;
  /** How many bytes merging the tables of trees writes in a second at most; as many as it can unless given. */
  compaction?: { bytesPerSecond?: number };
}

/** Of the write-ahead log that all trees share. */
export interface WalOptions {
  /** When it calls fdatasync; `always` unless given. */
  sync?: SyncPolicy;
  /**
   * Fill its next segment with zeros ahead of its use, so that fdatasync has less to do; off unless given.
   */
  preallocate?: boolean;
  /** How long a segment of it is, in bytes; 32 MiB unless given. Whole segments are removed when trees need them no more. */
  segmentBytes?: number;
}

/** The same, with all defaults filled in. */
export interface ResolvedOpenOptions {
  readOnly: boolean;
  canCreate: boolean;
  recovery: RecoveryMode | undefined;
  wal: WalOptions;
  maintenance: ReturnType<typeof resolveMaintenanceOptions>;
  bytesPerSecond: number;
  vfs: Vfs;
  runtime: Runtime;
}

/**
 * Checks options and fills in the defaults.
 *
 * @throws TypeError, RangeError with the name of the option that is wrong
 */
export function resolveOpenOptions(options: OpenOptions): ResolvedOpenOptions {
  checkOptions('options', options, [
    'runtime',
    'readOnly',
    'create',
    'recovery',
    'vfs',
    'wal',
    'maintenance',
    'compaction',
  ]);
  const readOnly = booleanOption('readOnly', options.readOnly, false);
  const canCreate = booleanOption('create', options.create, !readOnly) && !readOnly;
  if (options.recovery !== undefined) checkOneOf('recovery', options.recovery, RECOVERY_MODES);
  if (options.runtime !== undefined && !(options.runtime instanceof Runtime)) {
    throw new TypeError('runtime must be what createRuntime returned');
  }
  const wal = { ...options.wal };
  checkOptions('wal', options.wal ?? {}, ['sync', 'preallocate', 'segmentBytes']);
  if (wal.sync !== undefined) resolveSyncPolicy(wal.sync);
  booleanOption('wal.preallocate', wal.preallocate, false);
  wal.segmentBytes = integerOption(
    'wal.segmentBytes',
    wal.segmentBytes,
    WAL_SEGMENT_BYTES_DEFAULT,
    SEGMENT_BYTES_MIN,
    SEGMENT_BYTES_MAX,
  );
  checkOptions('compaction', options.compaction ?? {}, ['bytesPerSecond']);
  const limit = options.compaction?.bytesPerSecond;
  return {
    readOnly,
    canCreate,
    recovery: options.recovery,
    wal,
    maintenance: resolveMaintenanceOptions(options.maintenance),
    bytesPerSecond: integerOption('compaction.bytesPerSecond', limit, 0, 0),
    vfs: options.vfs ?? nodeVfs,
    runtime: options.runtime ?? sharedRuntime(),
  };
}
