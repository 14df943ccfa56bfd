/** What can be told about a tree at one moment. */

import type { LogMetricsSnapshot } from '../log/metrics.ts';
import type { StallCounts } from './stalls.ts';
import type { BlockCacheMetrics } from './table/block-cache.ts';
import type { TreeCore, WorkCounts } from './tree-core.ts';
import type { Trees } from './trees.ts';
import type { Table, Version } from './version.ts';

export interface LevelStats {
  tables: number;
  bytes: number;
  /** Puts and deletions, also those that newer ones hide. */
  entries: number;
}

/** What a tree costs beside what it holds: 1 is nothing. */
export interface Amplification {
  /** Bytes written to tables for each that was flushed, since the database was opened. The log has it once more. */
  write: number;
  /** Bytes of all tables for each of the largest level, in which no key is twice: about what could be saved. */
  space: number;
  /** Tables in which a key may be, where filters know nothing of it. */
  read: number;
}

export interface TreeStats {
  name: string;
  /** From level 0 on. */
  levels: LevelStats[];
  /** Bytes of all tables. */
  tableBytes: number;
  amplification: Amplification;
  /** Memtables that wait to be written to tables. */
  frozenMemtables: number;
  /** Shared memory that memtables hold. */
  memtableBytes: number;
  /** Puts and deletions in memtables. */
  memtableEntries: number;
  /** What was done in the background since the database was opened. */
  work: WorkCounts;
  /** How often writers of any tree of the database had to wait. */
  stalls: StallCounts;
  /** Why memtables cannot be written to tables, or tables not be merged, at the moment. */
  failure: Error | undefined;
  /** Why values whose time has come are not dropped: what the function of the tree's owner has thrown. */
  dropFailure: Error | undefined;
}

/** The stats of one tree. */
export function statsOf(trees: Trees, tree: TreeCore): TreeStats {
  const { name, version, active, frozen, memtableBytes, work } = tree;
  const levels = version.levels.map((tables) => ({
    tables: tables.length,
    bytes: tables.reduce((sum, { properties }) => sum + properties.bytes, 0),
    entries: tables.reduce((sum, { properties }) => sum + properties.entries, 0),
  }));
  const tableBytes = levels.reduce((sum, { bytes }) => sum + bytes, 0);
  return {
    name,
    levels,
    tableBytes,
    amplification: amplificationOf(version.levels, tableBytes, work),
    frozenMemtables: frozen.length,
    memtableBytes,
    memtableEntries: frozen.reduce((sum, { entries }) => sum + entries, active.entries),
    work: { ...work },
    stalls: { ...trees.writer.stalls },
    failure: trees.background.failure ?? trees.background.compactionFailure,
    dropFailure: tree.dropFailure,
  };
}

function amplificationOf(
  [young = [], ...sorted]: Version['levels'],
  tableBytes: number,
  { flushedBytes, compactionWrittenBytes }: WorkCounts,
): Amplification {
  const bytesOf = (tables: readonly Table[]): number =>
    tables.reduce((sum, { properties }) => sum + properties.bytes, 0);
  // Tables of level 0 have the same keys, each may be the largest run.
  const largest = Math.max(...young.map((table) => bytesOf([table])), ...sorted.map(bytesOf), 0);
  return {
    write: flushedBytes === 0 ? 1 : (flushedBytes + compactionWrittenBytes) / flushedBytes,
    space: largest === 0 ? 1 : tableBytes / largest,
    read: Math.max(1, young.length + sorted.filter((tables) => tables.length > 0).length),
  };
}

/** Counters of all trees of a database, and of what they share. */
export interface TreesMetrics {
  trees: Record<string, TreeStats>;
  /** The write-ahead log, whose latencies are those of writes. */
  wal: LogMetricsSnapshot;
  cache: BlockCacheMetrics;
  stalls: StallCounts;
  snapshots: number;
  iterators: number;
}

/** Everything that is counted. */
export function treesMetrics(trees: Trees): TreesMetrics {
  return {
    trees: Object.fromEntries(trees.list.map((tree) => [tree.name, statsOf(trees, tree)])),
    wal: trees.wal.metrics(),
    cache: trees.cache.metrics(),
    stalls: { ...trees.writer.stalls },
    snapshots: trees.snapshots.count,
    iterators: trees.iterators.size,
  };
}
