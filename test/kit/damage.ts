/**
 * A small log, and ways to damage it. It has one batch a record:
 *
 *     segment 0: offsets 0-3    4: 4-7    8: 8-11    12 (active): 12-14
 *
 * @module
 */

import { open } from '../../src/open.ts';
import { createRuntime, type Runtime } from '../../src/runtime.ts';
import { createMemoryVfs } from '../../src/vfs/memory.ts';
import type { Vfs } from '../../src/vfs/vfs.ts';
import { settle, VirtualClock } from './clock.ts';
import { damageFile, fileBytes, putFile, resizeFile, tree } from './log-kit.ts';

export const DATABASE = '/db';
export const LOG_DIRECTORY: string = `${DATABASE}/logs/events-0`;
export const LOG_OPTIONS = { segmentBytes: 4096, indexIntervalBytes: 1024 } as const;
export const RECORDS = 15;
const VALUE_BYTES = 900;

export function smallRuntime(): Runtime {
  return createRuntime({ memoryBytes: 32 * 1024 * 1024, threads: 1, clock: new VirtualClock() });
}

export function valueOf(offset: number): string {
  return `${offset}`.padEnd(VALUE_BYTES, '.');
}

export function pathOf(base: number, kind: 'log' | 'index' | 'timeindex' = 'log'): string {
  return `${LOG_DIRECTORY}/${String(base).padStart(20, '0')}.${kind}`;
}

/** The same files on another disk; what claimed the directory is gone. */
export async function copyDatabase(from: Vfs, to: Vfs = createMemoryVfs()): Promise<Vfs> {
  await to.mkdir(`${DATABASE}/logs`);
  for (const [path, bytes] of await tree(from, DATABASE)) {
    await to.mkdir(path.slice(0, path.lastIndexOf('/')));
    await putFile(to, path, bytes);
  }
  return to;
}

/** Disks with the log: one of a machine that stopped while it was open, and one where it was closed. */
export async function makeDisks(runtime: Runtime): Promise<{ stopped: Vfs; closed: Vfs }> {
  const vfs = createMemoryVfs();
  const database = await open(DATABASE, { vfs, runtime });
  const log = await database.log('events', LOG_OPTIONS);
  for (let i = 0; i < RECORDS; i++) await log.append({ value: valueOf(i), timestamp: 1000 + i });
  await settle();
  const stopped = await copyDatabase(vfs);
  await database.close();
  return { stopped, closed: vfs };
}

/** All batches have the same size. */
export const BATCH_BYTES = 970;

/** Where a batch lies in its segment's file. */
export function positionOf(base: number, offset: number): number {
  return (offset - base) * BATCH_BYTES;
}

/** Changes a bit in a batch. */
export async function flip(vfs: Vfs, base: number, offset: number, at = 200, mask = 0x40): Promise<void> {
  await damageFile(vfs, pathOf(base), positionOf(base, offset) + at, mask);
}

/** Ends a segment's file within a batch. */
export async function cut(vfs: Vfs, base: number, offset: number, at: number): Promise<void> {
  await resizeFile(vfs, pathOf(base), positionOf(base, offset) + at);
}

export async function appendBytes(vfs: Vfs, path: string, bytes: Uint8Array): Promise<void> {
  await putFile(vfs, path, Buffer.concat([await fileBytes(vfs, path), bytes]));
}
