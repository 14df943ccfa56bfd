/**
 * Logs on a disk in memory, with a small shared memory and a clock that stands still. Whatever a test does,
 * at its end every slab and every file handle has been given back, or the test fails.
 *
 * @module
 */

import { afterEach, expect } from 'vitest';
import { isVarveError, type VarveError } from '../../src/errors.ts';
import type { LogParts } from '../../src/log/core.ts';
import { Log } from '../../src/log/log.ts';
import type { LogOptions } from '../../src/log/options.ts';
import type { ReadOptions } from '../../src/log/read-options.ts';
import { Memory } from '../../src/memory/memory.ts';
import type { Slab } from '../../src/memory/slabs.ts';
import type { LogRecord } from '../../src/record/record.ts';
import { createFaultVfs, type FaultRule, type FaultVfs } from '../../src/testing/fault.ts';
import { createMemoryVfs } from '../../src/vfs/memory.ts';
import type { Vfs } from '../../src/vfs/vfs.ts';
import { VirtualClock } from './clock.ts';

/** Where the logs of tests live. */
export const DIRECTORY = '/logs/events-0';
const MIB = 1024 * 1024;

export interface Disk {
  readonly vfs: FaultVfs;
  /** The faults; a test may change them at any time. */
  readonly rules: FaultRule[];
  /** The disk underneath, which has no faults. */
  readonly inner: Vfs;
}

export class LogKit {
  readonly #memoryBytes: number;
  #memory: Memory | undefined;
  #clock: VirtualClock = new VirtualClock();
  #logs: Log[] = [];
  #disks: FaultVfs[] = [];
  #slabs: Slab[] = [];

  constructor(memoryBytes: number) {
    this.#memoryBytes = memoryBytes;
  }

  get memory(): Memory {
    this.#memory ??= Memory.create(this.#memoryBytes);
    return this.#memory;
  }

  get clock(): VirtualClock {
    return this.#clock;
  }

  /** A disk with a log's directory, and the faults that `rules` name. */
  async disk(rules: FaultRule[] = []): Promise<Disk> {
    const inner = createMemoryVfs();
    await inner.mkdir(DIRECTORY);
    return this.wrap(inner, rules);
  }

  /** Puts faults around a disk, and watches over its handles. */
  wrap(inner: Vfs, rules: FaultRule[] = []): Disk {
    const vfs = createFaultVfs(inner, rules);
    this.#disks.push(vfs);
    return { vfs, rules, inner };
  }

  /** Opens the log on a disk; it is closed at the end of the test. */
  async open(disk: { vfs: Vfs }, options?: LogOptions, parts: Partial<LogParts> = {}): Promise<Log> {
    const log = await Log.open(
      {
        name: 'events',
        directory: DIRECTORY,
        memory: this.memory,
        vfs: disk.vfs,
        clock: this.#clock,
        readOnly: false,
        ...parts,
      },
      options,
    );
    this.#logs.push(log);
    return log;
  }

  /** Takes all memory, that of caches too, but for about `leaveBytes`; `release` gives it back. */
  exhaust(leaveBytes: number): { release: () => void } {
    const { slabs } = this.memory;
    const taken: Slab[] = [];
    for (let bytes = 64 * MIB; bytes >= 16 * 1024; bytes /= 2) {
      for (let slab = slabs.tryAllocate(bytes, 'the test'); slab !== undefined; ) {
        taken.push(slab);
        slab = slabs.tryAllocate(bytes, 'the test');
      }
    }
    // What is left is given back in few pieces, cut from larger ones where there is none of the size.
    let left = leaveBytes;
    for (let bytes = 64 * MIB; bytes >= 16 * 1024 && left > 0; bytes /= 2) {
      while (left >= bytes || (bytes === 16 * 1024 && left > 0)) {
        const slab = takeOne(taken, bytes) ?? takeLarger(taken, bytes);
        if (slab === undefined) break;
        slab.release();
        for (let rest = slab.bytes - bytes; rest > 0; ) {
          const part = slabs.allocate(2 ** Math.floor(Math.log2(rest)), 'the test');
          taken.push(part);
          rest -= part.bytes;
        }
        left -= bytes;
      }
    }
    this.#slabs.push(...taken);
    return {
      release: () => {
        for (const slab of taken.splice(0)) {
          this.#slabs.splice(this.#slabs.indexOf(slab), 1);
          slab.release();
        }
      },
    };
  }

