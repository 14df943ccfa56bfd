/**
 * A store of keys with values that may expire: the handle that callers have. It checks what they ask for, turns keys
 * and values into bytes and back, and hands them to the core.
 *
 * @module
 */

import { VarveError } from '../errors.ts';
import type { TreeSnapshot } from '../lsm/snapshot.ts';
import { checkInteger, checkOptions } from '../options.ts';
import { type KvChange, type KvChangesOptions, readKvChanges } from './changes.ts';
import type { ValueCodec } from './codecs.ts';
import type { KvCore } from './core.ts';
import { type ImportOptions, importLines } from './import.ts';
import { callerKey, treeKey } from './layout.ts';
import { KvIterator, type KvKey, type KvRange } from './range.ts';
import { countAll, type KvStats, statsOf } from './stats.ts';
import type { Sweeper } from './sweeper.ts';
import { exportLines } from './transfer.ts';
import {
  clearRange,
  incrementBy,
  type KvDurability,
  levelOf,
  type SetOptions,
  setExpiry,
  setValue,
  type TouchOptions,
  type WriteLevel,
} from './writes.ts';

/** Reads what a snapshot sees. */
export interface KvReadOptions {
  snapshot?: TreeSnapshot;
}

/** A value, and what is known of it. */
export interface KvEntry<V> {
  value: V;
  /** The sequence number of the write that has set it, for `ifVersion`. */
  version: number;
  /** When it expires, in milliseconds since the epoch; undefined where it does not. */
  expiresAt: number | undefined;
}

/** What a store is made of. */
export interface StoreParts<K, V> {
  name: string;
  core: KvCore;
  sweeper: Sweeper | undefined;
  codec: ValueCodec<V>;
  /** Makes of a key what is handed out. */
  keyOf: (key: Buffer) => K;
}

/** The inside of a store, for other faces of it. */
export let coreOf: <K, V, I>(store: KvStore<K, V, I>) => KvCore;

export class KvStore<K = string, V = Buffer, I = V> {
  static {
    coreOf = (store) => store.#core;
  }

  readonly name: string;
  readonly #core: KvCore;
  readonly #sweeper: Sweeper | undefined;
  readonly #codec: ValueCodec<V>;
  readonly #keyOf: (key: Buffer) => K;

  /** Use `db.kv`. */
  constructor({ name, core, sweeper, codec, keyOf }: StoreParts<K, V>) {
    this.name = name;
    this.#core = core;
    this.#sweeper = sweeper;
    this.#codec = codec;
    this.#keyOf = (key) => keyOf(callerKey(key));
  }

  /** What its values are. */
  get values(): ValueCodec<V>['name'] {
    return this.#codec.name;
  }

  /** Whether its database was closed, or is being closed. */
  get isClosed(): boolean {
    return this.#core.data.isClosed;
  }

  /** The largest value, in bytes; the largest key has 65,525. */
  get maxValueBytes(): number {
    return this.#core.maxValueBytes;
  }

