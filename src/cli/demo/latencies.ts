/**
 * Durations and their percentiles, from a histogram with three significant digits.
 *
 * @module
 */

import { createHistogram, type RecordableHistogram } from 'node:perf_hooks';

const NANOSECONDS = 1e6;

export class Latencies {
  readonly #histogram: RecordableHistogram = createHistogram();

  /** Adds one duration in milliseconds. */
  record(durationMs: number): void {
    this.#histogram.record(Math.max(1, Math.round(durationMs * NANOSECONDS)));
  }

  get count(): number {
    return this.#histogram.count;
  }

  /** The duration in milliseconds that `percent` of them do not exceed; NaN where there are none. */
  percentile(percent: number): number {
    return this.count === 0 ? Number.NaN : this.#histogram.percentile(percent) / NANOSECONDS;
  }
}
