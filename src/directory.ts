/**
 * What lies in the directory of a database: the number of its format, and its logs; and whether it is one.
 *
 * @module
 */

import { dirname } from 'node:path';
import { systemCode, VarveError } from './errors.ts';
import { FORMAT_VERSION } from './limits.ts';
import { parseLogDirectoryName } from './log/names.ts';
import { replaceFile } from './log/whole-file.ts';
import { joinPath, type Vfs } from './vfs/vfs.ts';

export const VERSION_FILE = 'VERSION';
export const VERSION_TEMPORARY_FILE = 'VERSION.tmp';
export const LOCK_DIRECTORY = 'LOCK';
export const LOGS_DIRECTORY = 'logs';
const VERSION_BYTES_MAX = 64;

/** A log that a database has. */
export interface LogPlace {
  name: string;
  partition: number;
  /** What both make together: the name of its directory. */
  key: string;
  directory: string;
}

/** The logs that a database has, sorted by name and partition. */
export async function listLogs(vfs: Vfs, directory: string): Promise<LogPlace[]> {
  const folder = joinPath(directory, LOGS_DIRECTORY);
  if ((await vfs.stat(folder)) === undefined) return [];
  const logs: LogPlace[] = [];
  for (const key of await vfs.readdir(folder)) {
    const parsed = parseLogDirectoryName(key);
    const path = joinPath(folder, key);
    if (parsed === undefined || (await vfs.stat(path))?.kind !== 'directory') continue;
    logs.push({ ...parsed, key, directory: path });
  }
  return logs.sort((a, b) => (a.name === b.name ? a.partition - b.partition : a.name < b.name ? -1 : 1));
}

/**
 * Checks that a name can be that of a new log beside others, on any disk: some take upper case for lower case.
 *
 * @throws RangeError where it cannot
 */
export async function checkNewLog(vfs: Vfs, directory: string, name: string): Promise<void> {
  for (const other of await listLogs(vfs, directory))
    if (other.name !== name && other.name.toLowerCase() === name.toLowerCase())
      throw new RangeError(
        `there is a log ${other.name}: ${name} would have the same directory on some disks`,
      );
}

/**
 * Reads the number of the format.
 *
 * @returns undefined where there is none
 * @throws VarveError `CORRUPT` where the file holds no number; `VERSION` where a newer build wrote it
 */
export async function readVersion(vfs: Vfs, directory: string): Promise<number | undefined> {
  const path = joinPath(directory, VERSION_FILE);
  if ((await vfs.stat(path)) === undefined) return undefined;
  const file = await vfs.open(path, 'read');
  const bytes = new Uint8Array(VERSION_BYTES_MAX);
  let length: number;
  try {
    length = await file.read(bytes, 0);
  } finally {
    await file.close();
  }
  const text = Buffer.from(bytes.subarray(0, length)).toString('latin1').trim();
  if (!/^\d{1,9}$/.test(text)) {
    throw new VarveError('CORRUPT', `${path} holds no version number`, { file: path, position: 0 });
  }
  const version = Number(text);
  if (version > FORMAT_VERSION) {
    const message = `${directory} has format ${version}; this build knows ${FORMAT_VERSION}`;
    throw new VarveError('VERSION', message, { file: path });
  }
  return version;
}

/** Writes the number of the format; when it returns, that is durable. */
export async function writeVersion(vfs: Vfs, directory: string): Promise<void> {
  const bytes = Buffer.from(`${FORMAT_VERSION}\n`);
  await replaceFile(vfs, directory, VERSION_FILE, VERSION_TEMPORARY_FILE, bytes);
}

/**
 * Refuses a directory that is no database and cannot become one.
 *
 * @throws VarveError `NOT_FOUND`
 */
export async function checkOwn(vfs: Vfs, directory: string, canCreate: boolean): Promise<void> {
  const details = { file: directory };
  const names = await vfs.readdir(directory);
  // Another process may be making it at this moment.
  if (names.includes(VERSION_FILE)) return;
  if (!canCreate) throw new VarveError('NOT_FOUND', `${directory} is not a varve database`, details);
  const own = [LOCK_DIRECTORY, VERSION_TEMPORARY_FILE];
  if (names.some((name) => !own.includes(name))) {
    throw new VarveError('NOT_FOUND', `${directory} is not a varve database, and not empty`, details);
  }
}

/** Checks the VERSION file, and makes it in a directory that is new. */
export async function checkVersion(vfs: Vfs, directory: string, canCreate: boolean): Promise<void> {
  if ((await readVersion(vfs, directory)) !== undefined) return;
  await checkOwn(vfs, directory, canCreate);
  // It was made since the look before this one: whoever may not make one comes too early.
  if (!canCreate)
    throw new VarveError('NOT_FOUND', `${directory} is not a varve database`, { file: directory });
  await syncAncestors(vfs, directory);
  await writeVersion(vfs, directory);
}

/**
 * Makes the name of a directory durable, and the names of those above it: which of them were made for it,
 * by this process or by one that ended too early, nobody knows any more.
 */
async function syncAncestors(vfs: Vfs, directory: string): Promise<void> {
  for (let path = directory; dirname(path) !== path; path = dirname(path)) {
    try {
      await vfs.syncDir(dirname(path));
    } catch (error) {
      // Where we may not look, we have made nothing.
      const code = error instanceof VarveError ? systemCode(error.cause) : undefined;
      if (code !== 'EACCES' && code !== 'EPERM') throw error;
    }
  }
}
