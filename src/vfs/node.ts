/**
 * The real disk: the contract of vfs.ts on `node:fs`, and the only file that imports it for data.
 *
 * Descriptors are plain numbers and calls are the callback ones, promised by hand. Every transfer names
 * its position, so none depends on the descriptor's own, which concurrent calls would share. A transfer
 * goes on until it is whole: the system may do a part of it. Closing waits for the calls in flight, because
 * a descriptor that is closed under them could already stand for another file.
 *
 * @module
 */

import fs from 'node:fs';
import { dirname } from 'node:path';
import { fromSystem, systemCode, type VarveError } from '../errors.ts';
import { checkLength, checkPosition, closedError, readOnlyError, systemError } from './checks.ts';
import { Flights } from './flights.ts';
import { lockDirectory } from './lock.ts';
import { pause } from './pause.ts';
import type { FileStat, OpenMode, Vfs, VfsFile } from './vfs.ts';

const WINDOWS = process.platform === 'win32';
const { O_RDONLY, O_RDWR, O_CREAT, O_EXCL } = fs.constants;
const FLAGS: Record<OpenMode, number> = {
  read: O_RDONLY,
  write: O_RDWR,
  create: O_RDWR | O_CREAT | O_EXCL,
};

/** What one system call is asked to move: below the limit of every system, and a multiple of any sector. */
const TRANSFER_BYTES_MAX = 1 << 30;
/** How often in a row a transfer may be interrupted, or move nothing, before that counts as a failure. */
const INTERRUPTIONS_MAX = 100;
const EMPTY_WRITES_MAX = 1;
/** On Windows a virus scanner or an indexer may hold a file for a moment after we closed it. */
const RENAME_ATTEMPTS = 8;
const RENAME_DELAY_MS = 5;

type TransferCallback = (error: NodeJS.ErrnoException | null, bytes: number) => void;

/** Counts what a transfer that moves in parts has done, and says when it is over. */
class Progress {
  done = 0;
  #interruptions = 0;
  #empty = 0;

  /** Takes note of an error; throws it where it is one. */
  failed(error: unknown): void {
    const code = systemCode(error);
    const again = code === 'EINTR' || code === 'EAGAIN';
    if (!again || ++this.#interruptions > INTERRUPTIONS_MAX) throw error;
  }

  /** Takes note of written bytes; throws where the system takes none, and says nothing. */
  wrote(bytes: number, path: string): void {
    this.#interruptions = 0;
    this.#empty = bytes === 0 ? this.#empty + 1 : 0;
    if (this.#empty > EMPTY_WRITES_MAX) throw systemError('EIO', 'write', path);
    this.done += bytes;
  }
}

function part(whole: Uint8Array, done: number): number {
  return Math.min(whole.length - done, TRANSFER_BYTES_MAX);
}

class NodeFile implements VfsFile {
  readonly path: string;
  readonly handle: number;
  readonly #fd: number;
  readonly #writable: boolean;
  readonly #flights = new Flights();
  #closing: Promise<void> | undefined;

  constructor(path: string, fd: number, mode: OpenMode) {
    this.path = path;
    this.handle = fd;
    this.#fd = fd;
    this.#writable = mode !== 'read';
  }

  async size(): Promise<number> {
    // What the system knows of an open file is in its memory: a trip to another thread takes many times as long.
    return await this.#call<number>('stat', (done) => done(null, fs.fstatSync(this.#fd).size));
  }

  read(target: Uint8Array, position: number): Promise<number> {
    const progress = new Progress();
    return this.#call<number>('read', (done) => {
      checkPosition(position);
      const next = (): void => {
        if (progress.done === target.length) return done(null, progress.done);
        fs.read(
          this.#fd,
          target,
          progress.done,
          part(target, progress.done),
          position + progress.done,
          onPart,
        );
      };
      const onPart: TransferCallback = (error, bytes) => {
        if (error === null && bytes === 0) return done(null, progress.done);
        try {
          if (error !== null) progress.failed(error);
          else progress.done += bytes;
        } catch (failure) {
          return done(failure, 0);
        }
        next();
      };
      next();
    });
  }

