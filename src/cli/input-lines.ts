/** Lines of a file, or of standard input, for commands that take text. */

import { isUtf8 } from 'node:buffer';
import { nodeVfs } from '../vfs/node.ts';
import { checkStandardInput } from '../vfs/stdin.ts';

const PIECE_BYTES = 256 * 1024;
const LINE_FEED = 10;

/**
 * The lines of a file, without their ends.
 *
 * @param path `-` is standard input
 * @throws VarveError `NOT_FOUND`, `IO`; TypeError with the number of a line that is no UTF-8
 */
export async function* inputLines(path: string): AsyncGenerator<string, void, undefined> {
  let [rest, before]: [Buffer[], number] = [[], 0];
  for await (const piece of path === '-' ? standardInput() : piecesOf(path)) {
    const end = piece.lastIndexOf(LINE_FEED);
    if (end < 0) {
      rest.push(piece);
      continue;
    }
    const lines = linesOf(Buffer.concat([...rest, piece.subarray(0, end)]), before);
    rest = [piece.subarray(end + 1)];
    before += lines.length;
    yield* lines;
  }
  const last = Buffer.concat(rest);
  if (last.length > 0) yield* linesOf(last, before);
}

/** @param before how many lines came before */
function linesOf(bytes: Buffer, before: number): string[] {
  // In UTF-8, no other character has the byte of a line feed in it.
  if (isUtf8(bytes)) return bytes.toString().split('\n');
  let number = before + 1;
  for (let start = 0; ; number++) {
    const feed = bytes.indexOf(LINE_FEED, start);
    const end = feed < 0 ? bytes.length : feed;
    if (!isUtf8(bytes.subarray(start, end))) throw new TypeError(`line ${number}: it is no UTF-8`);
    start = end + 1;
  }
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
