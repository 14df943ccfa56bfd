/**
 * `varve ingest FILE… --into DIR`: appends the lines of text files to a log.
 *
 * @module
 */

import { ingestFile } from '../ingest/ingest.ts';
import type { IngestReport } from '../ingest/report.ts';
import type { Log } from '../log/log.ts';
import { checkLogName } from '../log/names.ts';
import type { SyncPolicy } from '../log/sync-policy.ts';
import { type Database, open } from '../open.ts';
import type { Context, ExitCode } from './context.ts';
import { UsageError } from './failure.ts';
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
import { levelsText } from './levels.ts';
import { type Reading, readingOf } from './reading.ts';
import type { ReadingOptions } from './reading-options.ts';
import { findSources, logNameOf, type Source } from './sources.ts';
import { renderFacts } from './table.ts';

/** Nothing is promised before the end, and the end is a sync: until then the operating system decides. */
const SYNC_DEFAULT: SyncPolicy = { mode: 'never' };
const SAMPLE_CHARACTERS = 120;

export interface IngestCommandOptions extends ReadingOptions {
  into: string;
  log?: string;
  /** A store of log entries, in place of a log. */
  events?: string;
  sync?: SyncPolicy;
  json?: boolean;
}

/** What became of one source. */
export interface Ingested {
  source: Source;
  report: IngestReport;
  /** Until all was synced. */
  elapsedMs: number;
}

export async function ingest(
  files: readonly string[],
  options: IngestCommandOptions,
  context: Context,
): Promise<ExitCode> {
  if (options.events !== undefined) {
    if (options.log !== undefined) throw new UsageError('of --log and --events only one can be given');
    const { ingestEvents } = await import('./ingest-events.ts');
    return await ingestEvents(files, options.events, options, context);
  }
  const name = checkLogName(options.log ?? logNameOf(files[0] ?? ''));
  const reading = await readingOf(options);
  const sources = await findSources(files);
  const database = await open(options.into);
  try {
    const log = await database.log(name, { sync: options.sync ?? SYNC_DEFAULT });
    const results = await ingestSources(database, log, sources, reading, context);
    if (reading.format === undefined) for (const result of results) noteFormat(result, context);
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
  reading: Reading,
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
      const before = doneBytes;
      const result = await ingestSource(database, log, source, reading, context, (bytes) =>
        bar.update(before + bytes),
      );
      results.push(result);
      doneBytes += result.report.bytes;
    }
  } finally {
    bar.clear();
  }
  return results;
}

/** What was found out is said, since it may be wrong. */
function noteFormat({ source, report }: Ingested, context: Context): void {
  const reason =
    report.format === 'plain'
      ? 'its first lines are of no format that is known'
      : 'its first lines are like that';
  context.note(`${source.title} was read as ${report.format}, since ${reason}; --format says otherwise`);
}

async function ingestSource(
  database: Database,
  log: Log,
  source: Source,
  reading: Reading,
  context: Context,
  onProgress: (bytes: number) => void,
): Promise<Ingested> {
  const { clock, signal } = context;
  const startMs = clock.monotonic();
  const firstOffset = log.nextOffset;
  const options = {
    runtime: database.runtime,
    signal,
    onProgress,
    ...reading,
  };
  try {
    const report = await ingestFile(log, source.input, options);
    await log.sync();
    return { source, report, elapsedMs: clock.monotonic() - startMs };
  } catch (error) {
    if (signal.aborted) {
      await log.sync();
      const records = plural(log.nextOffset - firstOffset, 'record');
      context.note(`stopped; ${records} of ${source.title} are in the log ${log.name}, and synced`);
    }
    throw error;
  }
}

/** The report of one source, for people. */
export function renderIngested(log: Log, { source, report, elapsedMs }: Ingested, context: Context): string {
  const { colours } = context;
  const { records } = report;
  const offsets = records === 0 ? '' : `, offsets ${report.firstOffset} to ${report.lastOffset}`;
  const levels = Object.entries(report.levels).map(([level, count]) => ({ level, records: count }));
  const facts = renderFacts(
    [
      ['log', `${log.name} in ${log.directory}`],
      ['format', report.format],
      ['records', `${formatCount(records)}${offsets}`],
      ['read', formatBytes(report.bytes)],
      [
        'rate',
        `${formatByteRate(report.bytes, elapsedMs)}, ${formatRate(records, elapsedMs)} records/s; synced after ${formatDuration(elapsedMs)}`,
      ],
      ['time', timeRange(report)],
      [
        'levels',
        levelsText(
          levels.sort((a, b) => b.records - a.records),
          records,
        ),
      ],
      ['joined', report.joined === 0 ? undefined : `${plural(report.joined, 'line')} of stack traces`],
      ['empty', report.empty === 0 ? undefined : plural(report.empty, 'line')],
      ['cut', report.cut === 0 ? undefined : `${plural(report.cut, 'line')} longer than a record may be`],
      ['unparsed', unparsedText(report)],
    ],
    colours.dim,
  );
  const samples = report.sampleUnparsed.map(({ line, text }) => `  ${line}: ${shorten(printable(text))}\n`);
  return `${colours.bold(source.title)}\n${facts}${samples.join('')}`;
}

function timeRange({ firstTimestamp, lastTimestamp }: IngestReport): string | undefined {
  if (firstTimestamp === undefined || lastTimestamp === undefined) return undefined;
  return `${formatTime(firstTimestamp)} to ${formatTime(lastTimestamp)}`;
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
    files: results.map(({ source, report, elapsedMs }) => ({
      file: source.title,
      ...report,
      from: isoTime(report.firstTimestamp ?? -1) ?? null,
      to: isoTime(report.lastTimestamp ?? -1) ?? null,
      elapsedMs,
    })),
  };
}
