/**
 * What a run of the laboratory gives: the object that `--json` prints and that other runs are compared with.
 *
 * @module
 */

import type { Accident } from './accident.ts';
import type { Environment } from './environment.ts';
import { Latencies, type Quantile } from './latencies.ts';
import { type Cell, cellKey, levelOf, promisedLossMs } from './matrix.ts';
import type { Sample } from './measure.ts';
import type { Risk } from './risk.ts';
import { median, relativeSpread } from './statistics.ts';

/** Counted up when the meaning of a field changes. */
export const RESULT_FORMAT = 1;

export interface LatencySummary {
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

/** A cell of the matrix and what was measured of it. Figures are medians of the repeats unless they say otherwise. */
export interface CellResult extends Cell {
  readonly key: string;
  /** What an acknowledgement means. */
  readonly level: 'written' | 'synced';
  /** How much acknowledged data a power cut may take, by the policy's promise; null where it has none. */
  readonly promisedLossMs: number | null;
  readonly recordsPerSecond: number;
  /** One number a repeat, in the order in which they were measured. */
  readonly recordsPerSecondSamples: readonly number[];
  /** The range of the repeats, as a share of the median. */
  readonly spread: number;
  readonly bytesPerSecond: number;
  /** From the moment a record is sent, or was due, to its acknowledgement: of all repeats together. */
  readonly latencyMs: LatencySummary;
  /** The 99th percentile of each repeat. */
  readonly p99MsSamples: readonly number[];
  readonly distribution: readonly Quantile[];
  readonly syncsPerSecond: number;
  readonly recordsPerSync: number | null;
  readonly writeAmplification: number;
  /** Null where the system does not say. */
  readonly diskAmplification: number | null;
  /** Acknowledged and not durable: the worst of all repeats, and the mean. */
  readonly risk: Risk;
  /** Share of one processor; null where the load's own part in it is large: it waits by looking again and again. */
  readonly cpu: number | null;
  /** Records a second, as a share of what the bare disk does under the same load; null where that was not measured. */
  readonly shareOfDisk: number | null;
  /** Records arrived faster than they could be acknowledged. */
  readonly isSaturated: boolean;
}

export interface LabResult {
  readonly format: typeof RESULT_FORMAT;
  readonly varve: string;
  /** When it began, ISO-8601. */
  readonly date: string;
  /** What to type to get the like of it. */
  readonly command: string;
  readonly directory: string;
  readonly seed: number;
  readonly repeats: number;
  /** How long each measurement lasted, but for policies whose own period is longer. */
  readonly sampleMs: number;
  readonly seconds: number;
  readonly environment: Environment;
  readonly warnings: readonly string[];
  readonly cells: readonly CellResult[];
  /** What power cuts took, for each policy; empty where that was not tried. */
  readonly accidents: readonly Accident[];
}

/** Sums up the repeats of a cell. */
export function summarize(cell: Cell, samples: readonly Sample[]): CellResult {
  const all = new Latencies();
  for (const { latencies } of samples) all.add(latencies);
  const rates = samples.map(({ records, elapsedMs }) => (records * 1000) / elapsedMs);
  const recordsPerSecond = median(rates);
  const disk = samples
    .map(({ diskAmplification }) => diskAmplification)
    .filter((value) => value !== undefined);
  const promise = promisedLossMs(cell.strategy);
  const records = samples.reduce((sum, sample) => sum + sample.records, 0);
  const syncs = samples.reduce((sum, sample) => sum + sample.syncs, 0);
  return {
    ...cell,
    key: cellKey(cell),
    level: levelOf(cell.strategy),
    promisedLossMs: Number.isFinite(promise) ? promise : null,
    recordsPerSecond,
    recordsPerSecondSamples: rates,
    spread: relativeSpread(rates),
    bytesPerSecond: recordsPerSecond * cell.recordBytes,
    latencyMs: {
      p50: all.percentile(50),
      p99: all.percentile(99),
      p999: all.percentile(99.9),
      max: all.maxMs,
    },
    p99MsSamples: samples.map(({ latencies }) => latencies.percentile(99)),
    distribution: all.quantiles(),
    syncsPerSecond: median(samples.map((sample) => (sample.syncs * 1000) / sample.elapsedMs)),
    recordsPerSync: syncs === 0 ? null : records / syncs,
    writeAmplification: median(samples.map(({ writeAmplification }) => writeAmplification)),
    diskAmplification: disk.length === 0 ? null : median(disk),
    risk: sumUpRisk(samples.map(({ risk }) => risk)),
    cpu: cell.load.kind === 'open' ? null : median(samples.map(({ cpu }) => cpu)),
    shareOfDisk: null,
    isSaturated: samples.some(({ isSaturated }) => isSaturated),
  };
}

function sumUpRisk(risks: readonly Risk[]): Risk {
  return {
    bytesMax: Math.max(...risks.map(({ bytesMax }) => bytesMax)),
    bytesMean: median(risks.map(({ bytesMean }) => bytesMean)),
    msMax: Math.max(...risks.map(({ msMax }) => msMax)),
    msMean: median(risks.map(({ msMean }) => msMean)),
  };
}

/** Sets every rate against that of the bare disk which does the same: syncs each write, or does not. */
export function withShares(cells: readonly CellResult[]): CellResult[] {
  return cells.map((cell) => {
    const limit = cells.find(
      (other) =>
        other.strategy.kind === 'bare' &&
        other.level === cell.level &&
        other.recordBytes === cell.recordBytes &&
        other.load.kind === 'closed' &&
        cell.load.kind === 'closed' &&
        other.load.clients === cell.load.clients,
    );
    return limit === undefined
      ? cell
      : { ...cell, shareOfDisk: cell.recordsPerSecond / limit.recordsPerSecond };
  });
}
