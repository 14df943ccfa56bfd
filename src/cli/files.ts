/**
 * Writing what a command gives to a file.
 *
 * @module
 */

import { checkReplaceable, replaceFile } from '../vfs/replace.ts';

/**
 * Finds out whether a file can be written, before something that takes long is done for it.
 *
 * @throws VarveError as `writeWholeFile`
 */
export async function checkWritable(path: string): Promise<void> {
  await checkReplaceable(path);
}

/**
 * Writes a file, which is either whole afterwards or as it was before. A link is followed, a device or a pipe written to.
 *
 * @throws VarveError `NOT_FOUND`, `NO_SPACE`, `READ_ONLY`, `IO`
 */
export async function writeWholeFile(path: string, text: string): Promise<void> {
  await replaceFile(path, Buffer.from(text));
}
