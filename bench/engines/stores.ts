/**
 * Stores that live inside the process: lmdb, classic-level, better-sqlite3. Each has the record's number as
 * its key.
 *
 * @module
 */

import { join } from 'node:path';
import type { Peers } from '../peers.ts';
import { recordAt } from '../workload.ts';
import type { PeerEngine } from './engine.ts';

const BATCH = 1000;

export function lmdbEngine(peers: Peers): PeerEngine {
  const peer = peers.load('lmdb');
  return {
    name: 'lmdb',
    missing: () => peer.missing,
    async open({ directory, isDurable }) {
      const db = peer.module!.open({
        path: join(directory, 'lmdb'),
        encoding: 'binary',
        keyEncoding: 'uint32',
        noSync: !isDurable,
        overlappingSync: false,
        noMemInit: true,
      });
      return {
        append: (value, number) => db.put(number, value),
        async appendAll(count) {
          let last: Promise<boolean> | undefined;
          for (let i = 0; i < count; i++) {
            last = db.put(i, recordAt(i));
            // Every 10,000th is waited for, or the queue grows without bound.
            if (i % 10_000 === 9999) await last;
          }
          await last;
        },
        close: () => db.close(),
      };
    },
  };
}

export function levelEngine(peers: Peers): PeerEngine {
  const peer = peers.load('classic-level');
  return {
    name: 'classic-level',
    missing: () => peer.missing,
    async open({ directory, isDurable }) {
      const db = new peer.module!.ClassicLevel(join(directory, 'level'), {
        keyEncoding: 'buffer',
        valueEncoding: 'buffer',
        compression: false,
      });
      await db.open();
      const keyOf = (number: number): Buffer => {
        const key = Buffer.allocUnsafe(4);
        key.writeUInt32BE(number);
        return key;
      };
      return {
        append: (value, number) => db.put(keyOf(number), value, { sync: isDurable }),
        async appendAll(count) {
          for (let start = 0; start < count; start += BATCH) {
            const operations = Array.from({ length: Math.min(BATCH, count - start) }, (_, i) => ({
              type: 'put' as const,
              key: keyOf(start + i),
              value: recordAt(start + i),
            }));
            await db.batch(operations);
          }
        },
        close: () => db.close(),
      };
    },
  };
}

export function sqliteEngine(peers: Peers): PeerEngine {
  const peer = peers.load('better-sqlite3');
  return {
    name: 'better-sqlite3',
    missing: () => peer.missing,
    async open({ directory, isDurable }) {
      const db = new peer.module!(join(directory, 'records.db'));
      db.pragma('journal_mode = WAL');
      db.pragma(`synchronous = ${isDurable ? 'FULL' : 'OFF'}`);
      db.exec('CREATE TABLE records (number INTEGER PRIMARY KEY, value BLOB) STRICT');
      const insert = db.prepare('INSERT INTO records VALUES (?, ?)');
      const insertMany = db.transaction((start: number, end: number) => {
        for (let i = start; i < end; i++) insert.run(i, recordAt(i));
      });
      return {
        append: async (value, number) => insert.run(number, value),
        async appendAll(count) {
          for (let start = 0; start < count; start += BATCH) {
            insertMany(start, Math.min(count, start + BATCH));
          }
        },
        close: async () => void db.close(),
      };
    },
  };
}