  /** Ends a test: closes what is open and looks for what was not given back. */
  async end(): Promise<void> {
    for (const slab of this.#slabs.splice(0)) slab.release();
    // How a log closes is for the tests that are about it to look at.
    for (const log of this.#logs.splice(0))
      await soon(
        log.close().catch(() => undefined),
        'a log never closes',
      );
    const slabs = this.#memory?.slabs.inUse() ?? [];
    const openFiles = this.#disks.splice(0).reduce((sum, vfs) => sum + vfs.openFiles, 0);
    // One leak must not make all tests behind it fail.
    if (slabs.length > 0) this.#memory = undefined;
    this.#clock = new VirtualClock();
    expect({ slabs, openFiles }).toEqual({ slabs: [], openFiles: 0 });
  }
}

function takeOne(slabs: Slab[], bytes: number): Slab | undefined {
  const at = slabs.findIndex((slab) => slab.bytes === bytes);
  return at < 0 ? undefined : slabs.splice(at, 1)[0];
}

/** The smallest of those that are larger. */
function takeLarger(slabs: Slab[], bytes: number): Slab | undefined {
  const larger = slabs.filter((slab) => slab.bytes > bytes).sort((a, b) => a.bytes - b.bytes);
  return larger[0] === undefined ? undefined : takeOne(slabs, larger[0].bytes);
}

/** Fails where a promise does not settle, rather than to wait for it. */
export async function soon<T>(promise: Promise<T>, otherwise = 'it never comes'): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const never = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(otherwise)), 5000);
  });
  try {
    return await Promise.race([promise, never]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * A kit for the tests of a file; each ends with the search for leaks.
 *
 * @param memoryBytes the shared memory
 */
export function useLogKit(memoryBytes: number = 32 * MIB): LogKit {
  const kit = new LogKit(memoryBytes);
  afterEach(() => kit.end());
  return kit;
}

/** What `read` yields. */
export async function readRecords(log: Log, options?: ReadOptions): Promise<LogRecord[]> {
  const records: LogRecord[] = [];
  for await (const record of log.read(options)) records.push(record);
  return records;
}

/** The values that `read` yields, as text; null as it is. */
export async function readValues(log: Log, options?: ReadOptions): Promise<(string | null)[]> {
  return (await readRecords(log, options)).map(({ value }) => value?.toString() ?? null);
}

/** The offsets that `read` yields. */
export async function readOffsets(log: Log, options?: ReadOptions): Promise<number[]> {
  return (await readRecords(log, options)).map(({ offset }) => offset);
}

/** Numbers from `from` to below `to`. */
export function range(from: number, to: number): number[] {
  return Array.from({ length: Math.max(0, to - from) }, (_, i) => from + i);
}

/** The error that a promise is rejected with, or that a function throws. */
export async function failure(attempt: Promise<unknown> | (() => unknown)): Promise<VarveError> {
  try {
    await (typeof attempt === 'function' ? attempt() : attempt);
  } catch (error) {
    if (isVarveError(error)) return error;
    throw error;
  }
  throw new Error('nothing failed');
}

/** The code of that error. */
export async function failureCode(attempt: Promise<unknown> | (() => unknown)): Promise<string> {
  return (await failure(attempt)).code;
}

/** All bytes of a file. */
export async function fileBytes(vfs: Vfs, path: string): Promise<Buffer> {
  const file = await vfs.open(path, 'read');
  try {
    const bytes = Buffer.alloc(await file.size());
    await file.read(bytes, 0);
    return bytes;
  } finally {
    await file.close();
  }
}

/** Replaces a file by these bytes, or makes it. */
export async function putFile(vfs: Vfs, path: string, bytes: Uint8Array): Promise<void> {
  await vfs.remove(path);
  const file = await vfs.open(path, 'create');
  try {
    await file.write(bytes, 0);
  } finally {
    await file.close();
  }
}

/** Changes bytes of a file in place. */
export async function damageFile(vfs: Vfs, path: string, position: number, mask = 0x40): Promise<void> {
  const bytes = await fileBytes(vfs, path);
  bytes[position] = (bytes[position] as number) ^ mask;
  await putFile(vfs, path, bytes);
}

/** The path of a segment's file. */
export function segmentPath(baseOffset: number, kind: 'log' | 'index' | 'timeindex' = 'log'): string {
  return `${DIRECTORY}/${String(baseOffset).padStart(20, '0')}.${kind}`;
}

/** Every file below a directory with its bytes. */
export async function tree(vfs: Vfs, directory: string = DIRECTORY): Promise<Map<string, Buffer>> {
  const files = new Map<string, Buffer>();
  for (const name of await vfs.readdir(directory)) {
    const path = `${directory}/${name}`;
    if ((await vfs.stat(path))?.kind === 'directory') {
      for (const [below, bytes] of await tree(vfs, path)) files.set(below, bytes);
    } else {
      files.set(path, await fileBytes(vfs, path));
    }
  }
  return files;
}

/** A disk with the same files, as it would be found if the machine stopped now and had written everything. */
export async function copyDisk(from: Vfs, directory: string = DIRECTORY): Promise<Vfs> {
  const to = createMemoryVfs();
  await to.mkdir(directory);
  for (const [path, bytes] of await tree(from, directory)) {
    await to.mkdir(path.slice(0, path.lastIndexOf('/')));
    await putFile(to, path, bytes);
  }
  return to;
}

/** Cuts a file off, or extends it with zeros. */
export async function resizeFile(vfs: Vfs, path: string, bytes: number): Promise<void> {
  const file = await vfs.open(path, 'write');
  try {
    await file.truncate(bytes);
  } finally {
    await file.close();
  }
}

/** The paths whose files are not the same in two trees. */
export function differences(before: Map<string, Buffer>, after: Map<string, Buffer>): string[] {
  const paths = new Set([...before.keys(), ...after.keys()]);
  return [...paths].filter((path) => {
    const [old, now] = [before.get(path), after.get(path)];
    return old === undefined || now === undefined || !old.equals(now);
  });
}
