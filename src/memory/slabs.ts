/**
 * The slab allocator: a binary buddy system over a range of the shared memory (Knuth, TAOCP vol. 1,
 * §2.5). Slabs are powers of two from `SLAB_BYTES_MIN`, aligned to their smallest size, so that a freed
 * one joins its neighbour again and the memory does not fragment into uselessness. Freed slabs are
 * handed out again before untouched memory, which therefore costs nothing.
 *
 * Only the thread that made it allocates; workers are handed addresses.
 *
 * @module
 */

import { assert } from '../assert.ts';
import { VarveError } from '../errors.ts';
import { SLAB_BYTES_MAX, SLAB_BYTES_MIN } from '../limits.ts';

const NONE = -1;
const ORDER_MAX: number = Math.log2(SLAB_BYTES_MAX / SLAB_BYTES_MIN);

/** What is left to those who give memory back by what they do: a share of all, and the most that it is. */
const KEPT_SHARE = 1 / 16;
const KEPT_BYTES_MAX: number = 8 * 1024 * 1024;

/** A piece of the shared memory that is somebody's until `release`. */
export class Slab {
  /** First byte, in the shared memory. */
  readonly address: number;
  /** Size: a power of two, at least what was asked for. */
  readonly bytes: number;
  /** Who asked for it; named in leak reports. */
  readonly owner: string;
  #allocator: SlabAllocator | undefined;

  constructor(allocator: SlabAllocator, address: number, bytes: number, owner: string) {
    this.#allocator = allocator;
    this.address = address;
    this.bytes = bytes;
    this.owner = owner;
  }

  /**
   * Gives the slab back. To be called once.
   *
   * @param isQuiet where it was taken in vain: nobody is woken, since nothing has become free that was not
   */
  release(isQuiet = false): void {
    assert(this.#allocator !== undefined, `the slab of ${this.owner} is released once`);
    const allocator = this.#allocator;
    this.#allocator = undefined;
    allocator.take(this, isQuiet);
  }
}

/** A cache that can give memory back: frees about `bytes`, or less where it has no more. */
export type Reclaim = (bytes: number) => void;

export class SlabAllocator {
  /** Bytes that can be handed out. */
  readonly budgetBytes: number;
  readonly #base: number;
  readonly #keptBytes: number;
  /** Order of the free block that starts at a unit, or NONE. */
  readonly #freeOrder: Int8Array;
  readonly #next: Int32Array;
  readonly #previous: Int32Array;
  readonly #heads: Int32Array = new Int32Array(ORDER_MAX + 1).fill(NONE);
  readonly #live: Set<Slab> = new Set();
  readonly #reclaimers: Set<Reclaim> = new Set();
  #waiters: (() => void)[] = [];
  #inUseBytes = 0;
  #isReclaiming = false;

  /**
   * @param base first byte of the range, aligned to `SLAB_BYTES_MIN`
   * @param bytes length of the range; a remainder below `SLAB_BYTES_MIN` is left unused
   */
  constructor(base: number, bytes: number) {
    assert(base % SLAB_BYTES_MIN === 0, 'slabs are aligned');
    const units = Math.floor(bytes / SLAB_BYTES_MIN);
    this.#base = base;
    this.budgetBytes = units * SLAB_BYTES_MIN;
    this.#keptBytes = Math.min(KEPT_BYTES_MAX, Math.floor(this.budgetBytes * KEPT_SHARE));
    this.#freeOrder = new Int8Array(units).fill(NONE);
    this.#next = new Int32Array(units);
    this.#previous = new Int32Array(units);
    for (let unit = 0; unit < units; ) {
      let order = ORDER_MAX;
      while (unit % (1 << order) !== 0 || unit + (1 << order) > units) order--;
      this.#push(unit, order);
      unit += 1 << order;
    }
  }

  /** Bytes handed out. */
  get inUseBytes(): number {
    return this.#inUseBytes;
  }

