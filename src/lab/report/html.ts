/**
 * A result as one page that needs nothing else: charts, tables, and all that is needed to run it again.
 *
 * @module
 */

import type { Accident } from '../accident.ts';
import { loadName } from '../matrix.ts';
import type { CellResult, LabResult } from '../result.ts';
import { type Chart, drawChart, escapeXml } from './chart.ts';
import { clientsChart, coloursOf, latencyChart, lossChart } from './charts.ts';
import { STYLE } from './style.ts';

/** Writes the page. */
export function renderHtml(result: LabResult): string {
  const title = `Durability on ${result.environment.fileSystem}, ${result.date.slice(0, 10)}`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escapeXml(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<h1>What durability costs on this disk</h1>
<p class="lead">${escapeXml(leadOf(result))}</p>
${warningsOf(result)}
${chartsOf(result)}
${accidentsOf(result)}
${cellsOf(result)}
${repeatOf(result)}
</main>
<script type="application/json" id="result">${JSON.stringify(result).replaceAll('<', '\\u003c')}</script>
</body>
</html>
`;
}

function leadOf({ directory, environment, repeats, sampleMs }: LabResult): string {
  const { device, fileSystem, kernel, node } = environment;
  return `${directory} on ${fileSystem} (${device}), ${kernel}, Node ${node}. Each figure is the median of ${repeats} measurements of ${sampleMs} ms.`;
}

function warningsOf({ warnings }: LabResult): string {
  if (warnings.length === 0) return '';
  const items = warnings.map((warning) => `<li>${escapeXml(warning)}</li>`);
  return `<section class="warnings"><h2>Read with care</h2><ul>${items.join('')}</ul></section>`;
}

function chartsOf(result: LabResult): string {
  const [recordBytes] = result.cells.map((cell) => cell.recordBytes);
  if (recordBytes === undefined) return '';
  const loads = [...new Map(result.cells.map(({ load }) => [loadName(load), load])).values()];
  const closed = loads.filter(({ kind }) => kind === 'closed');
  const largest = closed.at(-1);
  const figures = [
    figure('Records a second, by the number of clients', clientsChart(result, recordBytes), result),
    ...loads.map((load) =>
      figure(`How long records wait: ${loadName(load)}`, latencyChart(result, load, recordBytes), result),
    ),
  ];
  if (largest !== undefined) {
    const chart = lossChart(result, largest, recordBytes);
    figures.splice(1, 0, figure(`What putting up with a loss buys: ${loadName(largest)}`, chart, result));
  }
  return figures.join('\n');
}

function figure(title: string, chart: Chart, result: LabResult): string {
  const colours = coloursOf(result);
  const legend = chart.isJoined
    ? chart.series.map(
        ({ name, isReference }) =>
          `<li class="c${colours.get(name) ?? 0}${isReference === true ? ' reference' : ''}"><i></i>${escapeXml(name)}</li>`,
      )
    : [];
  const list = legend.length === 0 ? '' : `<ul class="legend">${legend.join('')}</ul>`;
  return `<figure><figcaption>${escapeXml(title)}</figcaption><div class="scroll">${drawChart(chart)}</div>${list}</figure>`;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const titles = head.map((cell) => `<th scope="col">${escapeXml(cell)}</th>`).join('');
  const lines = rows.map((row) => `<tr>${row.map((cell) => `<td>${escapeXml(cell)}</td>`).join('')}</tr>`);
  return `<div class="scroll"><table><thead><tr>${titles}</tr></thead><tbody>${lines.join('')}</tbody></table></div>`;
}

const number = (value: number | null, digits = 3): string =>
  value === null || !Number.isFinite(value) ? '–' : Number(value.toPrecision(digits)).toLocaleString('en-US');

function promiseOf({ promisedLossMs }: Accident): string {
  if (promisedLossMs === null) return 'anything';
  return promisedLossMs === 0 ? 'nothing' : `${promisedLossMs} ms`;
}

function accidentsOf({ accidents }: LabResult): string {
  if (accidents.length === 0) return '';
  const rows = accidents.map((accident) => [
    accident.strategy,
    promiseOf(accident),
    `${number(accident.slackMs)} ms`,
    number(accident.lostRecords),
    accident.lostRecords === 0 ? '–' : `${number(accident.lostMs)} ms`,
    `${accident.cuts} cuts, ${accident.states} states, ${number(accident.acknowledged, 9)} records`,
    accident.isKept ? 'kept' : 'BROKEN',
  ]);
  const text =
    'Each policy was run on a disk in memory that loses its power at random moments. What had been acknowledged and was gone afterwards is lost. A policy that may lose the last milliseconds may also lose what was acknowledged during one sync (the longest of the run, and how late timers fired).';
  const head = ['policy', 'may lose', 'and a sync', 'lost, records', 'lost, age', 'tried', 'promise'];
  return `<section><h2>What power cuts really took</h2><p>${text}</p>${table(head, rows)}</section>`;
}

function cellsOf({ cells }: LabResult): string {
  const head = [
    'strategy',
    'record',
    'load',
    'records/s',
    'spread',
    'share of disk',
    'p50 ms',
    'p99 ms',
    'p99.9 ms',
    'max ms',
    'syncs/s',
    'written / payload',
    'on disk / payload',
    'at risk, ms',
    'at risk, bytes',
    'CPU',
  ];
  return `<section><h2>All figures</h2>${table(head, cells.map(cellRow))}</section>`;
}

function cellRow(cell: CellResult): string[] {
  const { latencyMs, risk } = cell;
  return [
    cell.strategy.id,
    `${cell.recordBytes} B`,
    loadName(cell.load),
    `${number(cell.recordsPerSecond)}${cell.isSaturated ? ' (gave up)' : ''}`,
    `±${Math.round(cell.spread * 50)} %`,
    cell.shareOfDisk === null ? '–' : `${Math.round(cell.shareOfDisk * 100)} %`,
    number(latencyMs.p50),
    number(latencyMs.p99),
    number(latencyMs.p999),
    number(latencyMs.max),
    number(cell.syncsPerSecond),
    number(cell.writeAmplification),
    number(cell.diskAmplification),
    `${number(risk.msMax)} (mean ${number(risk.msMean)})`,
    `${number(risk.bytesMax)} (mean ${number(risk.bytesMean)})`,
    cell.cpu === null ? '–' : `${Math.round(cell.cpu * 100)} %`,
  ];
}

function repeatOf(result: LabResult): string {
  const { environment } = result;
  const facts: [string, string][] = [
    ['command', result.command],
    ['varve', result.varve],
    ['date', result.date],
    ['seed', String(result.seed)],
    ['repeats', `${result.repeats} of ${result.sampleMs} ms; ${Math.round(result.seconds)} s in all`],
    ...Object.entries(environment).map(([name, value]): [string, string] => [
      name,
      Array.isArray(value) ? value.join(', ') : String(value),
    ]),
  ];
  const items = facts.map(([name, value]) => `<dt>${escapeXml(name)}</dt><dd>${escapeXml(value)}</dd>`);
  return `<section><h2>To run it again</h2><dl>${items.join('')}</dl><p>The whole result is in this page as JSON, in the element with the id <code>result</code>.</p></section>`;
}
