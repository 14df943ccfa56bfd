/**
 * The work of a log that may run on another thread. Whoever opens the log says where it runs; on this one,
 * unless told otherwise.
 *
 * @module
 */

import type { MemoryView } from '../memory/memory.ts';
import { type CompressBatchesArgs, compressBatches } from '../record/compression.ts';

export interface LogWork {
  /** How many other threads have nothing to do. */
  idleThreads(): number;
  /** See `compressBatches`. */
  compressBatches(args: CompressBatchesArgs): Promise<number[]>;
}

/** Does all on the calling thread. */
export function workHere(memory: MemoryView): LogWork {
  return { idleThreads: () => 0, compressBatches: (args) => compressBatches(memory, args) };
}
