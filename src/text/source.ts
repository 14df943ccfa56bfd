/**
 * What everything that reads text reads from: a file, standard input, any stream of bytes.
 *
 * @module
 */

import type { Clock } from '../clock.ts';
import type { VfsFile } from '../vfs/vfs.ts';
import type { TextEncoding } from './recognize.ts';

export interface TextOptions {
  /** Says how long more was waited for where there is something already. */
  clock: Clock;
  /** How characters are bytes; UTF-8, or what a byte order mark says, unless given. */
  encoding?: TextEncoding | undefined;
  /** Ends a wait for bytes that may never come. */
  signal?: AbortSignal | undefined;
}

/** A text that is read from its beginning to its end. */
export interface TextSource {
  /** What messages call it. */
  readonly title: string;
  /** Whether it was read to its end. */
  readonly isOver: boolean;
  /** Set where the text is bytes of a file as they are, so that they can be read by position as well. */
  readonly plain: PlainText | undefined;
  /**
   * Reads the next bytes until `target` is full, the text ends, or more is long in coming.
   *
   * @returns how many bytes were read; 0 only at the end
   */
  read(target: Uint8Array): Promise<number>;
  close(): Promise<void>;
}

/** A text that is a part of a file: UTF-8, or any encoding of which ASCII is a part. */
export interface PlainText {
  /** Open until the source is closed. */
  readonly file: VfsFile;
  /** Position of the first byte: behind the byte order mark, where there is one. */
  readonly start: number;
  /** Position behind the last byte, as it was when the file was opened. */
  readonly end: number;
}
