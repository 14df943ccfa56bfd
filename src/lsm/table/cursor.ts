/**
 * Walks over a table in order, block by block, for a merge on the thread of the database. It has a copy of the
 * block that it is at, so that nothing of the cache has to stay where it is.
 *
 * @module
 */

import { VarveError } from '../../errors.ts';
import type { Slab } from '../../memory/slabs.ts';
import { FORM_ROWS, ROW_ENTRY_BYTES } from '../../memory/table-layout.ts';
import { endSource, type MergeSource, setSource } from '../merge-source.ts';
import { bytesExpanded, damagedBlock, expandTo, readStored } from './blocks.ts';
import { CODEC_NONE } from './codecs.ts';
import type { Handle, Part } from './format.ts';
import type { Span } from './output-bytes.ts';
import type { LoadedBlock, TableReader } from './reader.ts';
import type { TagFilter } from './tags.ts';
import { pieceBytes } from './work.ts';

const OWNER = 'table cursor';

export class TableCursor implements MergeSource {
  readonly #reader: TableReader;
  readonly #wanted: TagFilter | undefined;
  #slab: Slab | undefined;
  #backward = false;
  /** The block that it is at, by its part and its number there. */
  #part = 0;
  #entry = 0;
  #rows = 0;

  /**
   * @param reader open for as long as this is used
   * @param tags which blocks are wanted; all unless given
   */
  constructor(reader: TableReader, tags?: TagFilter) {
    this.#reader = reader;
    this.#wanted = tags;
  }

  /** @returns whether there is an entry */
  start(source: number, backward: boolean, from: Span | undefined): boolean {
    const reader = this.#reader;
    const parts = reader.parts();
    this.#backward = backward;
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
    this.#slab?.release();
    this.#slab = undefined;
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
    const isCacheable = isKept && handle.bytes <= reader.properties.largestBlockBytes;
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
    const { largestBlockBytes, decodedBlockBytes } = this.#reader.properties;
    const needed = pieceBytes(Math.max(storedBytes, largestBlockBytes)) + pieceBytes(decodedBlockBytes);
    if (this.#slab === undefined || this.#slab.bytes < needed) {
      this.#slab?.release();
      this.#slab = undefined;
      this.#slab = this.#reader.memory.slabs.allocate(needed, OWNER);
    }
    return this.#slab.address;
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
