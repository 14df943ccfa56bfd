/**
 * Going through the keys of a store in their order, without what has expired.
 *
 * @module
 */

import type { RangeOptions, TreeIterator } from '../lsm/iterator.ts';
import type { TreeSnapshot } from '../lsm/snapshot.ts';
import { booleanOption, checkOptions, integerOption } from '../options.ts';
import type { KvCore } from './core.ts';
import { EXPIRY_BYTES, foreign, treeKey } from './layout.ts';

/** A key, as a caller gives it: bytes, or a string that is encoded as UTF-8. */
export type KvKey = Uint8Array | string;

/** Which keys, in which order. */
export interface KvRange {
  /** Keys that are greater than this, or not less. */
  gt?: KvKey;
  gte?: KvKey;
  /** Keys that are less than this, or not greater. */
  lt?: KvKey;
  lte?: KvKey;
  /** Keys that begin with this. */
  prefix?: KvKey;
  /** From the last to the first; false unless given. */
  reverse?: boolean;
  /** How many at most. */
  limit?: number;
  /** What a snapshot sees; what was acknowledged last unless given. */
  snapshot?: TreeSnapshot;
}

/** What is made of a key and of the bytes of its value, which are the caller's own. */
export type TakeEntry<T> = (key: Buffer, value: Buffer, expiryMs: number) => T;

const OPTION_NAMES = ['gt', 'gte', 'lt', 'lte', 'prefix', 'reverse', 'limit', 'snapshot'];
const HIDDEN = Symbol('hidden');
const DONE: IteratorReturnResult<undefined> = { done: true, value: undefined };

/** Goes through entries. Steps are synchronous. It is to be closed where it is not gone through to its end. */
export class KvIterator<T> implements IterableIterator<T, undefined, undefined> {
  readonly #core: KvCore;
  readonly #inner: TreeIterator<T | typeof HIDDEN>;
  #left: number;
  /** When the latest of those that were left out has expired. */
  #hiddenMs = 0;

  /** Use `entries`, `keys` or `values` of a store. */
  constructor(core: KvCore, range: KvRange, takeEntry: TakeEntry<T>) {
    this.#core = core;
    this.#left = integerOption('limit', range.limit, Number.MAX_SAFE_INTEGER, 0);
    const take = (key: Buffer, value: Buffer): T | typeof HIDDEN => {
      if (value.length < EXPIRY_BYTES) throw foreign('a value without an expiry');
      let expiryMs = 0;
      if (!isZero(value)) {
        expiryMs = value.readDoubleLE(0);
        if (expiryMs <= core.clock.now()) {
          if (expiryMs > this.#hiddenMs) this.#hiddenMs = expiryMs;
          return HIDDEN;
        }
      }
      return takeEntry(key, value.subarray(EXPIRY_BYTES), expiryMs);
    };
    const sequence = range.snapshot === undefined ? core.sequence : undefined;
    this.#inner = core.data.iterate(treeRange(range), true, take, sequence);
  }

  /** When the latest of those that were left out has expired; 0 where none was. */
  get hiddenMs(): number {
    return this.#hiddenMs;
  }

  [Symbol.iterator](): this {
    return this;
  }

  /**
   * The next entry.
   *
   * @throws VarveError `CORRUPT`, `IO`, `NO_MEMORY`, `CLOSED`
   */
  next(): IteratorResult<T, undefined> {
    if (this.#left === 0) return this.return();
    for (;;) {
      const step = this.#inner.next();
      if (step.done === true) return this.#end();
      if (step.value === HIDDEN) continue;
      this.#left--;
      return step as IteratorYieldResult<T>;
    }
  }

  /** Holds what it holds beyond its end, until it is closed, so that `seek` can go back from there. */
  hold(): this {
    this.#inner.hold();
    return this;
  }

  /** Moves to the first entry whose key is not less than this one; backward to the last whose key is not greater. */
  seek(key: KvKey): void {
    this.#inner.seek(treeKey(key));
  }

  /** Gives everything back; a second call does nothing. */
  close(): void {
    this.#inner.close();
  }

  return(): IteratorResult<T, undefined> {
    this.#inner.close();
    return this.#end();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #end(): IteratorReturnResult<undefined> {
    if (this.#hiddenMs !== 0) this.#core.coverSoon(this.#hiddenMs);
    return DONE;
  }
}

/** Whether the expiry is 0. */
function isZero(value: Buffer): boolean {
  // A double that is not 0 and not tiny has something in its last two bytes.
  return value[7] === 0 && value[6] === 0 && value.readDoubleLE(0) === 0;
}

/**
 * The same range, of keys as the tree has them. Of two bounds on one side both count.
 *
 * @throws TypeError, RangeError where an option is wrong
 */
export function treeRange(range: KvRange): RangeOptions {
  checkOptions('options', range, OPTION_NAMES);
  const { gt, gte, lt, lte, prefix, reverse, snapshot } = range;
  const bound: RangeOptions = { reverse: booleanOption('reverse', reverse, false) };
  if (gt !== undefined) bound.gt = treeKey(gt);
  if (gte !== undefined) bound.gte = treeKey(gte);
  if (lt !== undefined) bound.lt = treeKey(lt);
  if (lte !== undefined) bound.lte = treeKey(lte);
  if (prefix !== undefined) {
    const key = treeKey(prefix);
    // The empty prefix is that of all keys, also of those that the tree has with a zero in front.
    if (prefix.length > 0) bound.prefix = key;
  }
  if (snapshot !== undefined) bound.snapshot = snapshot;
  return bound;
}
