/**
 * `varve stats FILE…`: what is in log files.
 *
 * @module
 */

import { type CountedText, type LogStats, logStats } from '../logfile/stats.ts';
import type { Gap } from '../logfile/timeline.ts';
import { renderChart } from './chart.ts';
import type { Context, ExitCode } from './context.ts';
import {
  formatBytes,
  formatCount,
  formatDuration,
  formatRate,
  formatShare,
  formatTime,
  isoTime,
  plural,
  printable,
} from './format.ts';
import type { LogCommandOptions } from './log-options.ts';
import { Failures, readOptions } from './log-reading.ts';
import { type Column, displayWidth, renderFacts, renderTable } from './table.ts';

export interface StatsCommandOptions extends LogCommandOptions {
  top?: number;
  /** From 0 to 1. */
  sample?: number;
  seed?: number;
  /** False for `--no-index`. */
  index?: boolean;
  indexDir?: string;
  json?: boolean;
}

const CHART_LINES = 6;
const CHART_COLUMNS_MAX = 100;
const WIDTH_DEFAULT = 100;
const WIDTH_MIN = 40;
const BAR_CELLS = 20;
const NORMAL_95 = 1.959964;

export async function stats(
  files: readonly string[],
  options: StatsCommandOptions,
  context: Context,
): Promise<ExitCode> {
  const failures = new Failures(context);
  const width = Math.max(WIDTH_MIN, process.stdout.columns ?? WIDTH_DEFAULT);
  let bar: ReturnType<Context['progress']> | undefined;
  const found = await logStats(files, {
    ...(await readOptions(options, context, failures)),
    top: options.top,
    sample: options.sample,
    seed: options.seed,
    index: options.index,
    indexDirectory: options.indexDir,
    columns: Math.min(CHART_COLUMNS_MAX, width - 12),
    onProgress(bytes, total) {
      bar ??= context.progress({ label: 'read', ...(total !== undefined && { total }) });
      bar.update(bytes);
    },
  }).finally(() => bar?.clear());
  if (options.json === true) context.stdout.json(statsJson(found));
  else if (found.files.length > 0) context.stdout.write(renderStats(found, width, context));
  return failures.count > 0 ? 2 : 0;
}

function statsJson({ fromMs, toMs, ...rest }: LogStats): unknown {
  return { from: isoTime(fromMs ?? -1) ?? null, to: isoTime(toMs ?? -1) ?? null, ...rest };
}

/** All of it, for people. */
export function renderStats(found: LogStats, width: number, { colours }: Pick<Context, 'colours'>): string {
  const parts = [
    renderFacts(facts(found), colours.dim),
    failedText(found),
    histogramText(found, colours.cyan, colours.dim),
    countedTable('level', found.levels, found, width, colours.dim),
    countedTable('component', found.components, found, width, colours.dim),
    countedTable('message', found.templates, found, width, colours.dim),
    gapsText(found.gaps, colours.dim),
  ];
  return parts.filter((part) => part !== '').join('\n');
}

function facts(found: LogStats): [string, string | undefined][] {
  const { files, sample, lines, entries, continuations, failed, cut } = found;
  const more = (count: number, of: number | undefined): string =>
    `${formatCount(count)}${of === undefined || of === 0 ? '' : ` ± ${formatCount(of)}`}`;
  const first = files[0];
  const formats = [...new Set(files.map(({ format }) => format))].join(', ');
  const guessed = files.length === 1 ? first?.confidence : undefined;
  return [
    ['file', files.length === 1 ? printable(first?.name ?? '') : plural(files.length, 'file')],
    ['format', `${formats}${guessed === undefined ? '' : ` (${formatShare(guessed)} of the first lines)`}`],
    ['sample', sampleText(found)],
    ['lines', `${more(lines, sample?.plusMinus.lines)} in ${formatBytes(found.bytes)}`],
    ['entries', more(entries, sample?.plusMinus.entries)],
    ['continued', continuations === 0 ? undefined : more(continuations, sample?.plusMinus.continuations)],
    ['failed', failed === 0 ? undefined : `${more(failed, sample?.plusMinus.failed)} not of the format`],
    ['cut', cut === 0 ? undefined : `${plural(cut, 'line')} longer than 2 MiB`],
    ['time', timeText(found)],
    ['entries/s', rateText(found)],
  ];
}

