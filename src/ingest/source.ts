/**
 * Where the text comes from: a file, read through the contract with the disk, or a stream.
 *
 * @module
 */

import { fromSystem, VarveError } from '../errors.ts';
import type { Vfs, VfsFile } from '../vfs/vfs.ts';

/** A text that is read from its beginning to its end. */
export interface TextSource {
  /** What messages call it. */
  readonly title: string;
  /**
   * Reads the next bytes until `target` is full or the text ends.
   *
   * @returns how many bytes were read; fewer than `target.length` only at the end
   */
  read(target: Uint8Array): Promise<number>;
  close(): Promise<void>;
}

/**
 * Opens a file. It is read as far as it goes now: what is appended meanwhile is not.
 *
 * @throws VarveError `NOT_FOUND`, `READ_ONLY` or `IO` where it cannot be opened, `UNSUPPORTED` where it is
 * no file
 */
export async function openFile(vfs: Vfs, path: string): Promise<TextSource> {
  const stat = await vfs.stat(path);
  if (stat?.kind === 'directory') {
    throw new VarveError('UNSUPPORTED', `${path} is a directory, not a file of lines`, { file: path });
  }
  if (stat?.kind === 'other') {
    const reason = 'is no regular file; it can be read as standard input';
    throw new VarveError('UNSUPPORTED', `${path} ${reason}`, { file: path });
  }
  const file = await vfs.open(path, 'read');
  try {
    return new FileSource(file, await file.size());
  } catch (error) {
    await file.close();
    throw error;
  }
}

class FileSource implements TextSource {
  readonly title: string;
  readonly #file: VfsFile;
  readonly #bytes: number;
  #position = 0;

  constructor(file: VfsFile, bytes: number) {
    this.title = file.path;
    this.#file = file;
    this.#bytes = bytes;
  }

  async read(target: Uint8Array): Promise<number> {
    const wanted = Math.min(target.length, this.#bytes - this.#position);
    if (wanted === 0) return 0;
    const bytes = await this.#file.read(target.subarray(0, wanted), this.#position);
    this.#position += bytes;
    if (bytes < wanted) {
      throw new VarveError(
        'IO',
        `${this.title} became shorter while it was read: it had ${this.#bytes} bytes and ends after ${this.#position}`,
        { file: this.title, position: this.#position },
      );
    }
    return bytes;
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}

/**
 * Reads a stream, or anything that yields bytes.
 *
 * @param signal ends a wait for bytes that may never come
 */
export function openStream(stream: AsyncIterable<Uint8Array | string>, signal?: AbortSignal): TextSource {
  return new StreamSource(stream, signal);
}

const NO_BYTES = new Uint8Array(0);

class StreamSource implements TextSource {
  readonly title: string = 'the stream';
  readonly #stream: AsyncIterable<unknown>;
  readonly #iterator: AsyncIterator<unknown, unknown>;
  readonly #signal: AbortSignal | undefined;
  #rest: Uint8Array = NO_BYTES;
  #isOver = false;

  constructor(stream: AsyncIterable<unknown>, signal: AbortSignal | undefined) {
    this.#stream = stream;
    this.#iterator = stream[Symbol.asyncIterator]();
    this.#signal = signal;
  }

  async read(target: Uint8Array): Promise<number> {
    let filled = 0;
    while (filled < target.length) {
      if (this.#rest.length === 0 && !(await this.#pull())) break;
      const piece = this.#rest.subarray(0, target.length - filled);
      target.set(piece, filled);
      filled += piece.length;
      this.#rest = this.#rest.subarray(piece.length);
    }
    return filled;
  }

  /** Waits for the next bytes; false where there are none any more. */
  async #pull(): Promise<boolean> {
    if (this.#isOver) return false;
    const { done, value } = await this.#next();
    if (done === true) {
      this.#isOver = true;
      return false;
    }
    if (typeof value === 'string') this.#rest = Buffer.from(value);
    else if (value instanceof Uint8Array) this.#rest = value;
    else throw new TypeError(`a stream of text yields bytes or strings, not ${typeof value}`);
    return true;
  }

  async #next(): Promise<IteratorResult<unknown, unknown>> {
    const signal = this.#signal;
    signal?.throwIfAborted();
    let onAbort: (() => void) | undefined;
    const aborted = new Promise<never>((_, reject) => {
      onAbort = () => reject(signal?.reason as Error);
      signal?.addEventListener('abort', onAbort, { once: true });
    });
    try {
      return await Promise.race([this.#iterator.next(), aborted]);
    } catch (error) {
      this.#isOver = true;
      throw signal?.aborted === true ? error : fromSystem(error, 'read', this.title);
    } finally {
      if (onAbort !== undefined) signal?.removeEventListener('abort', onAbort);
    }
  }

  /** Lets the stream go. An iterator that waits for its next bytes does not answer before they come. */
  async close(): Promise<void> {
    const stream = this.#stream as { destroy?: () => void };
    if (typeof stream.destroy === 'function') stream.destroy();
    else if (!this.#isOver) void this.#iterator.return?.()?.catch(() => undefined);
    this.#isOver = true;
  }
}
