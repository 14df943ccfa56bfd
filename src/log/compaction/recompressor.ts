/**
 * Compresses what is sealed: a segment that was written plain is written anew with its records in larger batches, each
 * of them compressed, and takes the place of the old one at once (swap.ts). Offsets, order and times stay. Batches that
 * are compressed already are copied.
 *
 * Nothing is noted of what was done: whether a segment is worth it, its first bytes say, which are compressed for a
 * trial. Of one that was compressed before, or that does not become smaller, no more than those are read.
 *
 * @module
 */

import { isVarveError } from '../../errors.ts';
import type { Segment } from '../segment.ts';
import type { CompactorParts } from './compaction-run.ts';
import { type Region, takeWork } from './key-map.ts';
import { isMuchSmaller } from './policy.ts';
import type { SkippedSegment } from './report.ts';
import { type RewriteArgs, type Rewritten, removeCleaned, syncCleaned } from './rewrite-segments.ts';
import type { CodecChoice } from './segment-output.ts';

/** What is compressed for a trial. */
const SAMPLE_BYTES: number = 256 * 1024;

/** What a recompression has done, or would do. */
export interface RecompressionReport {
  /** Nothing was changed: what is said of changes is what there would be. */
  isDryRun: boolean;
  /** Segments that were looked at, and those of them that were compressed. */
  checkedSegments: number;
  compressedSegments: number;
  /** Bytes of those that were compressed, before and after. */
  bytesBefore: number;
  bytesAfter: number;
  /** What could not be read; it stays as it is. */
  skipped: SkippedSegment[];
}

/** What is asked of a run, checked. */
export interface RecompressionRequest {
  /** Look again at what could not be read before. */
  force: boolean;
  dryRun: boolean;
  /** Begins with no other segment after so long. */
  budgetMs: number;
  signal: AbortSignal | undefined;
  onProgress: ((doneBytes: number, totalBytes: number) => void) | undefined;
}

export interface RecompressorParts extends CompactorParts {
  codec: CodecChoice;
  /** Told of each segment that was replaced: how many bytes it had, and has. */
  onCompressed: (bytesBefore: number, bytesAfter: number) => void;
}

export class Recompressor {
  readonly #parts: RecompressorParts;
  /** Segments that are as small as they become. */
  readonly #settled: WeakSet<Segment> = new WeakSet();
  /** Those that could not be read. */
  readonly #unreadable: WeakSet<Segment> = new WeakSet();

  constructor(parts: RecompressorParts) {
    this.#parts = parts;
  }

  /** Whether there are sealed segments that nobody has looked at. */
  get isDue(): boolean {
    return this.#waiting(false).length > 0;
  }

