/**
 * What a strategy of the matrix is tried on: a log, or a tree whose write-ahead log has the policy. Both take the
 * next record, and both have a log that tells how far its writes have come.
 *
 * @module
 */

import type { Clock } from '../clock.ts';
import { RECORD_BYTES_DEFAULT, SEGMENT_BYTES_DEFAULT } from '../limits.ts';
import { Log } from '../log/log.ts';
import { SPARE_FILE } from '../log/names.ts';
import { Tree } from '../lsm/tree.ts';
import { Trees } from '../lsm/trees.ts';
import type { Runtime } from '../runtime.ts';
import { dsyncVfs } from '../vfs/dsync.ts';
import { nodeVfs } from '../vfs/node.ts';
import { joinPath, type Vfs } from '../vfs/vfs.ts';
import type { PolicyStrategy } from './matrix.ts';

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
  /** Draws the keys of a tree. */
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
  return strategy.store === 'tree' ? openTree(strategy, options, vfs) : openLog(strategy, options, vfs);
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

/** Keys come in random order, so that a tree has to sort them. */
async function openTree(
  { sync }: PolicyStrategy,
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
    },
  });
  try {
    const tree = new Tree(trees, await trees.tree('lab', {}));
    const send = (value: Buffer): Promise<number> => {
      const key = Buffer.allocUnsafe(KEY_BYTES);
      for (let at = 0; at < KEY_BYTES; at += 4) key.writeInt32LE((random() * 2 ** 32) | 0, at);
      return tree.put(key, value);
    };
    return { log: trees.wal, send, close: () => trees.close() };
  } catch (error) {
    await trees.close();
    throw error;
  }
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
