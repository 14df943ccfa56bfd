/**
 * A merge of sources into pages, for an iterator: what one snapshot sees, in one direction, between two keys.
 *
 * @module
 */

import type { Memory } from '../memory/memory.ts';
import type { Slab } from '../memory/slabs.ts';
import * as layout from '../memory/table-layout.ts';
import type { MergeSource } from './merge-source.ts';
import { type Fragment, fragmentsBytes, writeFragments } from './range-tombstones.ts';
import { pieceBytes, WorkMemory } from './table/work.ts';

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

export class PageMerge {
  readonly #memory: Memory;
  readonly #sources: readonly MergeSource[];
  readonly #options: PageMergeOptions;
  readonly #slab: Slab;
  readonly #merge: number;
  readonly #sourceAt: number;
  readonly #header: number;
  readonly #from: { address: number; bytes: number } | undefined;
  #page: Slab;
  #isStarted = false;
  #isEnded = false;

  /**
   * @param sources they are this one's to close
   * @throws VarveError `NO_MEMORY`
   */
  constructor(memory: Memory, sources: readonly MergeSource[], options: PageMergeOptions) {
    this.#memory = memory;
    this.#sources = sources;
    this.#options = options;
    const { fragments, backward, lower, upper, longestKeyBytes } = options;
    const pieces = [
      layout.MERGE_BYTES,
      layout.PAGE_HEADER_BYTES,
      Math.max(1, sources.length) * layout.SOURCE_BYTES,
      Math.max(1, sources.length) * 4,
      8,
      longestKeyBytes,
      lower?.length ?? 0,
      upper?.length ?? 0,
      fragmentsBytes(fragments),
    ];
    const bytes = pieces.reduce((sum, piece) => sum + pieceBytes(piece), 0);
    this.#slab = memory.slabs.allocate(bytes, OWNER);
    const work = new WorkMemory(this.#slab.address, this.#slab.bytes);
    const [merge, header, sourceAt, heap, snapshot, visited, lowerAt, upperAt, fragmentsAt] = pieces.map(
      (piece) => work.take(piece),
    ) as [number, number, number, number, number, number, number, number, number];
    this.#merge = merge;
    this.#header = header;
    this.#sourceAt = sourceAt;
    if (lower !== undefined) memory.u8.set(lower, lowerAt);
    if (upper !== undefined) memory.u8.set(upper, upperAt);
    writeFragments(memory, fragments, fragmentsAt);
    memory.f64[snapshot >> 3] = options.snapshot;
    const [first, firstAt, limit, limitAt] = backward
      ? [upper, upperAt, lower, lowerAt]
      : [lower, lowerAt, upper, upperAt];
    this.#from = first === undefined ? undefined : { address: firstAt, bytes: first.length };
    memory.u8.fill(0, merge, merge + layout.MERGE_BYTES);
    this.#set(layout.MERGE_SOURCES, sourceAt);
    this.#set(layout.MERGE_SOURCE_COUNT, sources.length);
    this.#set(layout.MERGE_HEAP, heap);
    this.#set(layout.MERGE_BACKWARD, Number(backward));
    this.#set(layout.MERGE_SNAPSHOTS, snapshot);
    this.#set(layout.MERGE_SNAPSHOT_COUNT, 1);
    this.#set(layout.MERGE_FRAGMENTS, fragmentsAt);
    this.#set(layout.MERGE_FRAGMENT_COUNT, fragments.length);
    this.#set(layout.MERGE_LIMIT, limit === undefined ? 0 : limitAt);
    this.#set(layout.MERGE_LIMIT_LENGTH, limit?.length ?? 0);
    this.#set(layout.MERGE_VISITED_BUFFER, visited);
    try {
      this.#page = memory.slabs.allocate(PAGE_BYTES, OWNER);
    } catch (error) {
      this.#slab.release();
      throw error;
    }
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
      const code = kernels.mergePage(this.#merge, this.#header);
      if (code === layout.MERGED_EMPTY) {
        const index = this.#get(layout.MERGE_EMPTY);
        (this.#sources[index] as MergeSource).next(this.#sourceAt + index * layout.SOURCE_BYTES);
      } else if (code === layout.MERGED_LARGE) {
        this.#grow(this.#memory.i32[(this.#header + layout.PAGE_NEEDED) >> 2] as number, most);
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
    this.#slab.release();
    this.#page.release();
  }

  #start(): void {
    for (const [i, source] of this.#sources.entries()) {
      source.start(this.#sourceAt + i * layout.SOURCE_BYTES, this.#options.backward, this.#from);
    }
    this.#memory.kernels.mergeStart(this.#merge);
    this.#isStarted = true;
  }

  #filled(): Page | undefined {
    const { i32 } = this.#memory;
    const count = i32[(this.#header + layout.PAGE_ENTRIES) >> 2] as number;
    if (count === 0) return undefined;
    const { address } = this.#page;
    return { address, bytes: (i32[(this.#header + layout.PAGE_AT) >> 2] as number) - address, count };
  }

  #clear(most: number): void {
    const { i32 } = this.#memory;
    const at = this.#header >> 2;
    i32[at + (layout.PAGE_AT >> 2)] = this.#page.address;
    // What kernels may touch behind a page is left free.
    i32[at + (layout.PAGE_END >> 2)] = this.#page.address + this.#page.bytes - 64;
    i32[at + (layout.PAGE_ENTRIES >> 2)] = 0;
    i32[at + (layout.PAGE_ENTRIES_MOST >> 2)] = most;
    i32[at + (layout.PAGE_WITH_VALUES >> 2)] = Number(this.#options.withValues);
    i32[at + (layout.PAGE_WAITING >> 2)] = 0;
  }

  #grow(bytes: number, most: number): void {
    const larger = this.#memory.slabs.allocate(bytes + 64, OWNER);
    this.#page.release();
    this.#page = larger;
    this.#clear(most);
  }

  #get(field: number): number {
    return this.#memory.i32[(this.#merge + field) >> 2] as number;
  }

  #set(field: number, value: number): void {
    this.#memory.i32[(this.#merge + field) >> 2] = value;
  }
}
