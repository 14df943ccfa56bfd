/**
 * Opens a database: the composition root, and the only file that picks implementations.
 *
 *     <directory>/LOCK/           who has it open for writing
 *                 VERSION         number of the format; checked before anything else is read
 *                 logs/<name>-<partition>/
 *                 wal/  manifest/  trees/    of trees; see trees.ts
 *
 * @module
 */

import { checkpointDatabase } from './checkpoint.ts';
import { checkNewLog, checkOwn, checkVersion, LOGS_DIRECTORY, listLogs } from './directory.ts';
import { VarveError } from './errors.ts';
import type { Events } from './events/events.ts';
import type { EventsOptions } from './events/retention.ts';
import { EventStores } from './events/stores.ts';
import type { KvOptions } from './kv/kv-options.ts';
import type { KvStore } from './kv/store.ts';
import { type InputOf, type KeyOf, KvStores, type ValueOf } from './kv/stores.ts';
import { Log } from './log/log.ts';
import type { LogMetricsSnapshot } from './log/metrics.ts';
import { checkLogName, logDirectoryName } from './log/names.ts';
import {
  checkSameOptions,
  type LogOptions,
  type RecoveryMode,
  type ResolvedLogOptions,
  resolveLogOptions,
} from './log/options.ts';
import type { VerifyOptions } from './log/verify.ts';
import { TreeBatch, type TreeOperation } from './lsm/batch.ts';
import { Tree, type WriteOptions } from './lsm/tree.ts';
import { checkTreeName } from './lsm/tree-names.ts';
import type { TreeOptions } from './lsm/tree-options.ts';
import { treesMetrics } from './lsm/tree-stats.ts';
import { MANIFEST_DIRECTORY, Trees } from './lsm/trees.ts';
import { Maintenance } from './maintenance.ts';
import type { MaintainedLog } from './maintenance-tasks.ts';
import type { MetricsSnapshot } from './metrics-snapshot.ts';
import {
  type OpenOptions,
  type ResolvedOpenOptions,
  resolveOpenOptions,
  type WalOptions,
} from './open-options.ts';
import { booleanOption, checkInteger, checkOptions } from './options.ts';
import { createPoolWork } from './pool/log-work.ts';
import type { Runtime } from './runtime.ts';
import { type VerifyReport, verifyDirectory } from './verify.ts';
import { joinPath, type Vfs, type VfsLock } from './vfs/vfs.ts';

export class Database {
  readonly directory: string;
  readonly runtime: Runtime;
  readonly readOnly: boolean;
  /** Retention and compaction of the logs that are open, from time to time and by hand. */
  readonly maintenance: Maintenance;
  readonly #vfs: Vfs;
  readonly #lock: VfsLock | undefined;
  readonly #recovery: RecoveryMode | undefined;
  readonly #wal: WalOptions;
  #bytesPerSecond: number;
  #trees: Promise<Trees> | undefined;
  #openTrees: Trees | undefined;
  readonly #handles: Map<string, Tree> = new Map();
  readonly #events: EventStores;
  readonly #kv: KvStores;
  readonly #logs: Map<string, Promise<Log>> = new Map();
  readonly #opened: Map<string, Log> = new Map();
  /** What those logs were asked for with. */
  readonly #options: Map<string, ResolvedLogOptions> = new Map();
  #closing: Promise<void> | undefined;