  readSync(target: Uint8Array, position: number): number {
    this.#check();
    return readSync(this.#fd, this.path, target, position);
  }

  write(source: Uint8Array, position: number): Promise<void> {
    const progress = new Progress();
    return this.#call<void>('write', (done) => {
      this.#checkWritable();
      checkPosition(position);
      const next = (): void => {
        if (progress.done === source.length) return done(null);
        fs.write(
          this.#fd,
          source,
          progress.done,
          part(source, progress.done),
          position + progress.done,
          onPart,
        );
      };
      const onPart: TransferCallback = (error, bytes) => {
        try {
          if (error !== null) progress.failed(error);
          else progress.wrote(bytes, this.path);
        } catch (failure) {
          return done(failure);
        }
        next();
      };
      next();
    });
  }

  writeSync(source: Uint8Array, position: number): void {
    this.#check();
    this.#checkWritable();
    checkPosition(position);
    const progress = new Progress();
    try {
      while (progress.done < source.length) {
        let bytes: number;
        try {
          bytes = fs.writeSync(
            this.#fd,
            source,
            progress.done,
            part(source, progress.done),
            position + progress.done,
          );
        } catch (error) {
          progress.failed(error);
          continue;
        }
        progress.wrote(bytes, this.path);
      }
    } catch (error) {
      throw fromSystem(error, 'write', this.path);
    }
  }

  /** Never retried, not even after EINTR: a second call may report success for bytes that are gone. */
  datasync(): Promise<void> {
    return this.#call<void>('sync', (done) => fs.fdatasync(this.#fd, done));
  }

  truncate(bytes: number): Promise<void> {
    return this.#call<void>('truncate', (done) => {
      this.#checkWritable();
      checkLength(bytes);
      fs.ftruncate(this.#fd, bytes, done);
    });
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await this.#flights.idle();
    await call<void>('close', this.path, (done) => fs.close(this.#fd, done));
  }

  #check(): void {
    if (this.#closing !== undefined) throw closedError(this.path);
  }

  #checkWritable(): void {
    if (!this.#writable) throw readOnlyError(this.path);
  }

  /** Runs one call on the descriptor, and keeps it open until the call is over. */
  #call<T>(action: string, start: (done: Done<T>) => void): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#check();
      this.#flights.begin();
      const done: Done<T> = (error, value) => {
        this.#flights.end();
        if (error === null || error === undefined) resolve(value as T);
        else reject(failure(error, action, this.path));
      };
      try {
        start(done);
      } catch (error) {
        done(error);
      }
    });
  }
}

function readSync(fd: number, path: string, target: Uint8Array, position: number): number {
  checkPosition(position);
  const progress = new Progress();
  try {
    while (progress.done < target.length) {
      try {
        const bytes = fs.readSync(
          fd,
          target,
          progress.done,
          part(target, progress.done),
          position + progress.done,
        );
        if (bytes === 0) break;
        progress.done += bytes;
      } catch (error) {
        progress.failed(error);
      }
    }
  } catch (error) {
    throw fromSystem(error, 'read', path);
  }
  return progress.done;
}

/**
 * Reads a file that another thread has open, and keeps open meanwhile.
 *
 * @param handle the `handle` of the open file
 * @param path what errors call it
 */
export function readerOf(handle: number, path: string): Pick<VfsFile, 'path' | 'readSync'> {
  return { path, readSync: (target, position) => readSync(handle, path, target, position) };
}

type Done<T> = (error: unknown, value?: T) => void;

/** A caller's mistake stays what it is; anything else came from the system. */
function failure(error: unknown, action: string, path: string): VarveError | RangeError {
  return error instanceof RangeError && systemCode(error) === undefined
    ? error
    : fromSystem(error, action, path);
}

function call<T>(action: string, path: string, start: (done: Done<T>) => void): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    start((error, value) => {
      if (error === null || error === undefined) resolve(value as T);
      else reject(fromSystem(error, action, path));
    });
  });
}

/** What the operating system called it. */
function causeCode(error: unknown): string | undefined {
  return error instanceof Error ? systemCode(error.cause) : undefined;
}

/** Lets pass that there is no such name; a file where the path has a directory means the same. */
function absentIsFine(error: unknown): void {
  const code = causeCode(error);
  if (code !== 'ENOENT' && code !== 'ENOTDIR') throw error;
}

/**
 * Opens a file of the real disk.
 *
 * @param flags of the operating system, besides those of the mode
 */
