/**
 * Tables on a disk in memory, written and merged by the functions that the tasks run, on this thread.
 *
 * @module
 */

import type { DropRule } from '../../src/lsm/compaction/drop-rule.ts';
import {
  type MergeTablesArgs,
  mergeTables,
  mergeTablesBytes,
} from '../../src/lsm/compaction/merge-tables.ts';
import { type WriteRunArgs, writeRun, writeRunBytes } from '../../src/lsm/compaction/write-run.ts';
import { PageMerge, type PageMergeOptions } from '../../src/lsm/page-merge.ts';
import { fragmentsOf, type RangeTombstone } from '../../src/lsm/range-tombstones.ts';
import { BlockCache } from '../../src/lsm/table/block-cache.ts';
import { TableCursor } from '../../src/lsm/table/cursor.ts';
import { TableReader } from '../../src/lsm/table/reader.ts';
import { type TableFile, tableFileName } from '../../src/lsm/table/table-file.ts';
import { DEFAULT_WRITE_OPTIONS, type WriteOptions } from '../../src/lsm/table/writer.ts';
import {
  CELL_KEY,
  CELL_KEY_LENGTH,
  CELL_KIND,
  CELL_SEQUENCE,
  CELL_VALUE_LENGTH,
  FOUND_BYTES,
  FOUND_SEQUENCE,
  FOUND_VALUE,
  FOUND_VALUE_LENGTH,
  KIND_PUT,
} from '../../src/memory/lsm-layout.ts';
import { Memory } from '../../src/memory/memory.ts';
import type { Slab } from '../../src/memory/slabs.ts';
import { createMemoryVfs } from '../../src/vfs/memory.ts';
import type { Vfs } from '../../src/vfs/vfs.ts';
import { VirtualClock } from './clock.ts';
import { compareEntries, type TestEntry } from './table-arena.ts';

const MIB = 1 << 20;
export const DIRECTORY = '/trees/t';

export interface WriteExtras {
  number?: number;
  rangeTombstones?: RangeTombstone[];
  snapshots?: number[];
  bottom?: boolean;
  drop?: DropRule;
  options?: Partial<WriteOptions>;
}

/** A place for tables: a disk, a memory, a cache. */
export class TableKit {
  readonly vfs: Vfs;
  readonly memory: Memory;
  readonly cache: BlockCache;
  readonly clock: VirtualClock = new VirtualClock();
  /** How many values were dropped by their time. */
  dropped = 0;
  #next = 1;

  constructor(vfs: Vfs = createMemoryVfs(), memoryBytes: number = 64 * MIB, cacheBytes: number = 4 * MIB) {
    this.vfs = vfs;
    this.memory = Memory.create(memoryBytes);
    this.cache = new BlockCache(this.memory, cacheBytes);
  }

  /** Puts entries into memory as a run; they are sorted. */
  putRun(entries: readonly TestEntry[]): { slab: Slab; run: { address: number; count: number } } {
    const sorted = entries.toSorted(compareEntries);
    const { memory } = this;
    const cellBytes = ({ key, value }: TestEntry): number => (CELL_KEY + key.length + value.length + 23) & -8;
    const bytes = sorted.reduce((sum, entry) => sum + 4 + cellBytes(entry), 64);
    const slab = memory.slabs.allocate(bytes, 'test');
    let cell = (slab.address + sorted.length * 4 + 7) & -8;
    for (const [i, entry] of sorted.entries()) {
      memory.i32[(slab.address >> 2) + i] = cell;
      memory.f64[(cell + CELL_SEQUENCE) >> 3] = entry.sequence;
      memory.i32[(cell + CELL_VALUE_LENGTH) >> 2] = entry.value.length;
      memory.data.setUint16(cell + CELL_KEY_LENGTH, entry.key.length, true);
      memory.u8[cell + CELL_KIND] = entry.kind;
      memory.u8.set(entry.key, cell + CELL_KEY);
      memory.u8.set(entry.value, cell + CELL_KEY + entry.key.length);
      cell += cellBytes(entry);
    }
    return { slab, run: { address: slab.address, count: sorted.length } };
  }

  /** What `writeRun` would be given. */
  runArgs(
    entries: readonly TestEntry[],
    runs: { address: number; count: number }[],
    extras: WriteExtras = {},
  ): WriteRunArgs {
    const {
      number = this.#next++,
      rangeTombstones = [],
      snapshots = [],
      bottom = false,
      options = {},
    } = extras;
    const sequences = [...entries, ...rangeTombstones].map(({ sequence }) => sequence);
    return {
      directory: DIRECTORY,
      firstNumber: number,
      numbers: 1,
      runs,
      rangeTombstones,
      snapshots,
      bottom,
      smallestSequence: sequences.reduce((a, b) => Math.min(a, b), Number.MAX_SAFE_INTEGER),
      options: { ...DEFAULT_WRITE_OPTIONS, ...options },
      origin: { tree: 1, createdMs: 1000, firstMs: 1000, lastMs: 1000 },
      ...(extras.drop === undefined ? {} : { drop: extras.drop }),
    };
  }