  /** Use {@link open}. */
  constructor(
    directory: string,
    lock: VfsLock | undefined,
    { runtime, vfs, recovery, wal, maintenance, bytesPerSecond }: ResolvedOpenOptions,
  ) {
    this.directory = directory;
    this.runtime = runtime;
    this.readOnly = lock === undefined;
    this.#vfs = vfs;
    this.#lock = lock;
    this.#recovery = recovery;
    this.#wal = wal;
    this.#bytesPerSecond = bytesPerSecond;
    const parts = { clock: runtime.clock, logs: () => this.#maintained() };
    this.maintenance = new Maintenance(parts, maintenance, this.readOnly);
    this.#kv = new KvStores(runtime, this);
    this.#events = new EventStores(this, () => this.#allTrees());
  }

  /**
   * Opens a log, and makes it where there is none. Asked again for the same, it returns the same handle, until
   * that was closed; options that are given then must be those of the first call.
   *
   * @param name letters, digits, dots, dashes and underscores
   * @throws TypeError, RangeError where the name or an option is wrong, or another than the log is open with
   * @throws VarveError `NOT_FOUND` where it is not there and the database is read-only; `CORRUPT`,
   * `NO_MEMORY`, `NO_SPACE`, `IO`
   */
  log(name: string, options: LogOptions = {}): Promise<Log> {
    try {
      checkLogName(name);
      const asked = { ...options, recovery: options.recovery ?? this.#recovery };
      const resolved = resolveLogOptions(asked);
      this.#checkOpen();
      const key = logDirectoryName(name, resolved.partition);
      const known = this.#logs.get(key);
      const handle = this.#opened.get(key);
      const opened = this.#options.get(key);
      if (known !== undefined && opened !== undefined && handle?.isClosed !== true) {
        checkSameOptions(name, options, opened);
        return known;
      }
      const opening = this.#openLog(name, key, asked, handle);
      this.#opened.delete(key);
      this.#logs.set(key, opening);
      this.#options.set(key, resolved);
      opening.catch(() => {
        if (this.#logs.get(key) === opening) this.#logs.delete(key);
      });
      return opening;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** The logs that the directory has, sorted by name and partition. */
  async logNames(): Promise<{ name: string; partition: number }[]> {
    this.#checkOpen();
    const logs = await listLogs(this.#vfs, this.directory);
    return logs.map(({ name, partition }) => ({ name, partition }));
  }

  /**
   * Opens a tree: an ordered map of bytes to bytes. It is made where there is none. Asked again for the same, it
   * returns the same handle; options that are given change those that it has.
   *
   * The first call opens all trees of the database, and recovers them.
   *
   * @param name letters, digits, dashes, underscores and dots
   * @throws TypeError, RangeError where the name or an option is wrong
   * @throws VarveError `NOT_FOUND` where it is not there and the database is read-only; `CORRUPT`, `NO_MEMORY`,
   * `NO_SPACE`, `IO`
   */
  async tree(name: string, options: TreeOptions = {}): Promise<Tree> {
    checkTreeName(name);
    this.#checkOpen();
    const trees = await this.#allTrees();
    const core = await trees.tree(name, options);
    const tree = this.#handles.get(name) ?? new Tree(trees, core);
    this.#handles.set(name, tree);
    return tree;
  }

  /**
   * Opens a store of log entries in the order of their time, which is a tree named `events.<name>`. It is made
   * where there is none. Asked again for the same, it returns the same handle.
   *
   * @param name letters, digits, dashes, underscores and dots
   * @throws TypeError, RangeError where the name or an option is wrong
   * @throws VarveError as `tree`; `VERSION` where a newer build wrote it
   */
  async events(name: string, options: EventsOptions = {}): Promise<Events> {
    this.#checkOpen();
    return await this.#events.open(name, options);
  }

  /** The names of the stores of log entries that there are, sorted. */
  eventNames(): Promise<string[]> {
    return this.#events.names();
  }

  /** The names of the trees that there are, sorted. */
  async treeNames(): Promise<string[]> {
    this.#checkOpen();
    const manifest = joinPath(this.directory, MANIFEST_DIRECTORY);
    if (this.#trees === undefined && (await this.#vfs.stat(manifest)) === undefined) return [];
    const trees = await this.#allTrees();
    return trees.list.map(({ name }) => name).sort();
  }

  /**
   * Opens a store of keys with values that may expire. It is made where there is none.
   *
   * @param name letters, digits, dashes, underscores and dots
   * @throws TypeError, RangeError where an argument is wrong, or another than the store is open or was made with
   * @throws VarveError as `tree`
   */
  async kv<const O extends KvOptions = Record<string, never>>(
    name: string,
    options?: O,
  ): Promise<KvStore<KeyOf<O>, ValueOf<O>, InputOf<O>>> {
    this.#checkOpen();
    return await this.#kv.open(name, options ?? ({} as O));
  }

  /** The names of the stores of keys that there are, sorted. */
  kvNames(): Promise<string[]> {
    return this.#kv.names();
  }

  /**
   * Begins a batch over trees of this database, of which one must have been opened.
   *
   * @throws RangeError where none was
   */
  batch(): TreeBatch {
    this.#checkOpen();
    if (this.#openTrees === undefined) throw new RangeError('open a tree before a batch');
    return new TreeBatch(this.#openTrees);
  }

  /**
   * Writes operations on any trees together: after a crash all of them are there, or none.
   *
   * @returns their sequence number, once they have reached the level
   * @throws TypeError, RangeError where an operation is wrong; VarveError as `Tree.put`
   */
  async write(operations: readonly TreeOperation[], options?: WriteOptions): Promise<number> {
    if (!Array.isArray(operations)) throw new TypeError('operations must be an array');
    const batch = this.batch();
    for (const operation of operations as readonly TreeOperation[]) batch.add(operation);
    return await batch.write(options);
  }

  /**
   * Copies the database as it is now to another directory, which opens as a database of its own. Tables of trees are
   * not copied but linked where the disk can, so that they take no space; each log, and all trees together, are as
   * they were at one moment. Writes go on meanwhile.
   *
   * @param directory empty, or not there; nothing is overwritten
   * @throws TypeError where it is no path
   * @throws VarveError `IO` where there is something; `READ_ONLY`, `CLOSED`, `NO_SPACE`, `NO_MEMORY`. What was made
   * until then stays there, and is no database
   */
  async checkpoint(directory: string): Promise<void> {
    if (typeof directory !== 'string' || directory === '') throw new TypeError('directory must be a path');
    this.#checkOpen();
    const vfs = this.#vfs;
    if (this.readOnly) throw new VarveError('READ_ONLY', `${this.directory} is open for reading only`);
    const hasTrees = (await vfs.stat(joinPath(this.directory, MANIFEST_DIRECTORY))) !== undefined;
    const trees = hasTrees ? await this.#allTrees() : undefined;
    const handles = (key: string): Promise<Log> | undefined => this.#logs.get(key);
    await checkpointDatabase({ directory: this.directory, vfs, handles, trees }, directory);
  }

  /**
   * How many bytes merging tables writes in a second, from the next merge on.
   *
   * @param bytesPerSecond 0 for as many as it can
   */
  async limitCompaction(bytesPerSecond: number): Promise<void> {
    checkInteger('bytesPerSecond', bytesPerSecond, 0, Number.MAX_SAFE_INTEGER);
    this.#checkOpen();
    this.#bytesPerSecond = bytesPerSecond;
    const trees = await this.#trees;
    if (trees !== undefined) trees.background.bytesPerSecond = bytesPerSecond;
  }

  /** Begins no more compactions of trees; resolves when the one under way has ended. */
  async pauseCompaction(): Promise<void> {
    this.#checkOpen();
    await (await this.#allTrees()).background.pause();
  }

  /** Lets compactions begin again. */
  async resumeCompaction(): Promise<void> {
    this.#checkOpen();
    (await this.#allTrees()).background.resume();
  }

  /** Counters of all logs that are open, and of what they share. */
  metrics(): MetricsSnapshot {
    const { memory, pool } = this.runtime;
    const logs: Record<string, LogMetricsSnapshot> = {};
    for (const [key, log] of this.#opened) logs[key] = log.metrics();
    const { budgetBytes, inUseBytes } = memory.slabs;
    const trees = this.#openTrees === undefined ? undefined : treesMetrics(this.#openTrees);
    const maintenance = this.maintenance.metrics();
    return { logs, trees, maintenance, memory: { budgetBytes, inUseBytes }, pool: pool.metrics() };
  }

  /**
   * Reads and checks every byte of every log, and every block of every table. Damage is what it reports, and no reason to fail.
   *
   * @throws VarveError `VERSION`, `NO_MEMORY`, `IO`
   */
  async verify(options: VerifyOptions = {}): Promise<VerifyReport> {
    checkOptions('options', options, ['deep']);
    const deep = booleanOption('deep', options.deep, false);
    this.#checkOpen();
    const handles = (key: string): Promise<Log> | undefined => this.#logs.get(key);
    const trees = await this.#trees?.catch(() => undefined);
    const { memory } = this.runtime;
    return await verifyDirectory(this.directory, memory, this.#vfs, { deep, handles, trees });
  }

  /**
   * Closes all logs and gives the directory back. A second call gets the same promise.
   *
   * @throws VarveError the first failure of a log; everything is closed all the same
   */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #close(): Promise<void> {
    const failures: unknown[] = [];
    await this.maintenance.close();
    this.#kv.close();
    failures.push(...(await this.#events.close()));
    try {
      await (await this.#trees)?.close();
    } catch (error) {
      failures.push(error);
    }
    for (const opening of this.#logs.values()) {
      try {
        await (await opening).close();
      } catch (error) {
        failures.push(error);
      }
    }
    await this.#lock?.release();
    if (failures.length > 0) throw failures[0];
  }

  #maintained(): MaintainedLog[] {
    return [...this.#opened].map(([key, log]) => {
      return { key, log, options: this.#options.get(key) as ResolvedLogOptions };
    });
  }

  /** All trees, opened with the first call. */
  #allTrees(): Promise<Trees> {
    if (this.#trees !== undefined) return this.#trees;
    const { memory, clock, pool } = this.runtime;
    const vfs = this.#vfs;
    const opening = Trees.open({
      directory: this.directory,
      memory,
      vfs,
      clock,
      readOnly: this.readOnly,
      recovery: this.#recovery,
      sync: this.#wal.sync,
      preallocate: this.#wal.preallocate,
      walSegmentBytes: this.#wal.segmentBytes,
      tasks: {
        sortCells: (args) => pool.run('sortCells', args, { vfs }),
        writeRun: (args) => pool.run('writeRun', args, { vfs }),
        mergeTables: (args) => pool.run('mergeTables', args, { vfs }),
        reserve: (bytes) => pool.reserve(bytes),
      },
    });
    this.#trees = opening;
    opening.then(
      (trees) => {
        this.#openTrees = trees;
        trees.background.bytesPerSecond = this.#bytesPerSecond;
      },
      () => {
        if (this.#trees === opening) this.#trees = undefined;
      },
    );
    return opening;
  }

  /** @param before a handle of the same log that is being closed */
  async #openLog(name: string, key: string, options: LogOptions, before: Log | undefined): Promise<Log> {
    // What went wrong there was told to whoever closed it.
    await before?.close().catch(() => undefined);
    const { memory, clock } = this.runtime;
    const vfs = this.#vfs;
    const directory = joinPath(this.directory, LOGS_DIRECTORY, key);
    if ((await vfs.stat(directory)) === undefined) {
      if (this.readOnly) {
        throw new VarveError('NOT_FOUND', `there is no log ${name} in ${this.directory}`, {
          file: directory,
        });
      }
      await checkNewLog(vfs, this.directory, name);
      await vfs.mkdir(directory);
    }
    // Also where it was there: whoever made it may have ended before its name was durable.
    if (!this.readOnly) await vfs.syncDir(joinPath(this.directory, LOGS_DIRECTORY));
    const work = createPoolWork(this.runtime.pool, vfs);
    const onSealed = (): void => this.maintenance.sealed(key);
    const parts = { name, directory, memory, vfs, clock, readOnly: this.readOnly, work, onSealed };
    const log = await Log.open(parts, options);
    this.#opened.set(key, log);
    this.maintenance.schedule();
    return log;
  }

  #checkOpen(): void {
    if (this.#closing !== undefined)
      throw new VarveError('CLOSED', `the database ${this.directory} is closed`);
  }
}

/**
 * Opens a database.
 *
 * @param directory where it lives; made if it is missing, unless `create` is false
 * @throws TypeError where an argument is wrong
 * @throws VarveError `LOCKED` where another handle has it (`pid` says which process), `VERSION` where a
 * newer build wrote it, `NOT_FOUND` where it is no database, `READ_ONLY`, `NO_MEMORY`, `IO`
 */
export async function open(directory: string, options: OpenOptions = {}): Promise<Database> {
  if (typeof directory !== 'string' || directory === '') throw new TypeError('directory must be a path');
  const resolved = resolveOpenOptions(options);
  const { readOnly, canCreate, vfs } = resolved;
  const stat = await vfs.stat(directory);
  if (stat === undefined) {
    if (!canCreate)
      throw new VarveError('NOT_FOUND', `there is no directory ${directory}`, { file: directory });
    await vfs.mkdir(directory);
  } else if (stat.kind !== 'directory') {
    throw new VarveError('NOT_FOUND', `${directory} is not a directory`, { file: directory });
  }
  // Before the lock, which would leave something behind in a directory that is none of ours.
  await checkOwn(vfs, directory, canCreate);
  if (readOnly) {
    await checkVersion(vfs, directory, false);
    return new Database(directory, undefined, resolved);
  }
  const lock = await vfs.lock(directory);
  try {
    await checkVersion(vfs, directory, canCreate);
    await vfs.mkdir(joinPath(directory, LOGS_DIRECTORY));
    await vfs.syncDir(directory);
    return new Database(directory, lock, resolved);
  } catch (error) {
    await lock.release();
    throw error;
  }
}
