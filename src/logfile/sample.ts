/**
 * Samples of files that are too big to be read: blocks of equal size, spread over the file, are read whole, and
 * what they have stands for the others. Each line belongs to the block in which it begins, so each has the same
 * chance.
 *
 *     file     |    stratum    |    stratum    |    stratum    |
 *     blocks   |  | X|  |  |  |  |  | X|  |  | X|  |  |  |  |  |
 *
 * The file is cut into as many strata as blocks are wanted, and one block is drawn from each. Errors are those of
 * cluster sampling (Cochran, "Sampling Techniques", 3rd edition, chapters 2, 6 and 9): the block, not the line,
 * is what was drawn, because lines next to each other are alike. They are computed as if blocks were drawn
 * anywhere, which makes them rather too large than too small for a log that changes slowly.
 *
 * @module
 */

import { VarveError } from '../errors.ts';
import type { Runtime } from '../runtime.ts';
import type { LineRange } from '../scan/ranges.ts';
import { SCAN_BYTES, type ScanKind, scanRange } from '../scan/scanner.ts';
import type { PlainText, TextSource } from '../text/source.ts';

const KIB = 1024;
const BLOCK_BYTES_MIN: number = 4 * KIB;
const BLOCK_BYTES_MAX: number = 256 * KIB;
/** Errors are known well only with many blocks: blocks become smaller before they become fewer. */
const BLOCKS_WANTED = 256;
const BLOCKS_MIN = 30;
/** How many different things are estimated; later ones, which are rare, are not. */
const KEYS_MAX = 100_000;
/** Half the width of an interval that has the truth in it 95 times of 100, in standard errors. */
const NORMAL_95 = 1.959964;

/** Checks the share of a file that is to be read. @throws TypeError, RangeError */
export function checkShare(sample: unknown): number {
  if (typeof sample !== 'number') throw new TypeError(`sample must be a number, not ${String(sample)}`);
  if (sample > 0 && sample <= 1) return sample;
  throw new RangeError(`sample must be more than 0 and at most 1, not ${sample}`);
}

/** Which blocks of a file are read. */
export interface SamplePlan {
  ranges: LineRange[];
  /** How many blocks there are in all. */
  blocks: number;
  blockBytes: number;
}

/**
 * Chooses blocks.
 *
 * @param share from 0 (exclusive) to 1
 * @param seed what the choice follows from
 */
export function planSample(
  { start, end }: Pick<PlainText, 'start' | 'end'>,
  share: number,
  seed: number,
): SamplePlan {
  const bytes = end - start;
  const wanted = (bytes * share) / BLOCKS_WANTED;
  let blockBytes = BLOCK_BYTES_MIN;
  while (blockBytes * 2 <= Math.min(wanted, BLOCK_BYTES_MAX)) blockBytes *= 2;
  const blocks = Math.ceil(bytes / blockBytes);
  const count = Math.min(blocks, Math.max(BLOCKS_MIN, Math.round(blocks * share)));
  const random = generator(seed);
  const ranges = Array.from({ length: count }, (_, i) => {
    const first = Math.floor((i * blocks) / count);
    const next = Math.floor(((i + 1) * blocks) / count);
    const from = start + (first + Math.floor(random() * (next - first))) * blockBytes;
    return { start, end, from, to: Math.min(end, from + blockBytes) };
  });
  return { ranges, blocks, blockBytes };
}

