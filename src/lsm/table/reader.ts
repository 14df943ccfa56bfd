/**
 * Reads one table on the thread of the database, synchronously: what a `get` needs lies in memory or in the page
 * cache, where waiting costs more than reading. Opening reads the end of the file; the names of the parts, their
 * indexes and filters come in when they are needed first, and stay in the block cache.
 *
 *     key --parts--> part --filter--> may be there --index--> block --search--> newest version that is seen
 *
 * A table whose end is damaged, or that is missing, has a reader, too: it knows from the manifest which keys it had,
 * and fails where one of them is asked for. All others can be read.
 *
 * @module
 */

import { isVarveError, VarveError } from '../../errors.ts';
import {
  COUNTER_HITS,
  COUNTER_QUESTIONS,
  COUNTER_SPARED,
  WEIGHT_DATA,
  WEIGHT_INDEX,
} from '../../memory/lookup-layout.ts';
import { FOUND_SEQUENCE, KIND_DELETE, KIND_NONE } from '../../memory/lsm-layout.ts';
import type { Memory } from '../../memory/memory.ts';
import type { Slab } from '../../memory/slabs.ts';
import { FILTER_LINE_BYTES, FOUND_MORE } from '../../memory/table-layout.ts';
import type { Vfs, VfsFile } from '../../vfs/vfs.ts';
import { coveringSequence, type Fragment, fragmentsOf, type RangeTombstone } from '../range-tombstones.ts';
import type { BlockCache, LoadedBlock } from './block-cache.ts';
import { bytesExpanded, damagedBlock, expandTo, readStored } from './blocks.ts';
import { CODEC_NONE, settleTable } from './codecs.ts';
import { decodeEntries } from './entries.ts';
import type { Footer, Handle, Part } from './format.ts';
import { keyText, stretchText } from './key-text.ts';
import { OpenParts, setReady, tableHeadBytes, writeTableHead } from './open-parts.ts';
import { OPEN_BYTES, readEnd, readParts, type TableEnd } from './open-table.ts';
import type { TableProperties } from './table-file.ts';
import { mayMatch, type TagFilter } from './tags.ts';

const OWNER = 'table';

/** The file of a table, or why it cannot be read. */
type Source = { file: VfsFile; footer: Footer } | { failure: VarveError };

export class TableReader {
  readonly number: number;
  readonly path: string;
  readonly properties: TableProperties;
  readonly rangeTombstones: readonly RangeTombstone[];
  readonly memory: Memory;
  /** What lookups see of it (`LOOKUP_TABLE_*`). */
  readonly address: number;
  readonly #cache: BlockCache;
  readonly #source: Source;
  readonly #fragments: Fragment[];
  #parts: OpenParts | undefined;
  /** The numbers of an index entry, and what lookups see. */
  readonly #head: Slab;
  #isClosed = false;

  private constructor(
    path: string,
    source: Source,
    { properties, rangeTombstones }: Pick<TableEnd, 'properties' | 'rangeTombstones'>,
    memory: Memory,
    cache: BlockCache,
    number: number,
    head: Slab,
  ) {
    this.number = number;
    this.path = path;
    this.properties = properties;
    this.rangeTombstones = rangeTombstones;
    this.memory = memory;
    this.#source = source;
    this.#cache = cache;
    this.#fragments = fragmentsOf(rangeTombstones);
    this.#head = head;
    this.address = writeTableHead(memory, head.address, properties);
  }

  /**
   * Opens a table.
   *
   * @throws VarveError `CORRUPT`, `VERSION`, `NOT_FOUND`, `IO`, `NO_MEMORY`
   */
  static async open(
    vfs: Vfs,
    path: string,
    memory: Memory,
    cache: BlockCache,
    number: number,
  ): Promise<TableReader> {
    const file = await vfs.open(path, 'read');
    let slab: Slab | undefined;
    try {
      const bytes = await file.size();
      slab = memory.slabs.allocate(OPEN_BYTES, OWNER);
      const end = readEnd(memory, file, bytes, slab.address);
      await settleTable(end.properties.codec);
      const needed = tableHeadBytes(end.properties);
      if (needed > slab.bytes) {
        slab.release();
        slab = undefined;
        slab = memory.slabs.allocate(needed, OWNER);
      }
      return new TableReader(path, { file, footer: end.footer }, end, memory, cache, number, slab);
    } catch (error) {
      slab?.release();
      await file.close();
      throw error;
    }
  }

  /**
   * A reader of a table that cannot be read.
   *
   * @param properties what the manifest says of it
   * @param failure what is thrown where one of its keys is asked for
   * @throws VarveError `NO_MEMORY`
   */
  static damaged(
    path: string,
    properties: TableProperties,
    failure: VarveError,
    memory: Memory,
    cache: BlockCache,
    number: number,
  ): TableReader {
    const slab = memory.slabs.allocate(Math.max(OPEN_BYTES, tableHeadBytes(properties)), OWNER);
    const range = `${keyText(properties.smallestKey)} to ${keyText(properties.largestKey)}`;
    const message = `${failure.message}; keys from ${range} cannot be read`;
    const told = new VarveError('CORRUPT', message, {
      file: path,
      position: failure.position,
      cause: failure,
    });
    return new TableReader(
      path,
      { failure: told },
      { properties, rangeTombstones: [] },
      memory,
      cache,
      number,
      slab,
    );
  }

