/**
 * The work of a log that may run on another thread. Whoever opens the log says where it runs; on this one,
 * unless told otherwise.
 *
 * @module
 */

import type { Memory } from '../memory/memory.ts';
import { type CompressBatchesArgs, compressBatches } from '../record/compression.ts';
import type { Vfs } from '../vfs/vfs.ts';
import { type MappedSegment, type MapSegmentArgs, mapSegment } from './compaction/map-segment.ts';
import { type RewriteArgs, type Rewritten, rewriteSegments } from './compaction/rewrite-segments.ts';
import { DIGEST_WORK_BYTES, type DigestFileArgs, digestFile } from './digest.ts';

export interface LogWork {
  /** How many other threads have nothing to do. */
  idleThreads(): number;
  /** See `compressBatches`. */
  compressBatches(args: CompressBatchesArgs): Promise<number[]>;
  /** See `digestFile`. */
  digestFile(args: DigestFileArgs, vfs: Vfs): Promise<Uint8Array | undefined>;
  /** See `mapSegment`. */
  mapSegment(args: MapSegmentArgs): Promise<MappedSegment>;
  /** See `rewriteSegments`. */
  rewriteSegments(args: RewriteArgs): Promise<Rewritten>;
}

/** Does all on the calling thread. */
export function workHere(memory: Memory, disk: Vfs): LogWork {
  const context = { memory, vfs: disk, isBlocking: false };
  return {
    idleThreads: () => 0,
    compressBatches: (args) => compressBatches(memory, args),
    async digestFile(args, vfs) {
      const slab = memory.slabs.allocate(DIGEST_WORK_BYTES, 'digest');
      try {
        return await digestFile({ memory, work: slab.address, vfs }, args);
      } finally {
        slab.release();
      }
    },
    mapSegment: (args) => mapSegment(context, args),
    rewriteSegments: (args) => rewriteSegments(context, args),
  };
}