/** Numbers from 0 to 1 that a seed replays: mulberry32 (Tommy Ettinger). */
function generator(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** The file of a source of which parts can be read. @throws VarveError `UNSUPPORTED` where it has none */
export function plainOf(source: TextSource): PlainText {
  if (source.plain !== undefined) return source.plain;
  const reason = 'it is compressed, of another encoding, or a stream';
  throw new VarveError('UNSUPPORTED', `no sample can be taken of ${source.title}: ${reason}`, {
    file: source.title,
  });
}

/** Scans ranges of a file one after the other, on this thread, and tells what was found in each. */
export async function* scanRanges<S, R>(
  runtime: Runtime,
  plain: PlainText,
  ranges: readonly LineRange[],
  { kind, spec }: { kind: ScanKind<S, R>; spec: S },
  signal: AbortSignal | undefined,
): AsyncGenerator<{ result: R; range: LineRange }, void, undefined> {
  const { memory, clock } = runtime;
  const slab = memory.slabs.allocate(SCAN_BYTES, 'sample');
  try {
    const scanner = kind.create(memory, slab.address, spec);
    for (const range of ranges) {
      signal?.throwIfAborted();
      scanRange(memory, slab.address, plain.file, range, kind, scanner);
      yield { result: scanner.take(), range };
      await new Promise<void>((resolve) => clock.nextTurn(resolve));
    }
  } finally {
    slab.release();
  }
}

/** A number that was estimated, and its standard error. */
export interface Estimated {
  value: number;
  error: number;
}

/** What a sample was made of. */
export interface SampleFacts {
  /** The share of the bytes that was read. */
  share: number;
  blocks: number;
  /** How many blocks there are in all. */
  blocksInAll: number;
  /** Half the widths of the 95 % confidence intervals of the counts. */
  plusMinus: { lines: number; entries: number; continuations: number; failed: number };
}

/** Sums over the sampled blocks of a file, of one thing. */
interface Sums {
  count: number;
  squares: number;
  /** Products with what shares are of. */
  products: Map<string, number>;
}

interface FileSample {
  blocks: number;
  sampled: number;
  bytes: number;
  bytesRead: number;
  sums: Map<string, Sums>;
}

/** What shares are of. */
const WHOLES: readonly string[] = ['entries', 'levels'];

/** Makes estimates of what was counted in blocks. */
export class Estimate {
  readonly #files: FileSample[] = [];
  #keys = 0;

  /** Begins with the next file. */
  begin(plan: SamplePlan, bytes: number): void {
    this.#files.push({ blocks: plan.blocks, sampled: 0, bytes, bytesRead: 0, sums: new Map() });
  }

  /**
   * Adds a block of the file that was begun last.
   *
   * @param counts what it has, by name; what is not named it has none of
   */
  add(counts: ReadonlyMap<string, number>, { from, to }: LineRange): void {
    const file = this.#files.at(-1) as FileSample;
    file.sampled++;
    file.bytesRead += to - from;
    for (const [key, count] of counts) {
      if (count === 0) continue;
      let sums = file.sums.get(key);
      if (sums === undefined) {
        if (this.#keys >= KEYS_MAX) continue;
        this.#keys++;
        sums = { count: 0, squares: 0, products: new Map() };
        file.sums.set(key, sums);
      }
      sums.count += count;
      sums.squares += count * count;
      for (const whole of WHOLES) {
        sums.products.set(whole, (sums.products.get(whole) ?? 0) + count * (counts.get(whole) ?? 0));
      }
    }
  }

  /** How many there are in all. */
  total(key: string): Estimated {
    return this.#estimate(
      (file) => file.sums.get(key)?.count ?? 0,
      (file) => file.sums.get(key)?.squares ?? 0,
    );
  }

  /** Which share of the wholes (`entries` or `levels`) it is: a ratio estimate. */
  share(key: string, of: string): Estimated {
    const whole = this.total(of).value;
    const ratio = this.total(key).value / whole;
    if (!(whole > 0)) return { value: Number.NaN, error: Number.NaN };
    // The error is that of the difference between what a block has and what the ratio says it should have.
    const { error } = this.#estimate(
      ({ sums }) => (sums.get(key)?.count ?? 0) - ratio * (sums.get(of)?.count ?? 0),
      ({ sums }) =>
        (sums.get(key)?.squares ?? 0) -
        2 * ratio * (sums.get(key)?.products.get(of) ?? 0) +
        ratio * ratio * (sums.get(of)?.squares ?? 0),
    );
    return { value: ratio, error: error / whole };
  }

  /** Expands sums over blocks to all blocks, file by file. */
  #estimate(sum: (file: FileSample) => number, squares: (file: FileSample) => number): Estimated {
    let value = 0;
    let variance = 0;
    for (const file of this.#files) {
      const { blocks, sampled } = file;
      if (sampled === 0) continue;
      const mean = sum(file) / sampled;
      value += blocks * mean;
      if (sampled === blocks) continue;
      const spread = Math.max(0, squares(file) - sampled * mean * mean) / (sampled - 1);
      variance += (blocks * blocks * (1 - sampled / blocks) * spread) / sampled;
    }
    return { value, error: Math.sqrt(variance) };
  }

  facts(): SampleFacts {
    const sum = (of: (file: FileSample) => number): number =>
      this.#files.reduce((all, file) => all + of(file), 0);
    const plusMinus = (key: string): number => Math.ceil(NORMAL_95 * this.total(key).error);
    return {
      share:
        sum(({ bytesRead }) => bytesRead) /
        Math.max(
          1,
          sum(({ bytes }) => bytes),
        ),
      blocks: sum(({ sampled }) => sampled),
      blocksInAll: sum(({ blocks }) => blocks),
      plusMinus: {
        lines: plusMinus('lines'),
        entries: plusMinus('entries'),
        continuations: plusMinus('continuations'),
        failed: plusMinus('failed'),
      },
    };
  }
}
