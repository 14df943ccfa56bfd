/**
 * Ordered stores behind one face: varve's tree, lmdb and classic-level, with keys of 16 bytes and values of 100,
 * no compression; each in the way that proved the fastest of those that its interface has.
 *
 * @module
 */

import { rmSync } from 'node:fs';
import type { Context } from '../suite.ts';
import { recordAt } from '../workload.ts';

/** What the benches do with a store. */
export interface OrderedStore {
  /** Writes one record for each number, in batches of 1,000, without waiting for the disk. */
  fill(numbers: Float64Array): Promise<void>;
  /** Writes one record, and waits until it is on the disk. */
  putSynced(number: number): Promise<unknown>;
  /** The value of a key, or undefined. */
  get(key: Buffer): Buffer | undefined;
  /** Bytes of all values, in order. */
  scan(isBackward: boolean): Promise<number>;
  /** Looks for the first entry from a key on; whether there is one. */
  seek(key: Buffer): Promise<boolean>;
  close(): Promise<void>;
}

/** Opens a store in a directory of its own. */
export interface Stores {
  readonly missing: string | null;
  readonly open: (name: string) => Promise<OrderedStore>;
  readonly remove: (name: string) => void;
}

const BATCH = 1000;
export const KEY_BYTES = 16;

/** The key of a record, as db_bench has it: a number in decimal digits. */
export function keyAt(number: number): Buffer {
  return Buffer.from(String(number).padStart(KEY_BYTES, '0'), 'latin1');
}

/** A key that no record has, right behind one that does. */
export function missingKeyAt(number: number): Buffer {
  return Buffer.from(`${String(number).padStart(KEY_BYTES, '0')}.`, 'latin1');
}

function paths(
  context: Context,
  engine: string,
): { path: (name: string) => string; remove: (name: string) => void } {
  const path = (name: string): string => `${context.directory}/${engine}-${name}`;
  return { path, remove: (name) => rmSync(path(name), { recursive: true, force: true }) };
}

export function varveTrees(context: Context): Stores {
  const { path, remove } = paths(context, 'varve');
  return {
    missing: null,
    remove,
    async open(name) {
      const db = await context.engine.open(path(name), { wal: { sync: { mode: 'never' } } });
      const tree = await db.tree('records');
      return {
        async fill(numbers) {
          for (let i = 0; i < numbers.length; i += BATCH) {
            const batch = db.batch();
            const end = Math.min(i + BATCH, numbers.length);
            for (let j = i; j < end; j++) batch.put(tree, keyAt(numbers[j]!), recordAt(j));
            await batch.write();
          }
        },
        putSynced: (number) => tree.put(keyAt(number), recordAt(number), { durability: 'synced' }),
        get: (key) => tree.getSync(key),
        async scan(reverse) {
          let bytes = 0;
          for (const [, value] of tree.entries({ reverse })) bytes += value.length;
          return bytes;
        },
        async seek(gte) {
          for (const _ of tree.entries({ gte, limit: 1 })) return true;
          return false;
        },
        close: () => db.close(),
      };
    },
  };
}

interface LmdbTree {
  put(key: Buffer, value: Buffer): Promise<boolean>;
  getBinary(key: Buffer): Buffer | undefined;
  getRange(options: {
    reverse?: boolean;
    start?: Buffer;
    limit?: number;
    snapshot?: boolean;
  }): Iterable<{ value: Buffer }>;
  readonly flushed: Promise<boolean>;
  close(): Promise<void>;
}

export function lmdbTrees(context: Context, isSynced: boolean): Stores {
  const peer = context.peers.load('lmdb');
  const { path, remove } = paths(context, isSynced ? 'lmdb-synced' : 'lmdb');
  return {
    missing: peer.missing,
    remove,
    async open(name) {
      const open = peer.module!.open as unknown as (options: object) => LmdbTree;
      const db = open({
        path: path(name),
        encoding: 'binary',
        keyEncoding: 'binary',
        noSync: !isSynced,
        noMemInit: true,
      });
      return {
        async fill(numbers) {
          let last: Promise<unknown> | undefined;
          for (let i = 0; i < numbers.length; i++) {
            last = db.put(keyAt(numbers[i]!), recordAt(i));
            if (i % (10 * BATCH) === 0) await last;
          }
          await last;
        },
        async putSynced(number) {
          await db.put(keyAt(number), recordAt(number));
          await db.flushed;
        },
        get: (key) => db.getBinary(key),
        async scan(reverse) {
          let bytes = 0;
          for (const { value } of db.getRange({ reverse, snapshot: false })) bytes += value.length;
          return bytes;
        },
        async seek(start) {
          for (const _ of db.getRange({ start, limit: 1, snapshot: false })) return true;
          return false;
        },
        close: () => db.close(),
      };
    },
  };
}

interface LevelTree {
  open(): Promise<void>;
  batch(operations: readonly { type: 'put'; key: Buffer; value: Buffer }[]): Promise<void>;
  put(key: Buffer, value: Buffer, options: { sync: boolean }): Promise<void>;
  getSync(key: Buffer): Buffer | undefined;
  iterator(options: object): {
    nextv(size: number): Promise<[Buffer, Buffer][]>;
    close(): Promise<void>;
  };
  close(): Promise<void>;
}

export function levelTrees(context: Context): Stores {
  const peer = context.peers.load('classic-level');
  const { path, remove } = paths(context, 'level');
  return {
    missing: peer.missing,
    remove,
    async open(name) {
      const { ClassicLevel } = peer.module! as unknown as {
        ClassicLevel: new (at: string, options: object) => LevelTree;
      };
      const db = new ClassicLevel(path(name), {
        keyEncoding: 'buffer',
        valueEncoding: 'buffer',
        compression: false,
      });
      await db.open();
      return {
        async fill(numbers) {
          for (let i = 0; i < numbers.length; i += BATCH) {
            const some = numbers.subarray(i, i + BATCH);
            await db.batch(
              Array.from(some, (number, j) => ({
                type: 'put' as const,
                key: keyAt(number),
                value: recordAt(i + j),
              })),
            );
          }
        },
        putSynced: (number) => db.put(keyAt(number), recordAt(number), { sync: true }),
        get: (key) => db.getSync(key),
        async scan(reverse) {
          let bytes = 0;
          const iterator = db.iterator({ reverse });
          for (;;) {
            const entries = await iterator.nextv(BATCH);
            if (entries.length === 0) break;
            for (const [, value] of entries) bytes += value.length;
          }
          await iterator.close();
          return bytes;
        },
        async seek(gte) {
          const iterator = db.iterator({ gte, limit: 1 });
          const entries = await iterator.nextv(1);
          await iterator.close();
          return entries.length === 1;
        },
        close: () => db.close(),
      };
    },
  };
}
