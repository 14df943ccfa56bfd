/**
 * What the trees of a database work with, and what they share. `trees.ts` puts it together.
 *
 * @module
 */

import type { Clock } from '../clock.ts';
import type { Log } from '../log/log.ts';
import type { RecoveryMode } from '../log/options.ts';
import type { SyncPolicy } from '../log/sync-policy.ts';
import type { Memory } from '../memory/memory.ts';
import type { Vfs } from '../vfs/vfs.ts';
import type { Background } from './background.ts';
import type { Manifest } from './manifest.ts';
import type { Snapshots } from './snapshots.ts';
import type { Tables } from './tables.ts';
import type { TableWork } from './tasks.ts';
import type { TreeWriter } from './writer.ts';

/** Where the trees of a database live, and what they work with. */
export interface TreesParts {
  directory: string;
  memory: Memory;
  vfs: Vfs;
  clock: Clock;
  readOnly: boolean;
  /** With `absoluteConsistency` a damaged table is refused; else it is met by the read that gets there. */
  recovery?: RecoveryMode | undefined;
  /** What writes tables, on another thread or on this one. */
  tasks: TableWork;
  /** When the write-ahead log calls fdatasync. */
  sync?: SyncPolicy | undefined;
  /** Whether the next segment of the write-ahead log is filled with zeros ahead of its use. */
  preallocate?: boolean | undefined;
  /** How long a segment of it is, in bytes. */
  walSegmentBytes?: number | undefined;
}

/** What work in the background needs of the trees of a database. */
export interface SharedParts {
  readonly parts: TreesParts;
  readonly wal: Log;
  readonly manifest: Manifest;
  readonly writer: TreeWriter;
  readonly background: Background;
  readonly snapshots: Snapshots;
  readonly tables: Tables;
}
