/**
 * Two results, policy by policy and cell by cell: not only how far they lie apart, but whether that can be chance.
 *
 * Repeats are few, so a single cell hardly ever shows anything for certain. But all cells of a policy feel a change
 * of it alike: they are tested together, each as a stratum of its own, and a cell then counts if its policy does.
 *
 * Between two runs the machine changes, too, which no repeat within a run can show. The bare disk was measured in
 * both: a difference counts only if it is there with the disk's own difference taken off as well as without.
 *
 * @module
 */

import type { CellResult, LabResult } from './result.ts';
import { median, rankTest, type Stratum, significant, stratifiedTest } from './statistics.ts';

export type Verdict = 'better' | 'worse' | 'same';

/** One figure of one cell, before and after. */
export interface Difference {
  readonly key: string;
  readonly what: 'records/s' | 'p99';
  readonly before: number;
  readonly after: number;
  /** `after / before`. */
  readonly ratio: number;
  /** How likely so large a difference is between two runs of the same, the cell looked at alone. */
  readonly probability: number;
  /** Better, worse, or no difference that counts when all are looked at together. */
  readonly verdict: Verdict;
}

/** One figure of all cells of a strategy together. */
export interface StrategyDifference {
  readonly strategy: string;
  readonly what: Difference['what'];
  readonly cells: number;
  /** The geometric mean of the ratios of its cells. */
  readonly ratio: number;
  readonly probability: number;
  readonly verdict: Verdict;
}

export interface Comparison {
  readonly strategies: readonly StrategyDifference[];
  readonly differences: readonly Difference[];
  /** How the bare disk did: its rates after by those before; 1 where that was not measured. */
  readonly disk: Readonly<Record<CellResult['level'], number>>;
  /** Cells that only one of them has. */
  readonly onlyBefore: readonly string[];
  readonly onlyAfter: readonly string[];
  /** What makes the two hard to compare, in sentences. */
  readonly warnings: readonly string[];
}

/** The share of false alarms among the differences that are said to count. */
const FALSE_SHARE = 0.05;
/** A difference that is smaller is not worth a word, however certain. */
const RATIO_MIN = 0.05;
/** With fewer repeats on each side no difference can be told from chance. */
const REPEATS_MIN = 4;
/** The bare disk itself was so much faster or slower that the two runs are hard to compare. */
const DISK_DRIFT_MAX = 1.25;

interface Pair {
  readonly cell: CellResult;
  readonly other: CellResult;
}

/** A figure of a cell, and how far it lies from that of before. */
interface Test {
  readonly strategy: string;
  readonly difference: Omit<Difference, 'verdict'>;
  readonly raw: Stratum;
  /** The same with the disk's own difference taken off. */
  readonly steadied: Stratum;
}

/** Compares two results; the first is the one from before. */
export function compareResults(before: LabResult, after: LabResult): Comparison {
  const others = new Map(after.cells.map((cell) => [cell.key, cell]));
  const pairs = before.cells.flatMap((cell) => {
    const other = others.get(cell.key);
    return other === undefined ? [] : [{ cell, other }];
  });
  const disk = { synced: diskRatio(pairs, 'synced'), written: diskRatio(pairs, 'written') };
  const tests = pairs
    .filter(({ cell }) => cell.strategy.kind === 'policy')
    .flatMap((pair) => testsOf(pair, disk[pair.cell.level]));
  const strategies = compareStrategies(tests);
  const counting = significant(
    tests.map(({ difference }) => difference.probability),
    FALSE_SHARE,
  );
  const differences = tests.map(({ strategy, difference }, i) => {
    const own = verdictOf(difference.what, difference.ratio, true);
    const whole = strategies.find((other) => other.strategy === strategy && other.what === difference.what);
    const isCounting =
      counting[i] === true || (whole?.verdict === own && difference.probability <= FALSE_SHARE);
    return { ...difference, verdict: isCounting ? own : 'same' };
  });
  const known = new Set(before.cells.map(({ key }) => key));
  return {
    strategies,
    differences,
    disk,
    onlyBefore: before.cells.map(({ key }) => key).filter((key) => !others.has(key)),
    onlyAfter: after.cells.map(({ key }) => key).filter((key) => !known.has(key)),
    warnings: warningsOf(before, after, disk),
  };
}

function diskRatio(pairs: readonly Pair[], level: CellResult['level']): number {
  const bare = pairs.filter(({ cell }) => cell.strategy.kind === 'bare' && cell.level === level);
  return geometricMean(bare.map(({ cell, other }) => other.recordsPerSecond / cell.recordsPerSecond));
}

function geometricMean(numbers: readonly number[]): number {
  if (numbers.length === 0) return 1;
  return Math.exp(numbers.reduce((sum, number) => sum + Math.log(number), 0) / numbers.length);
}

function testsOf({ cell, other }: Pair, disk: number): Test[] {
  const test = (
    what: Difference['what'],
    a: readonly number[],
    b: readonly number[],
    drift: number,
  ): Test => {
    const before = median(a);
    const after = median(b);
    const raw = { a, b };
    const steadied = { a, b: b.map((value) => value / drift) };
    const probability = Math.max(rankTest(raw.a, raw.b), rankTest(steadied.a, steadied.b));
    const difference = { key: cell.key, what, before, after, ratio: after / before, probability };
    return { strategy: cell.strategy.id, difference, raw, steadied };
  };
  const p99 = test('p99', cell.p99MsSamples, other.p99MsSamples, 1 / disk);
  // The rate of an open load is what was asked for, unless it gave up: nothing to compare.
  if (cell.load.kind === 'open' && !cell.isSaturated && !other.isSaturated) return [p99];
  return [test('records/s', cell.recordsPerSecondSamples, other.recordsPerSecondSamples, disk), p99];
}

function compareStrategies(tests: readonly Test[]): StrategyDifference[] {
  const groups = new Map<string, Test[]>();
  for (const test of tests) {
    const key = `${test.strategy} ${test.difference.what}`;
    groups.set(key, [...(groups.get(key) ?? []), test]);
  }
  const all = [...groups.values()].map((group) => {
    const [first] = group as [Test];
    const ratio = geometricMean(group.map(({ difference }) => difference.ratio));
    const probability = Math.max(
      stratifiedTest(group.map(({ raw }) => raw)),
      stratifiedTest(group.map(({ steadied }) => steadied)),
    );
    return { strategy: first.strategy, what: first.difference.what, cells: group.length, ratio, probability };
  });
  const counting = significant(
    all.map(({ probability }) => probability),
    FALSE_SHARE,
  );
  return all.map((one, i) => ({ ...one, verdict: verdictOf(one.what, one.ratio, counting[i] === true) }));
}

function verdictOf(what: Difference['what'], ratio: number, isCounting: boolean): Verdict {
  if (!isCounting || Math.abs(ratio - 1) < RATIO_MIN) return 'same';
  return ratio > 1 === (what === 'records/s') ? 'better' : 'worse';
}

function warningsOf(before: LabResult, after: LabResult, disk: Comparison['disk']): string[] {
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
  }
  for (const [level, ratio] of Object.entries(disk)) {
    if (Math.max(ratio, 1 / ratio) <= DISK_DRIFT_MAX) continue;
    const what = level === 'synced' ? 'write and fdatasync' : 'write';
    warnings.push(
      `The bare disk itself (${what}) did ${ratio.toFixed(2)} times as much after: the machine or its disk was not the same in both runs.`,
    );
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
