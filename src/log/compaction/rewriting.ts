/** All that writes the segments of an open log anew: one thing at a time, since they use the same file names. */

import type { Clock } from '../../clock.ts';
import { sealedCodec } from '../compression-options.ts';
import type { LogMetrics } from '../metrics.ts';
import type { CompactionRequest, CompactorParts } from './compaction-run.ts';
import { Compactor } from './compactor.ts';
import { type RecompressionReport, type RecompressionRequest, Recompressor } from './recompressor.ts';
import type { CompactionReport } from './report.ts';

export interface RewritingParts extends CompactorParts {
  clock: Clock;
  metrics: LogMetrics;
}

export class Rewriting {
  readonly compactor: Compactor;
  /** Undefined where sealed segments are not compressed. */
  readonly recompressor: Recompressor | undefined;
  #running: Promise<unknown> = Promise.resolve();

  /** @param cleanedTo how far the log was compacted */
  constructor(parts: RewritingParts, cleanedTo: number) {
    this.compactor = new Compactor(parts, cleanedTo);
    const codec = sealedCodec(parts.options.compression);
    const onCompressed = (before: number, after: number): void => parts.metrics.recompressed(before, after);
    if (codec !== undefined) this.recompressor = new Recompressor({ ...parts, codec, onCompressed });
  }

  /** Compacts the log, when nothing else is done to its segments. */
  compact(request: CompactionRequest): Promise<CompactionReport> {
    return this.#inTurn(() => this.compactor.run(request));
  }

  /** Compresses what is sealed, in the same way. @throws TypeError where that stays as it is */
  async recompress(request: RecompressionRequest): Promise<RecompressionReport> {
    const { recompressor } = this;
    if (recompressor !== undefined) return await this.#inTurn(() => recompressor.run(request));
    throw new TypeError(
      "its segments are not compressed: open the log with compression { codec, when: 'seal' }",
    );
  }

  #inTurn<T>(run: () => Promise<T>): Promise<T> {
    const running = this.#running.then(run);
    this.#running = running.catch(() => undefined);
    return running;
  }
}
