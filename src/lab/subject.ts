/**
 * What a strategy of the matrix is tried on: a log, or a store on a tree whose write-ahead log has the policy. All take
 * the next record, and have a log that tells how far its writes have come.
 *
 * @module
 */

import type { Clock } from '../clock.ts';
import { Events } from '../events/events.ts';
import { EVENTS_TREE_OPTIONS, eventsTreeName } from '../events/names.ts';
import { KvStores } from '../kv/stores.ts';
import { RECORD_BYTES_DEFAULT, SEGMENT_BYTES_DEFAULT } from '../limits.ts';
import { Log } from '../log/log.ts';
import { SPARE_FILE } from '../log/names.ts';
import { TreeBatch } from '../lsm/batch.ts';
import { Tree } from '../lsm/tree.ts';
import type { TreeOptions } from '../lsm/tree-options.ts';
import { Trees } from '../lsm/trees.ts';
import type { Runtime } from '../runtime.ts';
import { dsyncVfs } from '../vfs/dsync.ts';
import { nodeVfs } from '../vfs/node.ts';
import { joinPath, type Vfs } from '../vfs/vfs.ts';
import type { PolicyStrategy, Store } from './matrix.ts';

export interface Subject {
  /** The log that the records go to first. */
  readonly log: Log;
  /** Writes a record; resolves when it is acknowledged. */
  readonly send: (value: Buffer) => Promise<unknown>;
  readonly close: () => Promise<void>;
}

export interface SubjectOptions {
  /** A directory of its own, which is there. */
  readonly directory: string;
  readonly runtime: Runtime;
  readonly recordBytes: number;
  /** Draws keys. */
  readonly random: () => number;
}

/**
 * Segments that are filled ahead of their use: small, so that filling the first is soon done, before the time
 * that counts; filling those behind it belongs to the price.
 */
export const PREALLOCATED_BYTES: number = 8 * 1024 * 1024;

/** Keys as db_bench has them: 16 bytes. */
const KEY_BYTES = 16;

/** Makes a new, empty one. */
export function openSubject(strategy: PolicyStrategy, options: SubjectOptions): Promise<Subject> {
  const vfs = strategy.dsync ? dsyncVfs : nodeVfs;
  return strategy.store === 'log'
    ? openLog(strategy, options, vfs)
    : openStore(strategy, strategy.store, options, vfs);
}

async function openLog(
  { sync, preallocate }: PolicyStrategy,
  { directory, runtime, recordBytes }: SubjectOptions,
  vfs: Vfs,
): Promise<Subject> {
  const { memory, clock } = runtime;
  const log = await Log.open(
    { name: 'lab', directory, memory, vfs, clock, readOnly: false },
    {
      sync,
      preallocate,
      maxRecordBytes: Math.max(recordBytes, RECORD_BYTES_DEFAULT),
      segmentBytes: preallocate ? PREALLOCATED_BYTES : SEGMENT_BYTES_DEFAULT,
    },
  );
  const subject = { log, send: (value: Buffer) => log.append({ value }), close: () => log.close() };
  if (!preallocate) return subject;
  try {
    await whenPrepared(directory, clock);
  } catch (error) {
    await log.close();
    throw error;
  }
  return subject;
}

async function openStore(
  { sync }: PolicyStrategy,
  store: Exclude<Store, 'log'>,
  { directory, runtime, random }: SubjectOptions,
  vfs: Vfs,
): Promise<Subject> {
  const { memory, clock, pool } = runtime;
  const trees = await Trees.open({
    directory,
    memory,
    vfs,
    clock,
    readOnly: false,
    sync,
    tasks: {
      sortCells: (args) => pool.run('sortCells', args, { vfs }),
      writeRun: (args) => pool.run('writeRun', args, { vfs }),
      mergeTables: (args) => pool.run('mergeTables', args, { vfs }),
      reserve: (bytes) => pool.reserve(bytes),
    },
  });
  const log = trees.wal;
  try {
    if (store === 'tree') {
      const tree = await treeOf(trees, 'lab');
      const send = (value: Buffer): Promise<unknown> => tree.put(randomKey(random), value);
      return { log, send, close: () => trees.close() };
    }
    if (store === 'events') {
      const events = new Events(
        'lab',
        trees,
        await treeOf(trees, eventsTreeName('lab'), EVENTS_TREE_OPTIONS),
      );
      const send = (value: Buffer): Promise<unknown> => events.write({ message: textOf(value) });
      return { log, send, close: () => trees.close() };
    }
    const stores = new KvStores(runtime, {
      readOnly: false,
      tree: (name, options) => treeOf(trees, name, options),
      treeNames: () => Promise.resolve(trees.list.map(({ name }) => name)),
      batch: () => new TreeBatch(trees),
    });
    const kv = await stores.open('lab', { keys: 'bytes' });
    const send = (value: Buffer): Promise<unknown> => kv.set(randomKey(random), value);
    const close = async (): Promise<void> => {
      stores.close();
      await trees.close();
    };
    return { log, send, close };
  } catch (error) {
    await trees.close();
    throw error;
  }
}

async function treeOf(trees: Trees, name: string, options: TreeOptions = {}): Promise<Tree> {
  return new Tree(trees, await trees.tree(name, options));
}

/** Keys come in random order, so that a tree has to sort them. */
function randomKey(random: () => number): Buffer {
  const key = Buffer.allocUnsafe(KEY_BYTES);
  for (let at = 0; at < KEY_BYTES; at += 4) key.writeInt32LE((random() * 2 ** 32) | 0, at);
  return key;
}

/** Payloads as text of as many bytes; there are few of them, and each is asked for again and again. */
const texts = new WeakMap<Buffer, string>();

function textOf(value: Buffer): string {
  const known = texts.get(value);
  if (known !== undefined) return known;
  const text = Buffer.from(value.map((byte) => 32 + (byte % 95))).toString('latin1');
  texts.set(value, text);
  return text;
}

/** Waits until the segment that is filled ahead of its use is whole and durable. */
async function whenPrepared(directory: string, clock: Clock): Promise<void> {
  const path = joinPath(directory, SPARE_FILE);
  for (;;) {
    const bytes = (await nodeVfs.stat(path))?.bytes ?? 0;
    if (bytes === PREALLOCATED_BYTES) break;
    await new Promise<void>((resolve) => void clock.after(1, resolve, true));
  }
  const file = await nodeVfs.open(path, 'write');
  try {
    await file.datasync();
  } finally {
    await file.close();
  }
}