  /** What is handed out, by owner: empty once everything was closed. */
  inUse(): { owner: string; bytes: number }[] {
    return [...this.#live].map(({ owner, bytes }) => ({ owner, bytes }));
  }

  /**
   * Allocates at least `bytes`; asks the caches to shrink when there is no room.
   *
   * @param owner who asks, for reports
   * @throws VarveError `NO_MEMORY`
   */
  allocate(bytes: number, owner: string): Slab {
    const slab = this.tryAllocate(bytes, owner);
    if (slab !== undefined) return slab;
    throw new VarveError(
      'NO_MEMORY',
      `no ${bytes} bytes of memory left for ${owner}: ${this.#inUseBytes} of ${this.budgetBytes} are in use`,
    );
  }

  /** Like `allocate`, but returns undefined where there is no room. */
  tryAllocate(bytes: number, owner: string): Slab | undefined {
    const order = orderOf(bytes);
    if (order > ORDER_MAX) return undefined;
    let unit = this.#pop(order);
    if (unit === NONE) unit = this.#reclaim(order);
    if (unit === NONE) return undefined;
    const slab = new Slab(this, this.#base + unit * SLAB_BYTES_MIN, SLAB_BYTES_MIN * 2 ** order, owner);
    this.#inUseBytes += slab.bytes;
    this.#live.add(slab);
    return slab;
  }

  /**
   * Like `allocate`, for those who hold what they take until somebody else is done with it: a share of the memory is
   * left to those who can give some back only if they get some first.
   *
   * @throws VarveError `NO_MEMORY`
   */
  allocateSparingly(bytes: number, owner: string): Slab {
    const slab = this.tryAllocateSparingly(bytes, owner);
    if (slab !== undefined) return slab;
    throw new VarveError(
      'NO_MEMORY',
      `no ${bytes} bytes of memory left for ${owner}: ${this.#inUseBytes} of ${this.budgetBytes} are in use, ` +
        `and ${this.#keptBytes} are kept for writing`,
    );
  }

  /** Like `allocateSparingly`, but returns undefined where there is no room. */
  tryAllocateSparingly(bytes: number, owner: string): Slab | undefined {
    const most = this.budgetBytes - this.#keptBytes - SLAB_BYTES_MIN * 2 ** orderOf(bytes);
    return this.#inUseBytes <= most || this.#shrinkTo(most) ? this.tryAllocate(bytes, owner) : undefined;
  }

  /** Registers a cache that gives memory back when it is short. */
  onPressure(reclaim: Reclaim): () => void {
    this.#reclaimers.add(reclaim);
    return () => this.#reclaimers.delete(reclaim);
  }

  /** Resolves when a slab is released. */
  released(): Promise<void> {
    return new Promise((resolve) => this.#waiters.push(resolve));
  }

  /** Takes a slab back; called by `Slab.release`. */
  take(slab: Slab, isQuiet: boolean): void {
    assert(this.#live.delete(slab), 'the slab is of this allocator');
    this.#inUseBytes -= slab.bytes;
    let unit = (slab.address - this.#base) / SLAB_BYTES_MIN;
    let order = Math.log2(slab.bytes / SLAB_BYTES_MIN);
    while (order < ORDER_MAX) {
      const buddy = unit ^ (1 << order);
      if (this.#freeOrder[buddy] !== order) break;
      this.#unlink(buddy, order);
      unit = Math.min(unit, buddy);
      order++;
    }
    this.#push(unit, order);
    // What a cache gives back goes to the one who asked: others would only take it in turn, without end.
    if (isQuiet || this.#isReclaiming || this.#waiters.length === 0) return;
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const wake of waiters) wake();
  }

  /**
   * Has the caches shrink until there is room. What one gives back may lie in pieces, so each is asked again
   * as long as it has something to give.
   */
  #reclaim(order: number): number {
    this.#isReclaiming = true;
    try {
      for (const reclaim of this.#reclaimers) {
        for (let before = NONE; before !== this.#inUseBytes; ) {
          before = this.#inUseBytes;
          reclaim(SLAB_BYTES_MIN * 2 ** order);
          const unit = before === this.#inUseBytes ? NONE : this.#pop(order);
          if (unit !== NONE) return unit;
        }
      }
      return NONE;
    } finally {
      this.#isReclaiming = false;
    }
  }

  /** Has the caches shrink until no more than so much is in use; false where they cannot. */
  #shrinkTo(bytes: number): boolean {
    this.#isReclaiming = true;
    try {
      for (const reclaim of this.#reclaimers) {
        for (let before = NONE; before !== this.#inUseBytes && this.#inUseBytes > bytes; ) {
          before = this.#inUseBytes;
          reclaim(before - bytes);
        }
      }
      return this.#inUseBytes <= bytes;
    } finally {
      this.#isReclaiming = false;
    }
  }

  /**
   * Whether slabs of these sizes could be had together if nothing else were in use.
   *
   * @param sizes in bytes
   */
  canHold(sizes: readonly number[]): boolean {
    const orders = sizes.map(orderOf);
    const free: number[] = new Array<number>(ORDER_MAX + 1).fill(0);
    let units = this.budgetBytes / SLAB_BYTES_MIN;
    for (let order = ORDER_MAX; order >= 0; order--) {
      free[order] = Math.floor(units / 2 ** order);
      units %= 2 ** order;
    }
    // The largest first, each into the smallest block that takes it, as the allocator does.
    for (const order of orders.sort((a, b) => b - a)) {
      let from = order;
      while (from <= ORDER_MAX && free[from] === 0) from++;
      if (from > ORDER_MAX) return false;
      free[from] = (free[from] as number) - 1;
      for (from--; from >= order; from--) free[from] = (free[from] as number) + 1;
    }
    return true;
  }

  #pop(order: number): number {
    let from = order;
    while (from <= ORDER_MAX && this.#heads[from] === NONE) from++;
    if (from > ORDER_MAX) return NONE;
    const unit = this.#heads[from] as number;
    this.#unlink(unit, from);
    while (from > order) {
      from--;
      this.#push(unit + (1 << from), from);
    }
    return unit;
  }

  #push(unit: number, order: number): void {
    const head = this.#heads[order] as number;
    this.#freeOrder[unit] = order;
    this.#next[unit] = head;
    this.#previous[unit] = NONE;
    if (head !== NONE) this.#previous[head] = unit;
    this.#heads[order] = unit;
  }

  #unlink(unit: number, order: number): void {
    const next = this.#next[unit] as number;
    const previous = this.#previous[unit] as number;
    if (previous === NONE) this.#heads[order] = next;
    else this.#next[previous] = next;
    if (next !== NONE) this.#previous[next] = previous;
    this.#freeOrder[unit] = NONE;
  }
}

/** Of the smallest block that holds so many bytes. */
function orderOf(bytes: number): number {
  return Math.max(0, Math.ceil(Math.log2(bytes / SLAB_BYTES_MIN)));
}
