/**
 * `varve ingest FILE… --into DIR`: appends the lines of text files to a log.
 *
 * @module
 */

import { type IngestReport, ingestFile } from '../ingest/ingest.ts';
import type { Log } from '../log/log.ts';
import { checkLogName } from '../log/names.ts';
import type { SyncPolicy } from '../log/sync-policy.ts';
import { type Database, open } from '../open.ts';
import type { Context, ExitCode } from './context.ts';
import {
  formatByteRate,
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
import type { Progress } from './progress.ts';
import { findSources, type LineFormat, logNameOf, type Source } from './sources.ts';
import { renderFacts } from './table.ts';

/** Nothing is promised before the end, and the end is a sync: until then the operating system decides. */
const SYNC_DEFAULT: SyncPolicy = { mode: 'never' };
const SAMPLE_CHARACTERS = 120;

export interface IngestCommandOptions {
  into: string;
  log?: string;
  format?: LineFormat;
  sync?: SyncPolicy;
  json?: boolean;
}

/** What became of one source. */
export interface Ingested {
  source: Source;
  format: LineFormat;
  report: IngestReport;
  /** Until all was synced. */
  elapsedMs: number;
}

export async function ingest(
  files: readonly string[],
  options: IngestCommandOptions,
  context: Context,
): Promise<ExitCode> {
  const name = checkLogName(options.log ?? logNameOf(files[0] ?? ''));
  const sources = await findSources(files);
  const database = await open(options.into);
  try {
    const log = await database.log(name, { sync: options.sync ?? SYNC_DEFAULT });
    const results = await ingestSources(database, log, sources, options.format, context);
    if (options.json === true) context.stdout.json(resultsJson(options.into, log, results));
    else for (const result of results) context.stdout.write(renderIngested(log, result, context));
  } finally {
    await database.close();
  }
  return 0;
}

/** Ingests one source after the other, each synced before it is reported. */
export async function ingestSources(
  database: Database,
  log: Log,
  sources: readonly Source[],
  format: LineFormat | undefined,
  context: Context,
): Promise<Ingested[]> {
  const total = sources.reduce<number | undefined>(
    (sum, { bytes }) => (sum === undefined || bytes === undefined ? undefined : sum + bytes),
    0,
  );
  const bar = context.progress({ label: 'ingest', ...(total !== undefined && { total }) });
  const results: Ingested[] = [];
  let doneBytes = 0;
  try {
    for (const source of sources) {
      const result = await ingestSource(database, log, source, format, context, bar, doneBytes);
      results.push(result);
      doneBytes += result.report.bytes;
    }
  } finally {
    bar.clear();
  }
  return results;
}

async function ingestSource(
  database: Database,
  log: Log,
  source: Source,
  wanted: LineFormat | undefined,
  context: Context,
  bar: Progress,
  doneBytes: number,
): Promise<Ingested> {
  const { clock, signal } = context;
  const format = wanted ?? source.format;
  if (wanted === undefined) {
    bar.clear();
    const reason =
      format === 'hdfs'
        ? 'its first lines look like that'
        : 'its first lines look like no format that is known';
    context.note(`${source.title}: format ${format}, since ${reason}`);
  }
  const startMs = clock.monotonic();
  const firstOffset = log.nextOffset;
  try {
    const report = await ingestFile(log, source.input, {
      runtime: database.runtime,
      format,
      signal,
      onProgress: (bytes: number) => bar.update(doneBytes + bytes),
    });
    await log.sync();
    return { source, format, report, elapsedMs: clock.monotonic() - startMs };
  } catch (error) {
    bar.clear();
    if (signal.aborted) {
      await log.sync();
      const records = plural(log.nextOffset - firstOffset, 'record');
      context.note(`stopped: ${records} of ${source.title} are in the log ${log.name}, and synced`);
    }
    throw error;
  }
}

/** The report of one source, for people. */
export function renderIngested(
  log: Log,
  { source, format, report, elapsedMs }: Ingested,
  context: Context,
): string {
  const { colours } = context;
  const offsets =
    report.records === 0
      ? ''
      : `, offsets ${formatCount(report.firstOffset)} to ${formatCount(report.lastOffset)}`;
  const facts = renderFacts(
    [
      ['log', `${log.name} in ${log.directory}`],
      ['format', format],
      ['records', `${formatCount(report.records)}${offsets}`],
      ['read', `${formatBytes(report.bytes)}, ${plural(report.lines, 'line')}`],
      [
        'rate',
        `${formatByteRate(report.bytes, elapsedMs)}, ${formatRate(report.records, elapsedMs)} records/s, ${formatDuration(elapsedMs)} until synced`,
      ],
      ['time', timeRange(report)],
      ['levels', levelsText(report.levels, report.records)],
      ['cut', report.cut === 0 ? undefined : `${plural(report.cut, 'line')} longer than a record may be`],
      ['unparsed', unparsedText(report)],
    ],
    colours.dim,
  );
  const samples = report.sampleUnparsed.map((line) => `  ${shorten(printable(line))}\n`).join('');
  return `${colours.bold(source.title)}\n${facts}${samples}`;
}

function timeRange({ firstTimestamp, lastTimestamp }: IngestReport): string | undefined {
  if (firstTimestamp === undefined || lastTimestamp === undefined) return undefined;
  return `${formatTime(firstTimestamp)} to ${formatTime(lastTimestamp)}`;
}

/** `INFO 1,920 (96 %), WARN 80 (4 %)`, or undefined where there are none. */
export function levelsText(levels: Readonly<Record<string, number>>, records: number): string | undefined {
  const entries = Object.entries(levels).sort(([, a], [, b]) => b - a);
  if (entries.length === 0) return undefined;
  return entries
    .map(([level, count]) => `${printable(level)} ${formatCount(count)} (${formatShare(count / records)})`)
    .join(', ');
}

function unparsedText({ unparsed, lines }: IngestReport): string | undefined {
  if (unparsed === 0) return undefined;
  return `${plural(unparsed, 'line')} (${formatShare(unparsed / lines)}), kept as they are; for example`;
}

function shorten(text: string): string {
  return text.length <= SAMPLE_CHARACTERS ? text : `${text.slice(0, SAMPLE_CHARACTERS)}…`;
}

function resultsJson(directory: string, log: Log, results: readonly Ingested[]): unknown {
  return {
    directory,
    log: log.name,
    firstOffset: log.firstOffset,
    nextOffset: log.nextOffset,
    files: results.map(({ source, format, report, elapsedMs }) => ({
      file: source.title,
      format,
      ...report,
      from: isoTime(report.firstTimestamp ?? -1) ?? null,
      to: isoTime(report.lastTimestamp ?? -1) ?? null,
      elapsedMs,
    })),
  };
}
