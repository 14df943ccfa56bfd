/**
 * A file system whose machine can lose its power. It lives in memory, keeps the disk contract, and knows what
 * of all that was done to it would be on a real disk for certain: what a sync covered. `crash` stops the
 * machine and returns another one, which holds one of the states that the first could wake up in.
 *
 * ```ts
 * const before = new CrashVfs();
 * await runWorkload(before);
 * for (const plan of before.enumerateCrashes(1000)) {
 *   await checkThatNothingAcknowledgedIsLost(before.crash(plan), plan);
 * }
 * ```
 *
 * survey.ts says which states there are, plan.ts how one is picked.
 *
 * @module
 */

import { systemError } from '../vfs/checks.ts';
import { MemoryVfs, type Operation } from '../vfs/memory.ts';
import { type DirectoryNode, newDirectory } from '../vfs/tree.ts';
import type { FileStat, OpenMode, Vfs, VfsFile, VfsLock } from '../vfs/vfs.ts';
import { Disk } from './disk.ts';
import { type CrashPlan, enumerate, optionsOf, SECTOR_BYTES_DEFAULT, sectorBytesOf } from './plan.ts';
import { type Survey, survey } from './survey.ts';
import { wake } from './wake.ts';

/** Something that may have reached the disk or not. */
export interface CrashChoice {
  readonly kind: 'name' | 'length' | 'sector';
  readonly path: string;
  /** Where a sector begins, in bytes. */
  readonly position?: number;
  /** How many states it can be found in; 0 is that of the last sync, the last is the newest. */
  readonly options: number;
}

export interface CrashOptions {
  /**
   * Is told of each operation before it happens, with its number from 0. If it throws, the machine stops
   * there: that operation and all later ones fail with `IO`.
   */
  onOperation?: (index: number, operation: Operation) => void;
}

export class CrashVfs implements Vfs {
  readonly #root: DirectoryNode;
  readonly #disk: Disk;
  readonly #memory: MemoryVfs;
  readonly #trace: Operation[] = [];
  readonly #onOperation: CrashOptions['onOperation'];
  #stopped = false;
  /** What is open about a disk that does not change any more, by sector size. */
  readonly #surveys = new Map<number, Survey>();

  /** A machine with an empty disk. */
  constructor(options: CrashOptions = {}, root: DirectoryNode = newDirectory()) {
    this.#root = root;
    this.#onOperation = options.onOperation;
    this.#disk = new Disk((operation) => this.#note(operation));
    this.#memory = new MemoryVfs(root, this.#disk);
  }

  /** All operations so far, in the order in which they began; the one that stopped the machine is the last. */
  get trace(): readonly Operation[] {
    return this.#trace;
  }

  /** How many operations there were. */
  get operations(): number {
    return this.#trace.length;
  }

  /** How many files are open: 0 where nothing leaks. */
  get openFiles(): number {
    return this.#memory.openFiles;
  }

  /** Whether the machine has stopped: by `crash`, or because `onOperation` threw. */
  get stopped(): boolean {
    return this.#stopped;
  }

  /**
   * Stops this machine for good and returns the one that wakes up: nothing is open there, nothing is locked,
   * and all it finds is on its disk. It can be called again, with the same or another plan.
   *
   * @param plan which of the possible states it wakes up in
   * @param options for the new machine
   */
  crash(plan: CrashPlan, options?: CrashOptions): CrashVfs {
    this.#stop();
    return this.preview(plan, options);
  }

  /** What `crash` would return, without stopping this machine. */
  preview(plan: CrashPlan, options?: CrashOptions): CrashVfs {
    const open = this.#survey(sectorBytesOf(plan));
    return new CrashVfs(options, wake(open, optionsOf(open, plan)));
  }

  /**
   * All that may have reached the disk or not, at this moment; a plan picks an option of each.
   *
   * @param sectorBytes what the disk writes at once
   */
  crashChoices(sectorBytes: number = SECTOR_BYTES_DEFAULT): readonly CrashChoice[] {
    return this.#survey(sectorBytes).choices.map((choice) => {
      const { kind, path, options } = choice;
      return kind === 'sector' ? { kind, path, options, position: choice.position } : { kind, path, options };
    });
  }

  /**
   * Goes through the states of a crash at this moment, as plans: all, where there are at most `limit`; else
   * the plain extremes and then drawn ones, `limit` in all. Two runs give the same plans in the same order.
   *
   * @param limit the greatest number of plans
   * @param sectorBytes what the disk writes at once
   */
  enumerateCrashes(limit: number, sectorBytes: number = SECTOR_BYTES_DEFAULT): Generator<CrashPlan> {
    return enumerate(this.#survey(sectorBytes), limit);
  }

  open(path: string, mode: OpenMode): Promise<VfsFile> {
    return this.#memory.open(path, mode);
  }

  readdir(path: string): Promise<string[]> {
    return this.#memory.readdir(path);
  }

  stat(path: string): Promise<FileStat | undefined> {
    return this.#memory.stat(path);
  }

  mkdir(path: string): Promise<void> {
    return this.#memory.mkdir(path);
  }

  rename(from: string, to: string): Promise<void> {
    return this.#memory.rename(from, to);
  }

  remove(path: string): Promise<void> {
    return this.#memory.remove(path);
  }

  removeDir(path: string): Promise<void> {
    return this.#memory.removeDir(path);
  }

  syncDir(path: string): Promise<void> {
    return this.#memory.syncDir(path);
  }

  lock(directory: string): Promise<VfsLock> {
    return this.#memory.lock(directory);
  }

  #note(operation: Operation): void {
    const index = this.#trace.length;
    this.#trace.push(operation);
    try {
      this.#onOperation?.(index, operation);
    } catch (error) {
      throw this.#stop(error);
    }
  }

  #stop(cause?: unknown): Error {
    this.#stopped = true;
    const error = systemError('EIO', 'the machine has stopped', '/');
    if (cause !== undefined) error.cause = cause;
    this.#disk.stop(error);
    return error;
  }

  #survey(sectorBytes: number): Survey {
    if (!Number.isSafeInteger(sectorBytes) || sectorBytes <= 0) {
      throw new RangeError(`sectorBytes must be a positive integer, not ${sectorBytes}`);
    }
    const known = this.#surveys.get(sectorBytes);
    if (known !== undefined) return known;
    const made = survey(this.#disk, this.#root, sectorBytes);
    if (this.#stopped) this.#surveys.set(sectorBytes, made);
    return made;
  }
}