  /** Writes a table of entries, in any order; undefined where nothing is left of them. */
  async write(entries: readonly TestEntry[], extras: WriteExtras = {}): Promise<TableFile | undefined> {
    await this.vfs.mkdir(DIRECTORY);
    const { slab, run } = this.putRun(entries);
    try {
      const args = this.runArgs(entries, [run], extras);
      const written = await this.inWork(writeRunBytes(args), (work) => writeRun(this.#context(work), args));
      this.dropped += written.dropped;
      return written.files[0];
    } finally {
      slab.release();
    }
  }

  /** Merges tables; the numbers of the new ones follow those of all before. */
  async merge(
    inputs: TableFile[][],
    rangeTombstones: RangeTombstone[] = [],
    more: Partial<MergeTablesArgs> = {},
  ): Promise<TableFile[]> {
    const args: MergeTablesArgs = {
      directory: DIRECTORY,
      firstNumber: this.#next,
      numbers: 100,
      inputs,
      rangeTombstones,
      snapshots: [],
      bottom: false,
      targetBytes: 2 * MIB,
      cutKeys: [],
      options: DEFAULT_WRITE_OPTIONS,
      origin: { tree: 1, createdMs: 2000, firstMs: 1000, lastMs: 1000 },
      ...more,
    };
    this.#next += 100;
    const merged = await this.inWork(mergeTablesBytes(args), (work) =>
      mergeTables(this.#context(work), args),
    );
    this.dropped += merged.dropped;
    return merged.files;
  }

  #context(work: number): Parameters<typeof writeRun>[0] {
    return { memory: this.memory, work, vfs: this.vfs, clock: this.clock };
  }

  /** Runs a task in memory of just the size that it asked for. */
  async inWork<T>(bytes: number, task: (work: number) => Promise<T>): Promise<T> {
    const slab = this.memory.slabs.allocate(bytes, 'task');
    try {
      return await task(slab.address);
    } finally {
      slab.release();
    }
  }

  open(number: number): Promise<TableReader> {
    return TableReader.open(this.vfs, this.path(number), this.memory, this.cache, number);
  }

  path(number: number): string {
    return `${DIRECTORY}/${tableFileName(number)}`;
  }

  /** Looks a key up in a table. */
  get(
    reader: TableReader,
    key: Uint8Array,
    snapshot: number = Number.POSITIVE_INFINITY,
  ): TestEntry | undefined {
    const { memory } = this;
    const slab = memory.slabs.allocate(FOUND_BYTES + key.length + 64, 'test');
    const found = slab.address;
    const at = found + FOUND_BYTES;
    memory.u8.set(key, at);
    try {
      const hash = memory.kernels.filterHash(at, key.length);
      const kind = reader.get(at, key.length, hash, snapshot, found);
      if (kind === 0) return undefined;
      const sequence = memory.f64[(found + FOUND_SEQUENCE) >> 3] as number;
      if (kind !== KIND_PUT) return { key, value: new Uint8Array(), sequence, kind };
      const value = memory.i32[(found + FOUND_VALUE) >> 2] as number;
      const bytes = memory.i32[(found + FOUND_VALUE_LENGTH) >> 2] as number;
      return { key, value: Uint8Array.from(memory.u8.subarray(value, value + bytes)), sequence, kind };
    } finally {
      slab.release();
    }
  }

  /** What a snapshot sees in a table, or several, in order. */
  scan(readers: readonly TableReader[], options: Partial<PageMergeOptions> = {}, most = 1000): TestPair[] {
    const merge = new PageMerge(
      this.memory,
      readers.map((reader) => new TableCursor(reader)),
      {
        snapshot: Number.MAX_SAFE_INTEGER,
        fragments: fragmentsOf(readers.flatMap((reader) => reader.rangeTombstones)),
        backward: false,
        lower: undefined,
        upper: undefined,
        withValues: true,
        longestKeyBytes: Math.max(...readers.map((reader) => reader.properties.longestKeyBytes), 1),
        ...options,
      },
    );
    try {
      return pairsOf(this.memory, merge, most);
    } finally {
      merge.close();
    }
  }

  /** Fails where a slab was not given back; the cache and what is open give theirs back first. */
  leaks(): { owner: string; bytes: number }[] {
    this.cache.release();
    return this.memory.slabs.inUse();
  }
}

export interface TestPair {
  key: Buffer;
  value: Buffer;
}

/** All entries of a merge's pages. */
export function pairsOf(memory: Memory, merge: PageMerge, most = 1000): TestPair[] {
  const pairs: TestPair[] = [];
  for (let page = merge.next(most); page !== undefined; page = merge.next(most)) {
    let at = page.address;
    for (let left = page.count; left > 0; left--) {
      const [keyBytes, valueBytes] = [memory.i32[at >> 2] as number, memory.i32[(at + 4) >> 2] as number];
      const bytes = Buffer.from(memory.u8.slice(at + 8, at + 8 + keyBytes + valueBytes));
      pairs.push({ key: bytes.subarray(0, keyBytes), value: bytes.subarray(keyBytes) });
      at += (8 + keyBytes + valueBytes + 7) & -8;
    }
  }
  return pairs;
}

/** Entries with keys of one length, in order, one version each. */
export function plainEntries(count: number, valueBytes = 100, from = 0): TestEntry[] {
  return Array.from({ length: count }, (_, i) => ({
    key: Buffer.from(`key-${String(from + i).padStart(12, '0')}`),
    value: Buffer.alloc(valueBytes, `${from + i}.`),
    sequence: from + i,
    kind: KIND_PUT,
  }));
}
