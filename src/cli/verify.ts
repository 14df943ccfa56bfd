/**
 * `varve verify DIR [LOG]`: reads and checks every byte, and says exactly what is lost.
 *
 * @module
 */

import { isVarveError, type VarveError } from '../errors.ts';
import type { Log } from '../log/log.ts';
import type { LogVerifyReport, Problem } from '../log/verify.ts';
import type { Database } from '../open.ts';
import type { Context, ExitCode } from './context.ts';
import { findLogName, type LogName, logTitle, withDatabase } from './database.ts';
import { formatBytes, formatCount, formatDuration, plural } from './format.ts';
import { renderTable } from './table.ts';

export interface VerifyCommandOptions {
  json?: boolean;
}

interface Verified {
  log: LogName;
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
  const results = await withDatabase(directory, async (database) => {
    const names = name === undefined ? await database.logNames() : [await findLogName(database, name)];
    const verified: Verified[] = [];
    for (const log of names) {
      context.signal.throwIfAborted();
      verified.push({ log, report: await verifyLog(database, log) });
    }
    return verified;
  });
  const isClean = results.every(({ report }) => report.problems.length === 0);
  if (options.json === true) context.stdout.json(verifiedJson(directory, results, isClean));
  else print(directory, results, context.clock.monotonic() - startMs, context);
  return isClean ? 0 : 1;
}

async function verifyLog(database: Database, log: LogName): Promise<LogVerifyReport> {
  try {
    return await (await openLog(database, log)).verify();
  } catch (error) {
    if (!isVarveError(error, 'CORRUPT')) throw error;
    return { segments: 0, batches: 0, records: 0, bytes: 0, problems: [problemOf(database, error)] };
  }
}

/** What is damaged is to be looked at, not to be refused; but what is whole need not be made anew for that. */
async function openLog(database: Database, { name, partition }: LogName): Promise<Log> {
  try {
    return await database.log(name, { partition });
  } catch (error) {
    if (!isVarveError(error, 'CORRUPT')) throw error;
    return await database.log(name, { partition, recovery: 'skipAnyCorrupted' });
  }
}

/** A log so damaged that it cannot be opened at all is a finding as well. */
function problemOf(database: Database, error: VarveError): Problem {
  const { file = database.directory, position = 0, offsets, message } = error;
  return { file, position, offsets, message };
}

function verifiedJson(directory: string, results: readonly Verified[], isClean: boolean): unknown {
  return {
    directory,
    isClean,
    logs: results.map(({ log, report }) => ({ ...log, ...report })),
  };
}

function print(directory: string, results: readonly Verified[], elapsedMs: number, context: Context): void {
  const { stdout, colours } = context;
  if (results.length > 0) stdout.write(renderVerified(results, context));
  const problems = results.flatMap(({ report }) => report.problems);
  for (const problem of problems) stdout.line(colours.red(sentenceOf(problem)));
  const bytes = results.reduce((sum, { report }) => sum + report.bytes, 0);
  const lost = problems.reduce(
    (sum, { offsets }) => sum + (offsets === undefined ? 0 : offsets.last - offsets.first + 1),
    0,
  );
  const verdict =
    problems.length === 0
      ? colours.green('no damage')
      : colours.red(`${plural(problems.length, 'damaged part')}, ${plural(lost, 'record')} lost`);
  stdout.line(`${directory}: ${verdict}; ${formatBytes(bytes)} in ${formatDuration(elapsedMs)}`);
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
function sentenceOf({ file, position, offsets, message }: Problem): string {
  const where = message.includes(file) ? '' : `${file}: `;
  const at = message.includes('position') ? '' : ` at position ${position}`;
  const lost =
    offsets === undefined || message.includes('offset')
      ? ''
      : `; lost: offsets ${offsets.first} to ${offsets.last}`;
  return `${where}${message}${at}${lost}`;
}
