/**
 * The database that campaigns over trees and stores work with: what is in it, and how it is opened.
 *
 * @module
 */

import type { Events } from '../../src/events/events.ts';
import { coreOf, type KvStore } from '../../src/kv/store.ts';
import type { Tree } from '../../src/lsm/tree.ts';
import type { TreeOptions } from '../../src/lsm/tree-options.ts';
import { type Database, open } from '../../src/open.ts';
import type { Vfs } from '../../src/vfs/vfs.ts';
import type { Stage } from './laboratory.ts';
import { WINDOWS_MAX_AGE_MS } from './store-model.ts';
import { type StoreOptions, TREE_NAMES, type TreeName } from './store-steps.ts';

export const STORES_DIRECTORY = '/db';
export const COPY_DIRECTORY = '/copy';

const SMALL: TreeOptions = { memtableBytes: 65_536, tableBytes: 16_384, blockBytes: 512 };

/** What each tree is opened with. */
export function treeOptions(name: TreeName, { compression }: StoreOptions): TreeOptions {
  const options = { ...SMALL, compression };
  if (name === 'lev')
    return { ...options, strategy: { kind: 'leveled', level0Tables: 2, baseBytes: 16_384, factor: 2 } };
  if (name === 'tier') return { ...options, strategy: { kind: 'tiered', minRuns: 2, maxRuns: 3 } };
  if (name === 'win')
    return { ...options, strategy: { kind: 'timeWindow', windowMs: 1000, maxAgeMs: WINDOWS_MAX_AGE_MS } };
  return options;
}

export interface OpenStores {
  database: Database;
  trees: Map<TreeName, Tree>;
  kv: KvStore<string, string, string>;
  events: Events;
}

/** Opens a database with all that campaigns have in it. */
export async function openStores(
  stage: Pick<Stage, 'runtime'>,
  vfs: Vfs,
  options: StoreOptions,
  directory: string = STORES_DIRECTORY,
): Promise<OpenStores> {
  const { sync, walSegmentBytes, expiry } = options;
  const wal = { sync, segmentBytes: walSegmentBytes };
  const database = await open(directory, { runtime: stage.runtime, vfs, wal });
  try {
    const trees = new Map<TreeName, Tree>();
    for (const name of TREE_NAMES) trees.set(name, await database.tree(name, treeOptions(name, options)));
    const kv = await database.kv('s', {
      values: 'utf8',
      keys: 'utf8',
      expiry,
      sweepIntervalMs: 50,
      tree: SMALL,
    });
    return { database, trees, kv, events: await database.events('e') };
  } catch (error) {
    await database.close().catch(() => undefined);
    throw error;
  }
}

/** How far the clock of a store is ahead of the machine's: times that callers name are moved by as much. */
export function aheadMs(kv: OpenStores['kv']): number {
  return coreOf(kv).clock.aheadMs;
}
