/**
 * `varve compact DIR LOG [--dry-run]`: keeps the newest record of each key, and says what went, or would go.
 *
 * @module
 */

import type { CompactionReport } from '../log/compaction/report.ts';
import type { Log } from '../log/log.ts';
import type { LogOptions } from '../log/options.ts';
import { open } from '../open.ts';
import { nodeVfs } from '../vfs/node.ts';
import type { Context, ExitCode } from './context.ts';
import { findPlace, logTitle } from './database.ts';
import { formatBytes, formatCount, plural } from './format.ts';
import { keptOptions } from './kept-options.ts';
import type { Progress } from './progress.ts';

export interface CompactCommandOptions {
  dryRun?: boolean;
  all?: boolean;
  minLag?: number;
  deleteRetention?: number;
  keyMemory?: number;
  duplicatesWithin?: number;
  json?: boolean;
}

function logOptions({ minLag, deleteRetention, keyMemory }: CompactCommandOptions): LogOptions {
  return {
    cleanup: 'compact',
    ...(minLag !== undefined && { minCompactionLagMs: minLag }),
    ...(deleteRetention !== undefined && { deleteRetentionMs: deleteRetention }),
    ...(keyMemory !== undefined && { keyMapBytes: keyMemory }),
  };
}

/** @returns 0, or 1 where a dry run found something that would go, or a segment could not be read */
export async function compact(
  directory: string,
  name: string,
  options: CompactCommandOptions,
  context: Context,
): Promise<ExitCode> {
  const database = await open(directory, { create: false });
  try {
    const place = await findPlace(nodeVfs, directory, name);
    const kept = await keptOptions(nodeVfs, database.runtime.memory, place.directory);
    const log = await database.log(place.name, {
      ...kept,
      ...logOptions(options),
      partition: place.partition,
    });
    if (options.all === true && options.dryRun !== true) await log.roll();
    const report = await run(log, options, context);
    if (options.json === true) context.stdout.json({ directory, log: logTitle(place), ...report });
    else print(logTitle(place), report, context);
    if (options.all === true && report.isDryRun && options.json !== true)
      context.stdout.line('the newest segment, which --all seals first, was not looked at');
    const wouldGo = removedOf(report) > 0 || report.bytesAfter < report.bytesBefore;
    return report.skipped.length > 0 || (report.isDryRun && wouldGo) ? 1 : 0;
  } finally {
    await database.close();
  }
}

async function run(log: Log, options: CompactCommandOptions, context: Context): Promise<CompactionReport> {
  let bar: Progress | undefined;
  const { signal } = context;
  const shared = {
    dryRun: options.dryRun === true,
    signal,
    onProgress(done: number, total: number): void {
      bar ??= context.progress({ label: 'compact', total });
      bar.update(done);
    },
  };
  try {
    const { duplicatesWithin: withinRecords } = options;
    if (withinRecords !== undefined) return await log.deduplicate({ ...shared, withinRecords });
    return await log.compact({ ...shared, force: true });
  } finally {
    bar?.clear();
  }
}

function removedOf({ supersededRecords, duplicateRecords, forgottenTombstones }: CompactionReport): number {
  return supersededRecords + duplicateRecords + forgottenTombstones;
}

function print(title: string, report: CompactionReport, { stdout, colours }: Context): void {
  const { isDryRun, bytesBefore, bytesAfter, skipped, passes, keys } = report;
  for (const { message } of skipped) stdout.line(`${colours.red('skipped')}  ${message}`);
  const verb = isDryRun ? 'would go' : 'went';
  const counts = [
    [report.supersededRecords, 'superseded'],
    [report.duplicateRecords, 'duplicates'],
    [report.forgottenTombstones, 'deletions'],
  ] as const;
  const parts = counts.filter(([count]) => count > 0).map(([count, what]) => `${formatCount(count)} ${what}`);
  if (parts.length === 0) {
    stdout.line(`${title}: ${colours.green('nothing to remove')}; ${formatBytes(bytesBefore)}`);
    return;
  }
  const saved = bytesBefore === 0 ? 0 : Math.round(((bytesBefore - bytesAfter) / bytesBefore) * 100);
  stdout.line(`${title}: ${plural(removedOf(report), 'record')} ${verb}: ${parts.join(', ')}`);
  stdout.line(
    `${title}: ${formatBytes(bytesBefore)} to ${formatBytes(bytesAfter)} (${saved}% less), ` +
      `${plural(report.rewrittenSegments, 'segment')} to ${report.writtenSegments}, ` +
      `${plural(keys, 'key')} in ${plural(passes, 'pass', 'passes')}`,
  );
  if (isDryRun) stdout.line(colours.yellow('nothing was changed'));
}
