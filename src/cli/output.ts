/**
 * Standard output for commands that print much: writes are gathered into pieces of 64 KiB, and a reader
 * that is slower than we are holds us back instead of filling the memory.
 *
 * @module
 */

import { systemCode } from '../errors.ts';

const PIECE_BYTES = 64 * 1024;
const NEWLINE = 10;

/** What an {@link Output} needs of a stream; `process.stdout` has it. */
export interface OutputStream {
  write(piece: Uint8Array, done?: (error?: Error | null) => void): boolean;
  on(event: 'error' | 'close' | 'drain', listener: (error?: Error) => void): unknown;
}

/**
 * ```ts
 * for (const line of lines) {
 *   output.line(line);
 *   if (output.full) await output.flush();
 * }
 * ```
 */
export class Output {
  readonly #stream: OutputStream;
  readonly #onClosed: () => void;
  #piece: Buffer = Buffer.allocUnsafe(PIECE_BYTES);
  #used = 0;
  #isFull = false;
  #isClosed = false;
  #failure: Error | undefined;
  #wake: (() => void) | undefined;

  /**
   * @param onClosed called once when the reader has gone (`| head`): what is written later is dropped
   */
  constructor(stream: OutputStream, onClosed: () => void = () => {}) {
    this.#stream = stream;
    this.#onClosed = onClosed;
    stream.on('error', (error) => {
      if (error !== undefined && systemCode(error) !== 'EPIPE') this.#failure = error;
      this.#close();
    });
    stream.on('close', () => this.#close());
    // It may drain before anybody waits for that.
    stream.on('drain', () => this.#release());
  }

  /** Whether `flush` should be awaited before more is written. */
  get full(): boolean {
    return this.#isFull;
  }

  /** Adds bytes that are the caller's to give away: they are not copied, and must not change any more. */
  give(bytes: Uint8Array): void {
    this.#send(bytes);
  }

  /** Adds text or bytes; they are copied. */
  write(data: string | Uint8Array): void {
    if (typeof data === 'string') {
      // A code unit becomes at most three bytes.
      if (data.length * 3 > PIECE_BYTES) {
        this.#send(Buffer.from(data));
        return;
      }
      if (this.#used + data.length * 3 > PIECE_BYTES) this.#sendPiece();
      this.#used += this.#piece.write(data, this.#used);
      return;
    }
    if (this.#used + data.length > PIECE_BYTES) this.#sendPiece();
    if (data.length > PIECE_BYTES) {
      this.#send(Buffer.from(data));
      return;
    }
    this.#piece.set(data, this.#used);
    this.#used += data.length;
  }

  /** Adds text or bytes and the end of a line. */
  line(data: string | Uint8Array): void {
    this.write(data);
    if (this.#used === PIECE_BYTES) this.#sendPiece();
    this.#piece[this.#used++] = NEWLINE;
  }

  /** Adds a value as one line of JSON. */
  json(value: unknown): void {
    this.line(JSON.stringify(value));
  }

  /**
   * Hands everything to the system, and waits while the reader is behind.
   * @throws the failure of an earlier write, other than that of a pipe whose reader has gone
   */
  async flush(): Promise<void> {
    this.#sendPiece();
    if (this.#isFull && !this.#isClosed) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** As {@link Output.flush}, and waits until the system has taken the last byte. */
  async end(): Promise<void> {
    await this.flush();
    if (this.#isClosed) return;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      this.#stream.write(new Uint8Array(0), () => resolve());
    });
    if (this.#failure !== undefined) throw this.#failure;
  }

  #sendPiece(): void {
    if (this.#used === 0) return;
    const piece = this.#piece.subarray(0, this.#used);
    // The stream may keep what it was given until it has room, so this piece is not written to again.
    this.#piece = Buffer.allocUnsafe(PIECE_BYTES);
    this.#used = 0;
    this.#send(piece);
  }

  #send(piece: Uint8Array): void {
    if (this.#used > 0) this.#sendPiece();
    if (!this.#isClosed && !this.#stream.write(piece)) this.#isFull = true;
  }

  #release(): void {
    this.#isFull = false;
    this.#wake?.();
    this.#wake = undefined;
  }

  #close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#release();
    this.#onClosed();
  }
}
