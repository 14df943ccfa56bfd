/** What a compaction has done, or would do. */

import type { Segment } from '../segment.ts';
import type { Rewritten } from './rewrite-segments.ts';
import type { SourceProblem } from './source.ts';

/** A segment that was left as it is. */
export interface SkippedSegment extends SourceProblem {
  offsets: { first: number; last: number };
}

export interface CompactionReport {
  /** Nothing was changed: what is said of changes is what there would be. */
  isDryRun: boolean;
  /** Whether there was anything to do, and the time for it. */
  isDone: boolean;
  /** Segments that were read and written anew, and how many they have become. */
  rewrittenSegments: number;
  writtenSegments: number;
  /** Records that a later one of their key has superseded; */
  supersededRecords: number;
  /** records that were there twice; */
  duplicateRecords: number;
  /** deletions whose time had come; */
  forgottenTombstones: number;
  /** and those whose time until then has begun. */
  begunTombstones: number;
  bytesBefore: number;
  bytesAfter: number;
  /** Keys that were compared, and in how many passes. */
  keys: number;
  passes: number;
  /** The memory that the keys had. */
  mapBytes: number;
  /** What could not be compacted; nothing is lost of it. */
  skipped: SkippedSegment[];
  /** What lies before this offset has each key once. */
  cleanedTo: number;
}

export interface ReportBuilder extends CompactionReport {
  rewrote: (sources: number, bytes: number, rewritten: Rewritten, isKeyed: boolean) => void;
  done: (segments: readonly Segment[], cleanedTo: number) => CompactionReport;
}

function bytesOf(segments: readonly Segment[]): number {
  return segments.reduce((sum, { bytes }) => sum + bytes, 0);
}

/** Begins a report. */
export function createReport(segments: readonly Segment[], isDryRun: boolean): ReportBuilder {
  const bytesBefore = bytesOf(segments);
  let savedBytes = 0;
  const report: CompactionReport = {
    isDryRun,
    isDone: false,
    rewrittenSegments: 0,
    writtenSegments: 0,
    supersededRecords: 0,
    duplicateRecords: 0,
    forgottenTombstones: 0,
    begunTombstones: 0,
    bytesBefore,
    bytesAfter: bytesBefore,
    keys: 0,
    passes: 0,
    mapBytes: 0,
    skipped: [],
    cleanedTo: 0,
  };
  return Object.assign(report, {
    rewrote(sources: number, bytes: number, rewritten: Rewritten, isKeyed: boolean): void {
      report.rewrittenSegments += sources;
      report.writtenSegments++;
      if (isKeyed) report.supersededRecords += rewritten.superseded;
      else report.duplicateRecords += rewritten.superseded;
      report.forgottenTombstones += rewritten.forgotten;
      report.begunTombstones += rewritten.begun;
      savedBytes += bytes - rewritten.state.bytes;
    },
    done(_after: readonly Segment[], cleanedTo: number): CompactionReport {
      report.isDone = report.passes > 0;
      // Others may have been written meanwhile: what counts is what this has saved.
      report.bytesAfter = bytesBefore - savedBytes;
      report.cleanedTo = cleanedTo;
      const { rewrote: _rewrote, done: _done, ...plain } = report as ReportBuilder;
      return plain;
    },
  });
}