export async function openFile(path: string, mode: OpenMode, flags = 0): Promise<VfsFile> {
  const fd = await call<number>('open', path, (done) => fs.open(path, FLAGS[mode] | flags, 0o644, done));
  if (mode === 'read') {
    // Only for reading does the system open a directory as well.
    try {
      if (fs.fstatSync(fd).isDirectory()) throw systemError('EISDIR', 'open', path);
    } catch (error) {
      await call<void>('close', path, (done) => fs.close(fd, done));
      throw fromSystem(error, 'open', path);
    }
  }
  return new NodeFile(path, fd, mode);
}

async function stat(path: string): Promise<FileStat | undefined> {
  try {
    // Some systems have numbers for files that a double does not hold.
    const found = await call<fs.BigIntStats>('stat', path, (done) => fs.stat(path, { bigint: true }, done));
    const isFile = found.isFile();
    return {
      kind: isFile ? 'file' : found.isDirectory() ? 'directory' : 'other',
      bytes: isFile ? Number(found.size) : 0,
      id: `${found.dev}:${found.ino}`,
      modifiedMs: Number(found.mtimeNs) / 1e6,
    };
  } catch (error) {
    absentIsFine(error);
    return undefined;
  }
}

/** The directories on the way to a path that are not there, itself included, the innermost first. */
async function missingOf(path: string): Promise<string[]> {
  const missing: string[] = [];
  for (let at = path; (await stat(at)) === undefined; at = dirname(at)) {
    missing.push(at);
    if (dirname(at) === at) break;
  }
  return missing;
}

/**
 * One call for each directory: Node's own `recursive` hides why it failed where the file system is full or
 * takes no writes, and on some file systems (/proc) never comes back.
 */
async function mkdir(path: string): Promise<void> {
  const missing = await missingOf(path);
  for (const name of missing.reverse()) {
    try {
      await call<void>('make the directory', path, (done) => fs.mkdir(name, done));
    } catch (error) {
      // Somebody else may have made it since.
      if (causeCode(error) !== 'EEXIST') throw error;
    }
  }
  if ((await stat(path))?.kind === 'directory') return;
  throw fromSystem(systemError('ENOTDIR', 'make the directory', path), 'make the directory', path);
}

async function rename(from: string, to: string): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await call<void>('rename', from, (done) => fs.rename(from, to, done));
    } catch (error) {
      const code = causeCode(error);
      const held = code === 'EPERM' || code === 'EACCES' || code === 'EBUSY';
      if (!WINDOWS || !held || attempt === RENAME_ATTEMPTS) throw error;
    }
    await pause(RENAME_DELAY_MS * attempt);
  }
}

/** What the system says where it cannot link: other disks, too many names, file systems without links. */
const UNLINKABLE = ['EXDEV', 'EPERM', 'EMLINK', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EACCES', 'EINVAL'];

async function link(from: string, to: string): Promise<boolean> {
  try {
    await call<void>('link', from, (done) => fs.link(from, to, done));
    return true;
  } catch (error) {
    if (UNLINKABLE.includes(causeCode(error) ?? '')) return false;
    throw error;
  }
}

async function syncDir(path: string): Promise<void> {
  if (WINDOWS) return;
  const flags = fs.constants.O_RDONLY | fs.constants.O_DIRECTORY;
  const fd = await call<number>('open', path, (done) => fs.open(path, flags, done));
  try {
    await call<void>('sync the directory', path, (done) => fs.fsync(fd, done));
  } finally {
    await call<void>('close', path, (done) => fs.close(fd, done));
  }
}

/** The path of a file or directory that exists, absolute and without links. */
export async function realPath(path: string): Promise<string> {
  return await call<string>('look up', path, (done) => fs.realpath(path, done));
}

/** The disk of the machine. */
export const nodeVfs: Vfs = {
  open: (path, mode) => openFile(path, mode),
  stat,
  rename,
  syncDir,
  async readdir(path) {
    const names = await call<string[]>('list', path, (done) => fs.readdir(path, done));
    return names.sort();
  },
  mkdir,
  link,
  async remove(path) {
    await call<void>('remove', path, (done) => fs.unlink(path, done)).catch(absentIsFine);
  },
  async removeDir(path) {
    try {
      await call<void>('remove the directory', path, (done) => fs.rmdir(path, done));
    } catch (error) {
      absentIsFine(error);
      // The same code stands for a file that has the name.
      if ((await stat(path)) !== undefined) throw error;
    }
  },
  lock: lockDirectory,
};
