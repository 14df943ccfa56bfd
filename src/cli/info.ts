/**
 * `varve info DIR [LOG]`: what is in a database, from what its logs know of themselves, or all about one
 * log, which is read for that from end to end.
 *
 * @module
 */

import type { LogInfo } from '../log/info.ts';
import type { Log } from '../log/log.ts';
import type { Database } from '../open.ts';
import type { Context, ExitCode } from './context.ts';
import { findLog, logTitle, openNamed, type RecoveryChoice, withDatabase } from './database.ts';
import {
  formatBytes,
  formatCount,
  formatDuration,
  formatRate,
  formatShare,
  formatTime,
  isoTime,
  plural,
} from './format.ts';
import { levelsText } from './levels.ts';
import { renderFacts, renderTable } from './table.ts';
import { type LogTally, tallyLog } from './tally.ts';

export interface InfoCommandOptions extends RecoveryChoice {
  json?: boolean;
}

export async function info(
  directory: string,
  name: string | undefined,
  options: InfoCommandOptions,
  context: Context,
): Promise<ExitCode> {
  await withDatabase(directory, options, async (database) => {
    if (name === undefined) await overview(database, options, context);
    else await details(database, name, options, context);
  });
  return 0;
}

/** One log among others. */
interface Overview {
  info: LogInfo;
  /** Time of the first record. */
  from: number | undefined;
  /** The newest time. */
  to: number | undefined;
}

async function overview(database: Database, options: InfoCommandOptions, context: Context): Promise<void> {
  const logs: Overview[] = [];
  for (const name of await database.logNames()) {
    context.signal.throwIfAborted();
    const log = await openNamed(database, name, context);
    const known = log.info();
    const from = known.records === 0 ? undefined : await firstTime(log);
    logs.push({ info: known, from, to: newestOf(known) });
  }
  const { stdout, colours } = context;
  if (options.json === true) {
    stdout.json({ directory: database.directory, logs: logs.map(overviewJson) });
  } else if (logs.length === 0) {
    stdout.line(`${database.directory} has no logs`);
  } else {
    stdout.write(renderOverview(logs, colours.dim));
  }
}

/** Time of the first record that is left. */
async function firstTime(log: Log): Promise<number | undefined> {
  for await (const { timestamp } of log.read({ limit: 1 })) return timestamp;
  return undefined;
}

function newestOf({ segments }: LogInfo): number | undefined {
  const newest = Math.max(...segments.map(({ maxTimestamp }) => maxTimestamp ?? Number.NEGATIVE_INFINITY));
  return Number.isFinite(newest) ? newest : undefined;
}

function renderOverview(logs: readonly Overview[], style: (text: string) => string): string {
  return renderTable(
    [
      { title: 'log' },
      { title: 'records', align: 'right' },
      { title: 'offsets' },
      { title: 'first time' },
      { title: 'newest time' },
      { title: 'events/s', align: 'right' },
      { title: 'size', align: 'right' },
      { title: 'indexes', align: 'right' },
      { title: 'segments', align: 'right' },
    ],
    logs.map(({ info: known, from, to }) => [
      logTitle(known),
      formatCount(known.records),
      offsetsText(known),
      formatTime(from),
      formatTime(to),
      from === undefined || to === undefined ? '-' : formatRate(known.records, to - from),
      formatBytes(known.bytes),
      formatShare(known.indexBytes / known.bytes),
      formatCount(known.segments.length),
    ]),
    style,
  );
}

function offsetsText({ records, firstOffset, nextOffset }: LogInfo): string {
  return records === 0 ? '-' : `${firstOffset} to ${nextOffset - 1}`;
}

function overviewJson({ info: { segments, ...known }, from, to }: Overview): unknown {
  return {
    ...known,
    segments: segments.length,
    from: isoTime(from ?? -1) ?? null,
    to: isoTime(to ?? -1) ?? null,
  };
}

