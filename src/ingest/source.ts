/**
 * Where the text comes from: a file, read through the contract with the disk, or a stream.
 *
 * @module
 */

import type { Clock } from '../clock.ts';
import { fromSystem, VarveError } from '../errors.ts';
import type { Vfs, VfsFile } from '../vfs/vfs.ts';

/** A text that is read from its beginning to its end. */
export interface TextSource {
  /** What messages call it. */
  readonly title: string;
  /** Whether it was read to its end. */
  readonly isOver: boolean;
  /**
   * Reads the next bytes until `target` is full, the text ends, or more is long in coming.
   *
   * @returns how many bytes were read; 0 only at the end
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

  get isOver(): boolean {
    return this.#position === this.#bytes;
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
 * @param clock how long to wait for more when there is something already
 * @param signal ends a wait for bytes that may never come
 */
export function openStream(
  stream: AsyncIterable<Uint8Array | string>,
  clock: Clock,
  signal?: AbortSignal,
): TextSource {
  return new StreamSource(stream, clock, signal);
}

/** Lines that come in slowly are in the log after this time, and not only when a window is full. */
const LINGER_MS = 100;
const NO_BYTES = new Uint8Array(0);
const LATER = Symbol('later');

class StreamSource implements TextSource {
  readonly title: string = 'the stream';
  isOver = false;
  readonly #stream: AsyncIterable<unknown>;
  readonly #iterator: AsyncIterator<unknown, unknown>;
  readonly #clock: Clock;
  readonly #signal: AbortSignal | undefined;
  #rest: Uint8Array = NO_BYTES;
  /** The step of the iterator that is waited for. */
  #step: Promise<IteratorResult<unknown, unknown>> | undefined;

  constructor(stream: AsyncIterable<unknown>, clock: Clock, signal: AbortSignal | undefined) {
    this.#stream = stream;
    this.#iterator = stream[Symbol.asyncIterator]();
    this.#clock = clock;
    this.#signal = signal;
  }

  async read(target: Uint8Array): Promise<number> {
    let filled = 0;
    let deadlineMs = Number.POSITIVE_INFINITY;
    while (filled < target.length) {
      if (this.#rest.length === 0 && !(await this.#pull(deadlineMs))) break;
      if (filled === 0) deadlineMs = this.#clock.monotonic() + LINGER_MS;
      const piece = this.#rest.subarray(0, target.length - filled);
      target.set(piece, filled);
      filled += piece.length;
      this.#rest = this.#rest.subarray(piece.length);
    }
    return filled;
  }

  /** Waits for the next bytes; false where there are none any more, or not before the deadline. */
  async #pull(deadlineMs: number): Promise<boolean> {
    while (this.#rest.length === 0) {
      if (this.isOver) return false;
      const next = await this.#next(deadlineMs);
      if (next === LATER) return false;
      if (next.done === true) this.isOver = true;
      else this.#rest = bytesOf(next.value);
    }
    return true;
  }

  async #next(deadlineMs: number): Promise<IteratorResult<unknown, unknown> | typeof LATER> {
    const signal = this.#signal;
    signal?.throwIfAborted();
    if (this.#step === undefined) {
      this.#step = this.#iterator.next();
      // It may fail while nobody waits for it; who asks next is told.
      this.#step.catch(() => undefined);
    }
    let onAbort: (() => void) | undefined;
    let cancel: (() => void) | undefined;
    const interrupted = new Promise<typeof LATER>((resolve, reject) => {
      onAbort = () => reject(signal?.reason as Error);
      signal?.addEventListener('abort', onAbort, { once: true });
      const delayMs = deadlineMs - this.#clock.monotonic();
      if (Number.isFinite(delayMs)) cancel = this.#clock.after(Math.max(0, delayMs), () => resolve(LATER));
    });
    try {
      const next = await Promise.race([this.#step, interrupted]);
      if (next !== LATER) this.#step = undefined;
      return next;
    } catch (error) {
      if (signal?.aborted === true) throw error;
      this.isOver = true;
      throw fromSystem(error, 'read', this.title);
    } finally {
      cancel?.();
      if (onAbort !== undefined) signal?.removeEventListener('abort', onAbort);
    }
  }

  /** Lets the stream go. An iterator that waits for its next bytes does not answer before they come. */
  async close(): Promise<void> {
    const stream = this.#stream as { destroy?: () => void };
    if (typeof stream.destroy === 'function') stream.destroy();
    else if (!this.isOver) void this.#iterator.return?.()?.catch(() => undefined);
    this.isOver = true;
  }
}

function bytesOf(value: unknown): Uint8Array {
  if (typeof value === 'string') return Buffer.from(value);
  if (value instanceof Uint8Array) return value;
  throw new TypeError(`a stream of text yields bytes or strings, not ${typeof value}`);
}
