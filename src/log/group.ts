/**
 * A group: the batches that one write gives to the operating system, and who waits for it.
 *
 * @module
 */

import { assert } from '../assert.ts';
import type { Slab } from '../memory/slabs.ts';

/** Somebody who waits for a record to reach a level. */
export interface Waiter {
  /** What the promise resolves with. */
  offset: number;
  resolve: (offset: number) => void;
  reject: (error: unknown) => void;
}

/** Tells waiters what becomes of a promise. */
export function settleWith(promise: Promise<void>, waiters: readonly Waiter[]): void {
  promise.then(
    () => {
      for (const { resolve, offset } of waiters) resolve(offset);
    },
    (error: unknown) => {
      for (const { reject } of waiters) reject(error);
    },
  );
}

/** A promise that many share, with the means to settle it. */
export interface Shared {
  promise: Promise<void>;
  resolve: () => void;
  reject: (error: unknown) => void;
}

/** Makes a shared promise; nobody has to be there to catch its rejection. */
export function createShared(): Shared {
  let resolve: () => void = () => undefined;
  let reject: (error: unknown) => void = () => undefined;
  const promise = new Promise<void>((onDone, onFailed) => {
    resolve = onDone;
    reject = onFailed;
  });
  promise.catch(() => undefined);
  return { promise, resolve, reject };
}

/** Who waits for one level of one group. */
export class WaiterList {
  #waiters: Waiter[] = [];
  #shared: Shared | undefined;

  get isEmpty(): boolean {
    return this.#waiters.length === 0 && this.#shared === undefined;
  }

  add(waiter: Waiter): void {
    this.#waiters.push(waiter);
  }

  /** The one promise for all who do not need an offset. */
  share(): Promise<void> {
    this.#shared ??= createShared();
    return this.#shared.promise;
  }

  /** Takes out those who wait for an offset below `end`. */
  takeBelow(end: number): Waiter[] {
    const taken = this.#waiters.filter(({ offset }) => offset < end);
    this.#waiters = this.#waiters.filter(({ offset }) => offset >= end);
    return taken;
  }

  resolve(): void {
    for (const waiter of this.#waiters) waiter.resolve(waiter.offset);
    this.#shared?.resolve();
  }

  reject(error: unknown): void {
    for (const waiter of this.#waiters) waiter.reject(error);
    this.#shared?.reject(error);
  }
}

/** A batch within a group. */
export interface GroupBatch {
  address: number;
  size: number;
  baseOffset: number;
  lastOffset: number;
  maxTimestamp: number;
}

export class Group {
  readonly firstOffset: number;
  /** The offset behind its last record. */
  nextOffset: number;
  readonly address: number;
  /** Bytes of batches so far, end to end from the address. */
  bytes = 0;
  readonly batches: GroupBatch[] = [];
  readonly written: WaiterList = new WaiterList();
  readonly synced: WaiterList = new WaiterList();
  /** Somebody waits for more than the log's policy promises. */
  isSyncDemanded = false;
  /** A new segment is begun before it. */
  mustRoll = false;
  /** Records that nobody waits for: if they are lost, the next call must say so. */
  hasUnwatched = false;
  /** Where it failed: the first offset that is lost. */
  lostFrom = 0;
  /** What is given back when the group is done; none where its bytes are somebody else's. */
  readonly slab: Slab | undefined;

  constructor(firstOffset: number, address: number, slab: Slab | undefined) {
    this.firstOffset = firstOffset;
    this.nextOffset = firstOffset;
    this.address = address;
    this.slab = slab;
  }

  get records(): number {
    return this.nextOffset - this.firstOffset;
  }

  /** Bytes that are left for batches. */
  get roomBytes(): number {
    return this.slab === undefined ? 0 : this.slab.bytes - this.bytes;
  }

  /** Adds the batch that lies behind the last one. */
  add(size: number, lastOffset: number, maxTimestamp: number): void {
    assert(lastOffset >= this.nextOffset, 'offsets grow');
    const address = this.address + this.bytes;
    this.batches.push({ address, size, baseOffset: this.nextOffset, lastOffset, maxTimestamp });
    this.bytes += size;
    this.nextOffset = lastOffset + 1;
  }

  /** Notes that its batches were compressed where they lie: they are smaller, and end to end again. */
  resize(sizes: readonly number[]): void {
    assert(sizes.length === this.batches.length, 'each batch has a size');
    let address = this.address;
    for (const [i, batch] of this.batches.entries()) {
      batch.address = address;
      batch.size = sizes[i] as number;
      address += batch.size;
    }
    this.bytes = address - this.address;
  }

  release(isQuiet = false): void {
    this.slab?.release(isQuiet);
  }

  reject(error: unknown): void {
    this.written.reject(error);
    this.synced.reject(error);
  }

  /**
   * Rejects who waits for records from an offset on; those before are written.
   *
   * @returns who waits for those to be synced
   */
  rejectFrom(offset: number, error: unknown): Waiter[] {
    this.lostFrom = offset;
    for (const waiter of this.written.takeBelow(offset)) waiter.resolve(waiter.offset);
    const kept = this.synced.takeBelow(offset);
    this.reject(error);
    return kept;
  }
}
