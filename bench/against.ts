/**
 * `--against FILE`: whether a bench has become slower or faster than in a result from before. What is
 * compared are ratios, varve's side of each round against the other side next to it, because both sides
 * feel the machine alike.
 *
 * @module
 */

import { median, rankTest, significant } from '../src/lab/statistics.ts';
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

/** Compares the rows that two results share; rows that were skipped in one of them are left out. */
export function compareWith(before: readonly Result[], after: readonly Result[]): Change[] {
  const known = new Map(before.flatMap(({ rows }) => rows).map((row) => [row.id, row]));
  const pairs = after
    .flatMap(({ rows }) => rows)
    .flatMap((row) => {
      const old = known.get(row.id);
      const isShared = old !== undefined && old.runs > 0 && row.runs > 0;
      return isShared && (old.skipped === null) === (row.skipped === null) ? [{ old, row }] : [];
    });
  const probabilities = pairs.map(({ old, row }) => rankTest(samplesOf(old), samplesOf(row)));
  const counting = significant(probabilities, FALSE_SHARE);
  return pairs.map(({ old, row }, i) => {
    const [was, is] = [median(samplesOf(old)), median(samplesOf(row))];
    const isChange = counting[i] === true && Math.abs(is / was - 1) >= CHANGE_MIN;
    const verdict = !isChange ? 'same' : is < was === isCost(row) ? 'better' : 'worse';
    return { id: row.id, before: was, after: is, probability: probabilities[i] as number, verdict };
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