function sampleText({ sample }: LogStats): string | undefined {
  if (sample === undefined) return undefined;
  const { share, blocks, blocksInAll } = sample;
  const read = `${formatShare(share)} of the bytes, ${formatCount(blocks)} of ${formatCount(blocksInAll)} blocks`;
  return `${read}; ± is 95 % confidence`;
}

function timeText({ fromMs, toMs }: LogStats): string | undefined {
  if (fromMs === undefined || toMs === undefined) return undefined;
  return `${formatTime(fromMs)} to ${formatTime(toMs)} (${formatDuration(toMs - fromMs)})`;
}

function rateText({ perSecond, peak }: LogStats): string | undefined {
  if (perSecond === undefined && peak === undefined) return undefined;
  const mean = perSecond === undefined ? '' : `${formatRate(perSecond, 1000)} on average`;
  if (peak === undefined) return mean;
  const { count, widthMs, startMs } = peak;
  const what =
    widthMs === 1000 ? 'in the busiest second' : `a second in the busiest ${formatDuration(widthMs)}`;
  const most = `${formatRate(count, widthMs)} ${what} (${formatTime(startMs)})`;
  return mean === '' ? most : `${mean}, ${most}`;
}

function failedText({ failedSamples }: LogStats): string {
  return failedSamples
    .map(
      ({ file, line, text }) =>
        `  ${printable(file)}${line === undefined ? '' : `:${line}`}: ${printable(text)}\n`,
    )
    .join('');
}

function histogramText(
  { histogram }: LogStats,
  style: (text: string) => string,
  dim: (text: string) => string,
): string {
  if (histogram === undefined || histogram.counts.length < 2) return '';
  const { startMs, widthMs, counts } = histogram;
  const note = `from ${formatTime(startMs)} on, a column is ${formatDuration(widthMs)}`;
  return `${renderChart(counts, CHART_LINES, style)}${dim(note)}\n`;
}

function countedTable(
  title: string,
  rows: readonly CountedText[],
  { sample, componentsLack, templatesLack }: LogStats,
  width: number,
  style: (text: string) => string,
): string {
  if (rows.length === 0) return '';
  const columns: Column[] = [
    { title: title === 'message' ? 'messages' : 'entries', align: 'right' },
    { title: 'share', align: 'right' },
    ...(sample === undefined ? [] : [{ title: '±', align: 'right' } as const]),
    { title },
  ];
  const cells = rows.map(({ text, count, share, shareError }) => [
    formatCount(count),
    formatShare(share),
    ...(sample === undefined ? [] : [formatShare(shareError * NORMAL_95)]),
    printable(text),
  ]);
  const before = renderTable(
    columns,
    cells.map((row) => [...row.slice(0, -1), '']),
  );
  const room = width - Math.max(...before.split('\n').map(displayWidth)) - 2;
  const table = renderTable(
    columns,
    cells.map((row, i) => {
      const text = shorten(row.at(-1) ?? '', room);
      // Levels are few and short: they have room for a bar.
      const bar = title === 'level' ? '  '.padEnd(8 - text.length) + barOf(rows[i]?.share ?? 0) : '';
      return [...row.slice(0, -1), `${text}${bar}`];
    }),
    style,
  );
  const lack = title === 'component' ? componentsLack : title === 'message' ? templatesLack : 0;
  return lack === 0
    ? table
    : `${table}${style(`each may be up to ${formatCount(lack)} more: there are too many to count`)}\n`;
}

function barOf(share: number): string {
  return '█'.repeat(Math.max(share > 0 ? 1 : 0, Math.round(share * BAR_CELLS)));
}

function shorten(text: string, cells: number): string {
  if (displayWidth(text) <= cells) return text;
  let short = '';
  for (const character of text) {
    if (displayWidth(short + character) >= cells) break;
    short += character;
  }
  return `${short}…`;
}

function gapsText(gaps: readonly Gap[], style: (text: string) => string): string {
  if (gaps.length === 0) return '';
  return renderTable(
    [{ title: 'silence', align: 'right' }, { title: 'from' }, { title: 'to' }],
    gaps.map(({ fromMs, toMs }) => [formatDuration(toMs - fromMs), formatTime(fromMs), formatTime(toMs)]),
    style,
  );
}
