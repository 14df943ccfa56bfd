/**
 * One file system under test, as the parts of the conformance suite see it.
 *
 * @module
 */

import { expect } from 'vitest';
import { type ErrorCode, isVarveError, type VarveError } from '../../src/errors.ts';
import { joinPath, type OpenMode, type Vfs, type VfsFile } from '../../src/vfs/vfs.ts';

/** One file system to test, and an existing directory in it that is ours. */
export interface VfsUnderTest {
  vfs: Vfs;
  root: string;
  dispose(): Promise<void>;
}

/** Bytes that tell where they came from. */
export function pattern(length: number, seed = 1): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 31 + seed * 17 + (i >> 8)) & 0xff);
}

async function rejection(promise: Promise<unknown>): Promise<VarveError> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(isVarveError(error), `is a VarveError: ${String(error)}`).toBe(true);
  return error as VarveError;
}

/** Expects that `promise` rejects with one of `codes`, about `file`. */
export async function expectRefused(
  promise: Promise<unknown>,
  codes: ErrorCode | readonly ErrorCode[],
  file: string,
): Promise<VarveError> {
  const error = await rejection(promise);
  expect([codes].flat()).toContain(error.code);
  expect(error.file).toBe(file);
  return error;
}

/** What a test works with: the file system, and helpers that clean up behind it. */
export class Bench {
  readonly vfs: Vfs;
  readonly root: string;
  readonly #dispose: () => Promise<void>;
  readonly #files: VfsFile[] = [];

  constructor(subject: VfsUnderTest) {
    this.vfs = subject.vfs;
    this.root = subject.root;
    this.#dispose = () => subject.dispose();
  }

  at(...names: string[]): string {
    return joinPath(this.root, ...names);
  }

  /** Opens a file that is closed when the test is over. */
  async open(path: string, mode: OpenMode): Promise<VfsFile> {
    const file = await this.vfs.open(path, mode);
    this.#files.push(file);
    return file;
  }

  /** Makes a file that holds `bytes`. */
  async put(path: string, bytes: Uint8Array): Promise<void> {
    const file = await this.vfs.open(path, 'create');
    await file.write(bytes, 0);
    await file.close();
  }

  async contents(file: VfsFile): Promise<Uint8Array> {
    const bytes = new Uint8Array(await file.size());
    const read = await file.read(bytes, 0);
    if (read !== bytes.length)
      throw new Error(`${file.path} has ${bytes.length} bytes, of which ${read} are read`);
    return bytes;
  }

  async contentsOf(path: string): Promise<Uint8Array> {
    const file = await this.vfs.open(path, 'read');
    const bytes = await this.contents(file);
    await file.close();
    return bytes;
  }

  async dispose(): Promise<void> {
    for (const file of this.#files) await file.close();
    await this.#dispose();
  }
}
