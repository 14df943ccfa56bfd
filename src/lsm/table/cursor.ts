/**
 * Walks over a table in order, block by block, for a merge on the thread of the database. It has a copy of the
 * block that it is at, so that nothing of the cache has to stay where it is.
 *
 * @module
 */

import { VarveError } from '../../errors.ts';
import {
  CURSOR_BYTES,
  CURSOR_ENTRY,
  CURSOR_PART,
  CURSOR_REST,
  CURSOR_ROOM,
  CURSOR_ROWS,
} from '../../memory/lookup-layout.ts';
import type { Slab } from '../../memory/slabs.ts';
import { BLOCK_TRAILER_BYTES, FORM_ROWS, ROW_ENTRY_BYTES, ROW_VALUE } from '../../memory/table-layout.ts';
import { endSource, type MergeSource, setSource } from '../merge-source.ts';
import { plainSlabs, type SlabSource } from '../spare-slabs.ts';
import type { LoadedBlock } from './block-cache.ts';
import { bytesExpanded, damagedBlock, expandTo, readStored } from './blocks.ts';
import { CODEC_NONE } from './codecs.ts';
import type { Handle, Part } from './format.ts';
import type { Span } from './output-bytes.ts';
import type { TableReader } from './reader.ts';
import type { TagFilter } from './tags.ts';
import { pieceBytes } from './work.ts';

const OWNER = 'table cursor';
/** What a seek takes besides the bytes of a block. */
const SEEK_ROOM = 4096;

export class TableCursor implements MergeSource {
  readonly #reader: TableReader;
  readonly #wanted: TagFilter | undefined;
  readonly #slabs: SlabSource;
  #slab: Slab | undefined;
  #backward = false;
  /** The block that it is at, by its part and its number there. */
  #part = 0;
  #entry = 0;
  #rows = 0;
  /** Where in its block what was not taken apart begins; 0 where there is nothing of it. */
  #rest = 0;

  /**
   * @param reader open for as long as this is used
   * @param tags which blocks are wanted; all unless given
   * @param slabs where its memory comes from
   */
  constructor(reader: TableReader, tags?: TagFilter, slabs: SlabSource = plainSlabs(reader.memory)) {
    this.#reader = reader;
    this.#wanted = tags;
    this.#slabs = slabs;
  }

