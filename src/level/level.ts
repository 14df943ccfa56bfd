/**
 * A store of keys as an `abstract-level` database, so that whatever is written for Level runs on it.
 *
 * Writes resolve when they are written (they survive the death of the process), as those of classic-level do, and
 * reach the disk within 200 ms; `sync: true` waits for the disk. Entries may be put with `ttlMs`.
 *
 * @module
 */

import {
  type AbstractBatchOperation,
  type AbstractDatabaseOptions,
  type AbstractDelOptions,
  AbstractLevel,
  type AbstractOpenOptions,
  type AbstractPutOptions,
  AbstractSnapshot,
} from 'abstract-level';
import { isVarveError, VarveError } from '../errors.ts';
import type { KvCore } from '../kv/core.ts';
import { treeKey } from '../kv/layout.ts';
import { KvIterator, type KvRange } from '../kv/range.ts';
import { coreOf } from '../kv/store.ts';
import { clearRange, setExpiry } from '../kv/writes.ts';
import type { Durability, SyncPolicy } from '../log/sync-policy.ts';
import type { TreeSnapshot } from '../lsm/snapshot.ts';
import { Database, open } from '../open.ts';
import type { Runtime } from '../runtime.ts';
import type { Vfs } from '../vfs/vfs.ts';
import { type LevelFormat, VarveLevelIterator } from './level-iterator.ts';

export interface VarveLevelOptions<K, V> extends AbstractDatabaseOptions<K, V> {
  /** Which store of the database it is; `level` unless given. */
  name?: string;
  /** Fails where there is no such store; false. */
  createIfMissing?: boolean;
  /** Fails where there is one; false. */
  errorIfExists?: boolean;
  /** When writes reach the disk; every 200 ms unless given. Not for a database that is open already. */
  sync?: SyncPolicy;
  /** The disk; the real one unless given. Not for a database that is open already. */
  vfs?: Vfs;
  /** Memory and threads; those that the process shares unless given. Not for a database that is open already. */
  runtime?: Runtime;
}

/** What `put` and the operations of a batch take beside what abstract-level has. */
export interface VarveWriteOptions {
  /** Waits until it is on the disk. */
  sync?: boolean;
  /** The entry is gone after so many milliseconds. */
  ttlMs?: number;
}

/** Options as they reach private methods. */
interface PrivateOptions extends VarveWriteOptions {
  keyEncoding?: string;
  valueEncoding?: string;
  snapshot?: LevelSnapshot;
}

const DEFAULT_STORE = 'level';
const DEFAULT_SYNC: SyncPolicy = { mode: 'interval', intervalMs: 200 };

/** What of abstract-level there is. Its types do not know of `getSync` yet. */
const SUPPORTS = {
  encodings: { buffer: true, utf8: true, view: true },
  has: true,
  getSync: true,
  createIfMissing: true,
  errorIfExists: true,
  implicitSnapshots: true,
  explicitSnapshots: true,
  seek: true,
};

/** Its types leave out what the constructor takes. */
const SnapshotBase = AbstractSnapshot as unknown as new (options: object) => AbstractSnapshot;

export class VarveLevel<K = string, V = string> extends AbstractLevel<LevelFormat, K, V> {
  readonly #place: string | Database;
  readonly #name: string;
  readonly #sync: SyncPolicy;
  readonly #runtime: Runtime | undefined;
  readonly #vfs: Vfs | undefined;
  #database: Database | undefined;
  #core: KvCore | undefined;

  /**
   * @param place the directory of a database, which this one then has for itself; or a database that is open, which
   * stays open when this one is closed
   * @throws TypeError where an argument is wrong
   */
  constructor(place: string | Database, options: VarveLevelOptions<K, V> = {}) {
    if (!(place instanceof Database) && (typeof place !== 'string' || place === ''))
      throw new TypeError('the place must be a directory or an open database');
    const { name = DEFAULT_STORE, sync = DEFAULT_SYNC, runtime, vfs, ...rest } = options;
    super(SUPPORTS, rest);
    this.#place = place;
    this.#name = name;
    this.#sync = sync;
    this.#runtime = runtime;
    this.#vfs = vfs;
  }

  /** The directory of the database. */
  get location(): string {
    return this.#place instanceof Database ? this.#place.directory : this.#place;
  }

  /** Adds or overwrites an entry, as abstract-level has it; it may be given a time to live. */
  override put(key: K, value: V): Promise<void>;
  override put<K2 = K, V2 = V>(
    key: K2,
    value: V2,
    options: AbstractPutOptions<K2, V2> & VarveWriteOptions,
  ): Promise<void>;
  override put(key: K, value: V, options: AbstractPutOptions<K, V> & VarveWriteOptions = {}): Promise<void> {
    return super.put(key, value, options);
  }

  /** Deletes an entry, as abstract-level has it. */
  override del(key: K): Promise<void>;
  override del<K2 = K>(
    key: K2,
    options: AbstractDelOptions<K2> & Pick<VarveWriteOptions, 'sync'>,
  ): Promise<void>;
  override del(key: K, options: AbstractDelOptions<K> & Pick<VarveWriteOptions, 'sync'> = {}): Promise<void> {
    return super.del(key, options);
  }

