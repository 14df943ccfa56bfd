/**
 * The contract with the disk. Everything above this folder sees files only through it, so a test can
 * fail, delay or crash at any call. Implementations: `node.ts` (the real one), `memory.ts`.
 *
 * Every method rejects (or throws, where its name ends in `Sync`) with a `VarveError` made by
 * `fromSystem`: `NO_SPACE`, `READ_ONLY`, `NOT_FOUND` or `IO`, with `file` set.
 *
 * What is durable, and when, is part of the contract:
 * - bytes and the length of a file are durable when `datasync` of it returned;
 * - that a name exists, was renamed or removed is durable when `syncDir` of its directory returned;
 * - until then any subset may survive a power cut, in any order, torn at sector borders.
 *
 * @module
 */

/** How a file is opened. `create` fails where the name exists; the others where it does not. */
export type OpenMode = 'read' | 'write' | 'create';

/** What a name stands for. */
export interface FileStat {
  kind: 'file' | 'directory' | 'other';
  /** Length in bytes (0 for a directory). */
  bytes: number;
  /** The same for two names only if they are names of one thing; another may get it when this one is gone. */
  id: string;
  /** When it was last changed, in milliseconds since the epoch. */
  modifiedMs: number;
}

export interface VfsFile {
  readonly path: string;
  /**
   * By what other threads of this process can read the file while it is open (`readerOf` in node.ts);
   * undefined where they cannot.
   */
  readonly handle: number | undefined;

  /** Length in bytes, as written so far. */
  size(): Promise<number>;

  /**
   * Reads from `position` until `target` is full or the file ends.
   * @returns how many bytes were read; fewer than `target.length` only at the end of the file
   */
  read(target: Uint8Array, position: number): Promise<number>;
  readSync(target: Uint8Array, position: number): number;

  /**
   * Writes the whole of `source` at `position`. `source` must not change until it settled: it is not
   * copied. A rejected write may have left any part of it behind. Writes to one file at disjoint
   * positions may overlap in time.
   */
  write(source: Uint8Array, position: number): Promise<void>;
  writeSync(source: Uint8Array, position: number): void;

  /**
   * Makes what was written before the call durable: bytes and length. After a failure nothing is known
   * about any byte written since the last success: it must never be retried.
   */
  datasync(): Promise<void>;

  /** Cuts the file off at `bytes`, or extends it with zeros. */
  truncate(bytes: number): Promise<void>;

  /** Gives the handle back; a second call does nothing. An unlinked file lives until it is closed. */
  close(): Promise<void>;
}

/** A directory that is ours until `release`, or until the process dies. */
export interface VfsLock {
  release(): Promise<void>;
}

export interface Vfs {
  open(path: string, mode: OpenMode): Promise<VfsFile>;
  /** The names in a directory, sorted by code unit. */
  readdir(path: string): Promise<string[]>;
  /** What the name stands for, or undefined where there is none. */
  stat(path: string): Promise<FileStat | undefined>;
  /** Makes a directory and its missing parents; one that exists is no error. Makes nothing durable. */
  mkdir(path: string): Promise<void>;
  /** Renames a file over whatever has the new name. */
  rename(from: string, to: string): Promise<void>;
  /**
   * Gives a file a second name, which nothing has yet. A disk need not have this.
   *
   * @returns false where it cannot be done here: the names are on different disks, or the file system has no links
   * @throws VarveError `NOT_FOUND`; `IO` where the name is taken
   */
  link?(from: string, to: string): Promise<boolean>;
  /** Removes a file; one that does not exist is no error. */
  remove(path: string): Promise<void>;
  /** Removes an empty directory; one that does not exist is no error. */
  removeDir(path: string): Promise<void>;
  /** Makes the names in a directory durable. Does nothing where the system has no such call (Windows). */
  syncDir(path: string): Promise<void>;
  /**
   * Takes the directory for this handle alone. It must not outlive the process that took it, however
   * that died, and holds against other processes and against this one.
   * @throws VarveError `LOCKED` with `pid` where somebody has it
   */
  lock(directory: string): Promise<VfsLock>;
}

/** Joins path segments with `/`, which every system that Node runs on understands. */
export function joinPath(...segments: string[]): string {
  return segments.join('/');
}
