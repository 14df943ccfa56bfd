/**
 * A tree: the handle that callers have. It checks what they ask for and hands it to the parts that `trees.ts`
 * holds together.
 *
 * @module
 */

import type { Durability } from '../log/sync-policy.ts';
import { checkOneOf, checkOptions } from '../options.ts';
import { type ChangesOptions, readChanges, type TreeChange } from './changes.ts';
import { compactRange } from './compact.ts';
import { checkKey, checkValue, type TreeBytes } from './input.ts';
import { type RangeOptions, resolveRange, type Take, TreeIterator } from './iterator.ts';
import { KEY_BYTES_MAX, type OperationsEncoder } from './operations.ts';
import { sequenceOf, TreeSnapshot } from './snapshot.ts';
import type { TableProperties } from './table/table-file.ts';
import type { TreeCore } from './tree-core.ts';
import { statsOf, type TreeStats } from './tree-stats.ts';
import type { Trees } from './trees.ts';

export interface WriteOptions {
  /** What the promise waits for; the level of the write-ahead log unless given. */
  durability?: Durability;
}

export interface GetOptions {
  /** Read what a snapshot sees; what was acknowledged last unless given. */
  snapshot?: TreeSnapshot;
}

const LEVELS = ['accepted', 'written', 'synced'] as const;
/** What encoding a put takes beyond its key and value. */
const PUT_BYTES = 32;

export class Tree {
  readonly #trees: Trees;
  readonly #core: TreeCore;

  /** Use `db.tree`. */
  constructor(trees: Trees, core: TreeCore) {
    this.#trees = trees;
    this.#core = core;
  }

  get name(): string {
    return this.#core.name;
  }

  /**
   * The number that the write-ahead log knows it by.
   *
   * @internal
   */
  get id(): number {
    return this.#core.id;
  }

  /** Whether its database was closed, or is being closed. */
  get isClosed(): boolean {
    return this.#trees.isClosed;
  }

  /** The largest value, in bytes. The largest key has 65,535. */
  get maxValueBytes(): number {
    return maxValueBytes(this.#trees);
  }

  /**
   * Whether it is a tree of this database.
   *
   * @internal
   */
  isOf(trees: Trees): boolean {
    return this.#trees === trees;
  }

  /**
   * Sets the value of a key.
   *
   * @returns the sequence number of the write, once it has reached the level
   * @throws TypeError, RangeError where the key or the value is wrong
   * @throws VarveError `NO_SPACE`, `IO`, `POISONED`, `CLOSED`, `READ_ONLY`, `NO_MEMORY`
   */
  put(key: TreeBytes, value: TreeBytes, options?: WriteOptions): Promise<number> {
    return this.#write(options, (encoder) => {
      const keyBytes = checkKey(key);
      encoder.put(this.#core.id, keyBytes, checkValue(value, this.maxValueBytes));
    });
  }

  /** Deletes a key, whether it is there or not. Otherwise like `put`. */
  delete(key: TreeBytes, options?: WriteOptions): Promise<number> {
    return this.#write(options, (encoder) => encoder.delete(this.#core.id, checkKey(key)));
  }

  /**
   * Deletes all keys from one on, up to and without another. Where the first is not less than the second, that
   * is none. Otherwise like `put`.
   */
  deleteRange(start: TreeBytes, end: TreeBytes, options?: WriteOptions): Promise<number> {
    return this.#write(options, (encoder) =>
      encoder.deleteRange(this.#core.id, checkKey(start, 'the start'), checkKey(end, 'the end')),
    );
  }

  /**
   * The value of a key, as a copy; undefined where there is none. Blocks of tables that are not in the cache are
   * read on the calling thread.
   *
   * @throws TypeError, RangeError where the key is wrong
   * @throws VarveError `CORRUPT` where a table is damaged there, `IO`, `CLOSED`, `NO_MEMORY`, `UNSUPPORTED`
   */
  getSync(key: TreeBytes, options?: GetOptions): Buffer | undefined {
    // Where what is found goes is known only then: a long key takes another place.
    return this.#find(key, options) ? this.#core.copyFound(this.#trees.scratch.found) : undefined;
  }

