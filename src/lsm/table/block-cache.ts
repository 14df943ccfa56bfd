/**
 * The cache of blocks: checked, expanded blocks of tables, in slabs, one budget for a database. Blocks are put
 * one behind the other into pages; when the budget is used up, the oldest page is swept: what was used since the
 * last sweep moves together at its beginning, the rest is dropped, and the page is the newest again. (CLOCK, as in
 * Corbató, "A paging experiment with the Multics system", 1968, over a ring of pages.) Indexes and filters stay
 * for several sweeps. The cache gives its memory back when others need it more.
 *
 * Who owns a block keeps its number in a slot of an array of his own, where it is 0 when the block is not here:
 * so that to find one costs two loads. An address holds until something else is put into the cache, or anything
 * is allocated.
 *
 * @module
 */

import { SLACK_BYTES } from '../../memory/layout.ts';
import type { Memory } from '../../memory/memory.ts';
import type { Slab } from '../../memory/slabs.ts';

const PAGE_BYTES = 256 * 1024;
/** Larger blocks are not kept. */
const CACHED_BYTES_MAX = PAGE_BYTES / 4;
/** What a sweep keeps of a page at most, so that it makes room. */
const KEPT_BYTES_MAX = (PAGE_BYTES / 4) * 3;
const ALIGN = 64;
const OWNER = 'block cache';

/** How long something stays without being used, in sweeps. */
export const WEIGHT_DATA = 1;
export const WEIGHT_INDEX = 4;

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

/** Numbers of blocks, by what their owner calls them; 0 is none. */
export type BlockSlots = Int32Array;

export class BlockCache {
  readonly budgetBytes: number;
  hits = 0;
  misses = 0;
  filterQuestions = 0;
  filterMisses = 0;
  readonly #memory: Memory;
  readonly #stopReclaim: () => void;
  /** The oldest first; the last is being filled. */
  #pages: Page[] = [];
  #addresses: Int32Array = new Int32Array(1024);
  #bytes: Int32Array = new Int32Array(1024);
  #weights: Uint8Array = new Uint8Array(1024);
  #used: Uint8Array = new Uint8Array(1024);
  #owners: (BlockSlots | undefined)[] = [undefined];
  #slots: Int32Array = new Int32Array(1024);
  #free: number[] = [];
  #count = 0;
  #evicted = 0;
  /** For one block that is not kept. */
  #passing: Slab | undefined;

  /** @param budgetBytes the most memory that it takes; 0 for none */
  constructor(memory: Memory, budgetBytes: number) {
    this.#memory = memory;
    this.budgetBytes = budgetBytes;
    this.#stopReclaim = memory.slabs.onPressure((bytes) => this.#shrink(bytes));
  }

  /** Where a block is that is here. */
  address(block: number): number {
    this.#used[block] = this.#weights[block] as number;
    return this.#addresses[block] as number;
  }

  /** How many bytes it has. */
  bytesOf(block: number): number {
    return this.#bytes[block] as number;
  }

  metrics(): BlockCacheMetrics {
    const { budgetBytes, hits, misses, filterQuestions, filterMisses } = this;
    const bytes = this.#pages.length * PAGE_BYTES + (this.#passing?.bytes ?? 0);
    return {
      budgetBytes,
      bytes,
      blocks: this.#count,
      hits,
      misses,
      filterQuestions,
      filterMisses,
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
   * @param slots where its number goes
   */
  commit(slots: BlockSlots, slot: number, bytes: number, weight: number): void {
    const page = this.#pages.at(-1) as Page;
    const block = this.#free.pop() ?? this.#newNumber();
    this.#addresses[block] = page.slab.address + page.used;
    this.#bytes[block] = bytes;
    this.#weights[block] = weight;
    this.#used[block] = weight;
    this.#owners[block] = slots;
    this.#slots[block] = slot;
    page.used += roomOf(bytes);
    page.blocks.push(block);
    slots[slot] = block;
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
  forget(slots: BlockSlots): void {
    for (const block of slots) if (block > 0) this.#disown(block);
  }

  /** Gives all memory back; it must not be used again. */
  release(): void {
    this.#stopReclaim();
    for (const page of this.#pages.splice(0)) this.#dropPage(page);
    this.#passing?.release();
    this.#passing = undefined;
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
      if (this.#owners[block] === undefined || this.#used[block] === 0 || used + room > keptBytesMax) {
        this.#drop(block);
        continue;
      }
      this.#used[block] = (this.#used[block] as number) - 1;
      const to = page.slab.address + used;
      const from = this.#addresses[block] as number;
      if (to !== from) kernels.moveBytes(to, from, bytes);
      this.#addresses[block] = to;
      kept.push(block);
      used += room;
    }
    page.blocks = kept;
    page.used = used;
  }

  /** Takes a block from its owner. Its number stays that of its place in the page. */
  #disown(block: number): void {
    const slots = this.#owners[block];
    if (slots === undefined) return;
    slots[this.#slots[block] as number] = 0;
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
    const growBytes = (array: Uint8Array): Uint8Array => {
      const larger = new Uint8Array(array.length * 2);
      larger.set(array);
      return larger;
    };
    this.#addresses = grow(this.#addresses);
    this.#bytes = grow(this.#bytes);
    this.#slots = grow(this.#slots);
    this.#weights = growBytes(this.#weights);
    this.#used = growBytes(this.#used);
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
  return (bytes + SLACK_BYTES + ALIGN - 1) & -ALIGN;
}
