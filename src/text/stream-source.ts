/**
 * A stream as text: standard input, something compressed, anything that yields bytes.
 *
 * @module
 */

import type { Clock } from '../clock.ts';
import { fromSystem } from '../errors.ts';
import { decodeText } from './decode.ts';
import type { TextOptions, TextSource } from './source.ts';

/**
 * Reads a stream, or anything that yields bytes or strings. What is compressed is decompressed.
 *
 * @param title what messages call it
 */
export function openStream(
  stream: AsyncIterable<Uint8Array | string>,
  options: TextOptions,
  title: string = 'the stream',
): TextSource {
  const { destroy } = stream as { destroy?: () => void };
  const end = typeof destroy === 'function' ? () => destroy.call(stream) : undefined;
  return new StreamSource(decodeText(stream, title, options.encoding), options, title, end);
}

/** Lines that come in slowly are in the log after this time, and not only when a window is full. */
const LINGER_MS = 100;
const NO_BYTES = new Uint8Array(0);
const LATER = Symbol('later');

/** A text that comes in pieces. */
export class StreamSource implements TextSource {
  readonly title: string;
  readonly plain = undefined;
  isOver = false;
  readonly #iterator: AsyncGenerator<Uint8Array, void, undefined>;
  readonly #clock: Clock;
  readonly #signal: AbortSignal | undefined;
  readonly #end: (() => unknown) | undefined;
  #rest: Uint8Array = NO_BYTES;
  /** The step of the iterator that is waited for. */
  #step: Promise<IteratorResult<Uint8Array, void>> | undefined;

  /**
   * @param pieces what it reads
   * @param title what messages call it
   * @param end lets go of what is behind the pieces, even while they wait for it
   */
  constructor(
    pieces: AsyncGenerator<Uint8Array, void, undefined>,
    { clock, signal }: TextOptions,
    title: string,
    end?: () => unknown,
  ) {
    this.title = title;
    this.#iterator = pieces;
    this.#clock = clock;
    this.#signal = signal;
    this.#end = end;
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
      else this.#rest = next.value;
    }
    return true;
  }

  async #next(deadlineMs: number): Promise<IteratorResult<Uint8Array, void> | typeof LATER> {
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
      // A stream of something else than bytes is its caller's mistake.
      if (error instanceof TypeError) throw error;
      throw fromSystem(error, 'read', this.title);
    } finally {
      cancel?.();
      if (onAbort !== undefined) signal?.removeEventListener('abort', onAbort);
    }
  }

  /** Lets the stream go. An iterator that waits for its next bytes does not answer before they come. */
  async close(): Promise<void> {
    await this.#end?.();
    if (!this.isOver) void this.#iterator.return().catch(() => undefined);
    this.isOver = true;
  }
}
