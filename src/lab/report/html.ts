/**
 * A result as one page that needs nothing else: charts, tables, and all that is needed to run it again.
 *
 * @module
 */

import type { Accident } from '../accident.ts';
import { loadName } from '../matrix.ts';
import type { CellResult, LabResult } from '../result.ts';
import { type Chart, drawChart, escapeXml, FRAMES } from './chart.ts';
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
  return `<div class="figures">${figures.join('\n')}</div>`;
}

function figure(title: string, chart: Chart, result: LabResult): string {
  const colours = coloursOf(result);
  const legend = chart.isJoined
    ? chart.series.map(
        ({ name, isReference }) =>
          `<li class="c${colours.get(name) ?? 0}${isReference === true ? ' reference' : ''}"><i></i>${escapeXml(name)}</li>`,
      )
    : [];
  const drawings = FRAMES.map((frame) => drawChart(chart, frame));
  const list = legend.length === 0 ? '' : `<ul class="legend">${legend.join('')}</ul>`;
  return `<figure><figcaption>${escapeXml(title)}</figcaption>${drawings.join('')}${list}</figure>`;
}

/** What takes more than half of the width of a phone. */
const LONG_CELL = 14;

/** On a phone each row becomes a card, in which every cell says what it is. */
function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const titles = head.map((title) => `<th scope="col">${escapeXml(title)}</th>`).join('');
  const cell = (text: string, i: number): string => {
    const title = i === 0 ? '' : ` data-title="${escapeXml(head[i] ?? '')}"`;
    const kind = text.length > LONG_CELL ? ' class="long"' : '';
    return `<td${title}${kind}>${escapeXml(text)}</td>`;
  };
  const lines = rows.map((row) => `<tr>${row.map(cell).join('')}</tr>`);
  return `<div class="scroll"><table><thead><tr>${titles}</tr></thead><tbody>${lines.join('')}</tbody></table></div>`;
}

const number = (value: number | null, digits = 3): string =>
  value === null || !Number.isFinite(value) ? '–' : Number(value.toPrecision(digits)).toLocaleString('en-US');

const inBytes = (bytes: number): string => {
  if (bytes < 1024) return `${number(bytes)} B`;
  return bytes < 1024 ** 2 ? `${number(bytes / 1024)} KiB` : `${number(bytes / 1024 ** 2)} MiB`;
};

function promiseOf({ promisedLossMs }: Accident): string {
  if (promisedLossMs === null) return 'anything';
  return promisedLossMs === 0 ? 'nothing' : `${promisedLossMs} ms`;
}

/** What comes on top counts only where a policy may lose what is younger than something. */
function slackOf({ promisedLossMs, closest }: Accident): [string, string] {
  if (promisedLossMs === null || promisedLossMs === 0) return ['', ''];
  return [`${number(closest.syncMs)} ms`, `${number(closest.lateMs)} ms`];
}

function accidentsOf({ accidents }: LabResult): string {
  if (accidents.length === 0) return '';
  const rows = accidents.map((accident) => [
    accident.strategy,
    promiseOf(accident),
    ...slackOf(accident),
    number(accident.lostRecords),
    accident.lostRecords === 0 ? '–' : `${number(accident.lostMs)} ms`,
    `${accident.cuts} cuts, ${accident.states} states, ${number(accident.acknowledged, 9)} records`,
    accident.isKept ? 'kept' : 'BROKEN',
  ]);
  const text =
    'Each policy was run on a disk in memory that loses its power at random moments. What had been acknowledged and was gone afterwards is lost. A policy that may lose the last milliseconds may also lose what was acknowledged during its sync, and cannot help it where a timer of this machine fires late: how much of either there was, while the oldest lost record waited, is shown for the cut that came closest to the promise, and is in the JSON for every cut.';
  const head = [
    'policy',
    'may lose',
    '+ in syncs',
    '+ timer late',
    'lost, records',
    'lost, age',
    'tried',
    'promise',
  ];
  return `<section><h2>What power cuts really took</h2><p>${text}</p>${table(head, rows)}</section>`;
}

/** A table for each load and size of record. */
function cellsOf({ cells }: LabResult): string {
  const head = [
    'strategy',
    'records/s',
    'spread',
    'of disk',
    'p50 ms',
    'p99 ms',
    'p99.9 ms',
    'max ms',
    'syncs/s',
    'written',
    'on disk',
    'at risk, ms',
    'at risk, data',
    'CPU',
  ];
  const groups = new Map<string, CellResult[]>();
  for (const cell of cells) {
    const name = `${loadName(cell.load)}, records of ${cell.recordBytes} B`;
    groups.set(name, [...(groups.get(name) ?? []), cell]);
  }
  const tables = [...groups].map(
    ([name, own], i) =>
      `<details${i === 0 ? ' open' : ''}><summary>${escapeXml(name)}</summary>${table(head, own.map(cellRow))}</details>`,
  );
  const text =
    '“Written” are bytes of batches and indexes (of a tree, of its write-ahead log), “on disk” what reached the device, both by bytes of payload; “at risk” is acknowledged and not durable, at the worst moment and on average.';
  return `<section><h2>All figures</h2><p>${text}</p>${tables.join('')}</section>`;
}

function cellRow(cell: CellResult): string[] {
  const { latencyMs } = cell;
  return [
    cell.strategy.id,
    `${number(cell.recordsPerSecond)}${cell.isSaturated ? ' (gave up)' : ''}`,
    `±${Math.round(cell.spread * 50)} %`,
    cell.shareOfDisk === null ? '' : `${Math.round(cell.shareOfDisk * 100)} %`,
    number(latencyMs.p50),
    number(latencyMs.p99),
    number(latencyMs.p999),
    number(latencyMs.max),
    number(cell.syncsPerSecond),
    `×${number(cell.writeAmplification)}`,
    cell.diskAmplification === null ? '' : `×${number(cell.diskAmplification)}`,
    ...riskOf(cell),
    cell.cpu === null ? '' : `${Math.round(cell.cpu * 100)} %`,
  ];
}

/** What a policy without a promise has at risk grows for as long as one looks. */
function riskOf({ risk, level, strategy, promisedLossMs }: CellResult): [string, string] {
  if (level === 'synced' || strategy.kind === 'bare') return ['', ''];
  const sign = promisedLossMs === null ? '≥ ' : '';
  return [
    `${sign}${number(risk.msMax)} (mean ${number(risk.msMean)})`,
    `${sign}${inBytes(risk.bytesMax)} (mean ${inBytes(risk.bytesMean)})`,
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
