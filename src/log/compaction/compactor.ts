/**
 * Compacts a log: the newest record of each key stays, with its offset. Kafka's cleaner is what it does:
 *
 * 1. The keys of what was not compacted yet are taken into a map, which marks each record that a later one
 *    supersedes. What does not fit is left for another pass.
 * 2. Segments are rewritten from the first on, several small ones into one, without the records that are marked,
 *    and without those of earlier compactions whose key the map has.
 * 3. Each takes the place of its sources at once (swap.ts), and the cleaner point says how far that went.
 *
 * Deletions stay until their time has come: it is set when they are first rewritten, since only then is nothing
 * older left of their key. A segment that cannot be read is left as it is, and since it may hold what deletions
 * behind it delete, those are not forgotten.
 *
 * The work is done in steps of one segment, each of which may run on another thread.
 *
 * @module
 */

import { isVarveError } from '../../errors.ts';
import type { Slab } from '../../memory/slabs.ts';
import { writeCleanerPoint } from './cleaner-point.ts';
import { type CompactionRequest, type CompactorParts, Run } from './compaction-run.ts';
import { takeMoreWork, takeWork } from './key-map.ts';
import { type CleanablePlan, planCompaction } from './policy.ts';
import { type CompactionReport, createReport } from './report.ts';

export class Compactor {
  /** Up to where the log was compacted. */
  cleanedTo: number;
  readonly #parts: CompactorParts;
  /** The end of what was looked at last, where some of it had to be left as it is. */
  #skippedEnd = -1;

  constructor(parts: CompactorParts, cleanedTo: number) {
    this.#parts = parts;
    this.cleanedTo = cleanedTo;
  }

  /** What there is to do now. */
  plan(): CleanablePlan {
    const { options, segments, clock } = this.#parts;
    const plan = planCompaction(segments.sealed, this.cleanedTo, options, clock.now());
    // What could not be read will not be read the next time: not before there is something new.
    return plan.end === this.#skippedEnd ? { ...plan, isDue: false } : plan;
  }

  async run(request: CompactionRequest): Promise<CompactionReport> {
    const { context, segments } = this.#parts;
    const { slabs } = context.memory;
    const plan = this.plan();
    const isDue = plan.count > 0 && (plan.isDue || request.force || request.duplicatesWithin !== undefined);
    // No memory is taken for nothing: there may be little.
    if (!isDue) return createReport(segments.list, request.dryRun).done(segments.list, this.cleanedTo);
    try {
      return await this.#run(request, takeWork(slabs));
    } catch (error) {
      // A batch may be larger than what steps usually work in.
      const more = isVarveError(error, 'NO_MEMORY') ? takeMoreWork(slabs) : undefined;
      if (more === undefined) throw error;
      return await this.#run(request, more);
    }
  }

  /** @param work is given back */
  async #run(request: CompactionRequest, work: Slab): Promise<CompactionReport> {
    const { context, segments } = this.#parts;
    const report = createReport(segments.list, request.dryRun);
    const plan = this.plan();
    let map: Slab | undefined;
    let run: Run | undefined;
    try {
      run = new Run(this.#parts, request, plan, report, work);
      await run.sample();
      map = run.takeMap();
      report.mapBytes = map.bytes;
      await run.all(map, this.cleanedTo, async (offset) => {
        if (request.dryRun || request.duplicatesWithin !== undefined) return;
        if (offset > this.cleanedTo) await writeCleanerPoint(context, offset);
        this.cleanedTo = Math.max(this.cleanedTo, offset);
      });
    } finally {
      await run?.settle();
      map?.release();
      work.release();
    }
    this.#skippedEnd = report.skipped.length > 0 ? plan.end : -1;
    return report.done(segments.list, this.cleanedTo);
  }
}
