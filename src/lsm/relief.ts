/**
 * What keeps writers from filling the memory, and how often they had to wait for it.
 *
 * @module
 */

import type { VarveError } from '../errors.ts';

/** What the writer needs of whatever empties memtables and merges tables. */
export interface Relief {
  /** There is something to do. */
  kick(): void;
  /** Why it cannot go on at the moment. */
  readonly failure: VarveError | undefined;
  /** Whether it does anything about many tables in level 0. */
  readonly isCompacting: boolean;
  /** Resolves when it has done something, or has failed. */
  changed(): Promise<void>;
}

/** How often and how long writers have waited. */
export interface StallCounts {
  /** Batches that were slowed down. */
  slowed: number;
  /** Batches that waited in line, and for how long together. */
  stopped: number;
  stoppedMs: number;
}
