/**
 * `varve histogram DIR NAME`: how many entries a store of log entries has over time.
 *
 * @module
 */

import type { EventHistogram } from '../events/histogram.ts';
import { renderChart } from './chart.ts';
import type { Context, ExitCode } from './context.ts';
import { type EventFilterOptions, filterOf, withEvents } from './event-store.ts';
import { checkOutput, writeWholeFile } from './files.ts';
import { formatDuration, formatTime, isoTime, plural } from './format.ts';
import { drawHistogram } from './histogram-svg.ts';
import { levelsText } from './levels.ts';

export interface HistogramCommandOptions extends EventFilterOptions {
  buckets?: number;
  svg?: string;
  json?: boolean;
}

const CHART_LINES = 8;
const CHART_COLUMNS_MAX = 100;
const WIDTH_DEFAULT = 100;
const WIDTH_MIN = 40;

export async function histogram(
  directory: string,
  name: string,
  options: HistogramCommandOptions,
  context: Context,
): Promise<ExitCode> {
  const { svg, json } = options;
  if (svg !== undefined) await checkOutput(svg);
  const width = Math.max(WIDTH_MIN, process.stdout.columns ?? WIDTH_DEFAULT);
  const buckets = options.buckets ?? Math.min(CHART_COLUMNS_MAX, width - 12);
  const found = await withEvents(directory, name, (events) =>
    events.histogram({ ...filterOf(options), buckets, by: 'level' }),
  );
  if (svg !== undefined) await writeWholeFile(svg, drawHistogram(name, found));
  if (json === true) context.stdout.json({ start: isoTime(found.startMs ?? -1) ?? null, ...found });
  else context.stdout.write(renderHistogram(found, context));
  return 0;
}

/** The chart, and what it is about, for people. */
function renderHistogram({ startMs, widthMs, counts, levels }: EventHistogram, { colours }: Context): string {
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (startMs === undefined || total === 0) return 'no entries\n';
  const byLevel = Object.entries(levels ?? {})
    .map(([level, own]) => ({ level, records: own.reduce((sum, count) => sum + count, 0) }))
    .sort((a, b) => b.records - a.records);
  const note = `from ${formatTime(startMs)} on, a column is ${formatDuration(widthMs)}`;
  return (
    `${renderChart(counts, CHART_LINES, colours.cyan)}${colours.dim(note)}\n` +
    `${plural(total, 'entry', 'entries')}: ${levelsText(byLevel, total) ?? ''}\n`
  );
}
