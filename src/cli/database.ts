/**
 * Opens databases and finds logs in them, for commands that only look.
 *
 * @module
 */

import { type LogPlace, listLogs } from '../directory.ts';
import { VarveError } from '../errors.ts';
import type { Log } from '../log/log.ts';
import type { RecoveryMode } from '../log/options.ts';
import { type Database, open } from '../open.ts';
import type { Vfs } from '../vfs/vfs.ts';
import type { Context } from './context.ts';

/** What commands that open logs say about damage; `tolerateCorruptedTail` unless given. */
export interface RecoveryChoice {
  recovery?: RecoveryMode;
}

/**
 * Opens a database for reading, which takes no lock, lets `use` work with it, and closes it whatever happens.
 *
 * @throws VarveError as `open` does
 */
export async function withDatabase<T>(
  directory: string,
  { recovery }: RecoveryChoice,
  use: (database: Database) => Promise<T>,
): Promise<T> {
  const database = await open(directory, { readOnly: true, ...(recovery !== undefined && { recovery }) });
  try {
    return await use(database);
  } finally {
    await database.close();
  }
}

export interface LogName {
  name: string;
  partition: number;
}

/** A log's name as it is typed and shown: with its partition only where that is not 0. */
export function logTitle({ name, partition }: LogName): string {
  return partition === 0 ? name : `${name}-${partition}`;
}

/**
 * Finds the log that a command line names.
 *
 * @param text a name, for partition 0 or the only one there is, or a name and a partition: `orders-3`
 * @throws VarveError `NOT_FOUND` with the names that there are
 */
export async function findLogName(database: Database, text: string): Promise<LogName> {
  return findAmong(await database.logNames(), database.directory, text);
}

/** Finds the log that a command line names in a directory, without opening it. */
export async function findPlace(vfs: Vfs, directory: string, text: string): Promise<LogPlace> {
  return findAmong(await listLogs(vfs, directory), directory, text);
}

function findAmong<T extends LogName>(names: readonly T[], directory: string, text: string): T {
  const named = names.filter(({ name }) => name === text);
  const found =
    named.find(({ partition }) => partition === 0) ??
    (named.length === 1 ? named[0] : undefined) ??
    names.find(({ name, partition }) => `${name}-${partition}` === text);
  if (found !== undefined) return found;
  const there = (named.length > 0 ? named : names).map(logTitle);
  const hint = there.length === 0 ? 'it has none' : `it has ${there.join(', ')}`;
  throw new VarveError('NOT_FOUND', `there is no log "${text}" in ${directory}; ${hint}`, {
    file: directory,
  });
}

/** Opens the log that {@link findLogName} finds. */
export async function findLog(database: Database, text: string, context: Context): Promise<Log> {
  return await openNamed(database, await findLogName(database, text), context);
}

/** Opens a log. Damage that the mode of recovery goes on without is said on standard error. */
export async function openNamed(
  database: Database,
  { name, partition }: LogName,
  context: Context,
): Promise<Log> {
  const log = await database.log(name, { partition });
  for (const { file, position, firstOffset, lastOffset } of log.recovery.damage) {
    const lost = lastOffset < firstOffset ? '' : `; lost: offsets ${firstOffset} to ${lastOffset}`;
    context.note(`${file} is damaged at position ${position}${lost}`);
  }
  return log;
}
