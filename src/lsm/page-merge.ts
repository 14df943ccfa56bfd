/**
 * A merge of sources into pages, for an iterator: what one snapshot sees, in one direction, between two keys.
 *
 * @module
 */

import type { Memory } from '../memory/memory.ts';
import type { Slab } from '../memory/slabs.ts';
import * as layout from '../memory/table-layout.ts';
import type { Bound, MergeSource } from './merge-source.ts';
import { type Fragment, fragmentsBytes, writeFragments } from './range-tombstones.ts';
import { plainSlabs, type SlabSource } from './spare-slabs.ts';
import { pieceBytes } from './table/work.ts';

const OWNER = 'iterator';
const PAGE_BYTES = 16 * 1024;

export interface PageMergeOptions {
  /** A sequence number: what is older is seen. */
  snapshot: number;
  /** Deleted ranges of all sources, in fragments. */
  fragments: readonly Fragment[];
  backward: boolean;
  /** The least key that counts, and the key before which entries count; undefined for all. */
  lower: Uint8Array | undefined;
  upper: Uint8Array | undefined;
  withValues: boolean;
  /** No key of a source is longer. */
  longestKeyBytes: number;
}

/** Entries one behind the other; see `PAGE_*` in `table-layout.ts`. They hold until the next page is asked for. */
export interface Page {
  address: number;
  bytes: number;
  count: number;
}

/** What lies in front of everything whose length depends on what is asked for. */
const HEADER: number = pieceBytes(layout.MERGE_BYTES);
const SNAPSHOT: number = HEADER + pieceBytes(layout.PAGE_HEADER_BYTES);
const PAGE: number = SNAPSHOT + pieceBytes(8);
const REST: number = PAGE + PAGE_BYTES;

export class PageMerge {
  readonly #memory: Memory;
  readonly #sources: readonly MergeSource[];
  readonly #options: PageMergeOptions;
  readonly #slabs: SlabSource;
  readonly #slab: Slab;
  readonly #merge: number;
  readonly #sourceAt: number;
  readonly #from: Bound | undefined;
  #page: number;
  #pageBytes: number = PAGE_BYTES;
  /** A page for an entry that is larger than others. */
  #larger: Slab | undefined;
  #isStarted = false;
  #isEnded = false;

  /**
   * @param sources they are this one's to close
   * @param slabs where its memory comes from
   * @throws VarveError `NO_MEMORY`
   */
  constructor(
    memory: Memory,
    sources: readonly MergeSource[],
    options: PageMergeOptions,
    slabs: SlabSource = plainSlabs(memory),
  ) {
    this.#memory = memory;
    this.#sources = sources;
    this.#options = options;
    this.#slabs = slabs;
    const { fragments, backward, lower, upper, longestKeyBytes } = options;
    const sourceBytes = pieceBytes(Math.max(1, sources.length) * layout.SOURCE_BYTES);
    const heapBytes = pieceBytes(Math.max(1, sources.length) * 4);
    const visitedBytes = pieceBytes(longestKeyBytes);
    const lowerBytes = pieceBytes(lower?.length ?? 0);
    const upperBytes = pieceBytes(upper?.length ?? 0);
    const fixed = REST + sourceBytes + heapBytes + visitedBytes + lowerBytes + upperBytes;
    this.#slab = slabs.take(fixed + pieceBytes(fragmentsBytes(fragments)), OWNER);
    const merge = this.#slab.address;
    this.#merge = merge;
    this.#page = merge + PAGE;
    this.#sourceAt = merge + REST;
    const heap = this.#sourceAt + sourceBytes;
    const visited = heap + heapBytes;
    const lowerAt = visited + visitedBytes;
    const upperAt = lowerAt + lowerBytes;
    const fragmentsAt = upperAt + upperBytes;
    if (lower !== undefined) putBytes(memory, lower, lowerAt);
    if (upper !== undefined) putBytes(memory, upper, upperAt);
    if (fragments.length > 0) writeFragments(memory, fragments, fragmentsAt);
    memory.f64[(merge + SNAPSHOT) >> 3] = options.snapshot;
    const [first, firstAt, limit, limitAt] = backward
      ? [upper, upperAt, lower, lowerAt]
      : [lower, lowerAt, upper, upperAt];
    this.#from = first === undefined ? undefined : { address: firstAt, bytes: first.length, key: first };
    for (let at = merge; at < merge + layout.MERGE_BYTES; at += 4) memory.i32[at >> 2] = 0;
    this.#set(layout.MERGE_SOURCES, this.#sourceAt);
    this.#set(layout.MERGE_SOURCE_COUNT, sources.length);
    this.#set(layout.MERGE_HEAP, heap);
    this.#set(layout.MERGE_BACKWARD, Number(backward));
    this.#set(layout.MERGE_SNAPSHOTS, merge + SNAPSHOT);
    this.#set(layout.MERGE_SNAPSHOT_COUNT, 1);
    this.#set(layout.MERGE_FRAGMENTS, fragmentsAt);
    this.#set(layout.MERGE_FRAGMENT_COUNT, fragments.length);
    this.#set(layout.MERGE_LIMIT, limit === undefined ? 0 : limitAt);
    this.#set(layout.MERGE_LIMIT_LENGTH, limit?.length ?? 0);
    this.#set(layout.MERGE_VISITED_BUFFER, visited);
  }

