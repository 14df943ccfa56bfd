/**
 * The checks and refusals that every implementation of the disk contract shares, so that they answer a
 * wrong call in the same words.
 *
 * @module
 */

import { VarveError } from '../errors.ts';

/** @throws RangeError where `position` is not a byte position: Node would silently use its own. */
export function checkPosition(position: number): void {
  if (!Number.isSafeInteger(position) || position < 0) {
    throw new RangeError(`position must be a non-negative integer, not ${position}`);
  }
}

/** @throws RangeError where `bytes` is not a length. */
export function checkLength(bytes: number): void {
  if (!Number.isSafeInteger(bytes) || bytes < 0) {
    throw new RangeError(`bytes must be a non-negative integer, not ${bytes}`);
  }
}

/** The error of a call on a handle that was given back. */
export function closedError(path: string): VarveError {
  return new VarveError('CLOSED', `${path} is closed`, { file: path });
}

/** The error of a write through a handle that was opened for reading. */
export function readOnlyError(path: string): VarveError {
  return new VarveError('READ_ONLY', `${path} was opened for reading only`, { file: path });
}

/**
 * The error of a directory that somebody has.
 *
 * @param pid the process that has it, where that is known
 */
export function lockedError(directory: string, pid: number | undefined): VarveError {
  const owner =
    pid === undefined ? 'another process' : pid === process.pid ? 'this process' : `process ${pid}`;
  return new VarveError('LOCKED', `${directory} is in use by ${owner}`, {
    file: directory,
    ...(pid === undefined ? {} : { pid }),
  });
}

/** An error as the operating system's look: its `code` is what callers tell them apart by. */
export function systemError(code: string, syscall: string, path: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${code}: ${syscall} '${path}'`), { code, syscall, path });
}
