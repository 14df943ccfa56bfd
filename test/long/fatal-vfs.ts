/**
 * A disk that kills its process with SIGKILL at one chosen call: before it, or in the middle of a write.
 * Moments that a kill from outside hits once in a thousand tries are hit as often as all others.
 *
 * @module
 */

import type { Vfs, VfsFile } from '../../src/vfs/vfs.ts';

export interface FatalOptions {
  /** The number of the call, from 1 on. */
  call: number;
  /** How much of the bytes is written, where the call is a write: from 0 to 1. */
  share: number;
}

/** Wraps a disk. */
export function fatalVfs(vfs: Vfs, { call, share }: FatalOptions): Vfs {
  let calls = 0;
  function isFatal(): boolean {
    return ++calls === call;
  }
  function die(): never {
    process.kill(process.pid, 'SIGKILL');
    // The signal takes effect before this thread runs on, but not everywhere at once.
    for (;;) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1000);
  }
  function step(): void {
    if (isFatal()) die();
  }
  function stepWrite(file: VfsFile, source: Uint8Array, position: number): void {
    if (!isFatal()) return;
    const bytes = Math.floor(source.length * share);
    if (bytes > 0) file.writeSync(source.subarray(0, bytes), position);
    die();
  }
  function wrap(file: VfsFile): VfsFile {
    return {
      path: file.path,
      handle: undefined,
      size: () => file.size(),
      read: (target, position) => file.read(target, position),
      readSync: (target, position) => file.readSync(target, position),
      write(source, position) {
        stepWrite(file, source, position);
        return file.write(source, position);
      },
      writeSync(source, position) {
        stepWrite(file, source, position);
        file.writeSync(source, position);
      },
      datasync() {
        step();
        return file.datasync();
      },
      truncate(bytes) {
        step();
        return file.truncate(bytes);
      },
      close: () => file.close(),
    };
  }
  return {
    readdir: (path) => vfs.readdir(path),
    stat: (path) => vfs.stat(path),
    async open(path, mode) {
      if (mode === 'create') step();
      return wrap(await vfs.open(path, mode));
    },
    mkdir(path) {
      step();
      return vfs.mkdir(path);
    },
    rename(from, to) {
      step();
      return vfs.rename(from, to);
    },
    remove(path) {
      step();
      return vfs.remove(path);
    },
    removeDir(path) {
      step();
      return vfs.removeDir(path);
    },
    syncDir(path) {
      step();
      return vfs.syncDir(path);
    },
    lock: (directory) => vfs.lock(directory),
  };
}
