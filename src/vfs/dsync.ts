/**
 * The real disk with O_DSYNC: a write returns when its bytes are durable, and with them as much of the
 * file's data about itself as is needed to read them. So one system call does what `write` and `fdatasync`
 * do in two; which of them a disk is quicker with is a matter of measuring.
 *
 * @module
 */

import { constants } from 'node:fs';
import { isVarveError, VarveError } from '../errors.ts';
import { nodeVfs, openFile } from './node.ts';
import type { Vfs, VfsFile } from './vfs.ts';

/** Writes that return durable; `datasync` is left with what they do not cover. */
class DsyncFile implements VfsFile {
  readonly #inner: VfsFile;
  /** There may be bytes that another handle wrote, or a length that is no write's. */
  #isUnsynced: boolean;
  /** A write that was lost on its way to the disk: nothing is known any more of what it touched. */
  #failure: unknown;
  #isClosed = false;

  constructor(inner: VfsFile, isNew: boolean) {
    this.#inner = inner;
    this.#isUnsynced = !isNew;
  }

  get path(): string {
    return this.#inner.path;
  }

  get handle(): number | undefined {
    return this.#inner.handle;
  }

  size(): Promise<number> {
    return this.#inner.size();
  }

  read(target: Uint8Array, position: number): Promise<number> {
    return this.#inner.read(target, position);
  }

  readSync(target: Uint8Array, position: number): number {
    return this.#inner.readSync(target, position);
  }

  async write(source: Uint8Array, position: number): Promise<void> {
    try {
      await this.#inner.write(source, position);
    } catch (error) {
      throw this.#failed(error);
    }
  }

  writeSync(source: Uint8Array, position: number): void {
    try {
      this.#inner.writeSync(source, position);
    } catch (error) {
      throw this.#failed(error);
    }
  }

  /** A write that found no room has written nothing; any other failure is that of an fdatasync. */
  #failed(error: unknown): unknown {
    if (isVarveError(error, 'IO')) this.#failure ??= error;
    return error;
  }

  async datasync(): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    if (!this.#isUnsynced && !this.#isClosed) return;
    await this.#inner.datasync();
    this.#isUnsynced = false;
  }

  async truncate(bytes: number): Promise<void> {
    this.#isUnsynced = true;
    await this.#inner.truncate(bytes);
  }

  close(): Promise<void> {
    this.#isClosed = true;
    return this.#inner.close();
  }
}

/** Whether the operating system has O_DSYNC; Windows has not. */
export const HAS_DSYNC: boolean = typeof constants.O_DSYNC === 'number';

/**
 * The disk of the machine, written with O_DSYNC, for `open(directory, { vfs: dsyncVfs })`.
 *
 * Opening a file throws VarveError `UNSUPPORTED` where the system has no O_DSYNC.
 */
export const dsyncVfs: Vfs = {
  ...nodeVfs,
  async open(path, mode) {
    if (!HAS_DSYNC) {
      throw new VarveError('UNSUPPORTED', `this system cannot open ${path} with O_DSYNC`, { file: path });
    }
    if (mode === 'read') return await nodeVfs.open(path, mode);
    return new DsyncFile(await openFile(path, mode, constants.O_DSYNC), mode === 'create');
  },
};
