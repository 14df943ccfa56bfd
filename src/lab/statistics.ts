/**
 * Medians, spreads, and whether two sets of measurements differ by more than chance.
 *
 * @module
 */

/**
 * The middle number, or the mean of the two in the middle.
 *
 * @throws RangeError where there are none
 */
export function median(numbers: readonly number[]): number {
  if (numbers.length === 0) throw new RangeError('there is no median of nothing');
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

/** How far numbers lie apart, as a share of their median: the range from the least to the greatest. */
export function relativeSpread(numbers: readonly number[]): number {
  const middle = median(numbers);
  return middle > 0 ? (Math.max(...numbers) - Math.min(...numbers)) / middle : 0;
}

/** Up to so many ways to deal out the numbers are counted; beyond, the normal distribution stands in. */
const EXACT_MAX = 200_000;

/**
 * The probability that two sets of numbers differ in rank as much as these do, or more, if both were drawn
 * from one distribution: the two-sided test of Mann and Whitney (1947). Exact for small sets, ties
 * included; by the normal approximation, with the correction for ties, for large ones.
 *
 * @returns 1 where one of them is empty
 */
export function rankTest(a: readonly number[], b: readonly number[]): number {
  if (a.length === 0 || b.length === 0) return 1;
  const ranks = ranksOf([...a, ...b]);
  const rankSum = ranks.slice(0, a.length).reduce((sum, rank) => sum + rank, 0);
  const expected = (a.length * (ranks.length + 1)) / 2;
  const distance = Math.abs(rankSum - expected);
  return combinations(ranks.length, a.length) <= EXACT_MAX
    ? exactProbability(ranks, a.length, expected, distance)
    : normalProbability(ranks, a.length, distance);
}

/** Ranks from 1; equal numbers share the mean of theirs. */
function ranksOf(numbers: readonly number[]): number[] {
  const order = numbers.map((value, index) => ({ value, index })).sort((x, y) => x.value - y.value);
  const ranks = new Array<number>(numbers.length).fill(0);
  for (let start = 0; start < order.length; ) {
    let end = start + 1;
    while (end < order.length && order[end]?.value === order[start]?.value) end++;
    for (let i = start; i < end; i++) ranks[order[i]?.index as number] = (start + 1 + end) / 2;
    start = end;
  }
  return ranks;
}

function combinations(n: number, k: number): number {
  let count = 1;
  for (let i = 1; i <= k; i++) count = (count * (n - k + i)) / i;
  return count;
}

/** Deals the ranks out in every way and counts those that are as far off. */
function exactProbability(
  ranks: readonly number[],
  taken: number,
  expected: number,
  distance: number,
): number {
  let all = 0;
  let asFar = 0;
  const deal = (from: number, left: number, sum: number): void => {
    if (left === 0) {
      all++;
      if (Math.abs(sum - expected) >= distance - 1e-9) asFar++;
      return;
    }
    for (let i = from; i <= ranks.length - left; i++) deal(i + 1, left - 1, sum + (ranks[i] as number));
  };
  deal(0, taken, 0);
  return asFar / all;
}

function normalProbability(ranks: readonly number[], taken: number, distance: number): number {
  return tailProbability(distance, rankVariance(ranks, taken));
}

/** How far the sum of `taken` of the ranks varies, when they are dealt out by chance; ties make it less. */
function rankVariance(ranks: readonly number[], taken: number): number {
  const n = ranks.length;
  const sizes = new Map<number, number>();
  for (const rank of ranks) sizes.set(rank, (sizes.get(rank) ?? 0) + 1);
  const ties = [...sizes.values()].reduce((sum, size) => sum + size ** 3 - size, 0);
  return ((taken * (n - taken)) / 12) * (n + 1 - ties / (n * (n - 1)));
}

function tailProbability(distance: number, variance: number): number {
  if (variance <= 0) return 1;
  // Half a rank is taken off because ranks are whole and the curve is not.
  return Math.min(1, 2 * upperTail(Math.max(0, distance - 0.5) / Math.sqrt(variance)));
}

/** Two sets of numbers that are alike but for what is asked about. */
export interface Stratum {
  readonly a: readonly number[];
  readonly b: readonly number[];
}

/**
 * Like `rankTest`, for several pairs of sets at once that are expected to differ in the same direction: ranks are
 * given, and dealt out, within each pair only, so that the pairs may lie far apart (van Elteren, 1960, with equal
 * weights). Few numbers a pair are enough where there are many pairs.
 *
 * @returns 1 where all of them are empty
 */
export function stratifiedTest(strata: readonly Stratum[]): number {
  const whole = strata.filter(({ a, b }) => a.length > 0 && b.length > 0);
  const [first] = whole;
  if (first === undefined) return 1;
  if (whole.length === 1) return rankTest(first.a, first.b);
  let distance = 0;
  let variance = 0;
  for (const { a, b } of whole) {
    const ranks = ranksOf([...a, ...b]);
    const rankSum = ranks.slice(0, a.length).reduce((sum, rank) => sum + rank, 0);
    distance += rankSum - (a.length * (ranks.length + 1)) / 2;
    variance += rankVariance(ranks, a.length);
  }
  return tailProbability(Math.abs(distance), variance);
}

/** How much of the normal distribution lies above `z`, from 0 on (Abramowitz and Stegun, 26.2.17). */
function upperTail(z: number): number {
  const t = 1 / (1 + 0.2316419 * z);
  const polynomial =
    t * (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))));
  return (Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI)) * polynomial;
}

/**
 * Which of many tests still count when all of them are looked at: the procedure of Benjamini and Hochberg
 * (1995), which bounds the share of false ones among those that count.
 *
 * @param probabilities one a test
 * @param share of false ones that is put up with, 0 to 1
 * @returns for each test whether it counts
 */
export function significant(probabilities: readonly number[], share: number): boolean[] {
  const order = probabilities.map((p, index) => ({ p, index })).sort((a, b) => a.p - b.p);
  let counting = 0;
  for (const [place, { p }] of order.entries()) {
    if (p <= ((place + 1) / order.length) * share) counting = place + 1;
  }
  const result = new Array<boolean>(probabilities.length).fill(false);
  for (const { index } of order.slice(0, counting)) result[index] = true;
  return result;
}
