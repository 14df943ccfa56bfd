/** What a database is opened with. */

import type { RecoveryMode } from './log/options.ts';
import type { SyncPolicy } from './log/sync-policy.ts';
import type { MaintenanceOptions } from './maintenance.ts';
import type { Runtime } from './runtime.ts';
import type { Vfs } from './vfs/vfs.ts';

/** Of the write-ahead log that all trees share. */
export interface WalOptions {
  /** When it calls fdatasync; `always` unless given. */
  sync?: SyncPolicy;
  /**
   * Fill its next segment (32 MiB) with zeros ahead of its use, so that fdatasync has less to do; off unless given.
   */
  preallocate?: boolean;
}

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
}