  /** Why it cannot be read; undefined where it can. */
  get failure(): VarveError | undefined {
    return 'failure' in this.#source ? this.#source.failure : undefined;
  }

  /**
   * Looks up the newest version of a key that a snapshot sees.
   *
   * @param key its address
   * @param hash what `filterHash` makes of it
   * @param found what is found (`FOUND_BYTES`). The value lies in the cache: it holds until the next call of any
   *   reader, and until anything is allocated
   * @returns its kind; `KIND_DELETE` also where a deleted range of this table covers it; `KIND_NONE`
   * @throws VarveError `CORRUPT`, `UNSUPPORTED`, `IO`, `NO_MEMORY`, `CLOSED`
   */
  get(key: number, keyLength: number, hash: number, snapshot: number, found: number): number {
    const { failure } = this;
    if (failure !== undefined) throw failure;
    const kind =
      this.properties.entries === 0 ? KIND_NONE : this.#find(key, keyLength, hash, snapshot, found);
    if (this.#fragments.length === 0) return kind;
    const { memory } = this;
    const deleted = coveringSequence(this.#fragments, memory.copySmall(key, keyLength), snapshot);
    if (deleted < 0) return kind;
    const at = (found + FOUND_SEQUENCE) >> 3;
    // Of one batch, what was put after the range was deleted has the same sequence number.
    if (kind !== KIND_NONE && (memory.f64[at] as number) >= deleted) return kind;
    memory.f64[at] = deleted;
    return KIND_DELETE;
  }

  #find(key: number, keyLength: number, hash: number, snapshot: number, found: number): number {
    const { kernels } = this.memory;
    const parts = this.parts();
    let part = this.partOf(key, keyLength);
    if (part >= parts.length) return KIND_NONE;
    if (!this.#mayHave(part, hash)) return KIND_NONE;
    let index = this.index(part);
    let entry = kernels.seekIndex(index.address, index.bytes, key, keyLength, 0);
    for (;;) {
      const { blocks } = parts[part] as Part;
      if (entry < 0 || entry > blocks)
        throw this.#damaged((parts[part] as Part).index, 'its entries are broken');
      if (entry === blocks) {
        // The key goes on in the next part.
        if (++part === parts.length) return KIND_NONE;
        entry = 0;
        index = this.index(part);
        continue;
      }
      const block = this.block(part, entry);
      const kind = kernels.findInBlock(block.address, block.bytes, key, keyLength, snapshot, found);
      if (kind === -1) throw this.#damaged(this.handle(part, entry), 'its entries are broken');
      if (kind !== FOUND_MORE) return kind;
      entry++;
    }
  }

  /** The part that a key belongs to, if the table has it; how many there are, where it is behind them all. */
  partOf(key: number, keyLength: number): number {
    this.#loadParts();
    return this.memory.kernels.seekPart(this.address, key, keyLength);
  }

  #mayHave(part: number, hash: number): boolean {
    const { filter } = this.parts()[part] as Part;
    if (filter.bytes === 0) return true;
    const cache = this.#cache;
    const { address, bytes } = this.#meta(this.properties.blocks + 2 * part + 1, filter);
    cache.count(COUNTER_QUESTIONS);
    const lines = Math.floor(bytes / FILTER_LINE_BYTES);
    if (this.memory.kernels.filterHas(address, lines, hash) === 1) return true;
    cache.count(COUNTER_SPARED);
    return false;
  }

  /** The names of the table's parts; none where it has no entries. */
  parts(): readonly Part[] {
    return this.properties.entries === 0 && this.failure === undefined ? [] : this.#loadParts().parts;
  }

  #loadParts(): OpenParts {
    if (this.#isClosed) throw new VarveError('CLOSED', `${this.path} is closed`, { file: this.path });
    if (this.#parts !== undefined) return this.#parts;
    const { memory, properties } = this;
    const { file, footer } = this.#opened();
    const scratch = memory.slabs.allocate(OPEN_BYTES, OWNER);
    try {
      const parts = readParts(memory, file, footer, scratch.address);
      this.#parts = new OpenParts(memory, this.address, parts, properties);
    } finally {
      scratch.release();
    }
    // What was deleted by ranges takes more than kernels look at.
    setReady(memory, this.address, this.#fragments.length === 0);
    return this.#parts;
  }

  /** @throws VarveError `CORRUPT` where it cannot be read */
  get file(): VfsFile {
    return this.#opened().file;
  }

  #opened(): { file: VfsFile; footer: Footer } {
    if ('failure' in this.#source) throw this.#source.failure;
    return this.#source;
  }

  /** The index of a part. */
  index(part: number): LoadedBlock {
    return this.#meta(this.properties.blocks + 2 * part, (this.parts()[part] as Part).index);
  }

  /** Where a block of data is, by its number in its part. */
  handle(part: number, entry: number): Handle {
    const index = this.index(part);
    const fields = this.#head.address;
    const count = this.memory.kernels.readIndex(index.address, index.bytes, entry, fields);
    const { f64 } = this.memory;
    const [position, bytes] = [f64[fields >> 3] as number, f64[(fields >> 3) + 1] as number];
    if (count < 2 || position + bytes > this.#opened().footer.fileBytes) {
      throw this.#damaged((this.parts()[part] as Part).index, 'its entries are broken');
    }
    return { position, bytes };
  }

  /** Whether a block of data may have an entry that is wanted, by its number in its part. */
  mayMatch(part: number, entry: number, filter: TagFilter): boolean {
    if (!this.#opened().footer.isTagged) return true;
    const index = this.index(part);
    const fields = this.#head.address;
    const count = this.memory.kernels.readIndex(index.address, index.bytes, entry, fields);
    if (count !== 4) throw this.#damaged((this.parts()[part] as Part).index, 'its entries are broken');
    const { f64 } = this.memory;
    return mayMatch(f64[(fields >> 3) + 2] as number, f64[(fields >> 3) + 3] as number, filter);
  }

  /** A block of data, which is kept in the cache. */
  block(part: number, entry: number): LoadedBlock {
    const cached = this.cachedBlock(part, entry);
    if (cached !== undefined) return cached;
    this.#cache.misses++;
    const number = (this.parts()[part] as Part).firstBlock + entry;
    try {
      return this.#load(number, this.handle(part, entry), WEIGHT_DATA);
    } catch (error) {
      throw isVarveError(error, 'CORRUPT') ? this.#withKeys(error, part, entry) : error;
    }
  }

  /** The error of a damaged block, with the keys that cannot be read; as it was, where the index is damaged, too. */
  #withKeys(error: VarveError, part: number, entry: number): VarveError {
    try {
      const { address, bytes } = this.index(part);
      const names = decodeEntries(this.memory.buffer(address, bytes)) ?? [];
      const after = entry > 0 ? names[entry - 1]?.key : this.parts()[part - 1]?.lastKey;
      const message = `${error.message}; keys ${stretchText(after, names[entry]?.key)} cannot be read`;
      return new VarveError('CORRUPT', message, { file: this.path, position: error.position, cause: error });
    } catch {
      return error;
    }
  }

  /** A block of data, if it is in the cache. */
  cachedBlock(part: number, entry: number): LoadedBlock | undefined {
    const { parts, places } = this.#loadParts();
    const cached = this.#cache.find(places, (parts[part] as Part).firstBlock + entry, WEIGHT_DATA);
    if (cached !== undefined) this.#cache.count(COUNTER_HITS);
    return cached;
  }

  #meta(slot: number, handle: Handle): LoadedBlock {
    const { places } = this.#loadParts();
    return this.#cache.find(places, slot, WEIGHT_INDEX) ?? this.#load(slot, handle, WEIGHT_INDEX);
  }

  /** Reads a block into the cache, or, where that does not take it, into memory that is used for the next one. */
  #load(slot: number, handle: Handle, weight: number): LoadedBlock {
    const { memory } = this;
    const { file } = this.#opened();
    const cache = this.#cache;
    const reserved = cache.reserve(handle.bytes);
    const address = reserved === 0 ? cache.passing(handle.bytes) : reserved;
    const stored = readStored(memory, file, handle, address);
    if (stored.codec === CODEC_NONE) {
      if (reserved !== 0) cache.commit(this.#loadParts().places, slot, stored.bytes, weight);
      return { address, bytes: stored.bytes };
    }
    return this.#loadExpanded(slot, handle, weight);
  }

  /** What is compressed is read into memory that passes, and expanded into the cache. */
  #loadExpanded(slot: number, handle: Handle, weight: number): LoadedBlock {
    const { memory } = this;
    const { file } = this.#opened();
    const cache = this.#cache;
    const from = memory.slabs.allocate(handle.bytes, OWNER);
    try {
      const stored = readStored(memory, file, handle, from.address);
      const bytes = bytesExpanded(memory, file, handle, from.address, stored);
      const reserved = cache.reserve(bytes);
      const address = reserved === 0 ? cache.passing(bytes) : reserved;
      expandTo(memory, file, handle, from.address, stored, address);
      if (reserved !== 0) cache.commit(this.#loadParts().places, slot, bytes, weight);
      return { address, bytes };
    } finally {
      from.release(true);
    }
  }

  #damaged(handle: Handle, reason: string): VarveError {
    return damagedBlock(this.path, handle.position, reason);
  }

  /** Gives back what it holds; a second call does nothing. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    if (this.#parts !== undefined) {
      this.#cache.forget(this.#parts.places);
      this.#parts.release();
    }
    this.#head.release();
    if (!('failure' in this.#source)) await this.#source.file.close();
  }
}
