/**
 * The trees of a database: what they share (a write-ahead log, a manifest, a cache, the background), how they are
 * opened and recovered, made and closed.
 *
 *     <directory>/wal/                      the writes of all trees: a log
 *                 manifest/                 which tables each tree has: a log
 *                 trees/<name>/<number>.table
 *
 * @module
 */

import { isVarveError, VarveError } from '../errors.ts';
import { WAL_SEGMENT_BYTES_DEFAULT } from '../limits.ts';
import { Log } from '../log/log.ts';
import { ownLevel, resolveSyncPolicy } from '../log/sync-policy.ts';
import type { Memory } from '../memory/memory.ts';
import { Flights } from '../vfs/flights.ts';
import { joinPath } from '../vfs/vfs.ts';
import { Background } from './background.ts';
import { compactTree } from './compact.ts';
import { backlogOf } from './compaction/strategy.ts';
import { USUAL_WRITE_RUN_BYTES } from './compaction/write-run.ts';
import { sourceOf } from './drop-options.ts';
import { flushMemtable } from './flush.ts';
import { Manifest } from './manifest.ts';
import type { TreeRecord } from './manifest-state.ts';
import { MemtableArea } from './memtable.ts';
import { OpenIterators } from './open-iterators.ts';
import { OperationsEncoder } from './operations.ts';
import { ReadScratch } from './read-scratch.ts';
import { replay } from './replay.ts';
import type { SharedParts, TreesParts } from './shared-parts.ts';
import { Snapshots } from './snapshots.ts';
import { SpareSlabs } from './spare-slabs.ts';
import { BlockCache } from './table/block-cache.ts';
import { codecNumber, loadCompression, settleTable } from './table/codecs.ts';
import { parseTableFileName } from './table/table-file.ts';
import { Tables } from './tables.ts';
import { TreeCore } from './tree-core.ts';
import { checkNewName, noSuchTree } from './tree-names.ts';
import { resolveTreeOptions, type StoredTreeOptions, type TreeOptions } from './tree-options.ts';
import { Version } from './version.ts';
import { TreeWriter } from './writer.ts';

export const WAL_DIRECTORY = 'wal';
export const MANIFEST_DIRECTORY = 'manifest';
export const TREES_DIRECTORY = 'trees';

const MIB = 1024 * 1024;
/** A batch has at most so much of the memory: it is held several times while it is written. */
const BATCH_SHARE = 1 / 16;
const BATCH_BYTES_MAX = 16 * MIB;
/** A batch is given so much room at most before it needs it. */
const USUAL_BATCH_BYTES_MAX = MIB;
const WAL_BUFFER_BYTES = MIB;
/** How much of the memory blocks of tables may take, as long as nobody else needs it. */
const CACHE_SHARE = 0.6;
/** When the write-ahead log has more than so many segments, the tree that holds it back is flushed. */
const WAL_SEGMENTS_MAX = 4;
/** The part of it that is being written is cut too, where it is longer than this share and all of it is in tables. */
const IDLE_WAL_SHARE = 1 / 8;
/** How often trees that somebody else writes are looked at anew, where what is found does not fit together. */
const READ_ONLY_TRIES = 5;
/** What is left in a memtable when a database is closed stays in the log, unless it is more than this. */
const CLOSE_FLUSH_BYTES = MIB;

export class Trees implements SharedParts {
  readonly parts: TreesParts;
  readonly wal: Log;
  readonly manifest: Manifest;
  readonly writer: TreeWriter;
  readonly background: Background;
  readonly snapshots: Snapshots = new Snapshots();
  /** Those that are open. */
  readonly iterators: OpenIterators = new OpenIterators();
  /** Encodes operations that are written one by one. */
  readonly encoder: OperationsEncoder = new OperationsEncoder();
  readonly scratch: ReadScratch;
  readonly #memtables: MemtableArea;
  readonly tables: Tables;
  readonly cache: BlockCache;
  /** For iterators. */
  readonly spares: SpareSlabs;
  /** Calls that use memory or files and that closing has to wait for. */
  readonly calls: Flights = new Flights();
  /** Gives back what is kept for flushes. */
  readonly #dropReserve: () => void;
  readonly #cores: Map<string, TreeCore> = new Map();
  #list: TreeCore[] = [];
  #making: Promise<unknown> = Promise.resolve();
  /** Until then, the write-ahead log has what no memtable has yet. */
  #isReplayed = false;
  #closing: Promise<void> | undefined;
  #usualBatchBytes = 0;

