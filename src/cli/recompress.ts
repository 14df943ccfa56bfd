/**
 * `varve recompress DIR LOG --codec CODEC`: compresses the sealed segments of a log that were written plain, and says
 * what that saved, or would save.
 *
 * @module
 */

import type { RecompressionReport } from '../log/compaction/recompressor.ts';
import type { Compression } from '../log/compression-options.ts';
import type { Log } from '../log/log.ts';
import { open } from '../open.ts';
import { nodeVfs } from '../vfs/node.ts';
import type { Context, ExitCode } from './context.ts';
import { findPlace, logTitle } from './database.ts';
import { formatBytes, plural } from './format.ts';
import { keptOptions } from './kept-options.ts';
import type { Progress } from './progress.ts';

export interface RecompressCommandOptions {
  codec: Exclude<Compression, 'none'>;
  level?: number;
  all?: boolean;
  dryRun?: boolean;
  json?: boolean;
}

/** @returns 0, or 1 where a dry run found something to compress, or a segment could not be read */
export async function recompress(
  directory: string,
  name: string,
  options: RecompressCommandOptions,
  context: Context,
): Promise<ExitCode> {
  const { codec, level } = options;
  const database = await open(directory, { create: false, maintenance: false });
  try {
    const place = await findPlace(nodeVfs, directory, name);
    const kept = await keptOptions(nodeVfs, database.runtime.memory, place.directory);
    const compression = { codec, when: 'seal', ...(level !== undefined && { level }) } as const;
    const log = await database.log(place.name, { ...kept, compression, partition: place.partition });
    if (options.all === true && options.dryRun !== true) await log.roll();
    const report = await run(log, options, context);
    if (options.json === true) context.stdout.json({ directory, log: logTitle(place), ...report });
    else print(logTitle(place), report, context);
    return report.skipped.length > 0 || (report.isDryRun && report.compressedSegments > 0) ? 1 : 0;
  } finally {
    await database.close();
  }
}

async function run(
  log: Log,
  { dryRun = false }: RecompressCommandOptions,
  context: Context,
): Promise<RecompressionReport> {
  let bar: Progress | undefined;
  try {
    return await log.recompress({
      dryRun,
      signal: context.signal,
      onProgress(done, total) {
        bar ??= context.progress({ label: 'recompress', total });
        bar.update(done);
      },
    });
  } finally {
    bar?.clear();
  }
}

function print(title: string, report: RecompressionReport, { stdout, colours }: Context): void {
  const { isDryRun, checkedSegments, compressedSegments, bytesBefore, bytesAfter, skipped } = report;
  for (const { message } of skipped) stdout.line(`${colours.red('skipped')}  ${message}`);
  if (compressedSegments === 0) {
    const checked = plural(checkedSegments, 'sealed segment');
    stdout.line(`${title}: ${colours.green('nothing to compress')} in ${checked}`);
    return;
  }
  const saved = Math.round(((bytesBefore - bytesAfter) / bytesBefore) * 100);
  stdout.line(
    `${title}: ${compressedSegments} of ${plural(checkedSegments, 'sealed segment')}, ` +
      `${formatBytes(bytesBefore)} to ${formatBytes(bytesAfter)} (${saved}% less)`,
  );
  if (isDryRun) stdout.line(colours.yellow('nothing was changed'));
}
