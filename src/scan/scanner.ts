/**
 * What is done with the lines of a text, on whatever thread: a scanner is shown windows of lines and is asked
 * for what it has found. A kind of scanner is made anew in each task from a specification of plain values, so
 * that the ranges of one file can be scanned by several threads.
 *
 * The working memory of a task:
 *
 *     +------------------+----------------------------------------------+
 *     |  the scanner's   |            room for a window                 |
 *     +------------------+----------------------------------------------+
 *
 * @module
 */

import { assert } from '../assert.ts';
import { SCRATCH_BYTES, SLACK_BYTES } from '../memory/layout.ts';
import type { MemoryView } from '../memory/memory.ts';
import { readerOf } from '../vfs/node.ts';
import type { VfsFile } from '../vfs/vfs.ts';
import { type LineRange, readRange, type TextWindow } from './ranges.ts';

/** What a task works in: with the scratch of its thread's kernels, exactly a slab. */
export const SCAN_BYTES: number = 4 * 1024 * 1024 - SCRATCH_BYTES;
/** A longer line is cut off, by whatever way it comes. */
export const SCAN_LINE_BYTES_MAX: number = 2 * 1024 * 1024;
/** What a scanner may have of the working memory. */
export const SCANNER_BYTES_MAX: number = SCAN_BYTES - SCAN_LINE_BYTES_MAX - SLACK_BYTES;

export interface Scanner<R> {
  /**
   * Looks at the next lines of the text.
   *
   * @returns false where it has seen enough
   */
  visit(window: TextWindow): boolean;
  /** What was found since it was last asked. */
  take(): R;
}

/** A kind of scanner: what tasks of one name run. */
export interface ScanKind<S, R> {
  /** Working memory that a scanner needs, at most `SCANNER_BYTES_MAX`. */
  readonly workBytes: number;
  /**
   * @param work address of the scanner's memory, aligned to 64 bytes
   * @param spec plain values, which can be posted to another thread
   */
  create(memory: MemoryView, work: number, spec: S): Scanner<R>;
}

/** The arguments of a task that scans a range. */
export interface ScanArgs<S> {
  path: string;
  /** The file's `handle`; it stays open until the task is done. */
  handle: number;
  range: LineRange;
  spec: S;
}

/** Scans a range of a file that another thread has open. */
export function runScan<S, R>(memory: MemoryView, work: number, args: ScanArgs<S>, kind: ScanKind<S, R>): R {
  const scanner = kind.create(memory, work, args.spec);
  scanRange(memory, work, readerOf(args.handle, args.path), args.range, kind, scanner);
  return scanner.take();
}

/**
 * Shows a scanner the lines of a range.
 *
 * @param work address of `SCAN_BYTES`, the scanner's memory first
 * @returns whether the scanner wants more
 */
export function scanRange<S, R>(
  memory: MemoryView,
  work: number,
  file: Pick<VfsFile, 'path' | 'readSync'>,
  range: LineRange,
  kind: ScanKind<S, R>,
  scanner: Scanner<R>,
): boolean {
  assert(kind.workBytes <= SCANNER_BYTES_MAX, 'a scanner leaves room for a line');
  const before = Math.ceil(kind.workBytes / 64) * 64;
  const room = {
    address: work + before,
    bytes: Math.min(SCAN_BYTES - before, SCAN_LINE_BYTES_MAX + SLACK_BYTES),
  };
  let wantsMore = true;
  readRange(memory, room, file, range, (window) => {
    wantsMore = scanner.visit(window);
    return wantsMore;
  });
  return wantsMore;
}
