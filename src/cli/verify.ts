/**
 * `varve verify DIR [LOG] [--deep]`: reads and checks every byte, and says exactly what is lost. It opens no
 * log, so that no damage can keep it from its work.
 *
 * @module
 */

import type { LogPlace } from '../directory.ts';
import { MEMORY_BYTES_DEFAULT } from '../limits.ts';
import type { LogVerifyReport, Problem } from '../log/verify.ts';
import { Memory } from '../memory/memory.ts';
import { type VerifyReport, verifyDirectory } from '../verify.ts';
import { nodeVfs } from '../vfs/node.ts';
import type { Context, ExitCode } from './context.ts';
import { findPlace, logTitle } from './database.ts';
import { formatBytes, formatCount, formatDuration, plural } from './format.ts';
import { renderTable } from './table.ts';

export interface VerifyCommandOptions {
  deep?: boolean;
  json?: boolean;
}

interface Verified {
  log: LogPlace;
  report: LogVerifyReport;
}

/** @returns 1 where there is damage */
export async function verify(
  directory: string,
  name: string | undefined,
  options: VerifyCommandOptions,
  context: Context,
): Promise<ExitCode> {
  const startMs = context.clock.monotonic();
  const named = name === undefined ? undefined : await findPlace(nodeVfs, directory, name);
  const places: LogPlace[] = [];
  const report = await verifyDirectory(directory, Memory.create(MEMORY_BYTES_DEFAULT), nodeVfs, {
    deep: options.deep === true,
    withTrees: named === undefined,
    only: (place) => {
      context.signal.throwIfAborted();
      const isAsked = named === undefined || named.key === place.key;
      if (isAsked) places.push(place);
      return isAsked;
    },
  });
  const results = places.flatMap((log) => {
    const found = report.logs[log.key];
    return found === undefined ? [] : [{ log, report: found }];
  });
  if (options.json === true) context.stdout.json(verifiedJson(directory, report, results));
  else print(directory, report, results, context.clock.monotonic() - startMs, context);
  return report.isClean ? 0 : 1;
}

function verifiedJson(directory: string, report: VerifyReport, results: readonly Verified[]): unknown {
  return {
    directory,
    ...report,
    logs: results.map(({ log: { name, partition }, report: found }) => ({ name, partition, ...found })),
  };
}

function print(
  directory: string,
  report: VerifyReport,
  results: readonly Verified[],
  elapsedMs: number,
  context: Context,
): void {
  const { stdout, colours } = context;
  if (results.length > 0) stdout.write(renderVerified(results, context));
  const problems = [...report.problems, ...results.flatMap((one) => one.report.problems)];
  for (const problem of problems) stdout.line(colours.red(sentenceOf(problem)));
  const known = results.flatMap((one) => one.report.knownLosses);
  for (const { message } of [...known, ...results.flatMap((one) => one.report.unfinished)]) {
    stdout.line(colours.yellow(message));
  }
  printFiles(report, results, context);
  const bytes = results.reduce((sum, one) => sum + one.report.bytes, 0);
  const verdict =
    problems.length === 0
      ? colours.green('no damage')
      : colours.red(
          `${plural(problems.length, 'damaged part')}, ${plural(report.lostRecords, 'record')} lost`,
        );
  const knownRecords = countRecords(known);
  const before = knownRecords === 0 ? '' : `, ${plural(knownRecords, 'record')} known to be lost`;
  stdout.line(`${directory}: ${verdict}${before}; ${formatBytes(bytes)} in ${formatDuration(elapsedMs)}`);
}

/** What `--deep` has listed. */
function printFiles(report: VerifyReport, results: readonly Verified[], { stdout, colours }: Context): void {
  const line = (what: string, file: string, bytes?: number): void => {
    stdout.line(`${colours.dim(what)} ${file}${bytes === undefined ? '' : ` (${formatBytes(bytes)})`}`);
  };
  for (const { report: found } of results) {
    const { quarantine = [], temporaries = [], orphans = [], strangers = [] } = found.files ?? {};
    for (const { file, bytes } of quarantine) line('in quarantine:', file, bytes);
    for (const { file, bytes } of temporaries) line('left over:', file, bytes);
    for (const { file, bytes } of orphans) line('without its segment:', file, bytes);
    for (const file of strangers) line('belongs to nobody:', file);
  }
  for (const file of report.strangers) line('belongs to nobody:', file);
}

function countRecords(losses: readonly Problem[]): number {
  return losses.reduce(
    (sum, { offsets }) => sum + (offsets === undefined ? 0 : offsets.last - offsets.first + 1),
    0,
  );
}

function renderVerified(results: readonly Verified[], { colours }: Context): string {
  return renderTable(
    [
      { title: 'log' },
      { title: 'segments', align: 'right' },
      { title: 'batches', align: 'right' },
      { title: 'records', align: 'right' },
      { title: 'bytes', align: 'right' },
      { title: 'damaged parts', align: 'right' },
    ],
    results.map(({ log, report }) => [
      logTitle(log),
      formatCount(report.segments),
      formatCount(report.batches),
      formatCount(report.records),
      formatBytes(report.bytes),
      formatCount(report.problems.length),
    ]),
    colours.dim,
  );
}

/** What a problem is, where, and what it costs, as far as its own words do not say so already. */
export function sentenceOf({ file, position, offsets, message }: Problem): string {
  const where = message.includes(file) ? '' : `${file}: `;
  const at = message.includes('position') || position === 0 ? '' : ` at position ${position}`;
  const lost =
    offsets === undefined || message.includes('offset')
      ? ''
      : `; lost: offsets ${offsets.first} to ${offsets.last}`;
  return `${where}${message}${at}${lost}`;
}
