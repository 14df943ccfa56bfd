/**
 * Opens databases and finds logs in them, for commands that only look.
 *
 * @module
 */

import { type LogPlace, listLogs } from '../directory.ts';
import { VarveError } from '../errors.ts';
import type { Log } from '../log/log.ts';
import { type Database, open } from '../open.ts';
import type { Vfs } from '../vfs/vfs.ts';

/**
 * Opens a database for reading, which takes no lock, lets `use` work with it, and closes it whatever happens.
 *
 * @throws VarveError as `open` does
 */
export async function withDatabase<T>(
  directory: string,
  use: (database: Database) => Promise<T>,
): Promise<T> {
  const database = await open(directory, { readOnly: true });
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
export async function findLog(database: Database, text: string): Promise<Log> {
  const { name, partition } = await findLogName(database, text);
  return database.log(name, { partition });
}