  private constructor(parts: TreesParts, wal: Log, manifest: Manifest) {
    const { memory, clock, vfs } = parts;
    this.parts = parts;
    this.wal = wal;
    this.manifest = manifest;
    this.#memtables = new MemtableArea(memory);
    this.cache = new BlockCache(memory, Math.floor(memory.slabs.budgetBytes * CACHE_SHARE));
    this.spares = new SpareSlabs(memory);
    this.tables = new Tables({ vfs, memory, cache: this.cache });
    this.background = new Background({
      clock,
      wal,
      readOnly: parts.readOnly,
      trees: () => this.#list,
      iterators: () => this.iterators.size,
      flush: (tree, memtable) => flushMemtable(this, tree, memtable),
      compact: (tree) => compactTree(this, tree),
      trim: () => this.#trim(),
      onChange: () => this.writer.wake(),
      onFatal: (error) => this.writer.refuse(error),
    });
    this.writer = new TreeWriter(
      this.#memtables,
      clock,
      wal,
      ownLevel(resolveSyncPolicy(parts.sync)),
      this.background,
    );
    this.#dropReserve =
      (parts.readOnly ? undefined : parts.tasks.reserve?.(USUAL_WRITE_RUN_BYTES)) ?? (() => {});
    try {
      this.scratch = new ReadScratch(memory);
    } catch (error) {
      this.#dropReserve();
      this.writer.release();
      throw error;
    }
  }

  /**
   * Opens the trees of a database, and recovers them; makes their directories where there are none.
   *
   * @throws VarveError `NOT_FOUND` where there are none and it is read-only; `CORRUPT`, `NO_MEMORY`, `IO`, ...
   */
  static async open(parts: TreesParts): Promise<Trees> {
    for (let tries = 1; ; tries++) {
      try {
        // Beside one who writes, a table that is missing was merged meanwhile.
        const mayRetry = parts.readOnly && tries < READ_ONLY_TRIES;
        return await Trees.#open(parts, mayRetry || parts.recovery === 'absoluteConsistency');
      } catch (error) {
        // Whoever writes may have gone on between the look at the manifest and that at what it names.
        const mayPass = isVarveError(error, 'NOT_FOUND') || isVarveError(error, 'CORRUPT');
        if (!parts.readOnly || !mayPass || tries === READ_ONLY_TRIES) throw error;
        await new Promise<void>((resolve) => parts.clock.nextTurn(resolve));
      }
    }
  }