  async _open({ createIfMissing, errorIfExists }: AbstractOpenOptions): Promise<void> {
    const { location } = this;
    const place = this.#place;
    const database =
      place instanceof Database ? place : await this.#openDatabase(place, createIfMissing !== false);
    try {
      const isThere = (await database.kvNames()).includes(this.#name);
      if (isThere && errorIfExists === true)
        throw new VarveError('IO', `the store ${this.#name} in ${location} exists (errorIfExists)`);
      if (!isThere && createIfMissing === false)
        throw new VarveError('NOT_FOUND', `the store ${this.#name} in ${location} does not exist`);
      const store = await database.kv(this.#name);
      this.#core = coreOf(store);
      this.#database = database;
    } catch (error) {
      if (database !== place) await database.close();
      throw error;
    }
  }

  async _close(): Promise<void> {
    const database = this.#database;
    this.#database = this.#core = undefined;
    if (database !== undefined && database !== this.#place) await database.close();
  }

  _put(key: LevelFormat, value: LevelFormat, options: PrivateOptions): Promise<unknown> {
    const core = this.#open();
    const expiryMs = setExpiry(core, options) ?? 0;
    return core.write(false, levelOf(options), () => {
      core.put(treeKey(key), value, expiryMs);
      return true;
    });
  }

  _del(key: LevelFormat, options: PrivateOptions): Promise<unknown> {
    const core = this.#open();
    return core.write(false, levelOf(options), () => {
      core.delete(treeKey(key));
      return true;
    });
  }

  _batch(
    operations: (AbstractBatchOperation<this, LevelFormat, LevelFormat> & VarveWriteOptions)[],
    options: PrivateOptions,
  ): Promise<unknown> {
    const core = this.#open();
    return core.write(false, levelOf(options), () => {
      for (const operation of operations) {
        if (operation.type === 'del') core.delete(treeKey(operation.key));
        else core.put(treeKey(operation.key), operation.value, setExpiry(core, operation) ?? 0);
      }
      return operations.length > 0;
    });
  }

  _getSync(key: LevelFormat, options: PrivateOptions): LevelFormat | undefined {
    const core = this.#open();
    if (core.read(treeKey(key), sequenceOf(core, options)))
      return options.valueEncoding === 'utf8' ? core.copyValue().toString() : core.copyValue();
    if (core.hiddenMs !== 0) core.coverSoon(core.hiddenMs);
    return undefined;
  }

  async _get(key: LevelFormat, options: PrivateOptions): Promise<LevelFormat | undefined> {
    const core = this.#open();
    core.hiddenMs = 0;
    const value = this._getSync(key, options);
    if (core.hiddenMs !== 0) await core.covered(core.hiddenMs);
    return value;
  }

  async _getMany(keys: LevelFormat[], options: PrivateOptions): Promise<(LevelFormat | undefined)[]> {
    const values = keys.map((key) => this._getSync(key, options));
    return values;
  }

  async _has(key: LevelFormat, options: PrivateOptions): Promise<boolean> {
    const core = this.#open();
    return core.read(treeKey(key), sequenceOf(core, options));
  }

  async _hasMany(keys: LevelFormat[], options: PrivateOptions): Promise<boolean[]> {
    const core = this.#open();
    const sequence = sequenceOf(core, options);
    return keys.map((key) => core.read(treeKey(key), sequence));
  }

  async _clear(options: KvRange & PrivateOptions): Promise<void> {
    const core = this.#open();
    const range = rangeOf(options);
    if (range.limit === Number.MAX_SAFE_INTEGER && range.snapshot === undefined) {
      const { limit: _, reverse: __, ...bounds } = range;
      await clearRange(core, bounds, levelOf(options));
      return;
    }
    const keys = new KvIterator(core, range, (key) => key);
    await core.write(false, levelOf(options), () => {
      for (const key of keys) core.delete(key);
      return core.batchBytes > 0;
    });
  }

  _iterator(options: KvRange & PrivateOptions): VarveLevelIterator<this, K, V> {
    return new VarveLevelIterator(this, this.#open(), rangeOf(options), options);
  }

  _snapshot(options: object): LevelSnapshot {
    return new LevelSnapshot(options, this.#open().data.snapshot());
  }

  async #openDatabase(directory: string, create: boolean): Promise<Database> {
    try {
      return await open(directory, {
        create,
        wal: { sync: this.#sync },
        ...(this.#runtime === undefined ? {} : { runtime: this.#runtime }),
        ...(this.#vfs === undefined ? {} : { vfs: this.#vfs }),
      });
    } catch (cause) {
      if (!isVarveError(cause, 'NOT_FOUND')) throw cause;
      throw new VarveError('NOT_FOUND', `the database ${directory} does not exist`, { cause });
    }
  }

  #open(): KvCore {
    if (this.#core === undefined) throw new VarveError('CLOSED', 'the database is not open');
    return this.#core;
  }
}

/** What the database had when it was asked for. */
class LevelSnapshot extends SnapshotBase {
  readonly inner: TreeSnapshot;

  constructor(options: object, inner: TreeSnapshot) {
    super(options);
    this.inner = inner;
  }

  async _close(): Promise<void> {
    this.inner.close();
  }
}

function levelOf({ sync }: PrivateOptions): Durability {
  return sync === true ? 'synced' : 'written';
}

function sequenceOf(core: KvCore, { snapshot }: PrivateOptions): number {
  return snapshot === undefined ? core.sequence : core.data.sequenceOf(snapshot.inner);
}

/** A range as abstract-level hands it in: its limit is -1 or Infinity where there is none. */
function rangeOf(options: KvRange & PrivateOptions): KvRange {
  const { gt, gte, lt, lte, reverse = false, limit = -1, snapshot } = options;
  const range: KvRange = {
    reverse,
    limit: limit < 0 || !Number.isFinite(limit) ? Number.MAX_SAFE_INTEGER : limit,
  };
  // Of two bounds on one side, that which takes the key in counts.
  if (gte !== undefined) range.gte = gte;
  else if (gt !== undefined) range.gt = gt;
  if (lte !== undefined) range.lte = lte;
  else if (lt !== undefined) range.lt = lt;
  if (snapshot !== undefined) range.snapshot = (snapshot as unknown as LevelSnapshot).inner;
  return range;
}
