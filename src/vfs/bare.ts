/**
 * A file of the real disk that is written with blocking calls: the least that writing and syncing can cost.
 * It is what measurements are held against, and no part of the contract with the disk.
 *
 * @module
 */

import fs from 'node:fs';
import { fromSystem } from '../errors.ts';

export class BareFile {
  readonly #path: string;
  readonly #fd: number;

  /** Makes the file, which must not exist. */
  constructor(path: string) {
    this.#path = path;
    try {
      this.#fd = fs.openSync(path, 'wx');
    } catch (error) {
      throw fromSystem(error, 'open', path);
    }
  }

  /** Writes all of `source`, and makes it durable where `isSynced`. */
  write(source: Uint8Array, position: number, isSynced: boolean): void {
    try {
      for (let done = 0; done < source.length; ) {
        done += fs.writeSync(this.#fd, source, done, source.length - done, position + done);
      }
      if (isSynced) fs.fdatasyncSync(this.#fd);
    } catch (error) {
      throw fromSystem(error, 'write', this.#path);
    }
  }

  /** Makes everything durable. */
  sync(): void {
    try {
      fs.fdatasyncSync(this.#fd);
    } catch (error) {
      throw fromSystem(error, 'sync', this.#path);
    }
  }

  close(): void {
    fs.closeSync(this.#fd);
  }
}
