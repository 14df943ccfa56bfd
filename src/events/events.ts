/**
 * A store of log entries, in the order of their time: the handle that callers have.
 *
 *     write --> encoder: a put each --> write-ahead log, memtable --> tables
 *     read  --> iterator of the tree, a page at a time --> selection --> entries
 *
 * @module
 */

import type { Readable, Writable } from 'node:stream';
import type { Tree, WriteOptions } from '../lsm/tree.ts';
import { levelOf } from '../lsm/tree.ts';
import type { TreeStats } from '../lsm/tree-stats.ts';
import { TREES_DIRECTORY, type Trees } from '../lsm/trees.ts';
import { checkOptions } from '../options.ts';
import { joinPath } from '../vfs/vfs.ts';
import { EventBulk } from './bulk.ts';
import type { EventEntry } from './entry.ts';
import { STATE_KEY } from './format.ts';
import { Handover } from './handover.ts';
import { countEntries, type EventHistogram, type HistogramOptions, histogramOf } from './histogram.ts';
import type { EventInput } from './input.ts';
import { Journal } from './journal.ts';
import { emptyJournalReport, type JournalReport, recoverJournals } from './journal-recovery.ts';
import { type EventSource, type PendingEntry, readPending } from './pending.ts';
import { EventReader, SyncEventReader } from './reader.ts';
import { Cutoffs, checkRetention, cutoffsOf, type EventRetention, retainedTable } from './retention.ts';
import {
  type EventFilter,
  type EventReadOptions,
  FILTER_OPTIONS,
  resolveReading,
  resolveSelection,
} from './selection.ts';
import { decodeState, newState } from './state.ts';
import { type EventWritableOptions, readableOf, writableOf } from './streams.ts';
import { EventWriter } from './writer.ts';

export class Events {
  readonly name: string;
  readonly #trees: Trees;
  readonly #tree: Tree;
  readonly #writer: EventWriter;
  #past: Cutoffs = new Cutoffs();
  #handover: Promise<Handover> | undefined;
  /** Of a store that is open read-only: what only the journal has. */
  #pending: readonly PendingEntry[] = [];
  #recovery: JournalReport = emptyJournalReport();

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

  /** What the journal of a process that ended had when the store was opened; see `handover`. */
  get recovery(): JournalReport {
    return this.#recovery;
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
    return new EventReader(this.#trees, this.#source, reading, () => this.#cutoffs());
  }

  /** Like `read`, at once: blocks of tables that are not in the cache are read on the calling thread. */
  readSync(
    options: Omit<EventReadOptions, 'follow' | 'signal'> = {},
  ): IterableIterator<EventEntry, undefined, undefined> {
    const reading = resolveReading(options);
    if (reading.isFollowing) throw new TypeError('readSync cannot follow');
    this.#trees.check();
    return new SyncEventReader(this.#source, reading, this.#cutoffs());
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
    return await countEntries(this.#trees.parts.clock, this.#source, selection, this.#cutoffs());
  }

  /**
   * Counts entries over time.
   *
   * @throws TypeError, RangeError where an option is wrong; VarveError as `read`
   */
  async histogram(options: HistogramOptions = {}): Promise<EventHistogram> {
    this.#trees.check();
    return await histogramOf(this.#trees.parts.clock, this.#source, options, this.#cutoffs());
  }

  /**
   * A way in for those who cannot wait, such as loggers: when its `take` returns, entries are in a journal beside the
   * store, and outlive the process; from there they go into the store. What was in the journal when a process
   * ended is in the store when it is opened the next time. There is one; it is closed with the database.
   *
   * @throws VarveError `IO`, `NO_SPACE`, `READ_ONLY`, `CLOSED`
   */
  handover(): Promise<Handover> {
    try {
      this.#trees.checkWritable();
    } catch (error) {
      return Promise.reject(error);
    }
    this.#handover = this.#nextHandover(this.#handover);
    return this.#handover;
  }

  /** The one that there is; another one where that was closed, or could not be made. */
  async #nextHandover(last: Promise<Handover> | undefined): Promise<Handover> {
    const before = await last?.catch(() => undefined);
    if (before?.isClosed === false) return before;
    // What went wrong there was told to whoever closed it; its journal is what it has left.
    await before?.close().catch(() => undefined);
    return await this.#openHandover();
  }

  async #openHandover(): Promise<Handover> {
    const { vfs, memory } = this.#trees.parts;
    const journal = await Journal.create(vfs, memory, this.#directory);
    return new Handover(this.#trees, this.#writer, journal);
  }

  /**
   * Has the store keep entries so long; see `EventsOptions.retention`.
   *
   * @throws TypeError, RangeError where a limit is wrong; VarveError as `write`
   */
  async retain(retention: EventRetention | false): Promise<void> {
    const limits = retention === false ? undefined : checkRetention(retention);
    this.#trees.checkWritable();
    if (JSON.stringify(limits) !== JSON.stringify(this.#writer.state.retention))
      await this.#writer.changeState({ retention: limits });
    this.#past = new Cutoffs();
    await this.#drop();
  }

  /** Has the tree drop what is past its retention. */
  async #drop(): Promise<void> {
    const { retention } = this.#writer.state;
    const cutoffs = (): bigint[] => (this.#cutoffs() ?? []).map((ms) => BigInt(ms) * 1_000_000n);
    const dropExpired = retention !== undefined && ({ kind: 'retention', cutoffs } as const);
    await this.#trees.tree(this.#tree.name, { dropExpired });
  }

  /** The times before which entries are past their retention, by level; undefined where none is. */
  #cutoffs(): readonly number[] | undefined {
    const { retention } = this.#writer.state;
    if (retention === undefined) return undefined;
    const tables = [...this.#tree.tables()].map(retainedTable).filter((table) => table !== undefined);
    return this.#past.advance(cutoffsOf(retention, this.#trees.parts.clock.now(), tables));
  }

  /**
   * Writes what a journal of a process that ended still has; see `handover`. A store that is open read-only reads it.
   *
   * @internal
   */
  async recover(): Promise<void> {
    if (this.#trees.parts.readOnly) {
      this.#pending = await readPending(this.#directory, this.#trees, this.#tree);
      return;
    }
    if (this.#writer.state.retention !== undefined) await this.#drop();
    this.#recovery = await recoverJournals(this.#directory, this.#trees, this.#writer);
  }

  /** Ends what it has begun; the database does it when it is closed. */
  async close(): Promise<void> {
    await (await this.#handover)?.close();
  }

  get #source(): EventSource {
    return { tree: this.#tree, pending: this.#pending };
  }

  get #directory(): string {
    return joinPath(this.#trees.parts.directory, TREES_DIRECTORY, this.#tree.name);
  }

  /**
   * A stream into the store: of entries, or, with `lines`, of text, each line the message of an entry.
   *
   * @throws TypeError where an option is wrong; the stream fails as `write` does
   */
  writable(options: EventWritableOptions = {}): Writable {
    levelOf(options.durability === undefined ? {} : { durability: options.durability });
    return writableOf(this, options);
  }

  /** A stream of entries; see `read`. */
  readable(options: EventReadOptions = {}): Readable {
    return readableOf(this.read(options));
  }

  /**
   * A way in for very many entries, each of which was checked.
   *
   * @internal
   */
  bulk(): EventBulk {
    this.#trees.checkWritable();
    return new EventBulk(this.#writer);
  }

  /** Makes all that was written durable. */
  async sync(): Promise<void> {
    this.#trees.checkWritable();
    await this.#trees.calls.during(this.#trees.wal.sync());
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
