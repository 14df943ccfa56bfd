/**
 * What each sync policy costs: the same clients append to a log of its own, for a moment each.
 *
 * @module
 */

import type { Clock } from '../../clock.ts';
import { Latencies } from '../../lab/latencies.ts';
import { ownLevel, resolveSyncPolicy, type SyncPolicy } from '../../log/sync-policy.ts';
import type { Database } from '../../open.ts';
import { formatBytes, formatCount, formatDuration, formatRate } from '../format.ts';
import { TableWriter } from '../table.ts';

/** Policies with their defaults, the most careful first. */
export const POLICIES: readonly SyncPolicy[] = [
  { mode: 'always' },
  { mode: 'adaptive' },
  { mode: 'batch' },
  { mode: 'interval' },
  { mode: 'never' },
];

export interface PolicyResult {
  mode: SyncPolicy['mode'];
  /** Records that were acknowledged. */
  records: number;
  elapsedMs: number;
  p50Ms: number;
  p99Ms: number;
  /** Calls of fdatasync. */
  syncs: number;
  /** The median of what one of them took; 0 where there was none. */
  syncP50Ms: number;
  /** The most that was accepted and not yet synced at any moment. */
  bytesAtRiskMax: number;
}

export interface Load {
  clients: number;
  recordBytes: number;
  durationMs: number;
  clock: Clock;
  signal: AbortSignal;
}

/**
 * Appends with one policy: every client sends its next record when the last one was acknowledged.
 *
 * @param name of the log, which must be new
 */
export async function tryPolicy(
  database: Database,
  name: string,
  policy: SyncPolicy,
  load: Load,
): Promise<PolicyResult> {
  const { clock, signal } = load;
  const log = await database.log(name, { sync: policy });
  const value = Buffer.alloc(load.recordBytes, 'varve ');
  const latencies = new Latencies();
  const startMs = clock.monotonic();
  const endMs = startMs + load.durationMs;
  const client = async (): Promise<void> => {
    for (let sentMs = startMs; sentMs < endMs && !signal.aborted; ) {
      await log.append({ value });
      const nowMs = clock.monotonic();
      latencies.record(nowMs - sentMs);
      sentMs = nowMs;
    }
  };
  await Promise.all(Array.from({ length: load.clients }, client));
  const elapsedMs = clock.monotonic() - startMs;
  signal.throwIfAborted();
  const metrics = database.metrics().logs[`${name}-0`];
  await log.close();
  return {
    mode: policy.mode,
    records: latencies.count,
    elapsedMs,
    p50Ms: latencies.percentile(50),
    p99Ms: latencies.percentile(99),
    syncs: metrics?.syncs ?? Number.NaN,
    syncP50Ms: metrics?.syncLatencyMs.p50 ?? Number.NaN,
    bytesAtRiskMax: metrics?.bytesAtRiskMax ?? Number.NaN,
  };
}

/** The table of the results, to be printed row by row as they come. */
export function policyTable(style: (text: string) => string): TableWriter {
  return new TableWriter(
    [
      { title: 'policy  ' },
      { title: 'acknowledged when' },
      { title: 'records/s', align: 'right' },
      { title: '     p50', align: 'right' },
      { title: '     p99', align: 'right' },
      { title: 'fdatasyncs', align: 'right' },
      { title: 'at risk, at worst', align: 'right' },
    ],
    style,
  );
}

/** A result as a row of {@link policyTable}. */
export function policyRow(result: PolicyResult): string[] {
  return [
    result.mode,
    ownLevel(resolveSyncPolicy({ mode: result.mode })),
    formatRate(result.records, result.elapsedMs),
    formatDuration(result.p50Ms),
    formatDuration(result.p99Ms),
    formatCount(result.syncs),
    formatBytes(result.bytesAtRiskMax),
  ];
}
