/**
 * Writes one table, as a stream: blocks are built by the merge where they will be written from, about a MiB goes
 * to the file at once, and of what was written nothing is kept but the names of the parts. When `finish` returns,
 * the table is durable; that its name is, is for the caller to see to.
 *
 * @module
 */

import { assert } from '../../assert.ts';
import { KIND_DELETE_RANGE, KIND_PUT } from '../../memory/lsm-layout.ts';
import type { MemoryView } from '../../memory/memory.ts';
import * as layout from '../../memory/table-layout.ts';
import type { VfsFile } from '../../vfs/vfs.ts';
import { type DropRule, readDropCounts } from '../compaction/drop-rule.ts';
import type { RangeTombstone } from '../range-tombstones.ts';
import { CODEC_NONE, type Compression, codecNumber, compressBlock } from './codecs.ts';
import { EntriesBuilder } from './entries.ts';
import {
  encodeProperties,
  FOOTER_BYTES,
  type Handle,
  type Part,
  partNumbers,
  writeFooter,
} from './format.ts';
import {
  BLOCK_BYTES_MAX,
  BLOCK_BYTES_MIN,
  BUFFER_BYTES_MAX,
  type OnWritten,
  OutputBytes,
  outputBytes,
  type Span,
  type StreamedValue,
} from './output-bytes.ts';
import { type KeyRange, type TableOrigin, type TableProperties, unionOf } from './table-file.ts';
import { TagCounter } from './tag-counter.ts';
import type { Tagging } from './tags.ts';
import { pieceBytes, type WorkMemory } from './work.ts';

/** How tables are written. */
export interface WriteOptions {
  /** What a block has at most, uncompressed, unless one entry has more. */
  blockBytes: number;
  compression: Compression;
  /** Bits of the filter for each key; 0 for no filter. */
  bitsPerKey: number;
  /** How entries are tagged; `none` unless given. */
  tags?: Tagging;
  /** How many bytes are gathered before they are written; 1 MiB unless given. */
  bufferBytes?: number;
}

export const DEFAULT_WRITE_OPTIONS: WriteOptions = {
  blockBytes: 4096,
  compression: 'none',
  bitsPerKey: 10.5,
};

const RESTART_INTERVAL = 16;
/** A part ends when its index has so many bytes, or its filter so many keys. */
const INDEX_BYTES = 16_384;
const PART_KEYS = 24_576;
const LINE_BITS = layout.FILTER_LINE_BYTES * 8;

/** How much working memory a writer needs without its buffer. */
const FIXED_BYTES: number =
  pieceBytes(layout.BUILDER_BYTES) +
  pieceBytes(layout.BLOCK_ENTRIES_MAX * layout.RESTART_BYTES) +
  2 * pieceBytes(layout.KEY_ROOM_BYTES) +
  pieceBytes((PART_KEYS + layout.BLOCK_ENTRIES_MAX) * 4) +
  pieceBytes(layout.FILTER_COUNTS * 8);

/** How much working memory a writer needs. */
export function writerBytes({ bufferBytes = BUFFER_BYTES_MAX }: WriteOptions): number {
  return FIXED_BYTES + outputBytes(bufferBytes);
}

export class TableWriter {
  /** The builder that blocks are merged into. */
  readonly builder: number;
  readonly #memory: MemoryView;
  readonly #options: WriteOptions;
  readonly #codec: number;
  readonly #output: OutputBytes;
  readonly #separator: number;
  readonly #hashes: number;
  readonly #counts: number;
  readonly #tags: TagCounter;
  #base = 0;
  #index: EntriesBuilder = new EntriesBuilder();
  #parts: Part[] = [];
  #partFirst = 0;
  #blocks = 0;
  #largestBlock = 0;
  #mostDecoded = 0;
  #firstKey: Uint8Array | undefined;
  /** The last key: it is the builder's still, unless its entry was large. */
  #lastKeyBytes = 0;
  #lastLargeKey: Uint8Array | undefined;

