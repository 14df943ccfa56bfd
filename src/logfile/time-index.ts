/**
 * The time index of a log file: a file beside it that says, for each block of it, from when to when its entries
 * are, so that a question about a time reads the blocks that can have an answer and no others. Times may be in
 * any order: the answer is that of a reading of the whole file.
 *
 * It is made with the first question, grows with the file, and is made again where it is damaged, where lines
 * are read in another way, or where the file is another: one with another name for the system, with other first
 * bytes, or with other bytes before the end of what was indexed. What it cannot see is a change in the middle of
 * a file that leaves all these as they were; logs only grow.
 *
 * There is none where the same bytes may have other times when the file has grown: where times have no year, and
 * none is given.
 * Of an index that cannot be written nothing is told: the next question is as slow as this one.
 *
 * @module
 */

import { basename, dirname, join, resolve } from 'node:path';
import { VarveError } from '../errors.ts';
import { BLOCK_TIMES, type Block, type BlockTimes, type BlockTimesSpec } from '../scan/block-times.ts';
import { type Filter, hasTimes } from '../scan/filter.ts';
import type { PlainText, TextSource } from '../text/source.ts';
import type { Vfs } from '../vfs/vfs.ts';
import { checksum, decodeIndex, encodeIndex, INDEX_BYTES_MAX, type TimeIndex } from './index-file.ts';
import type { IndexUse, OpenedLog, Reading } from './reading.ts';
import { scanText, type TextScan } from './scan-text.ts';

/** Smaller files are read faster than their index. */
const FILE_BYTES_MIN: number = 8 * 1024 * 1024;
const BLOCK_BYTES: number = 128 * 1024;
/** Of large files blocks are larger, so that there are about so many at most. */
const BLOCKS_MAX = 65_536;
/** What is not indexed is read with every question; when it is more, the index grows. */
const TAIL_BYTES_MAX: number = 2 * 1024 * 1024;
/** How much is compared at either end. */
const CHECKED_BYTES = 4096;

/** A part of a file that may have entries of a time. */
export interface TimeRange {
  /** Positions; the first is where an entry begins, or the start of the text. */
  from: number;
  to: number;
  /** Lines before it. */
  line: number;
}

/** Where the index of a file is. @param directory elsewhere than beside the file */
export function indexPath(path: string, directory: string | undefined): string {
  if (directory === undefined) return join(dirname(path), `.${basename(path)}.varve-index`);
  // Files of one name, in different directories.
  const place = Buffer.from(dirname(resolve(path)))
    .toString('base64url')
    .slice(-64);
  return join(directory, `${basename(path)}.${place}.varve-index`);
}

/**
 * The parts of a file that may have entries that a filter asks for, in order; all of it as one where the filter asks
 * for no time, or there can be no index.
 */
export async function rangesToRead(
  log: OpenedLog,
  plain: PlainText,
  reading: Reading,
  { index: usesIndex, indexDirectory }: IndexUse,
): Promise<TimeRange[]> {
  const { start, end } = plain;
  const { filter } = reading;
  const isSmall = end - start < FILE_BYTES_MIN;
  if (!usesIndex || filter === undefined || !hasTimes(filter) || !log.isLasting || isSmall) {
    return [{ from: start, to: end, line: 0 }];
  }
  const index = await new IndexFiles(log, plain, reading, indexDirectory).current();
  return rangesOf(index, plain, filter);
}

/** The blocks that can have an answer, and what is behind the index; those that lie end to end as one. */
function rangesOf(index: TimeIndex, plain: PlainText, { since, until }: Filter): TimeRange[] {
  const ranges: TimeRange[] = [];
  const add = (from: number, to: number, line: number): void => {
    const last = ranges.at(-1);
    if (last?.to === from) last.to = to;
    else if (to > from) ranges.push({ from, to, line });
  };
  for (const [i, { position, line, earliest, latest }] of index.blocks.entries()) {
    if (latest >= since && earliest < until) add(position, index.blocks[i + 1]?.position ?? index.end, line);
  }
  add(index.end, plain.end, index.lines);
  return ranges;
}

class IndexFiles {
  readonly #plain: PlainText;
  readonly #log: OpenedLog;
  readonly #reading: Reading;
  readonly #vfs: Vfs;
  readonly #path: string;
  readonly #indexPath: string;

  constructor(log: OpenedLog, plain: PlainText, reading: Reading, directory: string | undefined) {
    this.#path = plain.file.path;
    this.#plain = plain;
    this.#log = log;
    this.#reading = reading;
    this.#vfs = reading.vfs;
    this.#indexPath = indexPath(plain.file.path, directory);
  }

