/**
 * What writers wait for, how that is counted, and what they are told when there is nothing to wait for.
 *
 * @module
 */

import { VarveError } from '../errors.ts';
import type { MemtableArea } from './memtable.ts';
import type { TreeCore } from './tree-core.ts';

/** What the writer needs of whatever empties memtables and merges tables. */
export interface Relief {
  /** There is something to do. */
  kick(): void;
  /** Why it cannot go on at the moment. */
  readonly failure: VarveError | undefined;
  /** Iterators that are open: each keeps the memtables that it reads. */
  readonly iterators: number;
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

/** Says what has the memory that a write needs. The next write finds it when that was closed. */
export function noMemoryForWrites(
  { memory, heldBytes }: MemtableArea,
  trees: readonly TreeCore[],
  iterators: number,
  cause: VarveError | undefined,
): VarveError {
  const { inUseBytes, budgetBytes } = memory.slabs;
  const keptBytes = trees.reduce((rest, { memtableBytes }) => rest - memtableBytes, heldBytes);
  const holders =
    iterators === 0
      ? ''
      : `; open iterators (${iterators}) keep ${keptBytes} bytes of memtables, and what they work with, until they are closed`;
  return new VarveError(
    'NO_MEMORY',
    `there is no memory left for writes: ${inUseBytes} of ${budgetBytes} bytes are in use${holders}`,
    cause === undefined ? {} : { cause },
  );
}
