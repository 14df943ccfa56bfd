/**
 * Slabs that were used a moment ago and are likely to be used again: those of iterators, which come and go. A few of
 * them are kept; they go back where somebody else needs the memory.
 *
 * @module
 */

import type { Memory } from '../memory/memory.ts';
import type { Slab } from '../memory/slabs.ts';

/** Larger ones are not kept. */
const KEPT_BYTES_MAX = 256 * 1024;
const KEPT = 12;

/** Where slabs come from and go back to. */
export interface SlabSource {
  /**
   * A slab with so many bytes, or more.
   *
   * @throws VarveError `NO_MEMORY`
   */
  take(bytes: number, owner: string): Slab;
  /** Takes back what `take` gave. */
  give(slab: Slab): void;
}

/** Slabs that are not kept. */
export function plainSlabs(memory: Memory): SlabSource {
  return { take: (bytes, owner) => memory.slabs.allocate(bytes, owner), give: (slab) => slab.release() };
}

export class SpareSlabs implements SlabSource {
  readonly #memory: Memory;
  readonly #kept: Slab[] = [];
  readonly #stopReclaim: () => void;
  #isClosed = false;

  constructor(memory: Memory) {
    this.#memory = memory;
    this.#stopReclaim = memory.slabs.onPressure(() => this.#drop());
  }

  take(bytes: number, owner: string): Slab {
    const kept = this.#kept;
    for (let i = kept.length - 1; i >= 0; i--) {
      const slab = kept[i] as Slab;
      if (slab.bytes < bytes || slab.bytes > 4 * bytes) continue;
      const last = kept.pop() as Slab;
      if (last !== slab) kept[i] = last;
      return slab;
    }
    return this.#memory.slabs.allocateSparingly(bytes, owner);
  }

  give(slab: Slab): void {
    if (this.#isClosed || this.#kept.length === KEPT || slab.bytes > KEPT_BYTES_MAX) slab.release();
    else this.#kept.push(slab);
  }

  /** Gives all memory back; what is given afterwards goes back at once. */
  release(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#stopReclaim();
    this.#drop();
  }

  #drop(): void {
    for (const slab of this.#kept.splice(0)) slab.release(true);
  }
}
