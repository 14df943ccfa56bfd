/**
 * An engine that keeps records, as the suite `peers` drives it: varve and all others through the same
 * calls.
 *
 * @module
 */

/** What is asked of an engine when it is opened. */
export interface Wish {
  /** A directory of its own; it exists and is empty. */
  readonly directory: string;
  /** Whether `append` resolves only when the record survives a power cut. */
  readonly isDurable: boolean;
}

export interface OpenEngine {
  /** Appends a record; resolves when it is acknowledged. */
  append(value: Buffer, number: number): Promise<unknown>;
  /** Appends many in the way that is fastest, and waits until all are written (not synced). */
  appendAll(count: number): Promise<void>;
  close(): Promise<void>;
}

export interface PeerEngine {
  readonly name: string;
  /** Why it cannot do one of the two; null where it can. */
  missing(isDurable: boolean): string | null;
  open(wish: Wish): Promise<OpenEngine>;
}

/** A function that takes a callback as its last argument, as a promise. */
export function promised<T = void>(
  call: (done: (error?: Error | null, value?: T) => void) => void,
): Promise<T> {
  return new Promise((resolve, reject) => {
    call((error, value) => {
      if (error === undefined || error === null) resolve(value as T);
      else reject(error);
    });
  });
}
