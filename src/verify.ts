/**
 * Verifies a database: what is in its directory, and every log in it, whether they can be opened or not.
 *
 * @module
 */

import { systemClock } from './clock.ts';
import {
  LOCK_DIRECTORY,
  LOGS_DIRECTORY,
  type LogPlace,
  listLogs,
  readVersion,
  VERSION_FILE,
  VERSION_TEMPORARY_FILE,
} from './directory.ts';
import { isVarveError, VarveError } from './errors.ts';
import { journalDamage, journalDamageText } from './events/journal-recovery.ts';
import { eventStoresOf, eventsTreeName } from './events/names.ts';
import { INDEX_INTERVAL_BYTES_DEFAULT } from './limits.ts';
import type { Log } from './log/log.ts';
import { parseLogDirectoryName } from './log/names.ts';
import { type LogVerifyReport, type Problem, type VerifyOptions, verifyLog } from './log/verify.ts';
import { MANIFEST_DIRECTORY, TREES_DIRECTORY, type Trees, WAL_DIRECTORY } from './lsm/trees.ts';
import { verifyTrees } from './lsm/verify.ts';
import type { Memory } from './memory/memory.ts';
import { joinPath, type Vfs } from './vfs/vfs.ts';

/** What `verify` found. */
export interface VerifyReport {
  /** No problems anywhere. Losses that a repair has noted are none. */
  isClean: boolean;
  /** What is wrong with the database itself, and with its trees. */
  problems: Problem[];
  /** Records that the problems of all logs cost. */
  lostRecords: number;
  /** Files that belong to nobody; only where it was asked for. */
  strangers: string[];
  logs: Record<string, LogVerifyReport>;
}

interface VerifyDirectoryOptions extends VerifyOptions {
  /** The handle of a log, where it is open. */
  handles?: (key: string) => Promise<Log> | undefined;
  /** Which logs are to be looked at; all unless given. */
  only?: (log: LogPlace) => boolean;
  /** Whether trees, and what lies beside them, are looked at; unless given, where `only` is not. */
  withTrees?: boolean;
  /** The trees, where they are open. */
  trees?: Trees | undefined;
}

/**
 * Verifies a database in a directory.
 *
 * @throws VarveError `NOT_FOUND` where it is none; `VERSION` where a newer build wrote it; `IO`, `NO_MEMORY`
 */
export async function verifyDirectory(
  directory: string,
  memory: Memory,
  vfs: Vfs,
  options: VerifyDirectoryOptions,
): Promise<VerifyReport> {
  const { deep = false, only, handles, trees } = options;
  const problem = await versionProblem(vfs, directory);
  const strangers = deep ? await listStrangers(vfs, directory) : [];
  const problems = problem === undefined ? [] : [problem];
  const report: VerifyReport = {
    isClean: problems.length === 0,
    problems,
    lostRecords: 0,
    strangers,
    logs: {},
  };
  for (const place of await listLogs(vfs, directory)) {
    if (only?.(place) === false) continue;
    const context = {
      memory,
      vfs,
      directory: place.directory,
      indexIntervalBytes: INDEX_INTERVAL_BYTES_DEFAULT,
    };
    const found = (await verifyOpen(handles?.(place.key), deep)) ?? (await verifyLog(context, { deep }));
    report.logs[place.key] = found;
    report.lostRecords += found.lostRecords;
    if (found.problems.length > 0) report.isClean = false;
  }
  if (options.withTrees ?? only === undefined) {
    const found = await verifyTrees({ directory, memory, vfs, clock: systemClock, deep, open: trees });
    found.push(...(await verifyJournals(directory, memory, vfs)));
    report.problems.push(...found);
    if (found.length > 0) report.isClean = false;
  }
  return report;
}

/** What is wrong with the journals of stores of log entries. */
async function verifyJournals(directory: string, memory: Memory, vfs: Vfs): Promise<Problem[]> {
  const folder = joinPath(directory, TREES_DIRECTORY);
  if ((await vfs.stat(folder)) === undefined) return [];
  const problems: Problem[] = [];
  for (const store of eventStoresOf(await vfs.readdir(folder))) {
    for (const damage of await journalDamage(vfs, memory, joinPath(folder, eventsTreeName(store)))) {
      const { file, position } = damage;
      problems.push({ file, position, offsets: undefined, message: journalDamageText(damage) });
    }
  }
  return problems;
}

/** Asks the handle of a log, which knows more; undefined where it cannot be asked. */
async function verifyOpen(
  opening: Promise<Log> | undefined,
  deep: boolean,
): Promise<LogVerifyReport | undefined> {
  const log = await opening?.catch(() => undefined);
  try {
    return await log?.verify({ deep });
  } catch (error) {
    if (isVarveError(error, 'CLOSED')) return undefined;
    throw error;
  }
}

/**
 * What is wrong with the number of the format.
 *
 * @throws VarveError `NOT_FOUND` where the directory is no database; `VERSION` where a newer build wrote it
 */
export async function versionProblem(vfs: Vfs, directory: string): Promise<Problem | undefined> {
  const kind = (await vfs.stat(directory))?.kind;
  if (kind !== 'directory') {
    const what =
      kind === undefined ? `there is no directory ${directory}` : `${directory} is not a directory`;
    throw new VarveError('NOT_FOUND', what, { file: directory });
  }
  const file = joinPath(directory, VERSION_FILE);
  try {
    if ((await readVersion(vfs, directory)) !== undefined) return undefined;
  } catch (error) {
    if (!isVarveError(error, 'CORRUPT')) throw error;
    return { file, position: 0, offsets: undefined, message: error.message };
  }
  const hasLogs = (await listLogs(vfs, directory)).length > 0;
  const hasTrees = (await vfs.stat(joinPath(directory, TREES_DIRECTORY))) !== undefined;
  if (!hasLogs && !hasTrees)
    throw new VarveError('NOT_FOUND', `${directory} is not a varve database`, { file: directory });
  return { file, position: 0, offsets: undefined, message: `${file} is missing` };
}

/** The files that no version of varve has put there. */
async function listStrangers(vfs: Vfs, directory: string): Promise<string[]> {
  const own = [
    LOCK_DIRECTORY,
    VERSION_FILE,
    VERSION_TEMPORARY_FILE,
    LOGS_DIRECTORY,
    WAL_DIRECTORY,
    MANIFEST_DIRECTORY,
    TREES_DIRECTORY,
  ];
  const names = await vfs.readdir(directory);
  const strangers = names.filter((name) => !own.includes(name)).map((name) => joinPath(directory, name));
  if (!names.includes(LOGS_DIRECTORY)) return strangers;
  const logs = joinPath(directory, LOGS_DIRECTORY);
  for (const name of await vfs.readdir(logs)) {
    if (parseLogDirectoryName(name) === undefined) strangers.push(joinPath(logs, name));
  }
  return strangers;
}
