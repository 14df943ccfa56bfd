/**
 * Iterators: entries in the order of their keys, or backward, as they were when the iterator was made. A kernel
 * merges memtables and tables into a page; the page is copied once, and what is handed out are parts of the copy.
 *
 * Steps are synchronous, since mostly nothing is read from the disk. An iterator is a plain iterable, for
 * `for ... of`; `for await ... of` takes it too.
 *
 * @module
 */

import { VarveError } from '../errors.ts';
import type { Memory } from '../memory/memory.ts';
import { PAGE_ENTRY_HEADER_BYTES } from '../memory/table-layout.ts';
import { booleanOption, checkOptions, integerOption } from '../options.ts';
import { checkKey, type TreeBytes } from './input.ts';
import { LevelSource, mayHave, type Wanted } from './level-source.ts';
import type { Memtable } from './memtable.ts';
import { type MergeSource, RunSource } from './merge-source.ts';
import { KEY_BYTES_MAX } from './operations.ts';
import { PageMerge } from './page-merge.ts';
import { type Fragment, fragmentsBetween } from './range-tombstones.ts';
import { sequenceOf, type TreeSnapshot } from './snapshot.ts';
import type { SlabSource } from './spare-slabs.ts';
import { TableCursor } from './table/cursor.ts';
import type { TagFilter } from './table/tags.ts';
import type { TreeCore } from './tree-core.ts';
import type { Trees } from './trees.ts';
import type { Version } from './version.ts';

/** Which entries, in which order. */
export interface RangeOptions {
  /** Keys that are greater than this, or not less. */
  gt?: TreeBytes;
  gte?: TreeBytes;
  /** Keys that are less than this, or not greater. */
  lt?: TreeBytes;
  lte?: TreeBytes;
  /** Keys that begin with this. */
  prefix?: TreeBytes;
  /** From the last to the first; false unless given. */
  reverse?: boolean;
  /** How many at most. */
  limit?: number;
  /** What a snapshot sees; what was acknowledged last unless given. */
  snapshot?: TreeSnapshot;
  /**
   * Of a tree with the option `tags`: passes over blocks of tables that have no entry with a bit of each of these.
   * Entries that have none are given all the same, where they lie beside others or in memory.
   */
  tags?: TagFilter;
}

/**
 * Entries as they lie one behind the other: see `PAGE_ENTRY_*` in `table-layout.ts`. They are the caller's to keep.
 */
export interface EntryPage {
  bytes: Buffer;
  /** The same as words: the lengths of an entry's key and value are two of them. */
  words: Int32Array;
  /** Where the first entry begins, and how many there are. */
  at: number;
  count: number;
}

/** What an iterator gives of each entry. */
export type Take<T> = (key: Buffer, value: Buffer) => T;

/** What was asked for. */
export interface Range {
  /** Keys that are not less. */
  start: Uint8Array | undefined;
  /** Keys that are less. */
  end: Uint8Array | undefined;
  isBackward: boolean;
  limit: number;
  /** What is older is seen. */
  snapshot: number;
  /** Which blocks of tables are wanted; undefined for all. */
  tags: TagFilter | undefined;
}

const FIRST_PAGE_ENTRIES = 16;
const PAGE_ENTRIES_MAX = 4096;
const RANGE_OPTIONS = ['gt', 'gte', 'lt', 'lte', 'prefix', 'reverse', 'limit', 'snapshot', 'tags'];
const NO_PAGE: Buffer = Buffer.alloc(0);
const DONE: IteratorReturnResult<undefined> = { done: true, value: undefined };

/**
 * Goes through entries. It holds memory and tables until it is at its end, or was closed; after `seek`, until it
 * was closed.
 */
export class TreeIterator<T> implements IterableIterator<T, undefined, undefined> {
  /** Of `OpenIterators`. */
  place = -1;
  readonly #trees: Trees;
  readonly #range: Range;
  readonly #take: Take<T>;
  readonly #withValues: boolean;
  readonly #held: Held;
  #merge: PageMerge | undefined;
  #left: number;
  #pageEntries = FIRST_PAGE_ENTRIES;
  #page: Buffer = NO_PAGE;
  /** Where the page lies in the shared memory, which has its lengths until the next one is filled. */
  #shared = 0;
  #at = 0;
  #waiting = 0;
  #isMoved = false;
  #isClosed = false;

