/**
 * Writes what a program gives to a file that its user names: a regular file is replaced as a whole, where a link leads
 * to, and keeps who may read it; into a device or a pipe it goes as it is.
 *
 * @module
 */

import { open, realpath, rename, rm, stat } from 'node:fs/promises';
import { fromSystem, systemCode, VarveError } from '../errors.ts';

const PERMISSIONS = 0o777;

/** What a path leads to, and what is there. */
interface Target {
  path: string;
  kind: 'none' | 'file' | 'other';
  mode: number | undefined;
}

/**
 * Finds out whether a file can be written, before something that takes long is done for it.
 *
 * @throws VarveError as `replaceFile`
 */
export async function checkReplaceable(path: string): Promise<void> {
  const target = await targetOf(path);
  if (target.kind === 'other') return;
  const temporary = temporaryOf(target.path);
  try {
    await (await open(temporary, 'wx')).close();
    await rm(temporary);
  } catch (error) {
    throw fromSystem(error, 'write', path);
  }
}

/**
 * Writes a file, which is either whole afterwards or as it was before; a device or a pipe is written to.
 *
 * @throws VarveError `NOT_FOUND`, `NO_SPACE`, `READ_ONLY`, `IO`
 */
export async function replaceFile(path: string, bytes: Uint8Array): Promise<void> {
  const target = await targetOf(path);
  const temporary = temporaryOf(target.path);
  try {
    const isStraight = target.kind === 'other';
    const handle = await open(isStraight ? target.path : temporary, isStraight ? 'w' : 'wx');
    try {
      if (target.mode !== undefined && target.kind === 'file') await handle.chmod(target.mode & PERMISSIONS);
      await handle.writeFile(bytes);
    } finally {
      await handle.close();
    }
    if (target.kind !== 'other') await rename(temporary, target.path);
  } catch (error) {
    if (target.kind !== 'other' && systemCode(error) !== 'EEXIST') await rm(temporary, { force: true });
    throw fromSystem(error, 'write', path);
  }
}

function temporaryOf(path: string): string {
  return `${path}.${process.pid}.tmp`;
}

async function targetOf(path: string): Promise<Target> {
  try {
    const real = await realpath(path);
    const found = await stat(real);
    if (found.isDirectory())
      throw new VarveError('IO', `${path} is a directory, and no file to write to`, { file: path });
    return { path: real, kind: found.isFile() ? 'file' : 'other', mode: found.mode };
  } catch (error) {
    // The name itself, or its directory, may be missing: creating it tells.
    if (systemCode(error) === 'ENOENT') return { path, kind: 'none', mode: undefined };
    throw fromSystem(error, 'write', path);
  }
}
