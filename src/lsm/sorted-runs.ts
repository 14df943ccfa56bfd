/**
 * The cells of a memtable in order, for whoever asks: sorted lazily, so that writes pay nothing for it. Each
 * time only what has come since the last time is sorted, into a run of its own; runs of the same size are
 * merged, so that there are few. A run never changes, and goes when nobody holds it any more.
 *
 * @module
 */

import { assert } from '../assert.ts';
import { CELL_KEY, RUN_ENTRY_BYTES, SORT_ROW_BYTES, SORT_SCRATCH_BYTES } from '../memory/lsm-layout.ts';
import type { Memory } from '../memory/memory.ts';
import type { Slab } from '../memory/slabs.ts';

const OWNER = 'sorted run';

/** A part of a memtable's arena. */
export interface Chunk {
  slab: Slab;
  /** Address behind its last cell; of the last chunk the descriptor knows it. */
  end: number;
}

/** A sorted sequence of cells. */
export class Run {
  readonly count: number;
  readonly #slab: Slab;
  #holders = 1;

  constructor(slab: Slab, count: number) {
    this.#slab = slab;
    this.count = count;
  }

  /** Of the first of its entries. */
  get address(): number {
    return this.#slab.address;
  }

  hold(): this {
    assert(this.#holders > 0, 'a run that is held is there');
    this.#holders++;
    return this;
  }

  release(): void {
    assert(this.#holders > 0, 'a run is let go as often as it is held');
    if (--this.#holders === 0) this.#slab.release();
  }
}

export class SortedRuns {
  readonly #memory: Memory;
  /** From the largest to the smallest, which has the newest cells. */
  #runs: Run[] = [];
  /** How many chunks are sorted to their end, and where in the one behind them what is not sorted begins. */
  #chunk = 0;
  #from = 0;

  constructor(memory: Memory) {
    this.#memory = memory;
  }

  /**
   * Sorts what has come since the last time.
   *
   * @param chunks of the memtable, in their order
   * @returns all runs, held for the caller
   * @throws VarveError `NO_MEMORY`
   */
  take(chunks: readonly Chunk[]): Run[] {
    this.#sort(chunks);
    return this.#runs.map((run) => run.hold());
  }

  /** Whether somebody has had cells sorted. */
  get isBegun(): boolean {
    return this.#runs.length > 0;
  }

  /** Lets go of all runs; the next time all is sorted anew. */
  release(): void {
    for (const run of this.#runs.splice(0)) run.release();
    this.#chunk = this.#from = 0;
  }

  #sort(chunks: readonly Chunk[]): void {
    const parts = this.#unsorted(chunks);
    let bytes = 0;
    for (const { from, to } of parts) bytes += to - from;
    if (bytes === 0) return;
    const { slabs, kernels } = this.#memory;
    const slab = slabs.allocate((bytes / CELL_KEY) * RUN_ENTRY_BYTES, OWNER);
    try {
      let count = 0;
      for (const { from, to } of parts) {
        count += kernels.gatherCells(from, to, slab.address + count * RUN_ENTRY_BYTES);
      }
      if (count > 1) this.#sortCells(slab.address, count);
      this.#add(slab, count);
    } catch (error) {
      slab.release();
      throw error;
    }
    this.#chunk = chunks.length - 1;
    this.#from = (chunks.at(-1) as Chunk).end;
    this.#merge();
  }

  #unsorted(chunks: readonly Chunk[]): { from: number; to: number }[] {
    return chunks.slice(this.#chunk).map(({ slab, end }, i) => ({
      from: i === 0 && this.#from !== 0 ? this.#from : slab.address,
      to: end,
    }));
  }

  #sortCells(run: number, count: number): void {
    const { slabs, kernels } = this.#memory;
    const scratch = slabs.allocate(SORT_SCRATCH_BYTES + 2 * SORT_ROW_BYTES * count, OWNER);
    kernels.sortRun(run, count, scratch.address);
    scratch.release();
  }

  /** Takes a run; what it does not fill is given back. */
  #add(slab: Slab, count: number): void {
    if (count === 0) slab.release();
    else this.#runs.push(new Run(slab, count));
  }

  /** Merges runs from the end on, as long as one is not twice as large as the one behind it. */
  #merge(): void {
    const { slabs, kernels } = this.#memory;
    while (this.#runs.length >= 2) {
      const [a, b] = this.#runs.slice(-2) as [Run, Run];
      if (a.count >= 2 * b.count) return;
      const count = a.count + b.count;
      const slab = slabs.tryAllocate(count * RUN_ENTRY_BYTES, OWNER);
      // It is as right in two pieces.
      if (slab === undefined) return;
      kernels.mergeRuns(a.address, a.count, b.address, b.count, slab.address);
      this.#runs.splice(-2, 2, new Run(slab, count));
      a.release();
      b.release();
    }
  }
}
