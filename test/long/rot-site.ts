/**
 * The databases that rot: small ones, with one of each kind of file, and all that is known about them.
 *
 * @module
 */

import type { CodecName } from '../../src/codec/codec.ts';
import type { LogOptions } from '../../src/log/options.ts';
import { open } from '../../src/open.ts';
import { CrashVfs } from '../../src/testing/testing.ts';
import { createMemoryVfs } from '../../src/vfs/memory.ts';
import { type FileTree, readTree } from '../kit/trees.ts';
import { Contents } from './contents.ts';
import { createStage, type Stage } from './laboratory.ts';
import { Oracle } from './oracle.ts';
import { DIRECTORY, LOG_NAME } from './reads.ts';
import { Session } from './session.ts';

/** A batch as it lies in a segment. */
export interface Batch {
  file: string;
  position: number;
  size: number;
  firstOffset: number;
  lastOffset: number;
  /** How far its segment was synced when it was written. */
  syncedPosition: number;
}

export interface Site {
  name: string;
  stage: Stage;
  contents: Contents;
  options: LogOptions;
  /** Whether the log was closed; otherwise its process has ended. */
  isClosed: boolean;
  files: FileTree;
  batches: readonly Batch[];
  /** Records that are there, and who they are; those before the first one may come back. */
  firstOffset: number;
  sequences: readonly number[];
  /** Records that were removed, but still lie in the first segment. */
  removedFrom: number;
}

/** Batches of two records or so; a segment a second. */
const OPTIONS: LogOptions = {
  rollMs: 1000,
  batchBytes: 100,
  indexIntervalBytes: 150,
  sync: { mode: 'always' },
};

/** The batches in the segments of a tree. */
function batchesOf(files: FileTree): Batch[] {
  const batches: Batch[] = [];
  for (const [file, bytes] of files) {
    if (!/\/\d{20}\.log$/.test(file)) continue;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (let position = 0; position < bytes.length; ) {
      const size = view.getInt32(position + 8) + 12;
      const firstOffset = Number(view.getBigInt64(position));
      const lastOffset = firstOffset + view.getInt32(position + 23);
      batches.push({
        file,
        position,
        size,
        firstOffset,
        lastOffset,
        syncedPosition: view.getInt32(position + 12),
      });
      position += size;
    }
  }
  return batches;
}

/** What of a site is needed to change its batches, and to use it then. */
export type BatchSite = Pick<Site, 'stage' | 'options' | 'files' | 'batches'>;

/** Makes a database with a log of a few compressed batches. */
export async function createCompressedSite(compression: CodecName): Promise<BatchSite> {
  const stage = createStage();
  const vfs = createMemoryVfs();
  const options: LogOptions = { compression, batchBytes: 1000, segmentBytes: 4096, sync: { mode: 'never' } };
  const database = await open(DIRECTORY, { vfs, runtime: stage.runtime });
  const log = await database.log(LOG_NAME, options);
  const lines = Array.from({ length: 120 }, (_, i) => ({
    key: `${i % 3}`,
    value: `line ${i} of many that say nearly the same`,
  }));
  await log.appendMany(lines);
  await database.close();
  const files = await readTree(vfs, DIRECTORY);
  return { stage, options, files, batches: batchesOf(files) };
}

/**
 * Makes a database with some segments, a torn write in quarantine, and a beginning that was cut off.
 *
 * @param isClosed whether the log is closed in the end
 */
export async function createSite(seed: number, isClosed: boolean): Promise<Site> {
  const stage = createStage();
  const contents = new Contents(seed, (_, bytes) => bytes);
  const early = new Oracle();
  const before = new CrashVfs();
  const first = new Session({
    stage,
    vfs: before,
    oracle: early,
    contents,
    log: { ...OPTIONS, sync: { mode: 'never' } },
  });
  await first.open();
  await first.take([
    { do: 'append', bytes: [20, 30], wait: true },
    { do: 'sync' },
    { do: 'append', bytes: [700], wait: true },
  ]);
  // The first sector of the last write is on the disk, and the second is not: that is put into quarantine.
  const choices = before
    .crashChoices()
    .map(({ options, position = 0 }) => (position === 0 ? options - 1 : 0));
  const vfs = before.preview({ choices });
  const oracle = early.copy();
  await first.close();

  const session = new Session({ stage, vfs, oracle, contents, log: OPTIONS });
  await session.open(oracle.bounds('synced'));
  await session.take([
    { do: 'append', bytes: [10, 40, 50, 15, 90, 33], wait: true },
    { do: 'pass', ms: 1000 },
    { do: 'many', bytes: [60, 20, 70, 80, 5, 33, 90, 44], wait: true },
    { do: 'truncate', share: 0.2 },
    { do: 'pass', ms: 1000 },
    { do: 'append', bytes: [120, 60, 0], wait: true },
    { do: 'append', bytes: [35], wait: true },
    { do: 'append', bytes: [45, 55], wait: true },
  ]);
  if (isClosed) await session.close();
  const files = await readTree(vfs.preview({ seed: 1, keep: 1, sectorBytes: 512 }), DIRECTORY);
  await session.close();
  const found = oracle.known();
  const batches = batchesOf(files);
  return {
    name: isClosed ? 'closed' : 'not closed',
    stage,
    contents,
    options: OPTIONS,
    isClosed,
    files,
    batches,
    firstOffset: found.firstOffset,
    sequences: found.sequences,
    removedFrom: batches[0]?.firstOffset ?? 0,
  };
}
