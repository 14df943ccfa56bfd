/**
 * The scrubber: reads what is sealed, a little at a time, so that decay is noticed while there is still a
 * good copy elsewhere. A segment with a digest is compared with that; of others every batch is checked, and a
 * digest made where the log wants some. Damage is reported, and nothing is changed or removed.
 *
 * @module
 */

import { fromSystem, isVarveError, VarveError } from '../errors.ts';
import { ROW_BYTES } from '../memory/layout.ts';
import { readRow } from '../record/batch.ts';
import { describeDamage } from './damage.ts';
import { createDigestHash, DIGEST_WORK_BYTES, type Digest, type DigestHash } from './digest.ts';
import { type Digests, readDigest } from './digests.ts';
import type { LogMetrics } from './metrics.ts';
import { BatchScan } from './scan.ts';
import { corruptSegment, type Segment, type SegmentContext } from './segment.ts';

/** What one call reads unless it is told otherwise. */
export const SCRUB_BYTES_DEFAULT: number = 64 * 1024 * 1024;

/** What one call of `scrub` did. */
export interface ScrubReport {
  /** How much was read. */
  bytes: number;
  /** It came to the end: the next call begins anew, from the oldest segment on. */
  isPassDone: boolean;
  /** What is damaged of what was read to its end now. */
  damage: VarveError[];
}

export interface ScrubberOptions {
  context: SegmentContext;
  digests: Digests;
  metrics: LogMetrics;
  /** The segments at this moment, from the oldest on. */
  segments: () => readonly Segment[];
}

/** A segment in the middle of it. */
interface Progress {
  segment: Segment;
  position: number;
  /** The offset that is due at the position; of a segment that is compared with its digest, nobody asks. */
  offset: number;
  noted: Digest | undefined;
  hash: DigestHash | undefined;
}

export class Scrubber {
  readonly #parts: ScrubberOptions;
  #progress: Progress | undefined;
  /** Base offset of the last segment that was read to its end in this pass. */
  #done = -1;
  #running: Promise<unknown> = Promise.resolve();

  constructor(parts: ScrubberOptions) {
    this.#parts = parts;
  }

  /**
   * Goes on where the last call ended.
   *
   * @param budgetBytes how much to read, about
   * @throws VarveError `NO_MEMORY`
   */
  scrub(budgetBytes: number): Promise<ScrubReport> {
    const run = this.#running.then(() => this.#run(budgetBytes));
    this.#running = run.catch(() => undefined);
    return run;
  }

