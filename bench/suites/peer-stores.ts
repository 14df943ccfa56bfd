/**
 * The peers, set up for what varve does in the same row: raw bytes, the record's number as its key, no
 * compression, and no sync. Each in the way that proved the fastest of those that fit its interface.
 *
 * @module
 */

import type { LevelDatabase, LmdbDatabase, Peer } from '../peers.ts';
import type { Context } from '../suite.ts';
import { closedLoop, perSecond, recordAt } from '../workload.ts';

/** A store that is there, or the reason why it is not. */
export type Opened<T> =
  | { readonly store: T; readonly missing: null }
  | { readonly store: null; readonly missing: string };

function absent(peer: Peer<unknown>): { store: null; missing: string } {
  return { store: null, missing: peer.missing ?? 'unknown' };
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

export function openLmdb(context: Context): Opened<LmdbStore> {
  const peer = context.peers.load('lmdb');
  if (peer.module === null) return absent(peer);
  const db = peer.module.open({
    path: `${context.directory}/lmdb`,
    encoding: 'binary',
    keyEncoding: 'uint32',
    noSync: true,
    noMemInit: true,
  });
  return { store: new LmdbStore(db), missing: null };
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

export async function openLevel(context: Context): Promise<Opened<LevelStore>> {
  const peer = context.peers.load('classic-level');
  if (peer.module === null) return absent(peer);
  const db = new peer.module.ClassicLevel(`${context.directory}/level`, {
    keyEncoding: 'buffer',
    valueEncoding: 'buffer',
    compression: false,
  });
  await db.open();
  return { store: new LevelStore(db), missing: null };
}