  /** @returns whether there is an entry */
  start(source: number, backward: boolean, from: Span | undefined): boolean {
    const reader = this.#reader;
    const mayBeAny = from !== undefined && !backward && this.#wanted === undefined;
    if (mayBeAny && this.#seek(source, from)) return true;
    const parts = reader.parts();
    this.#backward = backward;
    this.#rest = 0;
    this.#part = from === undefined ? (backward ? parts.length : 0) : reader.partOf(from.address, from.bytes);
    if (this.#part === parts.length) {
      if (!backward || parts.length === 0) return this.#end(source);
      this.#part--;
      this.#entry = (parts[this.#part] as Part).blocks - 1;
      return this.#isWanted ? this.#show(source, 0, this.#load(false)) : this.next(source);
    }
    if (from === undefined) {
      this.#entry = 0;
      return this.#isWanted ? this.#show(source, 0, this.#load(false)) : this.next(source);
    }
    const { kernels } = reader.memory;
    const index = reader.index(this.#part);
    this.#entry = kernels.seekIndex(index.address, index.bytes, from.address, from.bytes, 0);
    if (this.#entry < 0 || this.#entry >= (parts[this.#part] as Part).blocks) throw this.#broken();
    if (!this.#isWanted) return this.next(source);
    // Whoever looks for a key may come again; whoever walks on will not.
    const count = this.#load(true);
    const at = kernels.seekRows(this.#rows, count, from.address, from.bytes, 0);
    return backward ? this.#show(source, 0, at) : this.#show(source, at, count - at);
  }

  /** @returns whether there is another entry */
  next(source: number): boolean {
    if (this.#rest > 0) return this.#showRest(source);
    do {
      if (!this.#step()) return this.#end(source);
    } while (!this.#isWanted);
    return this.#show(source, 0, this.#load(false));
  }

  /** Goes to the next block; false where there is none. */
  #step(): boolean {
    const parts = this.#reader.parts();
    this.#entry += this.#backward ? -1 : 1;
    if (this.#entry >= 0 && this.#entry < (parts[this.#part] as Part).blocks) return true;
    const part = parts[this.#part + (this.#backward ? -1 : 1)];
    if (part === undefined) return false;
    this.#part += this.#backward ? -1 : 1;
    this.#entry = this.#backward ? part.blocks - 1 : 0;
    return true;
  }

  /** Whether the block that it is at may have an entry that is wanted. */
  get #isWanted(): boolean {
    return this.#wanted === undefined || this.#reader.mayMatch(this.#part, this.#entry, this.#wanted);
  }

  close(): void {
    if (this.#slab !== undefined) this.#slabs.give(this.#slab);
    this.#slab = undefined;
  }

  /** Has a kernel take apart what lies around a key; false where it cannot. */
  #seek(source: number, { address, bytes }: Span): boolean {
    const { memory, address: table } = this.#reader;
    const room = this.#room(0);
    const cursor = (this.#slab as Slab).address;
    const { i32 } = memory;
    i32[(cursor + CURSOR_ROWS) >> 2] = room;
    i32[(cursor + CURSOR_ROOM) >> 2] = this.#neededBytes(0) - CURSOR_BYTES;
    if (memory.kernels.seekTable(table, address, bytes, cursor, source) !== 0) return false;
    this.#backward = false;
    this.#part = i32[(cursor + CURSOR_PART) >> 2] as number;
    this.#entry = i32[(cursor + CURSOR_ENTRY) >> 2] as number;
    this.#rest = i32[(cursor + CURSOR_REST) >> 2] as number;
    return true;
  }

  /** Goes on in the block of which a part was taken apart. */
  #showRest(source: number): boolean {
    const rest = this.#rest;
    this.#rest = 0;
    const count = this.#load(false);
    const { i32 } = this.#reader.memory;
    const border = this.#room(0) + rest;
    let first = 0;
    const valueOf = (row: number): number =>
      i32[(this.#rows + row * ROW_ENTRY_BYTES + ROW_VALUE) >> 2] as number;
    while (first < count && valueOf(first) <= border) first++;
    return this.#show(source, first, count - first);
  }

  #show(source: number, first: number, count: number): boolean {
    if (count === 0) return this.next(source);
    const at = this.#rows + first * ROW_ENTRY_BYTES;
    setSource(this.#reader.memory, source, FORM_ROWS, at, count, this.#backward);
    return true;
  }

  #end(source: number): boolean {
    endSource(this.#reader.memory, source);
    return false;
  }

  /**
   * Takes the block apart that it is at.
   *
   * @param isKept whether it is to stay in the cache
   * @returns how many rows it has
   */
  #load(isKept: boolean): number {
    const reader = this.#reader;
    const { kernels } = reader.memory;
    const handle = reader.handle(this.#part, this.#entry);
    const block = this.#room(handle.bytes);
    const isCacheable = isKept && handle.bytes - BLOCK_TRAILER_BYTES <= reader.properties.largestBlockBytes;
    const cached = reader.cachedBlock(this.#part, this.#entry) ?? (isCacheable ? this.#keep() : undefined);
    const bytes = cached?.bytes ?? this.#read(handle, block);
    if (cached !== undefined) kernels.moveBytes(block, cached.address, bytes);
    this.#rows = block + pieceBytes(Math.max(handle.bytes, reader.properties.largestBlockBytes));
    const count = kernels.decodeBlock(block, bytes, this.#rows, reader.properties.decodedBlockBytes);
    if (count <= 0) throw damagedBlock(reader.path, handle.position, 'its entries are broken');
    return count;
  }

  #keep(): LoadedBlock {
    return this.#reader.block(this.#part, this.#entry);
  }

  /** Room for a block, as it is stored or expanded, and for its rows. */
  #room(storedBytes: number): number {
    const needed = this.#neededBytes(storedBytes);
    if (this.#slab === undefined || this.#slab.bytes < needed) {
      this.close();
      this.#slab = this.#slabs.take(needed, OWNER);
    }
    return this.#slab.address + CURSOR_BYTES;
  }

  #neededBytes(storedBytes: number): number {
    const { largestBlockBytes, decodedBlockBytes } = this.#reader.properties;
    const block = pieceBytes(Math.max(storedBytes, largestBlockBytes));
    return CURSOR_BYTES + block + Math.max(pieceBytes(decodedBlockBytes), SEEK_ROOM);
  }

  /** Reads a block without the cache; returns how many bytes it has when it is expanded. */
  #read(handle: Handle, address: number): number {
    const { memory, file, properties } = this.#reader;
    const stored = readStored(memory, file, handle, address);
    if (stored.codec === CODEC_NONE) return stored.bytes;
    const bytes = bytesExpanded(memory, file, handle, address, stored);
    if (bytes > properties.largestBlockBytes)
      throw damagedBlock(file.path, handle.position, 'it is too large');
    expandTo(memory, file, handle, address, stored, address);
    return bytes;
  }

  #broken(): VarveError {
    const message = `an index of ${this.#reader.path} is damaged`;
    return new VarveError('CORRUPT', message, { file: this.#reader.path });
  }
}
