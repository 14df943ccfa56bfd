/**
 * `--against FILE`: whether a bench has become slower or faster than in a result from before. What is
 * compared are ratios, varve's side of each round against the other side next to it, because both sides
 * feel the machine alike.
 *
 * A row has few rounds, so that one alone counts only where hardly a round overlaps; what slows a whole bench
 * down is found by all of its rows together, each as a stratum of its own.
 *
 * @module
 */

import { median, rankTest, significant, stratifiedTest } from '../src/lab/statistics.ts';
import { alignColumns, formatRatio } from './print.ts';
import type { Row } from './rows.ts';
import type { Result } from './suite.ts';

export interface Change {
  readonly id: string;
  readonly before: number;
  readonly after: number;
  /** How likely so large a difference is between two runs of the same. */
  readonly probability: number;
  readonly verdict: 'better' | 'worse' | 'same';
}

/** The share of false alarms among the changes that are called. */
const FALSE_SHARE = 0.05;
/** A change that is smaller is not called one, however certain. */
const CHANGE_MIN = 0.1;

/** The ratio of each round, or what was measured of varve alone where there is no other side. */
function samplesOf({ samples, versusSamples }: Row): number[] {
  return samples.map((sample, i) => sample / (versusSamples[i] ?? 1));
}

/** Whether less of it is better: times and sizes, and all that has a target from above. */
function isCost({ unit, target }: Row): boolean {
  return target?.startsWith('<=') ?? /^(?:[nuµm]?s|ms|MiB|bytes?|%)\b/.test(unit);
}

interface Pair {
  readonly old: Row;
  readonly row: Row;
}

/** Compares the rows that two results share; rows that were skipped in one of them are left out. */
export function compareWith(before: readonly Result[], after: readonly Result[]): Change[] {
  const known = new Map(before.flatMap(({ rows }) => rows).map((row) => [row.id, row]));
  const suites = after.map(({ bench, rows }) => ({
    bench,
    pairs: rows.flatMap((row): Pair[] => {
      const old = known.get(row.id);
      const isShared = old !== undefined && old.runs > 0 && row.runs > 0;
      return isShared && (old.skipped === null) === (row.skipped === null) ? [{ old, row }] : [];
    }),
  }));
  const rows = suites.flatMap(({ pairs }) => pairs).map(changeOfRow);
  const benches = suites.map(changeOfBench).filter((change) => change !== undefined);
  return [...judge(benches), ...judge(rows)];
}

type Unjudged = Omit<Change, 'verdict'> & { readonly isCost: boolean };

function changeOfRow({ old, row }: Pair): Unjudged {
  const [was, is] = [samplesOf(old), samplesOf(row)];
  const probability = rankTest(was, is);
  return { id: row.id, before: median(was), after: median(is), probability, isCost: isCost(row) };
}

/** All rows of a bench that do not share what was measured of varve; what costs less counts as more. */
function changeOfBench({ bench, pairs }: { bench: string; pairs: readonly Pair[] }): Unjudged | undefined {
  const own = new Map(pairs.map((pair) => [ownSide(pair.row), pair] as const).reverse());
  if (own.size < 2) return undefined;
  const gain = (row: Row): number[] => samplesOf(row).map((value) => (isCost(row) ? 1 / value : value));
  const strata = [...own.values()].map(({ old, row }) => ({ a: gain(old), b: gain(row) }));
  const logs = strata.map(({ a, b }) => Math.log(median(b) / median(a)));
  const after = Math.exp(logs.reduce((sum, log) => sum + log, 0) / logs.length);
  const id = `${bench}: ${own.size} rows together`;
  return { id, before: 1, after, probability: stratifiedTest(strata), isCost: false };
}

/** What was measured of varve: `append/always-16` of `append/always-16 vs fdatasync-each`. */
function ownSide({ id }: Row): string {
  return id.split(' vs ')[0] as string;
}

function judge(changes: readonly Unjudged[]): Change[] {
  const counting = significant(
    changes.map(({ probability }) => probability),
    FALSE_SHARE,
  );
  return changes.map(({ isCost: isLess, ...change }, i) => {
    const { before, after } = change;
    const isChange = counting[i] === true && Math.abs(after / before - 1) >= CHANGE_MIN;
    const verdict = !isChange ? 'same' : after < before === isLess ? 'better' : 'worse';
    return { ...change, verdict };
  });
}

/** The changes as a text that ends with a line feed. */
export function formatChanges(changes: readonly Change[]): string {
  const lines = changes.map(({ id, before, after, probability, verdict }) => [
    id,
    formatRatio(before),
    formatRatio(after),
    `x${formatRatio(after / before)}`,
    probability < 0.001 ? '< 0.001' : probability.toFixed(3),
    verdict === 'same' ? '' : verdict,
  ]);
  const head = ['row', 'before', 'after', 'change', 'p', ''];
  const worse = changes.filter(({ verdict }) => verdict === 'worse').length;
  const better = changes.filter(({ verdict }) => verdict === 'better').length;
  const sum = `${better} better, ${worse} worse, ${changes.length - better - worse} the same or not to be told apart`;
  return [...alignColumns([head, ...lines]), sum, ''].join('\n');
}
