/**
 * The end of a text, as bytes: where its last lines begin is found by reading blocks backwards, so that it takes
 * no longer for a large file than for a small one. A stream has to be read to its end; of what came before, only
 * what may still be among the last lines is kept.
 *
 * @module
 */

import { SLACK_BYTES } from '../memory/layout.ts';
import type { Memory } from '../memory/memory.ts';
import { shorterError } from '../text/file-source.ts';
import type { PlainText, TextSource } from '../text/source.ts';
import type { VfsFile } from '../vfs/vfs.ts';

const BLOCK_BYTES: number = 256 * 1024;
const LINE_FEED = 10;

/** Which lines are wanted. */
export type TailStart =
  /** So many from the end. */
  | { lines: number }
  /** From the line with this number on; 1 is the first. */
  | { fromLine: number }
  /** So many bytes from the end. */
  | { bytes: number }
  /** From the byte with this number on; 1 is the first. */
  | { fromByte: number };

/** Where the last lines of a file begin, and their bytes, where these were read on the way. */
interface LastLines {
  position: number;
  bytes: Buffer | undefined;
}

/**
 * Finds the last lines of a file. Blocks are read on this thread, since a trip to another takes longer than to read
 * one that is in the memory.
 *
 * @throws VarveError `IO` where it cannot be read
 */
function findLastLines(memory: Memory, plain: PlainText, lines: number): LastLines {
  const { file, start, end } = plain;
  if (lines === 0) return { position: end, bytes: undefined };
  const { kernels } = memory;
  const slab = memory.slabs.allocate(BLOCK_BYTES + SLACK_BYTES, 'tail');
  try {
    let left = lines;
    for (let to = end; to > start; ) {
      const bytes = Math.min(BLOCK_BYTES, to - start);
      const from = to - bytes;
      const block = memory.buffer(slab.address, bytes);
      const read = file.readSync(block, from);
      if (read < bytes) throw shorterError(file.path, end, from + read);
      // The line feed at the very end begins no line.
      if (to === end && block[bytes - 1] === LINE_FEED) left++;
      const feed = kernels.findFeedBack(slab.address, bytes, left);
      if (feed >= 0 || from === start) {
        const skip = feed < 0 ? 0 : feed + 1 - slab.address;
        const own = to === end ? memory.copy(slab.address + skip, bytes - skip) : undefined;
        return { position: from + skip, bytes: own };
      }
      left -= kernels.countFeeds(slab.address, bytes);
      to = from;
    }
    return { position: start, bytes: undefined };
  } finally {
    slab.release();
  }
}

/** Yields the bytes of a file from a position on; where it has become shorter, it ends earlier. */
export async function* bytesOf(
  file: VfsFile,
  from: number,
  to: number,
): AsyncGenerator<Buffer, void, undefined> {
  for (let position = from; position < to; ) {
    const piece = Buffer.allocUnsafe(Math.min(BLOCK_BYTES, to - position));
    const bytes = await file.read(piece, position);
    if (bytes === 0) return;
    position += bytes;
    yield piece.subarray(0, bytes);
  }
}

/** Yields the end of a text. */
export async function* tailOf(
  memory: Memory,
  source: TextSource,
  wanted: TailStart,
): AsyncGenerator<Buffer, void, undefined> {
  const { plain } = source;
  if (plain !== undefined) {
    const { file, start, end } = plain;
    if ('fromByte' in wanted) yield* bytesOf(file, start + wanted.fromByte - 1, end);
    else if ('bytes' in wanted) yield* bytesOf(file, Math.max(start, end - wanted.bytes), end);
    else if ('fromLine' in wanted) yield* fromLine(bytesOf(file, start, end), wanted.fromLine);
    else {
      const { position, bytes } = findLastLines(memory, plain, wanted.lines);
      if (bytes === undefined) yield* bytesOf(file, position, end);
      else if (bytes.length > 0) yield bytes;
    }
    return;
  }
  const pieces = piecesOf(source);
  if ('fromByte' in wanted) yield* fromByte(pieces, wanted.fromByte);
  else if ('bytes' in wanted) yield* lastBytes(pieces, wanted.bytes);
  else if ('fromLine' in wanted) yield* fromLine(pieces, wanted.fromLine);
  else yield* lastLines(pieces, wanted.lines);
}

async function* piecesOf(source: TextSource): AsyncGenerator<Buffer, void, undefined> {
  while (!source.isOver) {
    const piece = Buffer.allocUnsafe(BLOCK_BYTES);
    const bytes = await source.read(piece);
    if (bytes > 0) yield piece.subarray(0, bytes);
  }
}

async function* fromLine(
  pieces: AsyncIterable<Buffer>,
  number: number,
): AsyncGenerator<Buffer, void, undefined> {
  let skip = number - 1;
  for await (const piece of pieces) {
    let start = 0;
    while (skip > 0) {
      const feed = piece.indexOf(LINE_FEED, start);
      if (feed < 0) break;
      start = feed + 1;
      skip--;
    }
    if (skip <= 0 && start < piece.length) yield piece.subarray(start);
  }
}

async function* fromByte(
  pieces: AsyncIterable<Buffer>,
  number: number,
): AsyncGenerator<Buffer, void, undefined> {
  let skip = number - 1;
  for await (const piece of pieces) {
    if (skip < piece.length) yield piece.subarray(skip);
    skip = Math.max(0, skip - piece.length);
  }
}

async function* lastBytes(
  pieces: AsyncIterable<Buffer>,
  wanted: number,
): AsyncGenerator<Buffer, void, undefined> {
  const kept: Buffer[] = [];
  let bytes = 0;
  for await (const piece of pieces) {
    kept.push(piece);
    bytes += piece.length;
    for (let first = kept[0]; first !== undefined && bytes - first.length >= wanted; first = kept[0]) {
      bytes -= first.length;
      kept.shift();
    }
  }
  yield* fromByte(listed(kept), Math.max(0, bytes - wanted) + 1);
}

async function* lastLines(
  pieces: AsyncIterable<Buffer>,
  lines: number,
): AsyncGenerator<Buffer, void, undefined> {
  const kept: { piece: Buffer; feeds: number }[] = [];
  let feeds = 0;
  for await (const piece of pieces) {
    const count = feedsIn(piece);
    kept.push({ piece: Buffer.from(piece), feeds: count });
    feeds += count;
    // What is behind the first can be all that is wanted, whether the text ends with a line feed or not.
    for (let first = kept[0]; first !== undefined && feeds - first.feeds > lines; first = kept[0]) {
      feeds -= first.feeds;
      kept.shift();
    }
  }
  const isEnded = kept.at(-1)?.piece.at(-1) === LINE_FEED;
  const lineCount = feeds + (isEnded || kept.length === 0 ? 0 : 1);
  const all = kept.map(({ piece }) => piece);
  yield* fromLine(listed(all), Math.max(0, lineCount - lines) + 1);
}

async function* listed(pieces: readonly Buffer[]): AsyncGenerator<Buffer, void, undefined> {
  yield* pieces;
}

function feedsIn(piece: Buffer): number {
  let count = 0;
  for (let at = piece.indexOf(LINE_FEED); at >= 0; at = piece.indexOf(LINE_FEED, at + 1)) count++;
  return count;
}
