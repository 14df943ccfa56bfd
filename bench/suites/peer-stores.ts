/**
 * The peers, set up for what varve does in the same row: raw bytes, the record's number as its key, no
 * compression, and no sync. Each in the way that proved the fastest of those that fit its interface.
 *
 * @module
 */

import { rmSync } from 'node:fs';
import type { LevelDatabase, LmdbDatabase } from '../peers.ts';
import type { Context } from '../suite.ts';
import { closedLoop, perSecond, recordAt } from '../workload.ts';

/** Opens stores of a peer, or says why it cannot. */
export interface Stores<Store> {
  readonly missing: string | null;
  /** Opens a store in the suite's directory; only where the peer is not missing. */
  open(): Promise<Store>;
  /** Runs something on a new store, which is closed and removed afterwards. */
  withFresh(measure: (store: Store) => number | Promise<number>): Promise<number>;
}

function stores<Store extends { close(): Promise<void> }>(
  path: string,
  missing: string | null,
  open: () => Promise<Store>,
): Stores<Store> {
  return {
    missing,
    open,
    async withFresh(measure) {
      const store = await open();
      try {
        return await measure(store);
      } finally {
        await store.close();
        rmSync(path, { recursive: true });
      }
    },
  };
}

/** lmdb with keys that are unsigned 32-bit integers, which it orders and encodes natively. */
export class LmdbStore {
  readonly #db: LmdbDatabase;
  #next = 0;

  constructor(db: LmdbDatabase) {
    this.#db = db;
  }

  /**
   * Puts records and waits for every 10,000th: lmdb gathers what comes meanwhile into one transaction of
   * its writer thread. (Every 1,000th was slower by a quarter.)
   *
   * @returns records a second
   */
  async putAll(count: number): Promise<number> {
    const db = this.#db;
    const began = performance.now();
    let last: Promise<boolean> | undefined;
    for (let i = 1; i <= count; i++) {
      last = db.put(this.#next++, recordAt(i));
      if (i % 10_000 === 0) await last;
    }
    await last;
    return perSecond(count, began);
  }

  /** Puts records from callers that each wait for their own; returns records a second. */
  putFromClients(clients: number, count: number): Promise<number> {
    const db = this.#db;
    return closedLoop(clients, count, (i) => db.put(this.#next++, recordAt(i)));
  }

  /** Reads records by their number; returns reads a second. */
  getAll(keys: Float64Array): number {
    const db = this.#db;
    const began = performance.now();
    let bytes = 0;
    for (let i = 0; i < keys.length; i++) bytes += db.getBinary(keys[i]!)!.length;
    const rate = perSecond(keys.length, began);
    if (bytes !== keys.length * recordAt(0).length) throw new Error('lmdb lost a record');
    return rate;
  }

  /** Reads everything in order; returns records a second. */
  scan(): number {
    const began = performance.now();
    let count = 0;
    let bytes = 0;
    for (const { value } of this.#db.getRange({ snapshot: false })) {
      count++;
      bytes += value.length;
    }
    const rate = perSecond(count, began);
    if (count !== this.#next || bytes !== count * recordAt(0).length) throw new Error('lmdb lost a record');
    return rate;
  }

  close(): Promise<void> {
    return this.#db.close();
  }
}

export function lmdbStores(context: Context): Stores<LmdbStore> {
  const peer = context.peers.load('lmdb');
  const path = `${context.directory}/lmdb`;
  return stores(path, peer.missing, async () => {
    const { open } = peer.module!;
    return new LmdbStore(
      open({ path, encoding: 'binary', keyEncoding: 'uint32', noSync: true, noMemInit: true }),
    );
  });
}

/** classic-level with keys of 8 bytes, big-endian so that they sort as numbers. */
export class LevelStore {
  readonly #db: LevelDatabase;
  readonly #operations: { type: 'put'; key: Buffer; value: Buffer }[];
  #next = 0;

  constructor(db: LevelDatabase) {
    this.#db = db;
    // A batch is copied by the call that hands it in, so the same objects serve for all of them.
    this.#operations = Array.from({ length: 1000 }, (_, i) => {
      return { type: 'put' as const, key: Buffer.alloc(8), value: recordAt(i) };
    });
  }

  /** Writes records in batches of 1,000; returns records a second. */
  async batchAll(count: number): Promise<number> {
    const began = performance.now();
    for (let done = 0; done < count; done += this.#operations.length) {
      for (const { key } of this.#operations) key.writeUInt32BE(this.#next++, 4);
      await this.#db.batch(this.#operations);
    }
    return perSecond(count, began);
  }

  close(): Promise<void> {
    return this.#db.close();
  }
}

export function levelStores(context: Context): Stores<LevelStore> {
  const peer = context.peers.load('classic-level');
  const path = `${context.directory}/level`;
  return stores(path, peer.missing, async () => {
    const { ClassicLevel } = peer.module!;
    const options = { keyEncoding: 'buffer', valueEncoding: 'buffer', compression: false } as const;
    const db = new ClassicLevel(path, options);
    await db.open();
    return new LevelStore(db);
  });
}
