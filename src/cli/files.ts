/**
 * Writing what a command gives to a file.
 *
 * @module
 */

import { nodeVfs } from '../vfs/node.ts';

/**
 * Writes a file, which is either whole afterwards or as it was before.
 *
 * @throws VarveError `NOT_FOUND`, `NO_SPACE`, `READ_ONLY`, `IO`
 */
export async function writeWholeFile(path: string, text: string): Promise<void> {
  const temporary = `${path}.${process.pid}.tmp`;
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
