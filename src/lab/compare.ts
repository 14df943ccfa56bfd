/**
 * Two results, cell by cell: not only how far they lie apart, but whether that can be chance.
 *
 * @module
 */

import type { CellResult, LabResult } from './result.ts';
import { leastProbability, rankTest, significant } from './statistics.ts';

export interface Difference {
  readonly key: string;
  readonly what: 'records/s' | 'p99';
  readonly before: number;
  readonly after: number;
  /** `after / before`. */
  readonly ratio: number;
  /** How likely so large a difference is between two runs of the same. */
  readonly probability: number;
  /** Better, worse, or no difference that counts when all cells are looked at together. */
  readonly verdict: 'better' | 'worse' | 'same';
}

export interface Comparison {
  readonly differences: readonly Difference[];
  /** Cells that only one of them has. */
  readonly onlyBefore: readonly string[];
  readonly onlyAfter: readonly string[];
  /** What makes the two hard to compare, in sentences. */
  readonly warnings: readonly string[];
}

/** The share of false alarms among the differences that are said to count. */
const FALSE_SHARE = 0.05;
/** A difference that is smaller is not worth a word, however certain. */
const RATIO_MIN = 0.03;
/** With fewer repeats on each side no difference can be told from chance. */
const REPEATS_MIN = 4;

/** Compares two results; the first is the one from before. */
export function compareResults(before: LabResult, after: LabResult): Comparison {
  const others = new Map(after.cells.map((cell) => [cell.key, cell]));
  const pairs = before.cells.flatMap((cell) => {
    const other = others.get(cell.key);
    return other === undefined ? [] : [{ cell, other }];
  });
  const tests = pairs.flatMap(({ cell, other }) => {
    const p99 = test(cell, other, 'p99', cell.p99MsSamples, other.p99MsSamples);
    // The rate of an open load is what was asked for, unless it gave up: nothing to compare.
    if (cell.load.kind === 'open' && !cell.isSaturated && !other.isSaturated) return [p99];
    return [test(cell, other, 'records/s', cell.recordsPerSecondSamples, other.recordsPerSecondSamples), p99];
  });
  const counting = significant(
    tests.map(({ probability }) => probability),
    FALSE_SHARE,
  );
  const known = new Set(before.cells.map(({ key }) => key));
  return {
    differences: tests.map((difference, i) => ({
      ...difference,
      verdict: verdictOf(difference, counting[i]),
    })),
    onlyBefore: before.cells.map(({ key }) => key).filter((key) => !others.has(key)),
    onlyAfter: after.cells.map(({ key }) => key).filter((key) => !known.has(key)),
    warnings: warningsOf(before, after, tests.length),
  };
}

type Test = Omit<Difference, 'verdict'>;

function test(
  cell: CellResult,
  other: CellResult,
  what: Difference['what'],
  samples: readonly number[],
  otherSamples: readonly number[],
): Test {
  const before = what === 'p99' ? cell.latencyMs.p99 : cell.recordsPerSecond;
  const after = what === 'p99' ? other.latencyMs.p99 : other.recordsPerSecond;
  const probability = rankTest(samples, otherSamples);
  return { key: cell.key, what, before, after, ratio: after / before, probability };
}

function verdictOf({ what, ratio }: Test, isCounting: boolean | undefined): Difference['verdict'] {
  if (isCounting !== true || Math.abs(ratio - 1) < RATIO_MIN) return 'same';
  return ratio > 1 === (what === 'records/s') ? 'better' : 'worse';
}

function warningsOf(before: LabResult, after: LabResult, tests: number): string[] {
  const warnings: string[] = [];
  const names = ['kernel', 'cpu', 'cores', 'node', 'fileSystem', 'mountOptions', 'device'] as const;
  for (const name of names) {
    const [was, is] = [before.environment[name], after.environment[name]];
    if (was !== is) warnings.push(`${name} differs: ${was} before, ${is} after.`);
  }
  const repeats = Math.min(before.repeats, after.repeats);
  if (repeats < REPEATS_MIN) {
    warnings.push(
      `${repeats} repeats are too few to tell a difference from chance; ${REPEATS_MIN} on each side are the least.`,
    );
  } else {
    // Of so many tests, some come out like this by chance: how many have to, before that explains them no more?
    const least = Math.ceil((leastProbability(before.repeats, after.repeats) * tests) / FALSE_SHARE);
    if (least > 1) {
      warnings.push(
        `With ${repeats} repeats and ${tests} figures, differences count only where at least ${least} figures differ clearly; with more repeats or fewer cells, fewer are enough.`,
      );
    }
  }
  if (before.sampleMs !== after.sampleMs) {
    warnings.push(`The measurements lasted ${before.sampleMs} ms before and ${after.sampleMs} ms after.`);
  }
  return warnings;
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null;
}

function isCell(value: unknown): boolean {
  const cell = (value ?? {}) as Partial<CellResult>;
  return (
    typeof cell.key === 'string' &&
    Array.isArray(cell.recordsPerSecondSamples) &&
    Array.isArray(cell.p99MsSamples) &&
    isObject(cell.latencyMs) &&
    isObject(cell.load)
  );
}

/**
 * Reads a result that was saved as JSON.
 *
 * @throws RangeError where it is none, or of another version
 */
export function parseResult(text: string, file: string): LabResult {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new RangeError(`${file} is not JSON: ${(error as Error).message}`);
  }
  const { format, cells, environment, repeats } = (value ?? {}) as Partial<LabResult>;
  const isWhole = Array.isArray(cells) && cells.every(isCell) && isObject(environment);
  if (!isWhole || typeof format !== 'number' || typeof repeats !== 'number') {
    throw new RangeError(`${file} is not a result of varve bench fsync --json`);
  }
  if (format !== 1) throw new RangeError(`${file} has the format ${format as number}; this version reads 1`);
  return value as LabResult;
}