  /** Like `getSync`, as a promise. */
  get(key: TreeBytes, options?: GetOptions): Promise<Buffer | undefined> {
    try {
      return Promise.resolve(this.getSync(key, options));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** The values of several keys, in their order, all as they are at the same moment. */
  getMany(keys: readonly TreeBytes[], options?: GetOptions): Promise<(Buffer | undefined)[]> {
    try {
      if (!Array.isArray(keys)) throw new TypeError('keys must be an array');
      for (const key of keys as readonly TreeBytes[]) checkKey(key);
      return Promise.resolve((keys as readonly TreeBytes[]).map((key) => this.getSync(key, options)));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** Whether a key has a value. */
  has(key: TreeBytes, options?: GetOptions): Promise<boolean> {
    try {
      return Promise.resolve(this.hasSync(key, options));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * Looks a key up where it lies, for stores that are built on trees.
   *
   * @param key of the right length
   * @param sequence what is older is seen: `visible`, `latest` or that of a snapshot
   * @returns whether there is a value; then `found` tells of it, until anything else is done with the tree
   * @throws VarveError `CORRUPT`, `IO`, `CLOSED`, `NO_MEMORY`
   *
   * @internal
   */
  locate(key: Uint8Array, sequence: number): boolean {
    const trees = this.#trees;
    trees.check();
    return this.#core.find(trees.scratch.put(key), key, sequence, trees.scratch.found);
  }

  /**
   * The address of what `locate` found: see `FOUND_BYTES` in `lsm-layout.ts`.
   *
   * @internal
   */
  get found(): number {
    return this.#trees.scratch.found;
  }

  /**
   * What is older than this was acknowledged.
   *
   * @internal
   */
  get visible(): number {
    return this.#trees.writer.visible;
  }

  /**
   * What is older than this was accepted: a write that builds on it is not kept unless it is kept, too.
   *
   * @internal
   */
  get latest(): number {
    return Math.max(this.#trees.wal.nextOffset, this.#trees.writer.visible);
  }

  /**
   * What the write-ahead log of all trees takes on the disk, in bytes.
   *
   * @internal
   */
  get walBytes(): number {
    return this.#trees.wal.info().bytes;
  }

  /**
   * Whether writes wait in line, which even `latest` does not see.
   *
   * @internal
   */
  get hasLine(): boolean {
    return this.#trees.writer.hasLine;
  }

  /**
   * Resolves when no write waits in line. It never rejects.
   *
   * @internal
   */
  lineEmptied(): Promise<void> {
    return this.#trees.writer.lineEmptied();
  }

  /**
   * Grows when accepted writes are lost, so that their sequence numbers are given out again.
   *
   * @internal
   */
  get generation(): number {
    return this.#trees.wal.generation;
  }

  /**
   * Resolves when everything before a sequence number has reached a level.
   *
   * @param sequence such as `latest`
   * @param generation that was read together with it
   * @throws VarveError why something before it was lost
   * @internal
   */
  async settled(sequence: number, level: WriteOptions['durability'], generation: number): Promise<void> {
    if (sequence > this.visible) await this.#trees.writer.reach(sequence - 1, level, generation);
  }

  /**
   * Up to where a snapshot sees.
   *
   * @throws TypeError, VarveError `CLOSED`
   * @internal
   */
  sequenceOf(snapshot: TreeSnapshot | undefined): number {
    return sequenceOf(this.#trees, snapshot);
  }

  /**
   * Goes through entries as `entries` does, and makes of each what is asked for.
   *
   * @param sequence what is older is seen; as the options say unless given
   *
   * @internal
   */
  iterate<T>(options: RangeOptions, withValues: boolean, take: Take<T>, sequence?: number): TreeIterator<T> {
    this.#trees.check();
    const range = resolveRange(this.#trees, options);
    if (sequence !== undefined) range.snapshot = sequence;
    return new TreeIterator(this.#trees, this.#core, range, withValues, take);
  }

  /** Like `has`, at once. */
  hasSync(key: TreeBytes, options?: GetOptions): boolean {
    return this.#find(key, options);
  }

  /**
   * Goes through entries in the order of their keys, or backward, as they are now. Steps are synchronous: blocks
   * of tables that are not in the cache are read on the calling thread.
   *
   * @throws TypeError, RangeError where an option is wrong
   * @throws VarveError `CLOSED`, `NO_MEMORY`, `CORRUPT`, `IO`
   */
  entries(options: RangeOptions = {}): TreeIterator<[key: Buffer, value: Buffer]> {
    return this.iterate(options, true, (key, value) => [key, value]);
  }

  /** Like `entries`, for keys only. */
  keys(options: RangeOptions = {}): TreeIterator<Buffer> {
    return this.iterate(options, false, (key) => key);
  }

  /** Like `entries`, for values only. */
  values(options: RangeOptions = {}): TreeIterator<Buffer> {
    return this.iterate(options, true, (_, value) => value);
  }

  /** What all trees of the database have now, to be read later. It is to be closed. */
  snapshot(): TreeSnapshot {
    this.#trees.check();
    return new TreeSnapshot(this.#trees, this.#trees.writer.visible);
  }

  /**
   * The changes of the tree in the order in which they were written, as far back as the write-ahead log has them.
   *
   * @throws TypeError, RangeError where an option is wrong; the iterator throws VarveError `OUT_OF_RANGE` where
   * the log does not go back so far, `CORRUPT`, `CLOSED`, `IO`
   */
  changes(options: ChangesOptions = {}): AsyncIterableIterator<TreeChange> {
    this.#trees.check();
    return readChanges(this.#trees, this.#core.id, options);
  }

  /**
   * Writes what is in memory to a table.
   *
   * @throws VarveError `NO_SPACE`, `IO`, ...: it will be tried again
   */
  async flush(): Promise<void> {
    this.#trees.checkWritable();
    const { writer, background } = this.#trees;
    writer.rotate(this.#core);
    await this.#trees.calls.during(background.flushed(this.#core));
  }

  /**
   * Writes what is in memory to a table, and merges all tables that have keys in a range into one level, so that
   * nothing is left of what was deleted or overwritten there, unless a snapshot sees it.
   *
   * @param range all keys unless given
   * @throws TypeError, RangeError where the range is wrong; VarveError as `flush`, and `CORRUPT`
   */
  async compact(range: { gte?: TreeBytes; lt?: TreeBytes } = {}): Promise<void> {
    checkOptions('range', range, ['gte', 'lt']);
    const start = range.gte === undefined ? undefined : checkKey(range.gte, 'gte');
    const end = range.lt === undefined ? undefined : checkKey(range.lt, 'lt');
    await this.flush();
    const trees = this.#trees;
    await trees.calls.during(trees.background.exclusively(() => compactRange(trees, this.#core, start, end)));
  }

  /**
   * What its tables say of themselves.
   *
   * @internal
   */
  *tables(): Generator<TableProperties, void, undefined> {
    for (const { properties } of this.#core.version.tables()) yield properties;
  }

  /** Sizes and counts. */
  stats(): TreeStats {
    this.#trees.check();
    return statsOf(this.#trees, this.#core);
  }

  #find(key: TreeBytes, options: GetOptions | undefined): boolean {
    const trees = this.#trees;
    const bytes = checkKey(key);
    trees.check();
    if (options !== undefined) checkOptions('options', options, ['snapshot']);
    const sequence = sequenceOf(trees, options?.snapshot);
    const address = trees.scratch.put(bytes);
    return this.#core.find(address, bytes, sequence, trees.scratch.found);
  }

  #write(options: WriteOptions | undefined, encode: (encoder: OperationsEncoder) => void): Promise<number> {
    try {
      const level = levelOf(options);
      const { encoder } = this.#trees;
      encoder.clear();
      encode(encoder);
      this.#trees.checkWritable();
      return this.#trees.writer.write(encoder.bytes, level);
    } catch (error) {
      return Promise.reject(error);
    }
  }
}

/** The largest value that a batch has room for. */
export function maxValueBytes(trees: Trees): number {
  return trees.maxBatchBytes - KEY_BYTES_MAX - PUT_BYTES;
}

/** @throws TypeError where the options are wrong */
export function levelOf(options: WriteOptions | undefined): Durability | undefined {
  if (options === undefined) return undefined;
  checkOptions('options', options, ['durability']);
  if (options.durability === undefined) return undefined;
  return checkOneOf('durability', options.durability, LEVELS);
}