  /** The index as it is, grown, or made anew. */
  async current(): Promise<TimeIndex> {
    const known = await this.#load();
    if (known !== undefined && this.#plain.end - known.end <= TAIL_BYTES_MAX) return known;
    const index = await this.#grow(known ?? (await this.#empty()));
    await this.#store(index);
    return index;
  }

  /** Reads the index; undefined where there is none, or none of this file. */
  async #load(): Promise<TimeIndex | undefined> {
    const bytes = await readWhole(this.#vfs, this.#indexPath);
    const index = bytes === undefined ? undefined : decodeIndex(this.#reading.runtime.memory, bytes);
    if (index === undefined || index.end > this.#plain.end) return undefined;
    const now = await this.#identity(index.end);
    const isSame = (Object.keys(now) as (keyof typeof now)[]).every((key) => now[key] === index[key]);
    return isSame ? index : undefined;
  }

  async #empty(): Promise<TimeIndex> {
    const { start } = this.#plain;
    return { ...(await this.#identity(start)), end: start, lines: 0, blocks: [] };
  }

  /** What tells this file, read in this way, from others. */
  async #identity(end: number): Promise<Pick<TimeIndex, 'reading' | 'start' | 'head' | 'tail' | 'fileId'>> {
    const { memory } = this.#reading.runtime;
    const { start } = this.#plain;
    const how = JSON.stringify([this.#log.format, this.#log.parser]);
    const id = (await this.#vfs.stat(this.#path))?.id ?? '';
    return {
      reading: checksum(memory, Buffer.from(how)),
      start,
      head: checksum(memory, await this.#bytes(0, Math.min(end, CHECKED_BYTES))),
      tail: checksum(memory, await this.#bytes(Math.max(0, end - CHECKED_BYTES), end)),
      fileId: checksum(memory, Buffer.from(id)),
    };
  }

  async #bytes(from: number, to: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(to - from);
    return bytes.subarray(0, await this.#plain.file.read(bytes, from));
  }

  /** Indexes what is behind the index. */
  async #grow(index: TimeIndex): Promise<TimeIndex> {
    const { runtime, options } = this.#reading;
    const { format, parser } = this.#log;
    const { file, end } = this.#plain;
    let blockBytes = BLOCK_BYTES;
    while (blockBytes * BLOCKS_MAX < end) blockBytes *= 2;
    const spec: BlockTimesSpec = { format, parser, blockBytes };
    const scan: TextScan<BlockTimesSpec, BlockTimes> = {
      task: 'blockTimes',
      kind: BLOCK_TIMES,
      spec,
      bytesOf: ({ blocks }) => 64 * blocks.length,
      bytesPerMs: 2_000_000,
      hasSmallResults: true,
    };
    const blocks: Block[] = [...index.blocks];
    let { lines } = index;
    let last: { position: number; line: number } | undefined;
    const rest = partOf({ file, start: index.end, end });
    for await (const { result } of scanText(runtime, rest, scan, { signal: options.signal })) {
      for (const block of result.blocks) blocks.push({ ...block, line: block.line + lines });
      if (result.lastEntry !== undefined) {
        last = { position: result.lastEntry.position, line: result.lastEntry.line + lines };
      }
      lines += result.lines;
    }
    return this.#close(index, blocks, last);
  }

  /** Ends an index where the last entry begins: it may go on, when the file does. */
  async #close(
    index: TimeIndex,
    found: readonly Block[],
    last: { position: number; line: number } | undefined,
  ): Promise<TimeIndex> {
    if (last === undefined) return index;
    // What the last entry of a block says of its times may be a little too much, which does no harm.
    const blocks = found.filter(({ position }) => position < last.position);
    const [first] = blocks;
    // Lines before the first entry are a part of the first block.
    if (first !== undefined) blocks[0] = { ...first, position: index.start, line: 0 };
    const end = blocks.length === 0 ? index.start : last.position;
    const identity = await this.#identity(end);
    return { ...identity, end, lines: blocks.length === 0 ? 0 : last.line, blocks };
  }

  /** Writes the index, whole or not at all. */
  async #store(index: TimeIndex): Promise<void> {
    const vfs = this.#vfs;
    const temporary = `${this.#indexPath}.${process.pid}`;
    try {
      await vfs.remove(temporary);
      const file = await vfs.open(temporary, 'create');
      try {
        await file.write(encodeIndex(this.#reading.runtime.memory, index), 0);
        await file.datasync();
      } finally {
        await file.close();
      }
      await vfs.rename(temporary, this.#indexPath);
    } catch (error) {
      if (!(error instanceof VarveError)) throw error;
      await vfs.remove(temporary).catch(() => undefined);
    }
  }
}

/** A part of a file as a text of its own; whoever opened the file closes it. */
export function partOf(plain: PlainText): TextSource {
  return {
    title: plain.file.path,
    isOver: false,
    plain,
    read: () => Promise.resolve(0),
    close: () => Promise.resolve(),
  };
}

async function readWhole(vfs: Vfs, path: string): Promise<Uint8Array | undefined> {
  try {
    const file = await vfs.open(path, 'read');
    try {
      const size = await file.size();
      if (size > INDEX_BYTES_MAX) return undefined;
      const bytes = new Uint8Array(size);
      return (await file.read(bytes, 0)) === size ? bytes : undefined;
    } finally {
      await file.close();
    }
  } catch (error) {
    if (error instanceof VarveError) return undefined;
    throw error;
  }
}
