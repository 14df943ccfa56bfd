/**
 * The work of a log that may run on another thread. Whoever opens the log says where it runs; on this one,
 * unless told otherwise.
 *
 * @module
 */

import type { MemoryView } from '../memory/memory.ts';
import { type CompressBatchesArgs, compressBatches } from '../record/compression.ts';
import type { Vfs } from '../vfs/vfs.ts';
import { type MappedSegment, type MapSegmentArgs, mapSegment } from './compaction/map-segment.ts';
import { type RewriteArgs, type Rewritten, rewriteSegments } from './compaction/rewrite-segments.ts';

export interface LogWork {
  /** How many other threads have nothing to do. */
  idleThreads(): number;
  /** See `compressBatches`. */
  compressBatches(args: CompressBatchesArgs): Promise<number[]>;
  /** See `mapSegment`. */
  mapSegment(args: MapSegmentArgs): Promise<MappedSegment>;
  /** See `rewriteSegments`. */
  rewriteSegments(args: RewriteArgs): Promise<Rewritten>;
}

/** Does all on the calling thread. */
export function workHere(memory: MemoryView, vfs: Vfs): LogWork {
  const context = { memory, vfs, isBlocking: false };
  return {
    idleThreads: () => 0,
    compressBatches: (args) => compressBatches(memory, args),
    mapSegment: (args) => mapSegment(context, args),
    rewriteSegments: (args) => rewriteSegments(context, args),
  };
}