async function details(
  database: Database,
  name: string,
  options: InfoCommandOptions,
  context: Context,
): Promise<void> {
  const log = await findLog(database, name, context);
  const known = log.info();
  const bar = context.progress({ label: 'read', total: known.bytes });
  const tally = await tallyLog(log, database.runtime.memory, context.signal, (bytes) =>
    bar.update(bytes),
  ).finally(() => bar.clear());
  if (options.json === true) context.stdout.json(detailsJson(known, tally));
  else context.stdout.write(renderDetails(known, tally, context));
}

/** All that is known of a log, for people. */
export function renderDetails(
  known: LogInfo,
  tally: LogTally,
  { colours }: Pick<Context, 'colours'>,
): string {
  const facts = renderFacts(
    [
      ['log', colours.bold(logTitle(known))],
      [
        'records',
        `${formatCount(tally.records)}${known.records === 0 ? '' : `, offsets ${offsetsText(known)}`}`,
      ],
      ['lost', known.lostRecords === 0 ? undefined : plural(known.lostRecords, 'record')],
      ['time', timeText(tally)],
      ['events/s', eventsText(tally)],
      ['levels', levelsText(tally.levels, tally.records)],
      [
        'size',
        `${formatBytes(known.bytes)} in ${plural(known.segments.length, 'segment')}${eachText(known.bytes, tally.records)}`,
      ],
      ['batches', batchesText(tally)],
      [
        'indexes',
        `${formatBytes(known.indexBytes)}${known.bytes === 0 ? '' : `, ${formatShare(known.indexBytes / known.bytes)} of the log`}`,
      ],
      [
        'unread',
        tally.unreadRecords === 0
          ? undefined
          : `${plural(tally.unreadRecords, 'record')} in compressed batches`,
      ],
    ],
    colours.dim,
  );
  return `${facts}\n${renderSegments(known, colours.dim)}`;
}

function timeText({ records, minTimestamp, maxTimestamp }: LogTally): string | undefined {
  if (records === 0) return undefined;
  return `${formatTime(minTimestamp)} to ${formatTime(maxTimestamp)} (${formatDuration(maxTimestamp - minTimestamp)})`;
}

function eventsText({ records, minTimestamp, maxTimestamp }: LogTally): string | undefined {
  if (records === 0 || maxTimestamp === minTimestamp) return undefined;
  return `${formatRate(records, maxTimestamp - minTimestamp)} on average`;
}

function eachText(bytes: number, records: number): string {
  return records === 0 ? '' : `, ${formatBytes(bytes / records)} a record`;
}

function batchesText({ batches, records }: LogTally): string {
  return batches === 0
    ? '0'
    : `${formatCount(batches)}, ${formatCount(records / batches)} records each on average`;
}

function renderSegments({ segments }: LogInfo, style: (text: string) => string): string {
  return renderTable(
    [
      { title: 'segment', align: 'right' },
      { title: 'records', align: 'right' },
      { title: 'size', align: 'right' },
      { title: 'indexes', align: 'right' },
      { title: 'newest time' },
      { title: 'state' },
    ],
    segments.map((segment) => [
      String(segment.baseOffset),
      formatCount(segment.nextOffset - segment.baseOffset),
      formatBytes(segment.bytes),
      formatBytes(segment.indexBytes),
      formatTime(segment.maxTimestamp),
      segment.isSealed ? 'sealed' : 'active',
    ]),
    style,
  );
}

function detailsJson(known: LogInfo, tally: LogTally): unknown {
  const { minTimestamp, maxTimestamp } = tally;
  const durationMs = maxTimestamp - minTimestamp;
  return {
    ...known,
    records: tally.records,
    batches: tally.batches,
    unreadRecords: tally.unreadRecords,
    from: isoTime(minTimestamp) ?? null,
    to: isoTime(maxTimestamp) ?? null,
    eventsPerSecond: durationMs > 0 ? (tally.records * 1000) / durationMs : null,
    levels: Object.fromEntries(tally.levels.map(({ level, records }) => [level, records])),
    indexShare: known.bytes === 0 ? null : known.indexBytes / known.bytes,
  };
}
