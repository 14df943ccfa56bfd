/**
 * A part of a file, line by line: what one task of a scan reads. A line belongs to the range in which it begins,
 * so that ranges that lie end to end have each line once, whoever reads them and in which order.
 *
 *     file     |line line li|ne line line| line line|
 *     ranges   |     1      |     2      |    3     |
 *     lines    |-------------->|-------------->|--->|
 *
 * Nothing is carried from one window to the next: what is behind the last line end of a window is read again.
 * A line that is longer than the room is cut off there, and the rest of it passed over, so that the memory it
 * takes is bounded whatever its length.
 *
 * @module
 */

import { SLACK_BYTES } from '../memory/layout.ts';
import type { MemoryView } from '../memory/memory.ts';
import { shorterError } from '../text/file-source.ts';
import type { VfsFile } from '../vfs/vfs.ts';

/** What is read at once: it stays in the processor's cache while it is searched. */
const WINDOW_BYTES: number = 256 * 1024;
/** What is read behind the range, for the line that reaches over its end. */
const AHEAD_BYTES = 4096;
const LINE_FEED = 10;

/** A part of a text that is a part of a file. All are positions in the file. */
export interface LineRange {
  /** The text. */
  start: number;
  end: number;
  /** Lines that begin at `from` or later, and before `to`. */
  from: number;
  to: number;
}

/** Some whole lines, in the shared memory. */
export interface TextWindow {
  address: number;
  bytes: number;
  /** Position of the first byte, in the file or the stream. */
  position: number;
  /** Whether what is behind the last line end is a line too; if not, there is nothing. */
  last: boolean;
  /** Whether the last line is only the beginning of one that is too long. */
  isCut: boolean;
}

/**
 * Is shown windows of lines, one after the other.
 *
 * @returns false where it has seen enough
 */
export type Visit = (window: TextWindow) => boolean;

/**
 * Shows the lines of a range.
 *
 * @param room where windows are read to; a line has room if it is `SLACK_BYTES` shorter
 * @throws VarveError `IO` where the file cannot be read, or has become shorter
 */
export function readRange(
  memory: MemoryView,
  room: { address: number; bytes: number },
  file: Pick<VfsFile, 'path' | 'readSync'>,
  range: LineRange,
  visit: Visit,
): void {
  const { start, end, from, to } = range;
  const capacity = room.bytes - SLACK_BYTES;

  function read(position: number, wanted: number): Buffer {
    const text = memory.buffer(room.address, wanted);
    const bytes = file.readSync(text, position);
    if (bytes < wanted) throw shorterError(file.path, end, position + bytes);
    return text;
  }

  /** Position behind the first line feed from `at` on, or `limit` where there is none before. */
  function behindLine(at: number, limit: number): number {
    let bytes = AHEAD_BYTES;
    for (let position = at; position < limit; position += bytes, bytes = WINDOW_BYTES) {
      const text = read(position, Math.min(bytes, capacity, end - position));
      const feed = text.indexOf(LINE_FEED);
      if (feed >= 0) return position + feed + 1;
      bytes = text.length;
    }
    return limit;
  }

  let position = from === start ? start : behindLine(from - 1, to);
  while (position < to) {
    let text: Buffer;
    let bytes: number;
    for (let wanted = Math.min(WINDOW_BYTES, to - position + AHEAD_BYTES); ; wanted *= 2) {
      text = read(position, Math.min(wanted, capacity, end - position));
      bytes = ownLines(text, to - position, position + text.length === end);
      if (bytes > 0 || text.length === capacity) break;
    }
    const isCut = bytes === 0;
    if (isCut) bytes = text.length;
    const last = isCut || position + bytes === end;
    if (!visit({ address: room.address, bytes, position, last, isCut })) return;
    position = isCut ? behindLine(position + bytes, end) : position + bytes;
  }
}

/** How many bytes of a text are whole lines of which each begins among the first `owned`. */
function ownLines(text: Buffer, owned: number, isEnd: boolean): number {
  if (owned <= text.length) {
    const feed = text.indexOf(LINE_FEED, owned - 1);
    if (feed >= 0) return feed + 1;
    if (isEnd) return text.length;
  }
  return text.lastIndexOf(LINE_FEED) + 1;
}
