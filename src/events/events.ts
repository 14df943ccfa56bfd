/**
 * A store of log entries, in the order of their time: the handle that callers have.
 *
 *     write --> encoder: a put each --> write-ahead log, memtable --> tables
 *     read  --> iterator of the tree, a page at a time --> selection --> entries
 *
 * @module
 */

import type { Tree, WriteOptions } from '../lsm/tree.ts';
import { levelOf } from '../lsm/tree.ts';
import type { TreeStats } from '../lsm/tree-stats.ts';
import type { Trees } from '../lsm/trees.ts';
import { checkOptions } from '../options.ts';
import type { EventEntry } from './entry.ts';
import { STATE_KEY } from './format.ts';
import { countEntries, type EventHistogram, type HistogramOptions, histogramOf } from './histogram.ts';
import type { EventInput } from './input.ts';
import { EventReader, SyncEventReader } from './reader.ts';
import {
  type EventFilter,
  type EventReadOptions,
  FILTER_OPTIONS,
  resolveReading,
  resolveSelection,
} from './selection.ts';
import { decodeState, newState } from './state.ts';
import { EventWriter } from './writer.ts';

export class Events {
  readonly name: string;
  readonly #trees: Trees;
  readonly #tree: Tree;
  readonly #writer: EventWriter;

  /**
   * Use `db.events`.
   *
   * @throws VarveError `CORRUPT`, `VERSION` where what the store keeps of itself is not what it should be
   */
  constructor(name: string, trees: Trees, tree: Tree) {
    this.name = name;
    this.#trees = trees;
    this.#tree = tree;
    const stored = tree.getSync(STATE_KEY);
    this.#writer = new EventWriter(
      trees,
      tree.id,
      stored === undefined ? newState() : decodeState(stored, name),
    );
  }

  /** Whether its database was closed, or is being closed. */
  get isClosed(): boolean {
    return this.#trees.isClosed;
  }

  /**
   * Writes an entry. Its time may be any: it is read in its place, behind those of the same time that came before.
   *
   * @returns resolves once it has reached the level
   * @throws TypeError, RangeError with the name of the field that is wrong
   * @throws VarveError `NO_SPACE`, `IO`, `POISONED`, `CLOSED`, `READ_ONLY`, `NO_MEMORY`
   */
  async write(entry: EventInput, options?: WriteOptions): Promise<void> {
    const level = levelOf(options);
    this.#trees.checkWritable();
    await this.#writer.write(entry, level);
  }

  /**
   * Writes entries in their order. After a crash all of them are there or none, unless they have more than 4 MiB
   * together, or a thirty-second of the memory, as they are stored: then they go in several batches, of which the
   * first ones may be there. A mistake in an entry is told before its batch is written.
   *
   * @returns how many there were, once all have reached the level
   * @throws TypeError, RangeError, VarveError as `write`
   */
  async writeMany(entries: Iterable<EventInput>, options?: WriteOptions): Promise<number> {
    const level = levelOf(options);
    if (typeof entries?.[Symbol.iterator] !== 'function' || typeof entries === 'string')
      throw new TypeError('entries must be an array of entries, or another iterable');
    this.#trees.checkWritable();
    return await this.#writer.writeMany(entries, level);
  }

  /**
   * Reads entries in the order of their time, as they are when it is called; with `follow`, those that are written
   * later behind them, in the order in which they are written.
   *
   * @throws TypeError, RangeError where an option is wrong
   * @throws VarveError `CLOSED`; the iterator `CORRUPT`, `IO`, `NO_MEMORY`, and `OUT_OF_RANGE` where it follows so
   * far behind that the write-ahead log has removed what comes next
   */
  read(options: EventReadOptions = {}): AsyncIterableIterator<EventEntry, undefined, undefined> {
    const reading = resolveReading(options);
    this.#trees.check();
    return new EventReader(this.#trees, this.#tree, reading, undefined);
  }

  /** Like `read`, at once: blocks of tables that are not in the cache are read on the calling thread. */
  readSync(
    options: Omit<EventReadOptions, 'follow' | 'signal'> = {},
  ): IterableIterator<EventEntry, undefined, undefined> {
    const reading = resolveReading(options);
    if (reading.isFollowing) throw new TypeError('readSync cannot follow');
    this.#trees.check();
    return new SyncEventReader(this.#tree, reading, undefined);
  }

  /**
   * Counts entries.
   *
   * @throws TypeError, RangeError where an option is wrong; VarveError as `read`
   */
  async count(options: EventFilter = {}): Promise<number> {
    checkOptions('options', options, FILTER_OPTIONS);
    const selection = resolveSelection(options);
    this.#trees.check();
    return await countEntries(this.#trees.parts.clock, this.#tree, selection, undefined);
  }

  /**
   * Counts entries over time.
   *
   * @throws TypeError, RangeError where an option is wrong; VarveError as `read`
   */
  async histogram(options: HistogramOptions = {}): Promise<EventHistogram> {
    this.#trees.check();
    return await histogramOf(this.#trees.parts.clock, this.#tree, options, undefined);
  }

  /** Writes what is in memory to tables. */
  flush(): Promise<void> {
    return this.#tree.flush();
  }

  /** Writes what is in memory to tables, and merges all tables. */
  compact(): Promise<void> {
    return this.#tree.compact();
  }

  /** Sizes and counts of what the entries are stored in. */
  stats(): TreeStats {
    return this.#tree.stats();
  }
}
