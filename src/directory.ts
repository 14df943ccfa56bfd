/**
 * What lies in the directory of a database: the number of its format, and its logs.
 *
 * @module
 */

import { VarveError } from './errors.ts';
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