  /**
   * Sets the value of a key. Unless `keepTtl` is given, it expires only if `ttlMs` or `expiresAt` say so.
   *
   * @returns the version, once the write has reached the level; undefined where a condition does not hold
   * @throws TypeError, RangeError where an argument is wrong
   * @throws VarveError `NO_SPACE` (also where `maxBytes` leaves no room), `IO`, `POISONED`, `CLOSED`, `READ_ONLY`,
   * `NO_MEMORY`
   */
  set(key: KvKey, value: I | V, options?: SetOptions): Promise<number | undefined> {
    try {
      return setValue(this.#core, treeKey(key), this.#codec.encode(value as V), options);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** Sets many keys together: after a crash all of them are set, or none. */
  setMany(
    entries: Iterable<readonly [KvKey, I | V]>,
    options?: Pick<SetOptions, 'ttlMs' | 'expiresAt' | 'durability'>,
  ): Promise<number | undefined> {
    try {
      const core = this.#core;
      checkOptions('options', options ?? {}, ['ttlMs', 'expiresAt', 'durability']);
      const expiryMs = setExpiry(core, options ?? {}) ?? 0;
      const puts = Array.from(pairsOf(entries), ([key, value]) => ({
        key: treeKey(key),
        value: this.#codec.encode(value as V),
        expiryMs,
      }));
      return core.write(false, levelOf(options), () => {
        core.putAll(puts);
        return puts.length > 0;
      });
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** The value of a key, at once; undefined where there is none, or it has expired. */
  getSync(key: KvKey, options?: KvReadOptions): V | undefined {
    const core = this.#core;
    if (core.read(treeKey(key), this.#sequenceOf(options))) return this.#codec.decode(core.copyValue());
    if (core.hiddenMs !== 0) core.coverSoon(core.hiddenMs);
    return undefined;
  }

  /**
   * The value of a key; undefined where there is none, or it has expired.
   *
   * @throws TypeError, RangeError where the key is wrong; SyntaxError where the value is no JSON
   * @throws VarveError `CORRUPT`, `IO`, `CLOSED`, `NO_MEMORY`, and those of a write: that a key has expired is
   * written down before it is told
   */
  get(key: KvKey, options?: KvReadOptions): Promise<V | undefined> {
    return this.#told(() => this.getSync(key, options));
  }

  /** The value of a key with its version and when it expires, at once. */
  getEntrySync(key: KvKey, options?: KvReadOptions): KvEntry<V> | undefined {
    const core = this.#core;
    if (core.read(treeKey(key), this.#sequenceOf(options))) {
      const { version, expiryMs } = core;
      const value = this.#codec.decode(core.copyValue());
      return { value, version, expiresAt: core.clock.told(expiryMs) };
    }
    if (core.hiddenMs !== 0) core.coverSoon(core.hiddenMs);
    return undefined;
  }

  /** The value of a key with its version and when it expires. */
  getEntry(key: KvKey, options?: KvReadOptions): Promise<KvEntry<V> | undefined> {
    return this.#told(() => this.getEntrySync(key, options));
  }

  /** The values of several keys, in their order, all as they are at the same moment; at once. */
  getManySync(keys: readonly KvKey[], options?: KvReadOptions): (V | undefined)[] {
    let hiddenMs = 0;
    const found = listOf(keys).map((key) => {
      const value = this.getSync(key, options);
      hiddenMs = Math.max(hiddenMs, this.#core.hiddenMs);
      return value;
    });
    this.#core.hiddenMs = hiddenMs;
    return found;
  }

  /** The values of several keys, in their order, all as they are at the same moment. */
  getMany(keys: readonly KvKey[], options?: KvReadOptions): Promise<(V | undefined)[]> {
    return this.#told(() => this.getManySync(keys, options));
  }

  /** Whether a key is there, at once. */
  hasSync(key: KvKey, options?: KvReadOptions): boolean {
    const core = this.#core;
    const isThere = core.read(treeKey(key), this.#sequenceOf(options));
    if (core.hiddenMs !== 0) core.coverSoon(core.hiddenMs);
    return isThere;
  }

  has(key: KvKey, options?: KvReadOptions): Promise<boolean> {
    return this.#told(() => this.hasSync(key, options));
  }

  /** How long a key has, in milliseconds; Infinity where it does not expire, undefined where it is not there. */
  ttlSync(key: KvKey, options?: KvReadOptions): number | undefined {
    const core = this.#core;
    if (core.find(treeKey(key), this.#sequenceOf(options)))
      return core.expiryMs === 0 ? Infinity : core.expiryMs - core.clock.now();
    if (core.hiddenMs !== 0) core.coverSoon(core.hiddenMs);
    return undefined;
  }

  ttl(key: KvKey, options?: KvReadOptions): Promise<number | undefined> {
    return this.#told(() => this.ttlSync(key, options));
  }

  /**
   * Deletes a key.
   *
   * @returns whether it was there
   */
  async delete(key: KvKey, options?: WriteLevel): Promise<boolean> {
    return (await this.deleteMany([key], options)) === 1;
  }

  /**
   * Deletes keys together.
   *
   * @returns how many of them were there
   */
  async deleteMany(keys: readonly KvKey[], options?: WriteLevel): Promise<number> {
    const core = this.#core;
    const wanted = new Map(
      listOf(keys)
        .map(treeKey)
        .map((key) => [Buffer.from(key).toString('latin1'), key]),
    );
    let count = 0;
    await core.write(true, levelOf(options, ['durability']), () => {
      for (const key of wanted.values()) {
        if (core.find(key, core.data.latest)) count++;
        else if (core.hiddenMs === 0) continue;
        core.delete(key);
      }
      return core.batchBytes > 0;
    });
    return count;
  }

  /**
   * Lets a key live for ever.
   *
   * @returns whether it was there
   */
  async persist(key: KvKey, options?: WriteLevel): Promise<boolean> {
    return await this.#expire(treeKey(key), () => 0, levelOf(options, ['durability']));
  }

  /**
   * Gives a key another time to live, from now on.
   *
   * @returns whether it was there
   */
  async touch(key: KvKey, options: TouchOptions): Promise<boolean> {
    checkOptions('options', options, ['ttlMs', 'expiresAt', 'durability']);
    const expiryMs = setExpiry(this.#core, options);
    if (expiryMs === undefined) throw new TypeError('touch needs ttlMs or expiresAt');
    return await this.#expire(treeKey(key), () => expiryMs, levelOf(options));
  }

  /**
   * Adds to a number, which is kept as decimal digits; one that is not there is 0. It keeps its time to live; a new
   * one gets that of the options.
   *
   * @param by what is added; 1 unless given
   * @returns the sum
   * @throws RangeError where the value is no whole number, or the sum would not be one that JavaScript has exactly
   */
  async increment(key: KvKey, by = 1, options?: TouchOptions): Promise<number> {
    checkOptions('options', options ?? {}, ['ttlMs', 'expiresAt', 'durability']);
    checkInteger('by', by, Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER);
    return await incrementBy(this.#core, treeKey(key), by, options);
  }

  /** Goes through keys and values in the order of keys, as they are now. */
  entries(range: KvRange = {}): KvIterator<[key: K, value: V]> {
    return new KvIterator(this.#core, range, (key, value) => [this.#keyOf(key), this.#codec.decode(value)]);
  }

  /** Like `entries`, for keys only. */
  keys(range: KvRange = {}): KvIterator<K> {
    return new KvIterator(this.#core, range, (key) => this.#keyOf(key));
  }

  /** Goes through the keys that begin with something. */
  scan(prefix: KvKey, range: Omit<KvRange, 'prefix'> = {}): KvIterator<[key: K, value: V]> {
    checkOptions('options', range, ['gt', 'gte', 'lt', 'lte', 'reverse', 'limit', 'snapshot']);
    treeKey(prefix);
    return this.entries({ ...range, prefix });
  }

  /** Like `entries`, and tells when each key expires: undefined where it does not. */
  entriesWithExpiry(range: KvRange = {}): KvIterator<[key: K, value: V, expiresAt: number | undefined]> {
    return new KvIterator(this.#core, range, (key, value, expiryMs) => [
      this.#keyOf(key),
      this.#codec.decode(value),
      this.#core.clock.told(expiryMs),
    ]);
  }

  /** How many keys there are, which is found out by going through them: a million in less than a second. */
  async count(range: KvRange = {}): Promise<number> {
    return (await countAll(this.#core, range)).keys;
  }

  /** Deletes all keys, or those of a range, together. */
  async clear(range: Omit<KvRange, 'reverse' | 'limit' | 'snapshot'> & WriteLevel = {}): Promise<void> {
    checkOptions('options', range, ['gt', 'gte', 'lt', 'lte', 'prefix', 'durability']);
    const { durability, ...keys } = range;
    // What was to be one user's keys must not become everybody's.
    for (const [name, key] of Object.entries(keys))
      if (key === undefined) throw new TypeError(`${name} must be bytes or a string, not undefined`);
    await clearRange(this.#core, keys, levelOf({ durability }));
  }

  /** What there is now, to be read later. It is to be closed. */
  snapshot(): TreeSnapshot {
    return this.#core.data.snapshot();
  }

  /**
   * The changes of the store in the order in which they were written, as far back as the write-ahead log goes. Keys
   * that were dropped because they had expired while tables were merged are not told of.
   *
   * @throws TypeError, RangeError where an option is wrong; the iterator throws VarveError `OUT_OF_RANGE`,
   * `CORRUPT`, `CLOSED`, `IO`
   */
  changes(options: KvChangesOptions = {}): AsyncIterableIterator<KvChange<K, V>> {
    return readKvChanges(this.#core, options, this.#keyOf, this.#codec);
  }

  /** All keys, as they are now, as lines of JSON without their ends. */
  exportLines(range: KvRange = {}): IterableIterator<string> {
    return exportLines(this.#core, this.#codec, range);
  }

  /**
   * Sets what lines of JSON say, as `exportLines` gives them: all of it, or nothing where anything is wrong, also after
   * a crash. More than half a mebibyte is put in place in pieces; meanwhile other writes wait, and readers of this
   * process see the store as it was before. With `maxBytes`, it must fit into one batch.
   *
   * @returns how many keys were set; those that have expired are left out
   */
  async importLines(
    lines: Iterable<string> | AsyncIterable<string>,
    options: ImportOptions = {},
  ): Promise<number> {
    return await importLines(this.#core, this.#codec, lines, options);
  }

  /** Removes all keys that have expired and are in the index by time, without waiting for the background. */
  async sweep(): Promise<void> {
    if (this.#core.isReadOnly)
      throw new VarveError('READ_ONLY', `the store ${this.name} is open for reading only`);
    await this.#sweeper?.sweep();
  }

  /**
   * Sizes and counts.
   *
   * @param options `count: false` leaves out how many keys there are, for which all of them are gone through
   */
  async stats(options: { count?: boolean } = {}): Promise<KvStats> {
    return await statsOf(this.name, this.#core, options);
  }

  async #expire(key: Uint8Array, expiryOf: () => number, level: KvDurability | undefined): Promise<boolean> {
    const core = this.#core;
    const written = await core.write(true, level, () => {
      if (!core.find(key, core.data.latest)) return false;
      core.put(key, core.copyValue(), expiryOf());
      return true;
    });
    return written !== undefined;
  }

  /** Answers, once nothing can come back that was found to have expired. */
  #told<T>(read: () => T): Promise<T> {
    try {
      const core = this.#core;
      core.hiddenMs = 0;
      const answer = read();
      const covered = core.covered(core.hiddenMs);
      return covered === undefined ? Promise.resolve(answer) : covered.then(() => answer);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #sequenceOf(options: KvReadOptions | undefined): number {
    if (options === undefined) return this.#core.sequence;
    checkOptions('options', options, ['snapshot']);
    const { snapshot } = options;
    return snapshot === undefined ? this.#core.sequence : this.#core.data.sequenceOf(snapshot);
  }
}

/** The same, where it is a list: a string is one of its characters, and an object has no keys to it. */
function listOf(keys: readonly KvKey[]): readonly KvKey[] {
  if (!Array.isArray(keys)) throw new TypeError('keys must be an array');
  return keys as readonly KvKey[];
}

function* pairsOf<T>(entries: Iterable<readonly [KvKey, T]>): Generator<readonly [KvKey, T]> {
  if (typeof entries !== 'object' || entries === null || !(Symbol.iterator in entries))
    throw new TypeError('entries must be an iterable of [key, value]');
  for (const entry of entries) {
    if (!Array.isArray(entry) || entry.length !== 2) throw new TypeError('an entry must be [key, value]');
    yield entry;
  }
}
