/**
 * Writing what a command gives to a file.
 *
 * @module
 */

import { checkWritable, OutputFile } from '../vfs/output-file.ts';

/** The streams that a process has from its beginning: they may be sockets, which nobody can open by a name. */
const STREAMS: Readonly<Record<string, NodeJS.WriteStream>> = {
  '/dev/stdout': process.stdout,
  '/dev/stderr': process.stderr,
};

/**
 * Finds out whether a file can be written, before something that takes long is done for it.
 *
 * @throws VarveError as `writeWholeFile`
 */
export async function checkOutput(path: string): Promise<void> {
  if (STREAMS[path] === undefined) await checkWritable(path);
}

/**
 * Writes a file, which is either whole afterwards or as it was before.
 *
 * @throws VarveError `NOT_FOUND`, `NO_SPACE`, `READ_ONLY`, `IO`
 */
export async function writeWholeFile(path: string, text: string): Promise<void> {
  await writeLines(path, [text]);
}

/**
 * Writes pieces of text to a file, which is either whole afterwards or as it was before.
 *
 * @param pieces may throw; then the file is as it was, too
 * @throws VarveError as `writeWholeFile`
 */
export async function writeLines(path: string, pieces: Iterable<string>): Promise<void> {
  const stream = STREAMS[path];
  if (stream !== undefined) {
    for (const piece of pieces) await written(stream, piece);
    return;
  }
  const file = await OutputFile.create(path);
  try {
    for (const piece of pieces) await file.write(piece);
  } catch (error) {
    await file.discard();
    throw error;
  }
  await file.finish();
}

function written(stream: NodeJS.WriteStream, piece: string): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.write(piece, (error) => (error ? reject(error) : resolve()));
  });
}
