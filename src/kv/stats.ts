/** What can be told about a store, and how its keys are counted. */

import { booleanOption, checkOptions } from '../options.ts';
import type { KvCore } from './core.ts';
import { KvIterator, type KvRange } from './range.ts';

export interface KvStats {
  name: string;
  /** Keys that have not expired; undefined where they were not counted. */
  keys: number | undefined;
  /** How many of them will expire. */
  keysWithTtl: number | undefined;
  /** Bytes of all keys and their values; without `maxBytes`, undefined where they were not counted. */
  usedBytes: number | undefined;
  /** Keys that were removed since the store was opened because they had expired. */
  expired: number;
  /** Values, also older ones of the same key, that were dropped because they had expired while tables were written. */
  dropped: number;
  /** Keys that were removed since the store was opened to make room under `maxBytes`. */
  evicted: number;
  /** Reads of single keys since the store was opened that have found something, or nothing. */
  hits: number;
  misses: number;
  /**
   * How far the clock of the store is ahead of the machine's, in milliseconds, since it does not go back with it; 0
   * where that is less than a second.
   */
  clockAheadMs: number;
  /**
   * Shared memory that the store has for what is not in tables yet, and what its tables take on the disk. What is
   * not in tables is in the write-ahead log, which all trees of the database share: `log` is what that takes on the
   * disk. Beside that there is the cache of blocks: see `db.metrics().trees`.
   */
  bytes: { memory: number; disk: number; log: number };
}

/** Entries that are counted before others get their turn. */
const TURN_ENTRIES = 20_000;

/** Counts the keys of a range, from one moment, in pieces between which others get their turn. */
export async function countAll(
  core: KvCore,
  range: KvRange,
): Promise<{ keys: number; keysWithTtl: number; bytes: number }> {
  let [keys, keysWithTtl, bytes] = [0, 0, 0];
  const entries = new KvIterator(core, range, (key, value, expiryMs) => {
    keys++;
    if (expiryMs !== 0) keysWithTtl++;
    bytes += key.length + value.length;
  });
  try {
    while (entries.next().done !== true)
      if (keys % TURN_ENTRIES === 0) await new Promise<void>((resolve) => core.nextTurn(resolve));
  } finally {
    entries.close();
  }
  await core.covered(entries.hiddenMs);
  return { keys, keysWithTtl, bytes };
}

/** The stats of a store. */
export async function statsOf(name: string, core: KvCore, options: { count?: boolean }): Promise<KvStats> {
  checkOptions('options', options, ['count']);
  const counted = booleanOption('count', options.count, true) ? await countAll(core, {}) : undefined;
  const trees = [core.data.stats(), core.time.stats()];
  return {
    name,
    keys: counted?.keys,
    keysWithTtl: counted?.keysWithTtl,
    usedBytes: core.directory?.bytes ?? counted?.bytes,
    ...core.counts,
    clockAheadMs: core.clock.aheadMs,
    dropped: trees[0]?.work.droppedEntries ?? 0,
    bytes: {
      memory: trees.reduce((sum, { memtableBytes }) => sum + memtableBytes, 0),
      disk: trees.reduce((sum, { tableBytes }) => sum + tableBytes, 0),
      log: core.data.walBytes,
    },
  };
}