  /**
   * Use `Tree.entries`, `Tree.keys` or `Tree.values`.
   *
   * @throws VarveError `NO_MEMORY`
   */
  constructor(trees: Trees, tree: TreeCore, range: Range, withValues: boolean, take: Take<T>) {
    this.#trees = trees;
    this.#range = range;
    this.#take = take;
    this.#withValues = withValues;
    this.#left = range.limit;
    this.#held = new Held(tree, range.snapshot);
    try {
      this.#merge = this.#open(range.start, range.end);
    } catch (error) {
      this.#held.release();
      throw error;
    }
    trees.iterators.add(this);
  }

  [Symbol.iterator](): this {
    return this;
  }

  /** Holds what it holds beyond its end, until it is closed, so that it can be moved back from there. */
  hold(): this {
    this.#isMoved = true;
    return this;
  }

  /**
   * The next entry.
   *
   * @throws VarveError `CORRUPT`, `IO`, `NO_MEMORY` where a table cannot be read there; `CLOSED`
   */
  next(): IteratorResult<T, undefined> {
    if (this.#waiting === 0 && !this.#fill()) return DONE;
    const at = this.#at;
    const { i32 } = this.#trees.parts.memory;
    const header = (this.#shared + at) >> 2;
    const keyLength = i32[header] as number;
    const valueLength = this.#withValues ? (i32[header + 1] as number) : 0;
    const key = at + PAGE_ENTRY_HEADER_BYTES;
    const value = key + keyLength;
    const end = value + valueLength;
    this.#at = (end + 7) & ~7;
    this.#waiting--;
    const page = this.#page;
    return { done: false, value: this.#take(page.subarray(key, value), page.subarray(value, end)) };
  }

  /**
   * The next entries, as many as lie together; undefined at the end.
   *
   * @throws VarveError as `next`
   */
  nextPage(): EntryPage | undefined {
    if (this.#waiting === 0 && !this.#fill()) return undefined;
    const bytes = this.#page;
    const words = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length >> 2);
    const page = { bytes, words, at: this.#at, count: this.#waiting };
    this.#waiting = 0;
    return page;
  }

  /**
   * Moves to the first entry whose key is not less than this one; backward to the last whose key is not greater.
   * It stays within its bounds, and the limit counts on.
   *
   * @throws TypeError, RangeError where the key is wrong; VarveError as `next`
   */
  seek(key: TreeBytes): void {
    const bytes = checkKey(key);
    this.#check();
    this.#isMoved = true;
    const { start, end, isBackward } = this.#range;
    let [first, last] = [start, end];
    if (isBackward) last = lesser(end, after(bytes));
    else first = start !== undefined && Buffer.compare(start, bytes) > 0 ? start : bytes;
    const merge = this.#open(first, last);
    this.#left += this.#waiting;
    this.#merge?.close();
    this.#merge = merge;
    this.#waiting = 0;
    this.#pageEntries = FIRST_PAGE_ENTRIES;
  }

  /** Gives everything back; a second call does nothing. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#waiting = 0;
    this.#release();
  }

  return(): IteratorResult<T, undefined> {
    this.close();
    return DONE;
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** @throws VarveError `CLOSED` */
  #check(): void {
    this.#trees.check();
    if (this.#isClosed || this.#merge === undefined) throw new VarveError('CLOSED', 'the iterator is closed');
  }

  /** Merges the next page; false at the end. */
  #fill(): boolean {
    if (this.#isClosed) return this.#ended();
    if (this.#merge === undefined) return false;
    this.#trees.check();
    const most = Math.min(this.#pageEntries, this.#left);
    const page = most === 0 ? undefined : this.#merge.next(most);
    if (page === undefined) {
      if (!this.#isMoved) this.#release();
      return false;
    }
    this.#left -= page.count;
    this.#pageEntries = Math.min(this.#pageEntries * 4, PAGE_ENTRIES_MAX);
    this.#page = this.#trees.parts.memory.copySmall(page.address, page.bytes);
    this.#shared = page.address;
    this.#at = 0;
    this.#waiting = page.count;
    return true;
  }

  /** One that was closed together with its database must not look as if it were at its end. */
  #ended(): boolean {
    this.#trees.check();
    throw new VarveError('CLOSED', 'the iterator is closed');
  }

  /** Begins to merge what is held, between two keys. */
  #open(lower: Uint8Array | undefined, upper: Uint8Array | undefined): PageMerge {
    const { spares, parts } = this.#trees;
    const { memory } = parts;
    const sources: MergeSource[] = [];
    try {
      this.#held.addSources(memory, spares, sources, { lower, upper, tags: this.#range.tags });
      const options = {
        snapshot: this.#range.snapshot,
        fragments: fragmentsBetween(this.#held.fragments, lower, upper),
        backward: this.#range.isBackward,
        lower,
        upper,
        withValues: this.#withValues,
        longestKeyBytes: KEY_BYTES_MAX,
      };
      return new PageMerge(memory, sources, options, spares);
    } catch (error) {
      for (const source of sources) source.close();
      throw error;
    }
  }

  #release(): void {
    const merge = this.#merge;
    this.#merge = undefined;
    this.#trees.iterators.delete(this);
    if (merge === undefined) return;
    merge.close();
    this.#held.release();
  }
}

/** What a tree had at one moment: memtables and tables. */
class Held {
  /** Deleted ranges, as the snapshot sees them. */
  readonly fragments: readonly Fragment[];
  readonly #memtables: Memtable[];
  readonly #version: Version;

  constructor({ active, frozen, version, ranges }: TreeCore, snapshot: number) {
    this.#version = version.hold();
    this.#memtables = [active.hold()];
    for (const memtable of frozen) this.#memtables.push(memtable.hold());
    this.fragments = ranges.of([...frozen, active], version, snapshot);
  }

  /**
   * Adds everything as sources, which are the caller's to close.
   *
   * @throws VarveError `NO_MEMORY`; what was added is the caller's all the same
   */
  addSources(memory: Memory, slabs: SlabSource, sources: MergeSource[], wanted: Wanted): void {
    for (const memtable of this.#memtables) {
      if (memtable.isEmpty) continue;
      for (const run of memtable.runs()) {
        sources.push(new RunSource(memory, run.address, run.count, () => run.release()));
      }
    }
    const { levels } = this.#version;
    for (const { reader } of levels[0] as (typeof levels)[number]) {
      if (mayHave(reader, wanted)) sources.push(new TableCursor(reader, wanted.tags, slabs));
    }
    for (let i = 1; i < levels.length; i++) {
      const level = levels[i] as (typeof levels)[number];
      if (level.length > 0) sources.push(new LevelSource(memory, level, wanted, slabs));
    }
  }

  release(): void {
    for (const memtable of this.#memtables) memtable.release();
    this.#version.release();
  }
}

/**
 * Checks what range is asked for.
 *
 * @throws TypeError, RangeError where an option is wrong
 * @throws VarveError `CLOSED` where the snapshot is
 */
export function resolveRange(trees: Trees, options: RangeOptions): Range {
  checkOptions('options', options, RANGE_OPTIONS);
  const { gt, gte, lt, lte, prefix } = options;
  let start: Uint8Array | undefined;
  let end: Uint8Array | undefined;
  if (gte !== undefined) start = Buffer.from(checkKey(gte, 'gte'));
  if (gt !== undefined) start = greater(start, after(checkKey(gt, 'gt')));
  if (lt !== undefined) end = Buffer.from(checkKey(lt, 'lt'));
  if (lte !== undefined) end = lesser(end, after(checkKey(lte, 'lte')));
  if (prefix !== undefined) {
    const bytes = Buffer.from(checkKey(prefix, 'prefix'));
    const next = successor(bytes);
    start = greater(start, bytes);
    if (next !== undefined) end = lesser(end, next);
  }
  return {
    start,
    end,
    isBackward: booleanOption('reverse', options.reverse, false),
    limit: integerOption('limit', options.limit, Number.MAX_SAFE_INTEGER, 0),
    snapshot: sequenceOf(trees, options.snapshot),
    tags: options.tags,
  };
}

function greater(a: Uint8Array | undefined, b: Uint8Array): Uint8Array {
  return a !== undefined && Buffer.compare(a, b) > 0 ? a : b;
}

function lesser(a: Uint8Array | undefined, b: Uint8Array): Uint8Array {
  return a !== undefined && Buffer.compare(a, b) < 0 ? a : b;
}

/** The least key that is greater than another. */
function after(key: Uint8Array): Uint8Array {
  const next = new Uint8Array(key.length + 1);
  next.set(key);
  return next;
}

/** The least key that is greater than all that begin with another; undefined where there is none. */
function successor(prefix: Uint8Array): Uint8Array | undefined {
  let length = prefix.length;
  while (length > 0 && prefix[length - 1] === 0xff) length--;
  if (length === 0) return undefined;
  // A copy: a slice of a Buffer would not be one.
  const next = new Uint8Array(prefix.subarray(0, length));
  next[length - 1] = (next[length - 1] as number) + 1;
  return next;
}