  /** @param options whose compression has been loaded */
  constructor(memory: MemoryView, work: WorkMemory, options: WriteOptions, onWritten: OnWritten = () => {}) {
    const { blockBytes, bufferBytes = BUFFER_BYTES_MAX } = options;
    assert(
      blockBytes >= BLOCK_BYTES_MIN && blockBytes <= BLOCK_BYTES_MAX,
      'blocks are neither tiny nor large',
    );
    this.#memory = memory;
    this.#options = options;
    this.#codec = codecNumber(options.compression);
    this.builder = work.take(layout.BUILDER_BYTES);
    const restarts = work.take(layout.BLOCK_ENTRIES_MAX * layout.RESTART_BYTES);
    const lastKey = work.take(layout.KEY_ROOM_BYTES);
    this.#separator = work.take(layout.KEY_ROOM_BYTES);
    this.#hashes = work.take((PART_KEYS + layout.BLOCK_ENTRIES_MAX) * 4);
    this.#counts = work.take(layout.FILTER_COUNTS * 8);
    this.#output = new OutputBytes(memory, work, bufferBytes, onWritten);
    memory.u8.fill(0, this.builder, this.builder + layout.BUILDER_BYTES);
    this.#set(layout.BUILDER_TARGET, options.blockBytes);
    this.#set(layout.BUILDER_RESTARTS, restarts);
    this.#set(layout.BUILDER_INTERVAL, RESTART_INTERVAL);
    this.#set(layout.BUILDER_LAST_KEY, lastKey);
    this.#tags = new TagCounter(memory, this.builder, options.tags);
    this.#set(layout.BUILDER_HASHES, options.bitsPerKey === 0 ? 0 : this.#hashes);
    this.#set(layout.BUILDER_COUNTS, this.#counts);
  }

  /** Length of the file so far, and of what waits to be written. */
  get bytes(): number {
    return this.#output.bytes;
  }

  /** Whether the table has a file. */
  get hasFile(): boolean {
    return this.#output.hasFile;
  }

  /**
   * Begins a table: from here on, blocks are merged into the builder. It needs a file when the first ends.
   *
   * @param base no sequence number of the table is less
   */
  begin(base: number): void {
    assert(!this.hasFile, 'one table is written at a time');
    this.#output.begin();
    this.#base = base;
    this.#index = new EntriesBuilder(base);
    this.#parts = [];
    this.#partFirst = 0;
    this.#blocks = 0;
    this.#largestBlock = 0;
    this.#mostDecoded = 0;
    this.#firstKey = undefined;
    this.#lastLargeKey = undefined;
    this.#set(layout.BUILDER_LONGEST_KEY, 0);
    this.#set(layout.BUILDER_MOST_DECODED, 0);
    this.#set(layout.BUILDER_LARGEST_ENTRY, 0);
    for (let at = layout.BUILDER_ALL_ENTRIES; at < layout.BUILDER_LEAST_SEQUENCE; at += 8)
      this.#setF64(at, 0);
    this.#setF64(layout.BUILDER_BASE, base);
    this.#setF64(layout.BUILDER_LEAST_SEQUENCE, Number.POSITIVE_INFINITY);
    this.#setF64(layout.BUILDER_GREATEST_SEQUENCE, -1);
    this.#set(layout.BUILDER_HASH_COUNT, 0);
    this.#memory.f64.fill(0, this.#counts >> 3, (this.#counts >> 3) + layout.FILTER_COUNTS);
    this.#tags.begin();
    this.#beginBlock();
  }

  /** Gives the table its file, which is empty; it is the writer's until `finish` or `abandon`. */
  attach(file: VfsFile): void {
    this.#output.attach(file);
  }

  /** Whether the block that is being built has entries. */
  get hasEntries(): boolean {
    return this.#get(layout.BUILDER_ENTRIES) > 0;
  }

