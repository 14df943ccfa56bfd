/**
 * What maintenance does with a log: the closed list of its tasks. Each says for which logs it is there, how often it is
 * their turn, and does it once.
 *
 * @module
 */

import type { RecompressionReport } from './log/compaction/recompressor.ts';
import type { CompactionReport } from './log/compaction/report.ts';
import type { Log } from './log/log.ts';
import type { ResolvedLogOptions } from './log/options.ts';
import { SCRUB_BYTES_DEFAULT, type ScrubReport } from './log/scrub.ts';

export type MaintenanceTask = 'retention' | 'compaction' | 'recompression' | 'scrubbing';

export const TASK_NAMES: readonly MaintenanceTask[] = [
  'retention',
  'compaction',
  'recompression',
  'scrubbing',
];

/** A log that is open, and what it was opened with. */
export interface MaintainedLog {
  key: string;
  log: Log;
  options: ResolvedLogOptions;
}

/** What a task has done, by log. */
export interface MaintenanceReport {
  task: MaintenanceTask;
  /** Segments that retention removed. */
  removedSegments: Record<string, number>;
  compactions: Record<string, CompactionReport>;
  recompressions: Record<string, RecompressionReport>;
  scrubs: Record<string, ScrubReport>;
  /** What failed, by log; the others were looked after all the same. */
  failures: Record<string, unknown>;
}

/** How a task is to be done. */
export interface TaskRequest {
  force: boolean;
  /** How much the scrubber reads; its share of a second of the log's budget unless given. */
  maxBytes: number | undefined;
  /** What can go on later begins with nothing else after so long. */
  budgetMs: number | undefined;
  signal: AbortSignal;
}

interface TaskKind {
  /** How often it is its turn; the interval of rounds unless given. */
  intervalMs?: number;
  /** Whether it is done for a log by itself; */
  isRegular: (one: MaintainedLog) => boolean;
  /** and by hand. */
  isPossible: (one: MaintainedLog) => boolean;
  /** Does it; whether anything has changed. */
  run: (one: MaintainedLog, request: TaskRequest, report: MaintenanceReport) => Promise<boolean>;
}

/** The scrubber reads a second's worth at once. */
const SCRUB_INTERVAL_MS = 1000;

const always = (): boolean => true;
const isCompacted = ({ options }: MaintainedLog): boolean => options.cleanup !== 'delete';
const isSealedSmaller = ({ options }: MaintainedLog): boolean => options.compression.when === 'seal';

export const TASKS: Readonly<Record<MaintenanceTask, TaskKind>> = {
  retention: {
    // By size, segments are removed when another one is sealed.
    isRegular: ({ options }) => options.retention.ageMs !== Number.MAX_SAFE_INTEGER,
    isPossible: always,
    async run({ key, log }, _request, report) {
      const removed = await log.retain();
      report.removedSegments[key] = removed;
      return removed > 0;
    },
  },
  compaction: {
    isRegular: isCompacted,
    isPossible: isCompacted,
    async run({ key, log }, { force, signal }, report) {
      const compaction = await log.compact({ force, signal });
      report.compactions[key] = compaction;
      return compaction.writtenSegments > 0;
    },
  },
  recompression: {
    isRegular: isSealedSmaller,
    isPossible: isSealedSmaller,
    async run({ key, log }, { force, signal, budgetMs }, report) {
      const recompression = await log.recompress({
        force,
        signal,
        ...(budgetMs !== undefined && { budgetMs }),
      });
      report.recompressions[key] = recompression;
      return recompression.compressedSegments > 0;
    },
  },
  scrubbing: {
    intervalMs: SCRUB_INTERVAL_MS,
    isRegular: ({ options }) => options.scrub.bytesPerSecond > 0,
    isPossible: always,
    async run({ key, log }, { maxBytes = SCRUB_BYTES_DEFAULT }, report) {
      const scrub = await log.scrub(maxBytes);
      report.scrubs[key] = scrub;
      return scrub.damage.length > 0;
    },
  },
};

/** How much the scrubber reads of a log when it is its turn. */
export function scrubShare({ options }: MaintainedLog): number {
  return Math.ceil((options.scrub.bytesPerSecond * SCRUB_INTERVAL_MS) / 1000);
}

/** A report of nothing yet. */
export function createMaintenanceReport(task: MaintenanceTask): MaintenanceReport {
  return { task, removedSegments: {}, compactions: {}, recompressions: {}, scrubs: {}, failures: {} };
}
