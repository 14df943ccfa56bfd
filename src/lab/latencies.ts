/**
 * Durations and their percentiles, from a histogram with three significant digits.
 *
 * @module
 */

import { createHistogram, type RecordableHistogram } from 'node:perf_hooks';

const NANOSECONDS = 1e6;

/** The shares of all durations at which a distribution is drawn: the further out, the denser. */
const QUANTILES: readonly number[] = [
  0, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.975, 0.99, 0.995, 0.999, 0.9995, 0.9999, 1,
];

/** A point of a distribution: `share` of all durations are at most `ms`. */
export interface Quantile {
  readonly share: number;
  readonly ms: number;
}

export class Latencies {
  readonly #histogram: RecordableHistogram = createHistogram();

  /** Adds one duration in milliseconds. */
  record(durationMs: number): void {
    this.#histogram.record(Math.max(1, Math.round(durationMs * NANOSECONDS)));
  }

  /** Adds all durations of another. */
  add(other: Latencies): void {
    if (other.count > 0) this.#histogram.add(other.#histogram);
  }

  get count(): number {
    return this.#histogram.count;
  }

  /** The longest, in milliseconds; NaN where there are none. */
  get maxMs(): number {
    return this.count === 0 ? Number.NaN : this.#histogram.max / NANOSECONDS;
  }

  /** The duration in milliseconds that `percent` of them do not exceed; NaN where there are none. */
  percentile(percent: number): number {
    return this.count === 0 ? Number.NaN : this.#histogram.percentile(percent) / NANOSECONDS;
  }

  /** The distribution, as far out as there are durations to tell it from. */
  quantiles(): Quantile[] {
    if (this.count === 0) return [];
    const known = QUANTILES.filter((share) => share === 1 || (1 - share) * this.count >= 1);
    return known.map((share) => ({ share, ms: this.#at(share) }));
  }

  #at(share: number): number {
    if (share === 0) return this.#histogram.min / NANOSECONDS;
    return share === 1 ? this.maxMs : this.percentile(share * 100);
  }
}
