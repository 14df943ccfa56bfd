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
  /** What lies in it: the number of a segment and the slot of an extent, in turn. */
  held: number[];
  wasUsed: boolean;
}

interface Entry extends CachedExtent {
  page: Page;
}

export class ExtentCache {
  readonly #memory: Memory;
  readonly #budgetBytes: number;
  /** The extents of each segment, by slot: the number of the index entry they begin at, plus one. */
  readonly #segments: Map<number, (Entry | undefined)[]> = new Map();
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
   * Finds an extent; it stays where it is until the caller lets go of the thread.
   *
   * @param segment a number of the segment that is never used again while this cache lives
   * @param entry index of the extent's entry, from -1 on
   */
  find(segment: number, entry: number): CachedExtent | undefined {
    const found = this.#segments.get(segment)?.[entry + 1];
    if (found !== undefined) found.page.wasUsed = true;
    return found;
  }

  /** Copies an extent and its marks in, if there is room to be had. */
  add(
    segment: number,
    entry: number,
    address: number,
    bytes: number,
    marks: number,
    marksBytes: number,
  ): void {
    if (bytes > EXTENT_BYTES_MAX || this.find(segment, entry) !== undefined) return;
    const room = (bytes + 7) & ~7;
    const page = this.#pageFor(room + marksBytes);
    if (page === undefined) return;
    const target = page.slab.address + page.used;
    this.#memory.u8.copyWithin(target, address, address + bytes);
    if (marksBytes > 0) this.#memory.u8.copyWithin(target + room, marks, marks + marksBytes);
    page.used += (room + marksBytes + 7) & ~7;
    page.held.push(segment, entry + 1);
    let slots = this.#segments.get(segment);
    if (slots === undefined) this.#segments.set(segment, (slots = []));
    while (slots.length <= entry + 1) slots.push(undefined);
    slots[entry + 1] = { address: target, bytes, marks: marksBytes > 0 ? target + room : 0, page };
  }

  /** Gives all memory back; it must not be used again. */
  release(): void {
    this.#stopReclaim();
    for (const page of this.#pages) page.slab.release();
    this.#pages = [];
    this.#segments.clear();
  }

  #pageFor(bytes: number): Page | undefined {
    const last = this.#pages.at(-1);
    if (last !== undefined && last.used + bytes + SLACK_BYTES <= SLAB_BYTES) return last;
    if (this.bytes + SLAB_BYTES > this.#budgetBytes) this.#evict();
    if (this.bytes + SLAB_BYTES > this.#budgetBytes) return undefined;
    const slab = this.#memory.slabs.tryAllocate(SLAB_BYTES, 'extent cache');
    if (slab === undefined) return undefined;
    const page = { slab, used: 0, held: [], wasUsed: false };
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
    const { held } = page;
    for (let i = 0; i < held.length; i += 2) {
      const slots = this.#segments.get(held[i] as number);
      if (slots !== undefined) slots[held[i + 1] as number] = undefined;
    }
    page.slab.release();
  }

  /** Forgets a segment that is gone; its bytes go with the slabs they are in. */
  forget(segment: number): void {
    this.#segments.delete(segment);
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
