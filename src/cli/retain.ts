/**
 * `varve retain DIR LOG`: removes the oldest segments of a log by size, by age or by offset, and says which went,
 * or would go.
 *
 * @module
 */

import type { SegmentInfo } from '../log/info.ts';
import type { Log } from '../log/log.ts';
import { chooseExpired } from '../log/retention.ts';
import { open } from '../open.ts';
import type { Context, ExitCode } from './context.ts';
import { findLogName, logTitle } from './database.ts';
import { formatBytes, plural } from './format.ts';

export interface RetainCommandOptions {
  bytes?: number;
  age?: number;
  before?: number;
  dryRun?: boolean;
  json?: boolean;
}

/** What went, or would go. */
interface RetentionReport {
  isDryRun: boolean;
  segments: number;
  bytesBefore: number;
  bytesAfter: number;
  firstOffset: number;
}

/**
 * @returns 0, or 1 where a dry run found something that would go
 * @throws RangeError where there is nothing to go by
 */
export async function retain(
  directory: string,
  name: string,
  options: RetainCommandOptions,
  context: Context,
): Promise<ExitCode> {
  const { bytes, age, before } = options;
  if (bytes === undefined && age === undefined && before === undefined) {
    throw new RangeError('say what is to go: --bytes, --age or --before');
  }
  const database = await open(directory, { create: false });
  try {
    const place = await findLogName(database, name);
    // What it is opened with would be carried out at once.
    const log = await database.log(place.name, { partition: place.partition });
    const report = await run(log, options, context);
    if (options.json === true) context.stdout.json({ directory, log: logTitle(place), ...report });
    else print(logTitle(place), report, context);
    return report.isDryRun && report.segments > 0 ? 1 : 0;
  } finally {
    await database.close();
  }
}

async function run(log: Log, options: RetainCommandOptions, context: Context): Promise<RetentionReport> {
  const { bytes = Infinity, age = Infinity, before = 0, dryRun = false } = options;
  const { segments, bytes: bytesBefore, firstOffset } = log.info();
  const states = segments.map((segment: SegmentInfo) => ({
    ...segment,
    maxTimestamp: segment.maxTimestamp ?? -Infinity,
  }));
  const limits = { bytes, ageMs: age, firstOffset: Math.max(before, firstOffset) };
  const count = chooseExpired(states, limits, context.clock.now());
  const end = Math.max(before, states[count - 1]?.nextOffset ?? firstOffset);
  const removed = states.slice(0, count).reduce((sum, segment) => sum + segment.bytes, 0);
  if (!dryRun && end > firstOffset) await log.truncateBefore(end);
  return {
    isDryRun: dryRun,
    segments: count,
    bytesBefore,
    bytesAfter: bytesBefore - removed,
    firstOffset: Math.max(firstOffset, end),
  };
}

function print(title: string, report: RetentionReport, { stdout, colours }: Context): void {
  const { isDryRun, segments, bytesBefore, bytesAfter, firstOffset } = report;
  if (segments === 0) {
    stdout.line(`${title}: ${colours.green('no segment to remove')}; ${formatBytes(bytesBefore)}`);
    return;
  }
  stdout.line(
    `${title}: ${plural(segments, 'segment')} ${isDryRun ? 'would go' : 'went'}, ` +
      `${formatBytes(bytesBefore)} to ${formatBytes(bytesAfter)}; it begins at offset ${firstOffset}`,
  );
  if (isDryRun) stdout.line(colours.yellow('nothing was changed'));
}
