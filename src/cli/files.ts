/**
 * Writing what a command gives to a file.
 *
 * @module
 */

import { VarveError } from '../errors.ts';
import { nodeVfs } from '../vfs/node.ts';

/**
 * Finds out whether a file can be written, before something that takes long is done for it.
 *
 * @throws VarveError as `writeWholeFile`
 */
export async function checkWritable(path: string): Promise<void> {
  if ((await nodeVfs.stat(path))?.kind === 'directory') {
    throw new VarveError('IO', `${path} is a directory, and no file to write to`, { file: path });
  }
  const file = await nodeVfs.open(temporaryOf(path), 'create');
  await file.close();
  await nodeVfs.remove(temporaryOf(path));
}

function temporaryOf(path: string): string {
  return `${path}.${process.pid}.tmp`;
}

/**
 * Writes a file, which is either whole afterwards or as it was before.
 *
 * @throws VarveError `NOT_FOUND`, `NO_SPACE`, `READ_ONLY`, `IO`
 */
export async function writeWholeFile(path: string, text: string): Promise<void> {
  const temporary = temporaryOf(path);
  const file = await nodeVfs.open(temporary, 'create');
  try {
    await file.write(Buffer.from(text), 0);
    await file.close();
    await nodeVfs.rename(temporary, path);
  } catch (error) {
    await file.close();
    await nodeVfs.remove(temporary);
    throw error;
  }
}
