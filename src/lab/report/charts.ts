/**
 * The charts of a result: how long records wait, what clients add, and what loss buys.
 *
 * @module
 */

import { type Load, loadName } from '../matrix.ts';
import type { CellResult, LabResult } from '../result.ts';
import { type Chart, logAxis, markedAxis, ninesAxis, type Point, type Series, zeroLogAxis } from './chart.ts';
import { COLOURS } from './style.ts';

/** A duration on an axis: 0.01 ms, 1 ms, 1 s. */
function inTime(ms: number): string {
  if (ms >= 1000) return `${Number((ms / 1000).toPrecision(3))} s`;
  return ms >= 1 ? `${Number(ms.toPrecision(3))} ms` : `${Number((ms * 1000).toPrecision(3))} µs`;
}

/** A number on an axis: 100, 10k, 1M. */
function inShort(value: number): string {
  if (value >= 1e6) return `${Number((value / 1e6).toPrecision(3))}M`;
  return value >= 1000 ? `${Number((value / 1000).toPrecision(3))}k` : `${Number(value.toPrecision(3))}`;
}

/** The colour of each strategy, the same in all charts. */
export function coloursOf(result: LabResult): Map<string, number> {
  const ids = [...new Set(result.cells.map(({ strategy }) => strategy.id))];
  return new Map(ids.map((id, i) => [id, i % COLOURS]));
}

function seriesOf(
  result: LabResult,
  cells: readonly CellResult[],
  pointsOf: (cells: readonly CellResult[]) => Point[],
): Series[] {
  const colours = coloursOf(result);
  const ids = [...new Set(cells.map(({ strategy }) => strategy.id))];
  return ids
    .map((id) => {
      const own = cells.filter(({ strategy }) => strategy.id === id);
      const isReference = own[0]?.strategy.kind === 'bare';
      return { name: id, colour: colours.get(id) ?? 0, isReference, points: pointsOf(own) };
    })
    .filter(({ points }) => points.length > 0);
}

/** How long records of one load wait: the share of them on the one side, the time on the other. */
export function latencyChart(result: LabResult, load: Load, recordBytes: number): Chart {
  const name = loadName(load);
  const cells = result.cells.filter(
    (cell) => loadName(cell.load) === name && cell.recordBytes === recordBytes,
  );
  const series = seriesOf(result, cells, (own) =>
    (own[0]?.distribution ?? [])
      .filter(({ share }) => share < 1)
      .map(({ share, ms }) => ({
        x: share,
        y: ms,
        note: `${own[0]?.strategy.id}: ${(share * 100).toPrecision(4)} % within ${inTime(ms)}`,
      })),
  );
  const shares = series.flatMap(({ points }) => points.map(({ x }) => x));
  const times = series.flatMap(({ points }) => points.map(({ y }) => y));
  return {
    summary: `Time to the acknowledgement with ${name}, by share of the records`,
    x: ninesAxis('share of the records', Math.max(0.9, ...shares)),
    y: logAxis('acknowledged within', times, inTime),
    series,
    isJoined: true,
  };
}

/** What more clients add. */
export function clientsChart(result: LabResult, recordBytes: number): Chart {
  const cells = result.cells.filter(
    ({ load, recordBytes: bytes }) => load.kind === 'closed' && bytes === recordBytes,
  );
  const clientsOf = ({ load }: CellResult): number => (load.kind === 'closed' ? load.clients : 0);
  const series = seriesOf(result, cells, (own) =>
    own.map((cell) => ({
      x: clientsOf(cell),
      y: cell.recordsPerSecond,
      note: `${cell.strategy.id}, ${loadName(cell.load)}: ${inShort(cell.recordsPerSecond)} records/s`,
    })),
  );
  return {
    summary: 'Records a second, by the number of clients',
    x: markedAxis('clients', cells.map(clientsOf), String),
    y: logAxis(
      'records/s',
      cells.map(({ recordsPerSecond }) => recordsPerSecond),
      inShort,
    ),
    series,
    isJoined: true,
  };
}

/** What putting up with a loss buys: the worst that was seen at risk, and the rate. */
export function lossChart(result: LabResult, load: Load, recordBytes: number): Chart {
  const name = loadName(load);
  const cells = result.cells.filter(
    (cell) =>
      cell.strategy.kind === 'policy' && loadName(cell.load) === name && cell.recordBytes === recordBytes,
  );
  const series = seriesOf(result, cells, (own) =>
    own.map((cell) => ({
      x: cell.risk.msMax,
      y: cell.recordsPerSecond,
      note: `${cell.strategy.id}: ${inShort(cell.recordsPerSecond)} records/s, ${inTime(cell.risk.msMax)} at risk at worst`,
    })),
  );
  return {
    summary: `Records a second with ${name}, by what a power cut could have taken`,
    x: zeroLogAxis(
      'acknowledged and not durable, at the worst moment',
      cells.map(({ risk }) => risk.msMax),
      inTime,
    ),
    y: logAxis(
      'records/s',
      cells.map(({ recordsPerSecond }) => recordsPerSecond),
      inShort,
    ),
    series,
    isJoined: false,
  };
}
