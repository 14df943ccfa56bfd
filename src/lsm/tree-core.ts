/**
 * The inside of one tree: its memtables, and the version of its tables. The newest of what there is lies first:
 *
 *     active memtable -> frozen memtables -> level 0, newest first -> level 1 -> ...
 *
 * @module
 */

import { LOOKUP_ASK } from '../memory/lookup-layout.ts';
import { FOUND_VALUE, FOUND_VALUE_LENGTH, KIND_NONE, KIND_PUT } from '../memory/lsm-layout.ts';
import type { Memory } from '../memory/memory.ts';
import { backlogOf } from './compaction/strategy.ts';
import type { DropSource } from './drop-options.ts';
import { LookupView } from './lookup-view.ts';
import { Memtable, type MemtableArea } from './memtable.ts';
import { bufferBytesOf } from './table/output-bytes.ts';
import { endsBefore, type TableFile } from './table/table-file.ts';
import type { WriteOptions } from './table/writer.ts';
import { type StoredTreeOptions, writeOptionsOf } from './tree-options.ts';
import { TreeRanges } from './tree-ranges.ts';
import { findTable, type Table, type Version, type VersionChange } from './version.ts';

/** Deletions of ranges are looked through one by one: with so many of them, a memtable is full. */
const RANGES_MAX = 1024;

/** What was done in the background since the database was opened. */
export interface WorkCounts {
  flushes: number;
  flushedBytes: number;
  compactions: number;
  compactionReadBytes: number;
  compactionWrittenBytes: number;
  /** Values that were dropped because their time had come. */
  droppedEntries: number;
}

export class TreeCore {
  readonly id: number;
  readonly name: string;
  readonly directory: string;
  options: StoredTreeOptions;
  /** What is written now. */
  active: Memtable;
  /** Full ones that wait to be written to tables, the oldest first. */
  readonly frozen: Memtable[] = [];
  version: Version;
  /** How many tables wait to be merged, so that writers may have to be slower. */
  backlog: number;
  /** What is older is in tables, as the manifest says. */
  flushed: number;
  /** Says what time it is for values that go by their time; of no use where the options have none. */
  dropSource: DropSource | undefined;
  dropFailure: Error | undefined;
  readonly work: WorkCounts = {
    flushes: 0,
    flushedBytes: 0,
    compactions: 0,
    compactionReadBytes: 0,
    compactionWrittenBytes: 0,
    droppedEntries: 0,
  };
  /** Its deleted ranges, for whoever reads in order. */
  readonly ranges: TreeRanges = new TreeRanges();
  readonly #area: MemtableArea;
  readonly #memory: Memory;
  readonly #view: LookupView;

  /** @param counters where lookups are counted */
  constructor(
    area: MemtableArea,
    counters: number,
    id: number,
    name: string,
    directory: string,
    options: StoredTreeOptions,
    version: Version,
    flushed: number,
  ) {
    this.#area = area;
    this.#memory = area.memory;
    this.#view = new LookupView(area.memory, counters);
    this.id = id;
    this.name = name;
    this.directory = directory;
    this.options = options;
    this.active = new Memtable(area, id);
    this.version = version;
    this.backlog = backlogOf(version.levels, options.strategy);
    this.flushed = flushed;
  }

  /** The least offset of the write-ahead log that is still needed; Infinity where all is in tables. */
  get neededFrom(): number {
    for (const memtable of this.frozen) if (!memtable.isEmpty) return memtable.firstSequence;
    return this.active.isEmpty ? Infinity : this.active.firstSequence;
  }