  /**
   * Compresses one segment after the other, from the oldest on.
   *
   * @throws VarveError `NO_SPACE`, `IO`, `NO_MEMORY`: what was not replaced by then stays as it was
   */
  async run(request: RecompressionRequest): Promise<RecompressionReport> {
    const report: RecompressionReport = {
      isDryRun: request.dryRun,
      checkedSegments: 0,
      compressedSegments: 0,
      bytesBefore: 0,
      bytesAfter: 0,
      skipped: [],
    };
    const waiting = this.#waiting(request.force);
    if (waiting.length === 0) return report;
    const total = waiting.reduce((sum, { bytes }) => sum + bytes, 0);
    let done = 0;
    const { clock } = this.#parts;
    const endMs = clock.monotonic() + request.budgetMs;
    const work = takeWork(this.#parts.context.memory.slabs);
    try {
      for (const segment of waiting) {
        this.#parts.check();
        request.signal?.throwIfAborted();
        if (clock.monotonic() >= endMs) break;
        await this.#compress(segment, { address: work.address, bytes: work.bytes }, request, report);
        done += segment.bytes;
        request.onProgress?.(done, total);
      }
    } finally {
      work.release();
    }
    return report;
  }

  #waiting(again: boolean): Segment[] {
    return this.#parts.segments.sealed.filter(
      (segment) => !this.#settled.has(segment) && (again || !this.#unreadable.has(segment)),
    );
  }

  async #compress(
    segment: Segment,
    work: Region,
    { dryRun }: RecompressionRequest,
    report: RecompressionReport,
  ): Promise<void> {
    report.checkedSegments++;
    if (segment.damaged.length > 0) {
      const message = `${segment.path} is not compressed: something in it is known to be lost`;
      this.#skip(segment, segment.damaged[0]?.start ?? 0, message, report);
      return;
    }
    const args = this.#argsOf(segment, work, dryRun);
    const sample = await this.#rewrite(segment, { ...args, dryRun: true, sampleBytes: SAMPLE_BYTES }, report);
    if (sample === undefined) return;
    const isPromising = isMuchSmaller(sample.readBytes, sample.state.bytes);
    const rewritten = isPromising ? await this.#rewrite(segment, args, report) : sample;
    if (rewritten === undefined) return;
    const bytesAfter = rewritten.state.bytes;
    if (!isPromising || !isMuchSmaller(segment.bytes, bytesAfter)) {
      this.#settled.add(segment);
      if (isPromising && !dryRun) await removeCleaned(this.#parts.context.vfs, args);
      return;
    }
    if (!dryRun && !(await this.#replace(segment, args, rewritten))) return;
    report.compressedSegments++;
    report.bytesBefore += segment.bytes;
    report.bytesAfter += bytesAfter;
  }

  /** @returns undefined where it could not be read, which is reported, or is not there any more, which is not */
  async #rewrite(
    segment: Segment,
    args: RewriteArgs,
    report: RecompressionReport,
  ): Promise<Rewritten | undefined> {
    try {
      const rewritten = await this.#parts.work.rewriteSegments(args);
      if (rewritten.broken === undefined) return rewritten;
      const { position, message } = rewritten.broken.problem;
      this.#skip(segment, position, message, report);
    } catch (error) {
      // The disk may read it the next time, and a record may be too large for the memory that there is.
      const isUnreadable =
        isVarveError(error, 'NO_MEMORY') || (isVarveError(error, 'IO') && error.file === segment.path);
      if (isUnreadable) this.#skip(segment, 0, error.message, report);
      else if (!isVarveError(error, 'NOT_FOUND')) throw error;
    }
    return undefined;
  }

  /** Puts it in the place of the old one; false where the log has not got that any more. */
  async #replace(segment: Segment, args: RewriteArgs, { state }: Rewritten): Promise<boolean> {
    const { context, segments, onCompressed } = this.#parts;
    await syncCleaned(context.vfs, args);
    const replaced = await segments.replace([segment], state);
    if (replaced === undefined) return false;
    this.#settled.add(replaced);
    onCompressed(segment.bytes, state.bytes);
    return true;
  }

  #skip(segment: Segment, position: number, message: string, report: RecompressionReport): void {
    const { path: file, baseOffset, nextOffset } = segment;
    this.#unreadable.add(segment);
    report.skipped.push({ file, position, message, offsets: { first: baseOffset, last: nextOffset - 1 } });
  }

  #argsOf(segment: Segment, work: Region, dryRun: boolean): RewriteArgs {
    const { options, context, codec } = this.#parts;
    const { path, baseOffset, nextOffset, bytes, createdAtMs } = segment;
    return {
      map: undefined,
      work,
      sources: [{ path, baseOffset, nextOffset, bytes, number: 0 }],
      mappedFrom: 0,
      mappedTo: 0,
      isKeyed: false,
      nowMs: 0,
      deleteRetentionMs: Infinity,
      mayForget: false,
      directory: context.directory,
      batchBytes: options.sealedBatchBytes,
      indexIntervalBytes: options.indexIntervalBytes,
      compression: codec,
      createdAtMs,
      dryRun,
      sampleBytes: undefined,
    };
  }
}