  async #run(budgetBytes: number): Promise<ScrubReport> {
    const report = await this.#read(budgetBytes);
    this.#parts.metrics.scrubbed(report.bytes, report.isPassDone, report.damage.length);
    return report;
  }

  async #read(budgetBytes: number): Promise<ScrubReport> {
    const report: ScrubReport = { bytes: 0, isPassDone: false, damage: [] };
    while (report.bytes < budgetBytes) {
      const progress = await this.#current();
      if (progress === undefined) {
        this.#done = -1;
        report.isPassDone = true;
        return report;
      }
      const { segment } = progress;
      segment.pin();
      try {
        const limit = Math.min(DIGEST_WORK_BYTES, budgetBytes - report.bytes);
        report.bytes += await this.#step(progress, limit, report);
      } catch (error) {
        if (isVarveError(error, 'NO_MEMORY')) throw error;
        // What cannot be read is as good as damaged. What was removed meanwhile is nobody's business.
        if (!segment.isLeaving) report.damage.push(fromSystem(error, 'read', segment.path));
        this.#finish(segment);
      } finally {
        await segment.unpin();
      }
    }
    return report;
  }

  /** The segment that is being read, or the next one. */
  async #current(): Promise<Progress | undefined> {
    const segments = this.#parts.segments();
    if (this.#progress !== undefined && segments.includes(this.#progress.segment)) return this.#progress;
    this.#progress = undefined;
    const segment = segments.find(
      ({ baseOffset, isSealed, state }) => baseOffset > this.#done && isSealed && state !== undefined,
    );
    if (segment === undefined) return undefined;
    const { context } = this.#parts;
    const found = await readDigest(context, segment.baseOffset);
    // One that is damaged, or of other bytes, says nothing: it is made again when all batches are whole.
    const noted = found === 'damaged' || found?.bytes !== segment.bytes ? undefined : found;
    const hash = noted === undefined ? undefined : createDigestHash(context.memory, noted.algorithm);
    this.#progress = { segment, position: 0, offset: segment.baseOffset, noted, hash };
    return this.#progress;
  }

  #finish({ baseOffset }: Segment): void {
    this.#done = baseOffset;
    this.#progress = undefined;
  }

  /** @returns how much was read */
  async #step(progress: Progress, limit: number, report: ScrubReport): Promise<number> {
    const { segment, noted, hash } = progress;
    const from = progress.position;
    const isWhole =
      hash === undefined ? await this.#check(progress, limit) : await this.#take(progress, hash, limit);
    if (!isWhole) {
      report.damage.push(await this.#describe(progress));
      this.#finish(segment);
    } else if (progress.position >= segment.bytes) {
      if (hash !== undefined && Buffer.compare(hash.digest(), (noted as Digest).digest) !== 0) {
        report.damage.push(await this.#locate(segment, (noted as Digest).algorithm));
      } else if (hash === undefined && segment.damaged.length === 0) this.#parts.digests.add(segment);
      this.#finish(segment);
    }
    return Math.max(1, progress.position - from);
  }

  /** Takes bytes into the digest. Returns whether they were there. */
  async #take(progress: Progress, hash: DigestHash, limit: number): Promise<boolean> {
    const { memory } = this.#parts.context;
    const { segment, position } = progress;
    const file = await segment.open();
    const slab = memory.slabs.allocate(DIGEST_WORK_BYTES, 'scrub');
    try {
      const read = await file.read(
        memory.buffer(slab.address, Math.min(limit, segment.bytes - position)),
        position,
      );
      hash.update(slab.address, read);
      progress.position += read;
      return read > 0 || position >= segment.bytes;
    } finally {
      slab.release();
    }
  }

  /** Checks batches. Returns whether they are whole, and follow one another. */
  async #check(progress: Progress, limit: number): Promise<boolean> {
    const { segment } = progress;
    const { memory } = this.#parts.context;
    const known = segment.damaged.find(({ start }) => start === progress.position);
    if (known !== undefined) {
      progress.position = known.end;
      progress.offset = known.lastOffset + 1;
      return true;
    }
    const end = segment.damaged.find(({ start }) => start > progress.position)?.start ?? segment.bytes;
    const scan = new BatchScan(memory, await segment.open(), progress.position, end, true);
    const target = progress.position + limit;
    try {
      while (progress.position < Math.min(target, end)) {
        const count = await scan.next();
        if (count === 0) return false;
        for (let i = 0; i < count; i++) {
          const row = readRow(memory, scan.rows + i * ROW_BYTES);
          if (row.baseOffset !== progress.offset) return false;
          progress.position += row.size;
          progress.offset = row.lastOffset + 1;
        }
      }
      return true;
    } finally {
      await scan.close();
    }
  }

  #describe({ segment, position, offset, hash }: Progress): Promise<VarveError> | VarveError {
    if (hash === undefined) return describeDamage(segment, position, offset, segment.bytes, offset);
    return corruptSegment(segment, position, offset, segment.nextOffset - 1);
  }

  /** Says which batches of a segment are not what they were, as far as they say so themselves. */
  async #locate(segment: Segment, algorithm: string): Promise<VarveError> {
    const progress: Progress = {
      segment,
      position: 0,
      offset: segment.baseOffset,
      noted: undefined,
      hash: undefined,
    };
    while (progress.position < segment.bytes) {
      if (!(await this.#check(progress, segment.bytes))) return await this.#describe(progress);
    }
    const message = `${segment.path} is not what it was when it was sealed (${algorithm}), though every batch is whole`;
    return new VarveError('CORRUPT', message, { file: segment.path, position: 0 });
  }
}
