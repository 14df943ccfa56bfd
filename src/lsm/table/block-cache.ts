/**
 * The cache of blocks: checked, expanded blocks of tables, in slabs, one budget for a database. Blocks are put
 * one behind the other into pages; when the budget is used up, the oldest page is swept: what was used since the
 * last sweep moves together at its beginning, the rest is dropped, and the page is the newest again. (CLOCK, as in
 * Corbató, "A paging experiment with the Multics system", 1968, over a ring of pages.) Indexes and filters stay
 * for several sweeps. The cache gives its memory back when others need it more.
 *
 * Who owns a block has a place for it in the shared memory, which says where it is, so that kernels find it there
 * without asking anybody. An address holds until something else is put into the cache, or anything is allocated.
 *
 * @module
 */

import { SLAB_BYTES_MIN } from '../../limits.ts';
import { SLACK_BYTES } from '../../memory/layout.ts';
import {
  COUNTER_HITS,
  COUNTER_QUESTIONS,
  COUNTER_SPARED,
  COUNTERS_BYTES,
  PLACE_ALIGN,
  PLACE_BYTES,
} from '../../memory/lookup-layout.ts';
import type { Memory } from '../../memory/memory.ts';
import type { Slab } from '../../memory/slabs.ts';

const PAGE_BYTES = 256 * 1024;
/** Larger blocks are not kept. */
const CACHED_BYTES_MAX = PAGE_BYTES / 4;
/** What a sweep keeps of a page at most, so that it makes room. */
const KEPT_BYTES_MAX = (PAGE_BYTES / 4) * 3;
const OWNER = 'block cache';

/** What one database's cache has done so far. */
export interface BlockCacheMetrics {
  budgetBytes: number;
  /** Memory that it holds. */
  bytes: number;
  blocks: number;
  /** Blocks of data that were here, and that were not. */
  hits: number;
  misses: number;
  /** Questions to filters, and how many of them spared a search. */
  filterQuestions: number;
  filterMisses: number;
  evicted: number;
}

interface Page {
  slab: Slab;
  used: number;
  /** Numbers of the blocks in it, in the order of their addresses. */
  blocks: number[];
}

/** A block in memory; where it is holds until the cache changes. */
export interface LoadedBlock {
  address: number;
  bytes: number;
}

/** Where the blocks of one owner are. */
export interface Places {
  /** Of the first place (`PLACE_BYTES` each, all 0 in the beginning). */
  readonly address: number;
  /** The numbers that the cache knows the blocks by; 0 is none. */
  readonly numbers: Int32Array;
}

export class BlockCache {
  readonly budgetBytes: number;
  misses = 0;
  readonly #memory: Memory;
  readonly #stopReclaim: () => void;
  /** The oldest first; the last is being filled. */
  #pages: Page[] = [];
  #addresses: Int32Array = new Int32Array(1024);
  #bytes: Int32Array = new Int32Array(1024);
  #owners: (Places | undefined)[] = [undefined];
  #slots: Int32Array = new Int32Array(1024);
  #free: number[] = [];
  #count = 0;
  #evicted = 0;
  /** For one block that is not kept. */
  #passing: Slab | undefined;
  readonly #counters: Slab;

  /**
   * @param budgetBytes the most memory that it takes; 0 for none
   * @throws VarveError `NO_MEMORY`
   */
  constructor(memory: Memory, budgetBytes: number) {
    this.#memory = memory;
    this.budgetBytes = budgetBytes;
    this.#counters = memory.slabs.allocate(SLAB_BYTES_MIN, OWNER);
    memory.u8.fill(0, this.counters, this.counters + COUNTERS_BYTES);
    this.#stopReclaim = memory.slabs.onPressure((bytes) => this.#shrink(bytes));
  }

  /** Where lookups count (`COUNTER_*`). */
  get counters(): number {
    return this.#counters.address;
  }

  /** Counts one more. */
  count(counter: number): void {
    const at = (this.counters + counter) >> 3;
    this.#memory.f64[at] = (this.#memory.f64[at] as number) + 1;
  }

  /**
   * A block that is here, which counts as used; undefined where it is not.
   *
   * @param weight how many sweeps it stays
   */
  find({ address }: Places, slot: number, weight: number): LoadedBlock | undefined {
    const { i32 } = this.#memory;
    const at = (address + slot * PLACE_BYTES) >> 2;
    const place = i32[at] as number;
    if (place === 0) return undefined;
    i32[at] = (place & -PLACE_ALIGN) | weight;
    return { address: place & -PLACE_ALIGN, bytes: i32[at + 1] as number };
  }

