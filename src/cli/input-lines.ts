/** Lines of a file, or of standard input, for commands that take text. */

import { StringDecoder } from 'node:string_decoder';
import { nodeVfs } from '../vfs/node.ts';
import { checkStandardInput } from '../vfs/stdin.ts';

const PIECE_BYTES = 256 * 1024;

/**
 * The lines of a file, without their ends.
 *
 * @param path `-` is standard input
 * @throws VarveError `NOT_FOUND`, `IO`
 */
export async function* inputLines(path: string): AsyncGenerator<string, void, undefined> {
  const decoder = new StringDecoder('utf8');
  let rest = '';
  for await (const piece of path === '-' ? standardInput() : piecesOf(path)) {
    const lines = (rest + decoder.write(piece)).split('\n');
    rest = lines.pop() as string;
    yield* lines;
  }
  rest += decoder.end();
  if (rest !== '') yield rest;
}

async function* standardInput(): AsyncGenerator<Buffer, void, undefined> {
  checkStandardInput();
  for await (const piece of process.stdin) yield piece as Buffer;
}

async function* piecesOf(path: string): AsyncGenerator<Buffer, void, undefined> {
  const file = await nodeVfs.open(path, 'read');
  try {
    for (let position = 0; ; ) {
      const piece = Buffer.allocUnsafe(PIECE_BYTES);
      const bytes = await file.read(piece, position);
      if (bytes === 0) return;
      yield piece.subarray(0, bytes);
      position += bytes;
    }
  } finally {
    await file.close();
  }
}
