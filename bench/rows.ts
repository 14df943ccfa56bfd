/**
 * What a bench reports: rows. A suite declares its rows first, as data, and hands in the measurements
 * later; a row that was declared and never measured is reported as skipped, so none can be lost.
 *
 * A ratio is always `value / versusValue`, both in the row's unit, and a target is always about the ratio.
 *
 * @module
 */

import { median } from '../src/lab/statistics.ts';
import { type Spread, spreadOf } from './statistics.ts';

/** The least or the greatest ratio that is good enough. */
export type Target = `>= ${number}` | `<= ${number}`;

/** A row as a suite declares it. */
export interface RowSpec {
  /** Stable, `suite/what vs what`: results of different days are matched by it. */
  readonly id: string;
  readonly unit: string;
  /** What the value is compared with, in words. */
  readonly versus: string;
  /** Null where the row is there to be read and nothing is demanded of it. */
  readonly target: Target | null;
}

/** A row as it is printed and written as JSON. */
export interface Row {
  readonly id: string;
  /** Median of `samples`. */
  readonly value: number | null;
  readonly unit: string;
  readonly versus: string;
  /** Median of `versusSamples`. */
  readonly versusValue: number | null;
  readonly ratio: number | null;
  readonly target: Target | null;
  /** Whether the ratio meets the target; null without a target, a ratio or sizes that mean something. */
  readonly ok: boolean | null;
  /** How many times both sides were measured, in turn. */
  readonly runs: number;
  readonly spread: Spread | null;
  readonly versusSpread: Spread | null;
  /** Of the ratios of the runs, each side against the one measured next to it. */
  readonly ratioSpread: Spread | null;
  /** One number a run, in the order they were taken. */
  readonly samples: readonly number[];
  readonly versusSamples: readonly number[];
  /** Why there is no ratio. */
  readonly skipped: string | null;
}

/** What a suite measured for one row: one number a run on each side. */
export interface Measurement {
  readonly samples: readonly number[];
  readonly versusSamples: readonly number[];
}

/** Whether a ratio meets a target. */
export function meets(ratio: number, target: Target): boolean {
  const bound = Number(target.slice(3));
  return target.startsWith('>=') ? ratio >= bound : ratio <= bound;
}

/**
 * The row of a measurement.
 *
 * @param judged false where the sizes are toys: the row then says neither ok nor missed
 */
export function measuredRow(spec: RowSpec, measured: Measurement, judged: boolean): Row {
  const { samples, versusSamples } = measured;
  if (samples.length === 0 || samples.length !== versusSamples.length) {
    throw new RangeError(`${spec.id}: the two sides need the same number of runs, and at least one`);
  }
  const value = median(samples);
  const versusValue = median(versusSamples);
  const ratio = value / versusValue;
  const ratios = samples.map((sample, i) => sample / versusSamples[i]!);
  return {
    id: spec.id,
    value,
    unit: spec.unit,
    versus: spec.versus,
    versusValue,
    ratio,
    target: spec.target,
    ok: judged && spec.target !== null ? meets(ratio, spec.target) : null,
    runs: samples.length,
    spread: spreadOf(samples),
    versusSpread: spreadOf(versusSamples),
    ratioSpread: spreadOf(ratios),
    samples,
    versusSamples,
    skipped: null,
  };
}

/**
 * The row of something that could not be compared.
 *
 * @param samples what was measured of one's own side nevertheless
 */
export function skippedRow(spec: RowSpec, reason: string, samples: readonly number[] = []): Row {
  return {
    id: spec.id,
    value: samples.length === 0 ? null : median(samples),
    unit: spec.unit,
    versus: spec.versus,
    versusValue: null,
    ratio: null,
    target: spec.target,
    ok: null,
    runs: samples.length,
    spread: samples.length === 0 ? null : spreadOf(samples),
    versusSpread: null,
    ratioSpread: null,
    samples,
    versusSamples: [],
    skipped: reason,
  };
}