  /** How its tables are written. */
  get writeOptions(): WriteOptions {
    const bufferBytes = bufferBytesOf(this.#memory.slabs.budgetBytes);
    return { ...writeOptionsOf(this.options), bufferBytes };
  }

  /** Notes what a merge has read and written. */
  compacted(
    inputs: readonly number[],
    outputs: readonly TableFile[],
    before: ReadonlyMap<number, TableFile>,
  ): void {
    this.work.compactions++;
    for (const number of inputs) this.work.compactionReadBytes += before.get(number)?.properties.bytes ?? 0;
    for (const { properties } of outputs) this.work.compactionWrittenBytes += properties.bytes;
  }

  /** Shared memory that memtables hold. */
  get memtableBytes(): number {
    return this.frozen.reduce((sum, { bytes }) => sum + bytes, this.active.bytes);
  }

  /** Whether so many bytes more belong into another memtable. */
  isFull(bytes: number): boolean {
    const { active } = this;
    if (active.isEmpty) return false;
    return active.usedBytes + bytes > this.options.memtableBytes || active.rangeCount >= RANGES_MAX;
  }

  /** Freezes the active memtable and begins another. */
  rotate(): void {
    this.frozen.push(this.active);
    this.active = new Memtable(this.#area, this.id);
  }

  /** Forgets writes from a sequence number on, whose record could not be written. */
  forget(sequence: number): void {
    for (const memtable of this.frozen) memtable.forget(sequence);
    this.active.forget(sequence);
    this.ranges.forget();
  }

  /** Publishes a version. */
  change(change: VersionChange): void {
    const before = this.version;
    this.version = before.change(change);
    this.backlog = backlogOf(this.version.levels, this.options.strategy);
    before.release();
  }

  /**
   * Looks a key up.
   *
   * @param address of the key in the shared memory
   * @param key the same
   * @param snapshot what is older is seen
   * @param found where what is found goes (`FOUND_BYTES`)
   * @returns whether there is a value
   * @throws VarveError `CORRUPT`, `IO` where a table cannot be read
   */
  find(address: number, key: Uint8Array, snapshot: number, found: number): boolean {
    const view = this.#view.of(this.active, this.frozen, this.version);
    let kind = LOOKUP_ASK;
    if (view !== 0) kind = this.#memory.kernels.lookup(view, address, key.length, snapshot, found);
    if (kind === LOOKUP_ASK) kind = this.#ask(address, key, snapshot, found);
    return kind === KIND_PUT;
  }

  /** Looks a key up step by step, reading what is not in memory. */
  #ask(address: number, key: Uint8Array, snapshot: number, found: number): number {
    const { kernels } = this.#memory;
    const { active, frozen } = this;
    let kind = kernels.memtableGet(active.address, address, key.length, snapshot, found);
    for (let i = frozen.length - 1; kind === KIND_NONE && i >= 0; i--) {
      const memtable = frozen[i] as Memtable;
      kind = kernels.memtableGet(memtable.address, address, key.length, snapshot, found);
    }
    return kind === KIND_NONE ? this.#findInTables(address, key, snapshot, found) : kind;
  }

  /** A copy of the value that `find` found. */
  copyFound(found: number): Buffer {
    const { i32 } = this.#memory;
    const value = i32[(found + FOUND_VALUE) >> 2] as number;
    return this.#memory.copySmall(value, i32[(found + FOUND_VALUE_LENGTH) >> 2] as number);
  }

  /** Gives its memory and its tables back. */
  release(): void {
    for (const memtable of this.frozen.splice(0)) memtable.release();
    this.active.release();
    this.#view.release();
    this.version.release();
  }

  #findInTables(address: number, key: Uint8Array, snapshot: number, found: number): number {
    const { levels } = this.version;
    const hash = this.#memory.kernels.filterHash(address, key.length);
    for (const { reader, properties } of levels[0] as readonly Table[]) {
      if (Buffer.compare(key, properties.smallestKey) < 0 || endsBefore(properties, key)) continue;
      const kind = reader.get(address, key.length, hash, snapshot, found);
      if (kind !== KIND_NONE) return kind;
    }
    for (let i = 1; i < levels.length; i++) {
      const level = levels[i] as readonly Table[];
      const table = level[findTable(level, key)];
      if (table === undefined || Buffer.compare(key, table.properties.smallestKey) < 0) continue;
      const kind = table.reader.get(address, key.length, hash, snapshot, found);
      if (kind !== KIND_NONE) return kind;
    }
    return KIND_NONE;
  }
}
