/**
 * The cache of extents: checked pieces of segments, as `get` reads them, in slabs. An extent is put
 * behind the last one; when the budget is used up, the oldest slab goes as a whole, unless it was used
 * since the hand last came by (CLOCK over slabs: Corbató, "A paging experiment with the Multics system",
 * 1968). It gives its memory back when others need it more.
 *
 * @module
 */

import { SLACK_BYTES } from '../memory/layout.ts';
import type { Memory } from '../memory/memory.ts';
import type { Slab } from '../memory/slabs.ts';

const SLAB_BYTES = 1024 * 1024;
/** Extents that are larger are not worth keeping. */
const EXTENT_BYTES_MAX = SLAB_BYTES / 4;
/** Entries of a segment that can be told apart in a key; see `keyOf`. */
const ENTRIES_MAX = 2 ** 29;

/** Where a cached extent is. */
export interface CachedExtent {
  address: number;
  bytes: number;
  /** Address of its marks, or 0 where it has none. */
  marks: number;
}

interface Page {
  slab: Slab;
  used: number;
  keys: number[];
  wasUsed: boolean;
}

interface Entry extends CachedExtent {
  page: Page;
}

export class ExtentCache {
  readonly #memory: Memory;
  readonly #budgetBytes: number;
  readonly #entries: Map<number, Entry> = new Map();
  readonly #stopReclaim: () => void;
  #pages: Page[] = [];

  /** @param budgetBytes the most that it takes */
  constructor(memory: Memory, budgetBytes: number) {
    this.#memory = memory;
    this.#budgetBytes = budgetBytes;
    this.#stopReclaim = memory.slabs.onPressure((bytes) => this.#shrink(bytes));
  }

  /** Bytes of memory that it holds. */
  get bytes(): number {
    return this.#pages.length * SLAB_BYTES;
  }

  /**
   * The key of an extent.
   *
   * @param segment a number of the segment that is never used again while this cache lives
   * @param entry index of the extent's entry, from -1 on
   */
  keyOf(segment: number, entry: number): number {
    return segment * ENTRIES_MAX + entry + 1;
  }

  /** Finds an extent; it stays where it is until the caller lets go of the thread. */
  find(key: number): CachedExtent | undefined {
    const entry = this.#entries.get(key);
    if (entry !== undefined) entry.page.wasUsed = true;
    return entry;
  }

  /** Copies an extent and its marks in, if there is room to be had. */
  add(key: number, address: number, bytes: number, marks: number, marksBytes: number): void {
    if (bytes > EXTENT_BYTES_MAX || this.#entries.has(key)) return;
    const room = (bytes + 7) & ~7;
    const page = this.#pageFor(room + marksBytes);
    if (page === undefined) return;
    const target = page.slab.address + page.used;
    this.#memory.u8.copyWithin(target, address, address + bytes);
    if (marksBytes > 0) this.#memory.u8.copyWithin(target + room, marks, marks + marksBytes);
    page.used += (room + marksBytes + 7) & ~7;
    page.keys.push(key);
    this.#entries.set(key, { address: target, bytes, marks: marksBytes > 0 ? target + room : 0, page });
  }

  /** Gives all memory back; it must not be used again. */
  release(): void {
    this.#stopReclaim();
    for (const page of this.#pages) page.slab.release();
    this.#pages = [];
    this.#entries.clear();
  }

  #pageFor(bytes: number): Page | undefined {
    const last = this.#pages.at(-1);
    if (last !== undefined && last.used + bytes + SLACK_BYTES <= SLAB_BYTES) return last;
    if (this.bytes + SLAB_BYTES > this.#budgetBytes) this.#evict();
    if (this.bytes + SLAB_BYTES > this.#budgetBytes) return undefined;
    const slab = this.#memory.slabs.tryAllocate(SLAB_BYTES, 'extent cache');
    if (slab === undefined) return undefined;
    const page = { slab, used: 0, keys: [], wasUsed: false };
    this.#pages.push(page);
    return page;
  }

  /** Drops the oldest slab that was not used since it was last looked at. */
  #evict(): void {
    for (let i = this.#pages.length; i > 0; i--) {
      const page = this.#pages.shift() as Page;
      if (!page.wasUsed || i === 1) {
        this.#drop(page);
        return;
      }
      page.wasUsed = false;
      this.#pages.push(page);
    }
  }

  #drop(page: Page): void {
    for (const key of page.keys) this.#entries.delete(key);
    page.slab.release();
  }

  #shrink(bytes: number): number {
    let freed = 0;
    while (freed < bytes && this.#pages.length > 0) {
      this.#drop(this.#pages.shift() as Page);
      freed += SLAB_BYTES;
    }
    return freed;
  }
}