  metrics(): BlockCacheMetrics {
    const { budgetBytes, misses, counters } = this;
    const counted = (counter: number): number => this.#memory.f64[(counters + counter) >> 3] as number;
    const pages = this.#pages.length * PAGE_BYTES;
    return {
      budgetBytes,
      bytes: pages + (this.#passing?.bytes ?? 0) + this.#counters.bytes,
      blocks: this.#count,
      hits: counted(COUNTER_HITS),
      misses,
      filterQuestions: counted(COUNTER_QUESTIONS),
      filterMisses: counted(COUNTER_SPARED),
      evicted: this.#evicted,
    };
  }

  /**
   * Makes room for a block, which does not count before `commit`.
   *
   * @returns its address, aligned to 64 bytes; 0 where it cannot be kept
   */
  reserve(bytes: number): number {
    const room = roomOf(bytes);
    if (room > CACHED_BYTES_MAX) return 0;
    let page = this.#pages.at(-1);
    if (page === undefined || page.used + room > PAGE_BYTES) page = this.#newPage(room);
    return page === undefined ? 0 : page.slab.address + page.used;
  }

  /**
   * Takes the block in that was written to where `reserve` said; nothing may have been allocated since.
   *
   * @param places those of its owner, and which of them is its
   * @param weight how many sweeps it stays
   */
  commit(places: Places, slot: number, bytes: number, weight: number): void {
    const page = this.#pages.at(-1) as Page;
    const block = this.#free.pop() ?? this.#newNumber();
    const address = page.slab.address + page.used;
    this.#addresses[block] = address;
    this.#bytes[block] = bytes;
    this.#owners[block] = places;
    this.#slots[block] = slot;
    places.numbers[slot] = block;
    this.#place(places, slot, address | weight, bytes);
    page.used += roomOf(bytes);
    page.blocks.push(block);
    this.#count++;
  }

  /**
   * Memory for one block that is not kept, valid until the next call.
   *
   * @throws VarveError `NO_MEMORY`
   */
  passing(bytes: number): number {
    if (this.#passing === undefined || this.#passing.bytes < bytes + SLACK_BYTES) {
      this.#passing?.release();
      this.#passing = undefined;
      this.#passing = this.#memory.slabs.allocate(bytes + SLACK_BYTES, OWNER);
    }
    return this.#passing.address;
  }

  /** Forgets the blocks of an owner; their room and their numbers are used again when their page is swept. */
  forget(places: Places): void {
    for (const block of places.numbers) if (block > 0) this.#disown(block);
  }

  /** Gives all memory back; it must not be used again. */
  release(): void {
    this.#stopReclaim();
    for (const page of this.#pages.splice(0)) this.#dropPage(page);
    this.#passing?.release();
    this.#passing = undefined;
    this.#counters.release();
  }

  #newPage(room: number): Page | undefined {
    if ((this.#pages.length + 1) * PAGE_BYTES <= this.budgetBytes) {
      const slab = this.#memory.slabs.tryAllocate(PAGE_BYTES, OWNER);
      if (slab !== undefined) {
        const page: Page = { slab, used: 0, blocks: [] };
        this.#pages.push(page);
        return page;
      }
    }
    const oldest = this.#pages.shift();
    if (oldest === undefined) return undefined;
    this.#sweep(oldest, Math.min(KEPT_BYTES_MAX, PAGE_BYTES - room));
    this.#pages.push(oldest);
    return oldest;
  }

  /** Moves what was used since the last sweep to the beginning of a page, and drops the rest. */
  #sweep(page: Page, keptBytesMax: number): void {
    const { kernels } = this.#memory;
    const kept: number[] = [];
    let used = 0;
    for (const block of page.blocks) {
      const bytes = this.#bytes[block] as number;
      const room = roomOf(bytes);
      const places = this.#owners[block];
      const uses = places === undefined ? 0 : this.#usesOf(places, this.#slots[block] as number);
      if (places === undefined || uses === 0 || used + room > keptBytesMax) {
        this.#drop(block);
        continue;
      }
      const to = page.slab.address + used;
      const from = this.#addresses[block] as number;
      if (to !== from) kernels.moveBytes(to, from, bytes);
      this.#addresses[block] = to;
      this.#place(places, this.#slots[block] as number, to | (uses - 1), bytes);
      kept.push(block);
      used += room;
    }
    page.blocks = kept;
    page.used = used;
  }

  #usesOf({ address }: Places, slot: number): number {
    return (this.#memory.i32[(address + slot * PLACE_BYTES) >> 2] as number) & (PLACE_ALIGN - 1);
  }

  #place({ address }: Places, slot: number, place: number, bytes: number): void {
    const at = (address + slot * PLACE_BYTES) >> 2;
    this.#memory.i32[at] = place;
    this.#memory.i32[at + 1] = bytes;
  }

  /** Takes a block from its owner. Its number stays that of its place in the page. */
  #disown(block: number): void {
    const places = this.#owners[block];
    if (places === undefined) return;
    const slot = this.#slots[block] as number;
    places.numbers[slot] = 0;
    this.#place(places, slot, 0, 0);
    this.#owners[block] = undefined;
    this.#count--;
  }

  /** Drops a block, of which its page must not know any more. */
  #drop(block: number): void {
    if (this.#owners[block] !== undefined) this.#evicted++;
    this.#disown(block);
    this.#free.push(block);
  }

  #dropPage(page: Page): void {
    for (const block of page.blocks) this.#drop(block);
    page.slab.release();
  }

  #newNumber(): number {
    const number = this.#owners.length;
    this.#owners.push(undefined);
    if (number < this.#addresses.length) return number;
    const grow = (array: Int32Array): Int32Array => {
      const larger = new Int32Array(array.length * 2);
      larger.set(array);
      return larger;
    };
    this.#addresses = grow(this.#addresses);
    this.#bytes = grow(this.#bytes);
    this.#slots = grow(this.#slots);
    return number;
  }

  #shrink(bytes: number): void {
    for (let freed = 0; freed < bytes && this.#pages.length > 0; freed += PAGE_BYTES) {
      this.#dropPage(this.#pages.shift() as Page);
    }
  }
}

/** What a block takes in a page. */
function roomOf(bytes: number): number {
  return (bytes + SLACK_BYTES + PLACE_ALIGN - 1) & -PLACE_ALIGN;
}
