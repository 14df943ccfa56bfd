/**
 * The known losses of a log while it is being recovered: where a segment's chain of batches comes to one, it
 * goes on behind it. Those that nothing led to are forgotten, so that other bytes that come to lie there one
 * day are not taken for them.
 *
 * @module
 */

import type { VfsFile } from '../vfs/vfs.ts';
import { findGapBehind, type Gap, nextGap, readGaps, writeGaps } from './gaps.ts';
import type { Segment, SegmentContext } from './segment.ts';
import { scanSegment } from './segment-scan.ts';

export class KnownGaps {
  readonly #context: SegmentContext;
  readonly #noted: readonly Gap[];
  readonly #met: Gap[] = [];
  readonly #onMet: (segment: Segment, gap: Gap) => void;

  private constructor(
    context: SegmentContext,
    noted: readonly Gap[],
    onMet: (segment: Segment, gap: Gap) => void,
  ) {
    this.#context = context;
    this.#noted = noted;
    this.#onMet = onMet;
  }

  /** Reads what is noted; a damaged file notes nothing. */
  static async open(
    context: SegmentContext,
    onMet: (segment: Segment, gap: Gap) => void,
  ): Promise<KnownGaps> {
    const { memory, vfs, directory } = context;
    return new KnownGaps(context, (await readGaps(memory, vfs, directory)) ?? [], onMet);
  }

  /** Takes over those that lie in a segment that is taken as the checkpoint describes it. */
  takeInside(segment: Segment): void {
    for (const gap of this.#noted) {
      const isInside = gap.baseOffset === segment.baseOffset && gap.end > gap.start;
      if (isInside && gap.end <= segment.bytes) this.#meet(segment, gap);
    }
  }

  /** Those that are noted of a segment, met or not. */
  inside(baseOffset: number): Gap[] {
    return this.#noted.filter((gap) => gap.baseOffset === baseOffset && gap.end > gap.start);
  }

  /** Reads on up to the next one in a segment, and steps over it. Returns whether it got there. */
  async scanTo(segment: Segment, file: VfsFile, fileBytes: number): Promise<boolean> {
    const gap = nextGap(this.#noted, segment.baseOffset, segment.bytes);
    if (gap === undefined || gap.end > fileBytes) return false;
    const found = await scanSegment(segment, file, gap.start, 0, async () => false);
    if (found !== undefined || segment.nextOffset !== gap.firstOffset) return false;
    this.#meet(segment, gap);
    segment.bytes = gap.end;
    segment.nextOffset = gap.lastOffset + 1;
    return true;
  }

  /** Whether what is missing between a segment and the next one is known. */
  takeBehind(segment: Segment, nextBase: number): boolean {
    const gap = findGapBehind(this.#noted, segment.baseOffset, segment.nextOffset, nextBase);
    if (gap?.start !== segment.bytes) return false;
    this.#meet(segment, gap);
    return true;
  }

  /** Forgets those that nothing led to. */
  async prune(): Promise<void> {
    const { memory, vfs, directory } = this.#context;
    if (this.#met.length < this.#noted.length) await writeGaps(memory, vfs, directory, this.#met);
  }

  #meet(segment: Segment, gap: Gap): void {
    segment.damaged.push(gap);
    this.#met.push(gap);
    this.#onMet(segment, gap);
  }
}