  /**
   * Ends the block, which has entries.
   *
   * @param nextKey the key that comes next in this table, if one does
   */
  finishBlock(nextKey?: Span): void {
    const { kernels, u8 } = this.#memory;
    const start = this.#output.end;
    const position = this.bytes;
    const lastKey = {
      address: this.#get(layout.BUILDER_LAST_KEY),
      bytes: this.#get(layout.BUILDER_LAST_KEY_LENGTH),
    };
    this.#lastKeyBytes = lastKey.bytes;
    this.#lastLargeKey = undefined;
    const bytes = kernels.finishBlock(this.builder);
    this.#firstKey ??= this.#firstKeyOf(start);
    this.#largestBlock = Math.max(this.#largestBlock, bytes);
    let stored = bytes;
    let codec = CODEC_NONE;
    if (this.#codec !== CODEC_NONE) {
      const compressed = compressBlock(this.#codec, this.#memory.buffer(start, bytes));
      if (compressed !== undefined) {
        u8.set(compressed, start);
        stored = compressed.length;
        codec = this.#codec;
      }
    }
    kernels.sealBlock(start, stored, codec);
    this.#output.took(stored + layout.BLOCK_TRAILER_BYTES);
    this.#indexBlock(position, lastKey, nextKey);
  }

  /**
   * Writes an entry that is alone in its block, in pieces. It is for the caller to have it counted.
   *
   * @param value where it is, in memory, or what to read it with
   */
  writeLarge(key: Span, value: Span | StreamedValue, sequence: number, kind: number, nextKey?: Span): void {
    assert(!this.hasEntries, 'a large entry has a block of its own');
    const position = this.bytes;
    const block = new EntriesBuilder(this.#base);
    const keyBytes = this.#copy(key);
    const head = block.addHead(keyBytes, value.bytes, sequence, kind);
    const crc = this.#output.appendValue(value, this.#output.append(head, 0));
    const tail = block.finish().subarray(head.length);
    this.#output.seal(this.#output.append(tail, crc));
    this.#firstKey ??= keyBytes;
    this.#lastLargeKey = keyBytes;
    this.#mostDecoded = layout.ROW_ENTRY_BYTES;
    if (this.#options.bitsPerKey !== 0) this.#noteHash(key);
    this.#indexBlock(position, key, nextKey);
  }

  /** Reads a value that is not written, so that it is known to be what was written before. */
  checkStreamed(value: StreamedValue): void {
    assert(!this.hasEntries, 'a large entry has a block of its own');
    this.#output.readThrough(value);
    this.#beginBlock();
  }

  #noteHash({ address, bytes }: Span): void {
    const count = this.#get(layout.BUILDER_HASH_COUNT);
    this.#memory.i32[(this.#hashes >> 2) + count] = this.#memory.kernels.filterHash(address, bytes);
    this.#set(layout.BUILDER_HASH_COUNT, count + 1);
  }

  /**
   * Ends the table: another one may begin while this one's file is synced.
   *
   * @param ranges what it has of deleted ranges, in order
   * @param drop the rule by which values were counted, if there is one
   * @returns its properties, and a promise that resolves when it is durable
   */
  finish(
    ranges: readonly RangeTombstone[],
    origin: TableOrigin,
    drop?: DropRule,
  ): { properties: TableProperties; durable: Promise<void> } {
    assert(this.hasFile, 'a table has a file');
    if (this.hasEntries) this.finishBlock();
    if (this.#index.count > 0) this.#finishPart();
    const rangesAt = this.#appendRanges(ranges);
    const partsAt = this.#appendParts();
    const counted = drop === undefined ? {} : { drop: readDropCounts(this.#memory, drop, this.#counts) };
    const properties = { ...this.#properties(ranges, origin), ...counted };
    const propertiesAt = this.#output.appendBlock(encodeProperties(properties));
    properties.bytes = this.bytes + FOOTER_BYTES;
    if (this.#output.isFull) this.#output.flush();
    const footer = {
      properties: propertiesAt,
      parts: partsAt,
      ranges: rangesAt,
      fileBytes: properties.bytes,
      isTagged: properties.tags !== undefined,
    };
    writeFooter(this.#memory, this.#output.end, footer);
    this.#output.took(FOOTER_BYTES);
    this.#output.flush();
    return { properties, durable: this.#output.finish() };
  }

  /** Gives the file up that is being written, if there is one. */
  abandon(): Promise<void> {
    return this.#output.abandon();
  }

  /** Whether it is time to let go of the thread for a moment, so that the disk is kept busy; says so once. */
  takeTurn(): boolean {
    return this.#output.takeTurn();
  }

  // --- blocks and parts -----------------------------------------------------------------------------

  /** Names the block that was written last in the index, and prepares for the next. */
  #indexBlock(position: number, lastKey: Span, nextKey: Span | undefined): void {
    let name = lastKey;
    if (nextKey !== undefined) {
      const { kernels } = this.#memory;
      const bytes = kernels.separate(
        lastKey.address,
        lastKey.bytes,
        nextKey.address,
        nextKey.bytes,
        this.#separator,
      );
      if (bytes < lastKey.bytes) name = { address: this.#separator, bytes };
    }
    const tags = this.#tags.take(this.#lastLargeKey !== undefined);
    const bytes = this.bytes - position;
    this.#index.addHandle(this.#memory.u8, name.address, name.bytes, position, bytes, tags);
    this.#blocks++;
    if (this.#output.isFull) this.#output.flush();
    if (this.#index.bytes >= INDEX_BYTES || this.#get(layout.BUILDER_HASH_COUNT) >= PART_KEYS)
      this.#finishPart();
    this.#beginBlock();
  }

  #beginBlock(): void {
    this.#set(layout.BUILDER_START, this.#output.end);
    this.#set(layout.BUILDER_AT, this.#output.end);
    this.#set(layout.BUILDER_LAST_KEY_LENGTH, -1);
  }

  /** Writes the filter and the index of the blocks since the last part. */
  #finishPart(): void {
    const lastKey = this.#index.lastKey();
    const filter = this.#appendFilter();
    const index = this.#output.appendBlock(this.#index.finish());
    const blocks = this.#blocks - this.#partFirst;
    this.#parts.push({ lastKey, index, filter, firstBlock: this.#partFirst, blocks });
    this.#partFirst = this.#blocks;
    this.#set(layout.BUILDER_HASH_COUNT, 0);
  }

  #appendFilter(): Handle {
    const count = this.#get(layout.BUILDER_HASH_COUNT);
    if (count === 0) return this.#noBlock();
    const { kernels } = this.#memory;
    const lines = Math.max(1, Math.ceil((count * this.#options.bitsPerKey) / LINE_BITS));
    const bytes = lines * layout.FILTER_LINE_BYTES;
    // Its lines are aligned best at the beginning.
    this.#output.flush();
    kernels.buildFilter(this.#hashes, count, this.#output.end, lines);
    kernels.sealBlock(this.#output.end, bytes, CODEC_NONE);
    const handle = { position: this.bytes, bytes: bytes + layout.BLOCK_TRAILER_BYTES };
    this.#output.took(handle.bytes);
    return handle;
  }

  /** Where a block would be that there is none of. */
  #noBlock(): Handle {
    return { position: this.bytes, bytes: 0 };
  }

  #appendRanges(ranges: readonly RangeTombstone[]): Handle {
    if (ranges.length === 0) return this.#noBlock();
    const block = new EntriesBuilder(this.#base);
    for (const { start, end, sequence } of ranges) block.add(start, end, sequence, KIND_DELETE_RANGE);
    return this.#output.appendBlock(block.finish());
  }

  #appendParts(): Handle {
    if (this.#parts.length === 0) return this.#noBlock();
    const block = new EntriesBuilder();
    for (const part of this.#parts) block.addNumbers(part.lastKey, partNumbers(part), KIND_PUT);
    return this.#output.appendBlock(block.finish());
  }

  #properties(ranges: readonly RangeTombstone[], origin: TableOrigin): TableProperties {
    const bounds = [...ranges.map(({ start, end }) => rangeOf(start, end, true))];
    if (this.#firstKey !== undefined) {
      const last = { address: this.#get(layout.BUILDER_LAST_KEY), bytes: this.#lastKeyBytes };
      bounds.push(rangeOf(this.#firstKey, this.#lastLargeKey ?? this.#copy(last), false));
    }
    assert(bounds.length > 0, 'a table has an entry, or a deleted range');
    const sequences = ranges.map(({ sequence }) => sequence);
    const { smallestKey, largestKey, largestExclusive } = unionOf(bounds);
    return {
      smallestKey: Uint8Array.from(smallestKey),
      largestKey: Uint8Array.from(largestKey),
      largestExclusive,
      entries: this.#f64(layout.BUILDER_ALL_ENTRIES),
      tombstones: this.#f64(layout.BUILDER_TOMBSTONES),
      rangeTombstones: ranges.length,
      bytes: 0,
      blocks: this.#blocks,
      rawKeyBytes: this.#f64(layout.BUILDER_RAW_KEY_BYTES),
      rawValueBytes: this.#f64(layout.BUILDER_RAW_VALUE_BYTES),
      smallestSequence: sequences.reduce((a, b) => Math.min(a, b), this.#f64(layout.BUILDER_LEAST_SEQUENCE)),
      largestSequence: sequences.reduce(
        (a, b) => Math.max(a, b),
        this.#f64(layout.BUILDER_GREATEST_SEQUENCE),
      ),
      longestKeyBytes: this.#get(layout.BUILDER_LONGEST_KEY),
      largestEntryBytes: this.#get(layout.BUILDER_LARGEST_ENTRY),
      largestBlockBytes: this.#largestBlock,
      decodedBlockBytes: Math.max(this.#get(layout.BUILDER_MOST_DECODED), this.#mostDecoded),
      codec: this.#codec,
      ...origin,
      ...this.#tags.properties(),
    };
  }

  /** The key of the first entry of a block, which is whole there. */
  #firstKeyOf(block: number): Uint8Array {
    const { u8 } = this.#memory;
    let at = block + 1;
    let bytes = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = u8[at++] as number;
      bytes |= (byte & 0x7f) << shift;
      if (byte < 128) break;
    }
    // Two numbers more: the length of the value, and the meta number.
    for (let numbers = 2; numbers > 0; ) if ((u8[at++] as number) < 128) numbers--;
    return this.#copy({ address: at, bytes });
  }

  #copy({ address, bytes }: Span): Uint8Array {
    return this.#memory.u8.slice(address, address + bytes);
  }

  #get(field: number): number {
    return this.#memory.i32[(this.builder + field) >> 2] as number;
  }

  #set(field: number, value: number): void {
    this.#memory.i32[(this.builder + field) >> 2] = value;
  }

  #f64(field: number): number {
    return this.#memory.f64[(this.builder + field) >> 3] as number;
  }

  #setF64(field: number, value: number): void {
    this.#memory.f64[(this.builder + field) >> 3] = value;
  }
}

function rangeOf(smallestKey: Uint8Array, largestKey: Uint8Array, largestExclusive: boolean): KeyRange {
  return { smallestKey, largestKey, largestExclusive };
}
