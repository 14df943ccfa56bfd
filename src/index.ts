/**
 * varve: an embedded event-log engine.
 *
 * @module
 */

export type { Clock } from './clock.ts';
export { type ErrorCode, type ErrorDetails, isVarveError, VarveError } from './errors.ts';
export { type EventEntry, type EventJson, eventFromBytes } from './events/entry.ts';
export type { Events } from './events/events.ts';
export type { EventHistogram, HistogramOptions } from './events/histogram.ts';
export type { EventInput } from './events/input.ts';
export type { EventRetention, EventsOptions, RetentionLimits } from './events/retention.ts';
export type { EventFilter, EventReadOptions } from './events/selection.ts';
export type { EventWritableOptions } from './events/streams.ts';
export { type IngestOptions, ingestFile } from './ingest/ingest.ts';
export { IngestError, type IngestReport, type UnparsedLine } from './ingest/report.ts';
export type { KvChange, KvChangesOptions } from './kv/changes.ts';
export type { KvKeys, KvValues } from './kv/codecs.ts';
export type { ImportOptions } from './kv/import.ts';
export type { EvictionPolicy, ExpiryMode, KvOptions } from './kv/kv-options.ts';
export type { KvIterator, KvKey, KvRange } from './kv/range.ts';
export type { KvStats } from './kv/stats.ts';
export type { KvEntry, KvReadOptions, KvStore } from './kv/store.ts';
export type { SetOptions, TouchOptions, WriteLevel } from './kv/writes.ts';
export type { Level } from './levels.ts';
export type {
  CompactOptions,
  DeduplicateOptions,
  RecompressOptions,
} from './log/compaction/compact-options.ts';
export type { CleanablePlan } from './log/compaction/policy.ts';
export type { RecompressionReport } from './log/compaction/recompressor.ts';
export type { CompactionReport, SkippedSegment } from './log/compaction/report.ts';
export type { Compression, CompressionOptions, CompressionTime } from './log/compression-options.ts';
export type { DigestAlgorithm } from './log/digest.ts';
export type { FramedBatches } from './log/foreign.ts';
export type { LogInfo, SegmentInfo } from './log/info.ts';
export type { Log } from './log/log.ts';
export type { LatencySnapshot, LogMetricsSnapshot } from './log/metrics.ts';
export type { CleanupPolicy, LogOptions, RecoveryMode } from './log/options.ts';
export type { ReadOptions } from './log/read-options.ts';
export type { Damage, RecoveryReport } from './log/recovery-report.ts';
export type { LogRepairReport, RepairAction, RepairMode } from './log/repair-report.ts';
export type { ScrubReport } from './log/scrub.ts';
export type { AppendOptions, Durability, DurableState, SyncPolicy } from './log/sync-policy.ts';
export type { LogVerifyReport, Problem, VerifyOptions } from './log/verify.ts';
export { type GrepLine, type GrepOptions, grep, type LogSourceOptions } from './logfile/grep.ts';
export {
  columns,
  type LogColumns,
  type LogEntry,
  type ParseLogOptions,
  parseLog,
} from './logfile/parse-log.ts';
export type { EntryOptions, LogReadOptions, TimeIndexOptions } from './logfile/reading.ts';
export type { SampleFacts } from './logfile/sample.ts';
export {
  type CountedTemplate,
  type CountedText,
  type LogFileStats,
  type LogStats,
  type LogStatsOptions,
  logStats,
} from './logfile/stats.ts';
export { type TailLine, type TailOptions, tail } from './logfile/tail.ts';
export type { Gap, Histogram, Peak } from './logfile/timeline.ts';
export type { TreeBatch, TreeOperation } from './lsm/batch.ts';
export type { ChangesOptions, TreeChange } from './lsm/changes.ts';
export type { CompactionStrategy } from './lsm/compaction/strategy.ts';
export type { DropExpired, ExpiryOptions, RetentionOptions } from './lsm/drop-options.ts';
export type { TreeBytes } from './lsm/input.ts';
export type { RangeOptions, TreeIterator } from './lsm/iterator.ts';
export type { LostKeys } from './lsm/rebuild.ts';
export type { TreesRepairReport } from './lsm/repair-report.ts';
export type { TreeSnapshot } from './lsm/snapshot.ts';
export type { GetOptions, Tree, WriteOptions } from './lsm/tree.ts';
export type { TreeOptions } from './lsm/tree-options.ts';
export type { Amplification, LevelStats, TreeStats, TreesMetrics } from './lsm/tree-stats.ts';
export type {
  Maintenance,
  MaintenanceMetrics,
  MaintenanceOptions,
  MaintenanceRunOptions,
  MaintenanceTaskMetrics,
} from './maintenance.ts';
export type { MaintenanceReport, MaintenanceTask } from './maintenance-tasks.ts';
export type { MetricsSnapshot } from './metrics-snapshot.ts';
export { type Database, open } from './open.ts';
export type { OpenOptions, WalOptions } from './open-options.ts';
export type { Entry } from './parse/entry.ts';
export type { LineFormat } from './parse/formats.ts';
export type { FormatSpec, PatternFormat } from './parse/parser.ts';
export type { RecordBatch } from './record/batch.ts';
export type { Bytes, Header, HeaderInput } from './record/headers.ts';
export type { LogRecord, RecordInput } from './record/record.ts';
export { type RepairOptions, type RepairReport, repair } from './repair.ts';
export { createRuntime, type Runtime, type RuntimeOptions } from './runtime.ts';
export type { TextInput } from './text/inputs.ts';
export type { TextEncoding } from './text/recognize.ts';
export type { VerifyReport } from './verify.ts';
export { dsyncVfs } from './vfs/dsync.ts';
export type { FileStat, OpenMode, Vfs, VfsFile, VfsLock } from './vfs/vfs.ts';
