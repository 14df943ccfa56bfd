/**
 * A store of keys as storage for Keyv: `new Keyv({ store: new KeyvVarve('./data') })`.
 *
 * Keyv hands in keys with their namespace in front, and values that it has serialized; what expires is expired by
 * the store, so it is gone from the disk, too.
 *
 * @module
 */

import { EventEmitter } from 'node:events';
import type { KvStore } from '../kv/store.ts';
import type { SyncPolicy } from '../log/sync-policy.ts';
import { Database, open } from '../open.ts';
import { checkOptions } from '../options.ts';
import type { Runtime } from '../runtime.ts';

export interface KeyvVarveOptions {
  /** Which store of the database it is; `keyv` unless given. */
  name?: string;
  /** When writes reach the disk; all of them do before they are told of, unless given. Not for an open database. */
  sync?: SyncPolicy;
  /** Memory and threads; those that the process shares unless given. Not for an open database. */
  runtime?: Runtime;
}

/** An entry as Keyv hands it in. */
export interface KeyvEntry {
  key: string;
  value: string;
  ttl?: number;
}

type TextStore = KvStore<string, string, string>;

const DEFAULT_STORE = 'keyv';

export class KeyvVarve extends EventEmitter {
  /** Keyv goes through the entries of a storage only where it knows its dialect; this is one that it knows. */
  readonly opts: { dialect: string; url: string } & Record<string, unknown>;
  /** What the keys of whoever uses it begin with, before a colon; Keyv sets it. */
  namespace: string | undefined;
  readonly #place: string | Database;
  readonly #options: KeyvVarveOptions;
  #opening: Promise<{ database: Database; store: TextStore }> | undefined;

  /**
   * @param place the directory of a database, which this one then has for itself from its first use until
   * `disconnect`; or a database that is open, which stays open
   * @throws TypeError where an argument is wrong
   */
  constructor(place: string | Database, options: KeyvVarveOptions = {}) {
    super();
    if (!(place instanceof Database) && (typeof place !== 'string' || place === ''))
      throw new TypeError('the place must be a directory or an open database');
    checkOptions('options', options, ['name', 'sync', 'runtime']);
    this.#place = place;
    this.#options = options;
    this.opts = { dialect: 'sqlite', url: place instanceof Database ? place.directory : place };
  }

  async get<T>(key: string): Promise<T | undefined> {
    // Keyv says what its values are; here they are what it has made of them.
    return (await (await this.#store()).get(key)) as T | undefined;
  }

  async getMany<T>(keys: string[]): Promise<(T | undefined)[]> {
    return (await (await this.#store()).getMany(keys)) as (T | undefined)[];
  }

  /**
   * @param ttl in milliseconds; undefined or 0 is for ever
   * @throws TypeError where the value is no string: Keyv makes one unless it is told not to
   */
  async set(key: string, value: unknown, ttl?: number): Promise<boolean> {
    await (await this.#store()).set(key, value as string, expiryOf(ttl));
    return true;
  }

  /** Sets entries; those with the same time to live together. */
  async setMany(entries: readonly KeyvEntry[]): Promise<void> {
    const store = await this.#store();
    const groups = new Map<number | undefined, [string, string][]>();
    for (const { key, value, ttl } of entries) {
      const group = groups.get(ttl) ?? [];
      groups.set(ttl, group);
      group.push([key, value]);
    }
    await Promise.all(Array.from(groups, ([ttl, group]) => store.setMany(group, expiryOf(ttl))));
  }

  async delete(key: string): Promise<boolean> {
    return await (await this.#store()).delete(key);
  }

  /** Whether any of them was there. */
  async deleteMany(keys: string[]): Promise<boolean> {
    return (await (await this.#store()).deleteMany(keys)) > 0;
  }

  async has(key: string): Promise<boolean> {
    return await (await this.#store()).has(key);
  }

  async hasMany(keys: string[]): Promise<boolean[]> {
    const store = await this.#store();
    return await Promise.all(keys.map((key) => store.has(key)));
  }

  /** Deletes what is in the namespace, or everything where there is none. */
  async clear(): Promise<void> {
    const store = await this.#store();
    await store.clear(this.namespace === undefined ? {} : { prefix: `${this.namespace}:` });
  }

  /** Keys and values of a namespace, or of all. */
  async *iterator<T>(namespace?: string): AsyncGenerator<[string, T], void> {
    const store = await this.#store();
    const range = namespace === undefined ? {} : { prefix: `${namespace}:` };
    for (const entry of store.entries(range)) yield entry as [string, T];
  }

  /** Closes the database, unless it was open before. It is opened again when something is asked for. */
  async disconnect(): Promise<void> {
    const opening = this.#opening;
    this.#opening = undefined;
    const opened = await opening?.catch(() => undefined);
    if (opened !== undefined && opened.database !== this.#place) await opened.database.close();
  }

  async #store(): Promise<TextStore> {
    this.#opening ??= this.#open();
    try {
      return (await this.#opening).store;
    } catch (error) {
      this.#opening = undefined;
      throw error;
    }
  }

  async #open(): Promise<{ database: Database; store: TextStore }> {
    const { name = DEFAULT_STORE, sync, runtime } = this.#options;
    const place = this.#place;
    if (place instanceof Database)
      return { database: place, store: await place.kv(name, { values: 'utf8' }) };
    const database = await open(place, {
      ...(sync === undefined ? {} : { wal: { sync } }),
      ...(runtime === undefined ? {} : { runtime }),
    });
    try {
      return { database, store: await database.kv(name, { values: 'utf8' }) };
    } catch (error) {
      await database.close();
      throw error;
    }
  }
}

function expiryOf(ttl: number | undefined): { ttlMs?: number } {
  return ttl === undefined || ttl <= 0 ? {} : { ttlMs: Math.ceil(ttl) };
}
