/**
 * What a log counts and times. Recording is a few additions, and a histogram entry per system call, never
 * per record.
 *
 * @module
 */

import { createHistogram, type RecordableHistogram } from 'node:perf_hooks';
import type { RecoveryReport } from './recovery-report.ts';

/** A distribution of durations, in milliseconds. */
export interface LatencySnapshot {
  count: number;
  mean: number;
  p50: number;
  p99: number;
  p999: number;
  max: number;
}

/** The counters of a log at one moment. */
export interface LogMetricsSnapshot {
  appendedRecords: number;
  /** Bytes of batches written. */
  appendedBytes: number;
  batches: number;
  /** Records a batch, on average. */
  recordsPerBatch: number;
  /** Calls of write. */
  writes: number;
  /** Calls of fdatasync. */
  syncs: number;
  writeLatencyMs: LatencySnapshot;
  syncLatencyMs: LatencySnapshot;
  /** Bytes accepted but not synced: now, and at the worst moment. */
  bytesAtRisk: number;
  bytesAtRiskMax: number;
  /** How often `enqueue` answered BACKPRESSURE or an append had to wait. */
  backpressure: number;
  rolls: number;
  droppedSegments: number;
  failedWrites: number;
  isPoisoned: boolean;
  recovery: {
    scannedSegments: number;
    scannedBytes: number;
    tornTails: number;
    quarantinedBytes: number;
    elapsedMs: number;
  };
  /** Damage met by readers and by recovery. */
  corruptions: number;
  cache: { hits: number; misses: number; bytes: number };
  /** What was compressed before it was written: bytes of batches before and after. */
  compression: { plainBytes: number; storedBytes: number };
  /** Segments that were compressed after they were sealed, and their bytes before and after. */
  recompression: { segments: number; bytesBefore: number; bytesAfter: number };
  /** What the scrubber has read, how often it came to the end, and how many damaged segments it met. */
  scrub: { bytes: number; passes: number; damaged: number };
}

const NANOSECONDS = 1e6;

/** A histogram of durations. */
class Latency {
  readonly #histogram: RecordableHistogram = createHistogram();

  record(ms: number): void {
    this.#histogram.record(Math.max(1, Math.round(ms * NANOSECONDS)));
  }

  snapshot(): LatencySnapshot {
    const histogram = this.#histogram;
    if (histogram.count === 0) return { count: 0, mean: 0, p50: 0, p99: 0, p999: 0, max: 0 };
    return {
      count: histogram.count,
      mean: histogram.mean / NANOSECONDS,
      p50: histogram.percentile(50) / NANOSECONDS,
      p99: histogram.percentile(99) / NANOSECONDS,
      p999: histogram.percentile(99.9) / NANOSECONDS,
      max: histogram.max / NANOSECONDS,
    };
  }
}

export class LogMetrics {
  appendedRecords = 0;
  appendedBytes = 0;
  batches = 0;
  writes = 0;
  syncs = 0;
  bytesAtRiskMax = 0;
  backpressure = 0;
  rolls = 0;
  droppedSegments = 0;
  failedWrites = 0;
  isPoisoned = false;
  recovery: LogMetricsSnapshot['recovery'] = {
    scannedSegments: 0,
    scannedBytes: 0,
    tornTails: 0,
    quarantinedBytes: 0,
    elapsedMs: 0,
  };
  corruptions = 0;
  cacheHits = 0;
  cacheMisses = 0;
  compression: LogMetricsSnapshot['compression'] = { plainBytes: 0, storedBytes: 0 };
  recompression: LogMetricsSnapshot['recompression'] = { segments: 0, bytesBefore: 0, bytesAfter: 0 };
  scrub: LogMetricsSnapshot['scrub'] = { bytes: 0, passes: 0, damaged: 0 };
  readonly #writeLatency: Latency = new Latency();
  readonly #syncLatency: Latency = new Latency();

  /** Notes one call of write. */
  wrote(ms: number, batches: number, records: number, bytes: number): void {
    this.writes++;
    this.batches += batches;
    this.appendedRecords += records;
    this.appendedBytes += bytes;
    this.#writeLatency.record(ms);
  }

  /** Notes that a group was compressed. */
  compressed(plainBytes: number, storedBytes: number): void {
    this.compression.plainBytes += plainBytes;
    this.compression.storedBytes += storedBytes;
  }

  /** Notes that a sealed segment was compressed. */
  recompressed(bytesBefore: number, bytesAfter: number): void {
    this.recompression.segments++;
    this.recompression.bytesBefore += bytesBefore;
    this.recompression.bytesAfter += bytesAfter;
  }

  /** Notes what the scrubber did. */
  scrubbed(bytes: number, isPassDone: boolean, damaged: number): void {
    this.scrub.bytes += bytes;
    this.scrub.passes += Number(isPassDone);
    this.scrub.damaged += damaged;
    this.corruptions += damaged;
  }

  /** Notes a round of fdatasync over some files. */
  synced(ms: number, files: number): void {
    this.syncs += files;
    this.#syncLatency.record(ms);
  }

  /** Notes what opening the log met. */
  recovered(report: RecoveryReport): void {
    this.recovery = {
      scannedSegments: report.scannedSegments,
      scannedBytes: report.scannedBytes,
      tornTails: report.tornTails,
      quarantinedBytes: report.quarantined.reduce((sum, { bytes }) => sum + bytes, 0),
      elapsedMs: report.elapsedMs,
    };
    this.corruptions = report.damage.length;
  }

  /** Notes how much is accepted but not synced. */
  atRisk(bytes: number): void {
    if (bytes > this.bytesAtRiskMax) this.bytesAtRiskMax = bytes;
  }

  snapshot(bytesAtRisk: number, cacheBytes: number): LogMetricsSnapshot {
    return {
      appendedRecords: this.appendedRecords,
      appendedBytes: this.appendedBytes,
      batches: this.batches,
      recordsPerBatch: this.batches === 0 ? 0 : this.appendedRecords / this.batches,
      writes: this.writes,
      syncs: this.syncs,
      writeLatencyMs: this.#writeLatency.snapshot(),
      syncLatencyMs: this.#syncLatency.snapshot(),
      bytesAtRisk,
      bytesAtRiskMax: Math.max(this.bytesAtRiskMax, bytesAtRisk),
      backpressure: this.backpressure,
      rolls: this.rolls,
      droppedSegments: this.droppedSegments,
      failedWrites: this.failedWrites,
      isPoisoned: this.isPoisoned,
      recovery: { ...this.recovery },
      corruptions: this.corruptions,
      cache: { hits: this.cacheHits, misses: this.cacheMisses, bytes: cacheBytes },
      compression: { ...this.compression },
      recompression: { ...this.recompression },
      scrub: { ...this.scrub },
    };
  }
}
