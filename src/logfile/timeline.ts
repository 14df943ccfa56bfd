/**
 * How many events there were when: a count for each second, in pages that exist only where something happened,
 * so that one line with a wrong year costs one page and not a century of zeros. Where there are more pages
 * than a bound, seconds become two, four, eight, and so on.
 *
 * @module
 */

import { assert } from '../assert.ts';
import { PAGE_SECONDS } from '../memory/layout.ts';

/** Pages of 64 counts: 16 MiB, and about 48 days in which every second has an event. */
const PAGES_MAX = 65_536;
const MS = 1000;

/** Widths of a chart's columns, in seconds: those that people count in. */
const WIDTHS_S: readonly number[] = [
  1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400, 172_800,
  604_800, 1_209_600, 2_592_000, 7_776_000, 31_536_000,
];

/** Events over time, in columns of equal width. */
export interface Histogram {
  /** Start of the first column, in milliseconds since the epoch. */
  startMs: number;
  widthMs: number;
  counts: number[];
}

/** The busiest time. */
export interface Peak {
  startMs: number;
  /** How long a time it is: a second, unless the log is too long for a count of each. */
  widthMs: number;
  count: number;
}

/** A time without events. */
export interface Gap {
  fromMs: number;
  toMs: number;
}

export class Timeline {
  /** What one count stands for, in seconds; a power of two. */
  #width = 1;
  #pages = new Map<number, Float64Array>();
  readonly #pagesMax: number;

  /** @param pagesMax how many pages there may be */
  constructor(pagesMax: number = PAGES_MAX) {
    assert(pagesMax > 1, 'two pages can become one');
    this.#pagesMax = pagesMax;
  }

  /**
   * Adds counts of seconds.
   *
   * @param pages numbers of pages: second n since 1970 is in the page n / 64
   * @param seconds 64 counts for each of them
   */
  add(pages: readonly number[], seconds: ArrayLike<number>): void {
    for (let i = 0; i < pages.length; i++) {
      const page = pages[i] as number;
      for (let j = 0; j < PAGE_SECONDS; j++) {
        const count = seconds[i * PAGE_SECONDS + j] as number;
        if (count !== 0) this.#add(Math.floor((page * PAGE_SECONDS + j) / this.#width), count);
      }
    }
  }

  #add(bucket: number, count: number): void {
    const page = Math.floor(bucket / PAGE_SECONDS);
    let counts = this.#pages.get(page);
    if (counts === undefined) {
      if (this.#pages.size >= this.#pagesMax) {
        this.#widen();
        return this.#add(Math.floor(bucket / 2), count);
      }
      counts = new Float64Array(PAGE_SECONDS);
      this.#pages.set(page, counts);
    }
    const at = bucket - page * PAGE_SECONDS;
    counts[at] = (counts[at] as number) + count;
  }

  /** Makes one count of two until there is room. */
  #widen(): void {
    while (this.#pages.size >= this.#pagesMax) {
      const before = this.#pages;
      this.#pages = new Map();
      this.#width *= 2;
      for (const [page, counts] of before) {
        const half = Math.floor(page / 2);
        const into = this.#pages.get(half) ?? new Float64Array(PAGE_SECONDS);
        this.#pages.set(half, into);
        const first = (page - 2 * half) * (PAGE_SECONDS / 2);
        for (const [i, count] of counts.entries()) {
          into[first + (i >> 1)] = (into[first + (i >> 1)] as number) + count;
        }
      }
    }
  }

  /** Calls `visit` for all counts that are not zero, in the order of time. */
  #forEach(visit: (bucket: number, count: number) => void): void {
    for (const page of [...this.#pages.keys()].sort((a, b) => a - b)) {
      const counts = this.#pages.get(page) as Float64Array;
      for (let i = 0; i < PAGE_SECONDS; i++) {
        const count = counts[i] as number;
        if (count !== 0) visit(page * PAGE_SECONDS + i, count);
      }
    }
  }

  /** The busiest second; undefined where there is no event. */
  peak(): Peak | undefined {
    const widthMs = this.#width * MS;
    let peak: Peak | undefined;
    this.#forEach((bucket, count) => {
      if (peak === undefined || count > peak.count) peak = { startMs: bucket * widthMs, widthMs, count };
    });
    return peak;
  }

  /**
   * The longest times without events, the longest first; the earlier of two that are as long. They begin
   * and end with whole seconds, so that what is told was silent at least.
   *
   * @param limit how many
   */
  gaps(limit: number): Gap[] {
    const gaps: Gap[] = [];
    const widthMs = this.#width * MS;
    const length = ({ fromMs, toMs }: Gap): number => toMs - fromMs;
    let last: number | undefined;
    this.#forEach((bucket) => {
      if (last !== undefined && bucket > last + 1 && limit > 0) {
        const gap = { fromMs: (last + 1) * widthMs, toMs: bucket * widthMs };
        const place = gaps.findIndex((other) => length(other) < length(gap));
        if (place >= 0) gaps.splice(place, 0, gap);
        else if (gaps.length < limit) gaps.push(gap);
        if (gaps.length > limit) gaps.pop();
      }
      last = bucket;
    });
    return gaps;
  }

  /**
   * Events over time, in columns of a width that people count in.
   *
   * @param columnsMax how many columns there may be, at least 2
   * @returns undefined where there is no event
   */
  histogram(columnsMax: number): Histogram | undefined {
    let first: number | undefined;
    let last = 0;
    this.#forEach((bucket) => {
      first ??= bucket * this.#width;
      last = bucket * this.#width;
    });
    if (first === undefined) return undefined;
    const width = columnWidth(first, last, this.#width, columnsMax);
    const start = Math.floor(first / width) * width;
    const counts = new Array<number>(Math.floor(last / width) - start / width + 1).fill(0);
    this.#forEach((bucket, count) => {
      const column = Math.floor((bucket * this.#width - start) / width);
      counts[column] = (counts[column] as number) + count;
    });
    return { startMs: start * MS, widthMs: width * MS, counts };
  }
}

/** The least width with which all columns between two seconds are few enough. */
function columnWidth(first: number, last: number, atLeast: number, columnsMax: number): number {
  const fits = (width: number): boolean =>
    width >= atLeast && Math.floor(last / width) - Math.floor(first / width) < columnsMax;
  const width = WIDTHS_S.find(fits);
  if (width !== undefined) return width;
  let years = WIDTHS_S.at(-1) as number;
  while (!fits(years)) years *= 2;
  return years;
}
