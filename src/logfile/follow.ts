/**
 * Follows files by their names, as `tail -F` does: what is appended, what a new file of that name has when the
 * old one was renamed or removed, and everything again when a file was cut off. It looks again and again; the
 * system is not asked to tell, since not every file system can.
 *
 * @module
 */

import { isVarveError } from '../errors.ts';
import type { FileStat, Vfs, VfsFile } from '../vfs/vfs.ts';
import { bytesOf } from './tail-chunks.ts';

/** What happened to a file that is followed. */
export type FollowEvent = 'gone' | 'appeared' | 'replaced' | 'truncated';

/** Something new: bytes, or what happened. */
export type Followed = { bytes: Buffer } | { event: FollowEvent };

export class FollowedFile {
  readonly path: string;
  readonly #vfs: Vfs;
  #file: VfsFile | undefined;
  #id: string | undefined;
  #position = 0;

  constructor(vfs: Vfs, path: string) {
    this.#vfs = vfs;
    this.path = path;
  }

  /**
   * Takes over a file that is open.
   *
   * @param id of the file, as `stat` said
   * @param position what is before it was read
   */
  begin(file: VfsFile, id: string, position: number): void {
    this.#file = file;
    this.#id = id;
    this.#position = position;
  }

  get isOpen(): boolean {
    return this.#file !== undefined;
  }

  /** Yields what is new since it was last asked. */
  async *look(): AsyncGenerator<Followed, void, undefined> {
    const stat = await this.#stat();
    if (this.#file !== undefined && stat?.id !== this.#id) {
      // Whoever renamed it may have written to it since we looked.
      yield* this.#read(await this.#file.size());
      await this.close();
      if (stat === undefined) {
        this.#id = undefined;
        yield { event: 'gone' };
      }
    }
    if (stat === undefined) return;
    if (this.#file === undefined) {
      const wasKnown = this.#id !== undefined;
      if (!(await this.#open(stat))) return;
      yield { event: wasKnown ? 'replaced' : 'appeared' };
    }
    const bytes = await (this.#file as unknown as VfsFile).size();
    if (bytes < this.#position) {
      this.#position = 0;
      yield { event: 'truncated' };
    }
    yield* this.#read(bytes);
  }

  async close(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    await file?.close();
  }

  /** A name that stands for nothing, or for nothing that can be read, may do so later. */
  async #stat(): Promise<FileStat | undefined> {
    try {
      const stat = await this.#vfs.stat(this.path);
      return stat?.kind === 'file' ? stat : undefined;
    } catch (error) {
      if (isVarveError(error)) return undefined;
      throw error;
    }
  }

  /** Opens the file that the name stands for now; it may be another one in a moment. */
  async #open(stat: FileStat): Promise<boolean> {
    try {
      const file = await this.#vfs.open(this.path, 'read');
      if ((await this.#stat())?.id !== stat.id) {
        await file.close();
        return false;
      }
      this.begin(file, stat.id, 0);
      return true;
    } catch (error) {
      if (isVarveError(error)) return false;
      throw error;
    }
  }

  async *#read(to: number): AsyncGenerator<Followed, void, undefined> {
    for await (const bytes of bytesOf(this.#file as VfsFile, this.#position, to)) {
      this.#position += bytes.length;
      yield { bytes };
    }
  }
}
