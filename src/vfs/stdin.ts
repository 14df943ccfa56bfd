/**
 * Standard input, looked at before it is read: Node.js says of a directory, and of a descriptor that was
 * closed, that there is nothing in it.
 *
 * @module
 */

import fs from 'node:fs';
import { fromSystem, systemCode } from '../errors.ts';
import { systemError } from './checks.ts';

const TITLE = 'standard input';
const READ_AND_WRITE = 2;

/**
 * Checks that there is a standard input to read.
 *
 * @throws VarveError `IO` where it is a directory, or was closed
 */
export function checkStandardInput(): void {
  const stat = statOf(0);
  if (stat?.isDirectory() === true) throw fromSystem(systemError('EISDIR', 'read', TITLE), 'read', TITLE);
  if (stat === undefined || isReplaced())
    throw fromSystem(systemError('EBADF', 'read', TITLE), 'read', TITLE);
}

function statOf(fd: number): fs.Stats | undefined {
  try {
    return fs.fstatSync(fd);
  } catch (error) {
    if (systemCode(error) === 'EBADF') return undefined;
    throw fromSystem(error, 'read', TITLE);
  }
}

/**
 * Whether Node.js found it closed: it opens the null device in its place then, for reading and writing, while
 * a shell opens it for reading. Linux tells the difference.
 */
function isReplaced(): boolean {
  try {
    if (fs.readlinkSync('/proc/self/fd/0') !== '/dev/null') return false;
    const flags = /^flags:\s*([0-7]+)$/m.exec(fs.readFileSync('/proc/self/fdinfo/0', 'latin1'))?.[1];
    return flags !== undefined && (Number.parseInt(flags, 8) & READ_AND_WRITE) !== 0;
  } catch {
    return false;
  }
}