  /**
   * Fills the next page.
   *
   * @param most how many entries it has at most
   * @returns undefined at the end
   * @throws VarveError of a source: `CORRUPT`, `IO`, …; `NO_MEMORY`
   */
  next(most: number): Page | undefined {
    if (this.#isEnded) return undefined;
    const { kernels } = this.#memory;
    if (!this.#isStarted) this.#start();
    this.#clear(most);
    for (;;) {
      const code = kernels.mergePage(this.#merge, this.#merge + HEADER);
      if (code === layout.MERGED_EMPTY) {
        const index = this.#get(layout.MERGE_EMPTY);
        (this.#sources[index] as MergeSource).next(this.#sourceAt + index * layout.SOURCE_BYTES);
      } else if (code === layout.MERGED_LARGE) {
        this.#grow(this.#memory.i32[(this.#merge + HEADER + layout.PAGE_NEEDED) >> 2] as number, most);
      } else {
        this.#isEnded = code !== layout.MERGED_FULL;
        return this.#filled();
      }
    }
  }

  /** Gives back what it and its sources hold. */
  close(): void {
    this.#isEnded = true;
    for (const source of this.#sources) source.close();
    this.#larger?.release();
    this.#slabs.give(this.#slab);
  }

  #start(): void {
    const { backward } = this.#options;
    let at = this.#sourceAt;
    for (const source of this.#sources) {
      source.start(at, backward, this.#from);
      at += layout.SOURCE_BYTES;
    }
    this.#memory.kernels.mergeStart(this.#merge);
    this.#isStarted = true;
  }

  #filled(): Page | undefined {
    const { i32 } = this.#memory;
    const count = i32[(this.#merge + HEADER + layout.PAGE_ENTRIES) >> 2] as number;
    if (count === 0) return undefined;
    const address = this.#page;
    return { address, bytes: (i32[(this.#merge + HEADER + layout.PAGE_AT) >> 2] as number) - address, count };
  }

  #clear(most: number): void {
    const { i32 } = this.#memory;
    const at = (this.#merge + HEADER) >> 2;
    i32[at + (layout.PAGE_AT >> 2)] = this.#page;
    // What kernels may touch behind a page is left free.
    i32[at + (layout.PAGE_END >> 2)] = this.#page + this.#pageBytes - 64;
    i32[at + (layout.PAGE_ENTRIES >> 2)] = 0;
    i32[at + (layout.PAGE_ENTRIES_MOST >> 2)] = most;
    i32[at + (layout.PAGE_WITH_VALUES >> 2)] = Number(this.#options.withValues);
    i32[at + (layout.PAGE_WAITING >> 2)] = 0;
  }

  #grow(bytes: number, most: number): void {
    const larger = this.#memory.slabs.allocateSparingly(bytes + 64, OWNER);
    this.#larger?.release();
    this.#larger = larger;
    this.#page = larger.address;
    this.#pageBytes = larger.bytes;
    this.#clear(most);
  }

  #get(field: number): number {
    return this.#memory.i32[(this.#merge + field) >> 2] as number;
  }

  #set(field: number, value: number): void {
    this.#memory.i32[(this.#merge + field) >> 2] = value;
  }
}

/** Copies bytes into the shared memory; few of them one by one. */
function putBytes({ u8 }: Memory, bytes: Uint8Array, at: number): void {
  if (bytes.length > 64) u8.set(bytes, at);
  else for (let i = 0; i < bytes.length; i++) u8[at + i] = bytes[i] as number;
}
