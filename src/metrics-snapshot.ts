/** What a database counts. */

import type { LogMetricsSnapshot } from './log/metrics.ts';
import type { TreesMetrics } from './lsm/tree-stats.ts';
import type { MaintenanceMetrics } from './maintenance.ts';
import type { PoolMetrics } from './pool/pool.ts';

/** Everything that is counted, at one moment. */
export interface MetricsSnapshot {
  logs: Record<string, LogMetricsSnapshot>;
  /** Of all trees together; undefined before one was asked for. */
  trees: TreesMetrics | undefined;
  memory: { budgetBytes: number; inUseBytes: number };
  maintenance: MaintenanceMetrics;
  pool: PoolMetrics;
}