  /** @param isStrict whether damaged tables are refused */
  static async #open(parts: TreesParts, isStrict: boolean): Promise<Trees> {
    const { directory, memory, vfs, clock, readOnly, sync, preallocate = false } = parts;
    const folders = [WAL_DIRECTORY, MANIFEST_DIRECTORY, TREES_DIRECTORY].map((name) =>
      joinPath(directory, name),
    );
    const [walFolder, manifestFolder] = folders as [string, string, string];
    if (!readOnly) {
      for (const folder of folders) await vfs.mkdir(folder);
      await vfs.syncDir(directory);
    } else if ((await vfs.stat(manifestFolder)) === undefined) {
      throw new VarveError('NOT_FOUND', `there are no trees in ${directory}`, { file: directory });
    }
    const manifest = await Manifest.open({ directory: manifestFolder, memory, vfs, clock, readOnly });
    let wal: Log;
    try {
      wal = await Log.open(
        { name: WAL_DIRECTORY, directory: walFolder, memory, vfs, clock, readOnly, growsAhead: true },
        {
          ...(sync === undefined ? {} : { sync }),
          preallocate,
          segmentBytes: parts.walSegmentBytes ?? WAL_SEGMENT_BYTES_DEFAULT,
          bufferBytes: Math.min(WAL_BUFFER_BYTES, floorPower(memory.slabs.budgetBytes / 32)),
          maxRecordBytes: maxBatchBytes(memory),
        },
      );
    } catch (error) {
      await manifest.close().catch(() => undefined);
      throw error;
    }
    let trees: Trees | undefined;
    try {
      trees = new Trees(parts, wal, manifest);
      await trees.#recover(isStrict);
      return trees;
    } catch (error) {
      await trees?.background.stop();
      await wal.close().catch(() => undefined);
      await manifest.close().catch(() => undefined);
      if (trees !== undefined) await trees.#release().catch(() => undefined);
      throw error;
    }
  }

  /** The trees that there are. */
  get list(): readonly TreeCore[] {
    return this.#list;
  }

  get isClosed(): boolean {
    return this.#closing !== undefined;
  }

  /** The most bytes that the operations of a batch have, encoded. */
  get maxBatchBytes(): number {
    return this.wal.maxRecordBytes;
  }

  /** What a batch is expected to have, encoded: somewhat more than the last one. */
  get usualBatchBytes(): number {
    return this.#usualBatchBytes;
  }

  /** Notes how large a batch was. */
  wroteBatch(bytes: number): void {
    this.#usualBatchBytes = Math.min(bytes + (bytes >> 3), USUAL_BATCH_BYTES_MAX);
  }

  /** @throws VarveError `CLOSED` */
  check(): void {
    if (this.#closing !== undefined)
      throw new VarveError('CLOSED', `the database ${this.parts.directory} is closed`);
  }

  /** @throws VarveError `READ_ONLY` */
  checkWritable(): void {
    this.check();
    if (this.parts.readOnly)
      throw new VarveError('READ_ONLY', `the database ${this.parts.directory} is open for reading only`);
  }

  /**
   * A tree by its name; it is made where there is none.
   *
   * @throws VarveError `NOT_FOUND` where it is not there and cannot be made; `UNSUPPORTED` where what it
   *   is to be compressed with is not to be had; `NO_MEMORY`, `NO_SPACE`, `IO`
   */
  tree(name: string, options: TreeOptions): Promise<TreeCore> {
    this.check();
    // One after the other, so that no name is made twice.
    const making = this.#making.then(() => this.calls.during(this.#tree(name, options)));
    this.#making = making.catch(() => undefined);
    return making;
  }

  async #tree(name: string, options: TreeOptions): Promise<TreeCore> {
    const known = this.#cores.get(name);
    const { vfs, memory, directory, readOnly } = this.parts;
    const resolved = resolveTreeOptions(options, memory.slabs.budgetBytes, known?.options);
    if (!readOnly && options.compression !== undefined) await loadCompression(options.compression);
    if (known !== undefined) {
      if (!readOnly && JSON.stringify(resolved) !== JSON.stringify(known.options)) {
        const { id, flushed } = known;
        await this.manifest.publish({ trees: [{ id, name, flushed, options: resolved }] });
      }
      known.options = resolved;
      known.backlog = backlogOf(known.version.levels, resolved.strategy);
      known.dropSource = sourceOf(options.dropExpired) ?? known.dropSource;
      this.background.watch();
      return known;
    }
    if (readOnly) throw noSuchTree(name, directory);
    checkNewName(name, this.#cores.keys());
    const folder = joinPath(directory, TREES_DIRECTORY);
    await vfs.mkdir(joinPath(folder, name));
    await vfs.syncDir(folder);
    const id = 1 + Math.max(0, ...this.#list.map((tree) => tree.id));
    const flushed = this.wal.durable.synced;
    await this.manifest.publish({ trees: [{ id, name, flushed, options: resolved }] });
    const core = this.#add(id, name, resolved, new Version([]), flushed);
    core.dropSource = sourceOf(options.dropExpired);
    this.background.watch();
    return core;
  }

  /** @throws VarveError `NO_MEMORY` */
  #add(id: number, name: string, options: StoredTreeOptions, version: Version, flushed: number): TreeCore {
    const path = joinPath(this.parts.directory, TREES_DIRECTORY, name);
    const { counters } = this.cache;
    const core = new TreeCore(this.#memtables, counters, id, name, path, options, version, flushed);
    try {
      this.writer.add(core);
    } catch (error) {
      core.release();
      throw error;
    }
    this.#cores.set(name, core);
    this.#list = [...this.#list, core];
    return core;
  }

  async #recover(isStrict: boolean): Promise<void> {
    const { memory, readOnly } = this.parts;
    const records = [...this.manifest.state.trees.values()];
    // Of all trees: on some disks, two names are one folder.
    const numbers = new Set(records.flatMap(({ tables }) => [...tables.keys()]));
    for (const record of records) await this.#openTree(record, numbers, isStrict);
    if (this.#list.length === 0) await this.#checkEmpty();
    const makeRoom = async (tree: TreeCore): Promise<boolean> => {
      const frozen = this.writer.rotate(tree) ? tree : this.writer.rotateLargest();
      if (frozen === undefined) return false;
      if (!readOnly) await this.background.flushed(frozen);
      return true;
    };
    await replay({ memory, wal: this.wal, writer: this.writer, trees: this.#list, makeRoom });
    this.#isReplayed = true;
    this.background.kick();
  }

  /** A manifest that knows no trees although there are tables has been lost: what it named must not be overwritten. */
  async #checkEmpty(): Promise<void> {
    const { directory, vfs } = this.parts;
    const place = joinPath(directory, TREES_DIRECTORY);
    if ((await vfs.stat(place)) === undefined) return;
    for (const name of await vfs.readdir(place)) {
      const folder = joinPath(place, name);
      if ((await vfs.stat(folder))?.kind !== 'directory') continue;
      if (!(await vfs.readdir(folder)).some((file) => parseTableFileName(file) !== undefined)) continue;
      const message = `${directory} has tables, but its manifest knows no trees: it is to be repaired`;
      throw new VarveError('CORRUPT', message, { file: joinPath(directory, MANIFEST_DIRECTORY) });
    }
  }

  async #openTree(
    { id, name, options, tables, flushed }: TreeRecord,
    numbers: ReadonlySet<number>,
    isStrict: boolean,
  ): Promise<void> {
    const { directory, vfs, readOnly } = this.parts;
    const folder = joinPath(directory, TREES_DIRECTORY, name);
    if (!readOnly) {
      // Whoever made it may have ended before its name was durable.
      await vfs.mkdir(folder);
      await this.tables.removeOrphans(folder, numbers);
      await settleTable(codecNumber(options.compression));
    }
    const version = await this.tables.openVersion(folder, [...tables.values()], isStrict);
    this.#add(id, name, options, version, flushed);
  }

  /** Removes what no tree needs any more from the write-ahead log, and flushes what holds it back too long. */
  async #trim(): Promise<void> {
    if (!this.#isReplayed) return;
    const { wal } = this;
    let from = wal.durable.synced;
    let behind: TreeCore | undefined;
    for (const tree of this.#list) {
      if (tree.neededFrom >= from) continue;
      from = tree.neededFrom;
      behind = tree;
    }
    const { walSegmentBytes = WAL_SEGMENT_BYTES_DEFAULT } = this.parts;
    const activeBytes = wal.info().segments.at(-1)?.bytes ?? 0;
    if (from === wal.nextOffset && activeBytes > walSegmentBytes * IDLE_WAL_SHARE) await wal.roll();
    const { bytes, segments } = wal.info();
    const second = segments[1];
    if (second !== undefined && second.baseOffset <= from) {
      // First the manifest says that the trees do not need it; else it would be missed.
      const positions = this.#list.filter((tree) => tree.flushed < from);
      if (positions.length > 0) {
        await this.manifest.publish({ flushed: positions.map(({ id }) => [id, from]) });
        for (const tree of positions) tree.flushed = from;
      }
      await wal.truncateBefore(Math.min(from, wal.visibleOffset));
    }
    if (bytes > WAL_SEGMENTS_MAX * walSegmentBytes && behind !== undefined && behind.frozen.length === 0)
      this.writer.rotate(behind);
  }

  /** Closes once; every call gets the same promise. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const failures: unknown[] = [];
    const attempt = async (step: () => Promise<void>): Promise<void> => {
      try {
        await step();
      } catch (error) {
        failures.push(error);
      }
    };
    await this.#making;
    this.writer.refuse(new VarveError('CLOSED', `the database ${this.parts.directory} is closed`));
    if (!this.parts.readOnly) {
      // What cannot be flushed is in the log.
      for (const tree of this.#list) {
        if (tree.active.usedBytes > CLOSE_FLUSH_BYTES) this.writer.rotate(tree);
        if (tree.frozen.length > 0) await this.background.flushed(tree).catch(() => undefined);
      }
    }
    await this.background.stop();
    this.iterators.closeAll();
    this.snapshots.close();
    await this.calls.idle();
    await attempt(() => this.wal.close());
    await attempt(() => this.manifest.close());
    await attempt(() => this.#release());
    const failure = failures.find((error) => !this.writer.wasTold(error));
    if (failure !== undefined) throw failure;
  }

  async #release(): Promise<void> {
    for (const core of this.#list) core.release();
    this.#memtables.release();
    this.#dropReserve();
    this.writer.release();
    this.scratch.release();
    this.spares.release();
    await this.tables.close();
    this.cache.release();
  }
}

/** The most bytes of a batch that a memory allows. */
function maxBatchBytes(memory: Memory): number {
  return Math.min(BATCH_BYTES_MAX, floorPower(memory.slabs.budgetBytes * BATCH_SHARE));
}

function floorPower(bytes: number): number {
  return 2 ** Math.floor(Math.log2(bytes));
}
