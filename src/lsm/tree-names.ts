/** Names of trees: each is the name of a directory too. */

import { VarveError } from '../errors.ts';

/** Names that Windows keeps for devices, whatever follows a dot. */
const RESERVED = /^(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|$)/i;
const NAME = /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}$/;

/**
 * Checks the name of a tree.
 *
 * @throws TypeError where it is no string
 * @throws RangeError where it cannot be one
 */
export function checkTreeName(name: unknown): string {
  if (typeof name !== 'string')
    throw new TypeError(`the name of a tree must be a string, not ${typeof name}`);
  if (!NAME.test(name)) {
    throw new RangeError(
      `the name of a tree has 1 to 200 letters, digits, dashes, underscores or dots, no dot first; not ${JSON.stringify(name)}`,
    );
  }
  return name;
}

/**
 * Checks that a name can be that of a new tree beside others, on any disk: some take upper case for lower case.
 *
 * @throws RangeError where it cannot
 */
export function checkNewName(name: string, others: Iterable<string>): void {
  for (const other of others)
    if (other.toLowerCase() === name.toLowerCase())
      throw new RangeError(`there is a tree ${other}: ${name} would have the same directory on some disks`);
  if (RESERVED.test(name)) throw new RangeError(`${name} is no name of a directory on Windows`);
}

/** What is said where a tree cannot be made, since the database is read-only. */
export function noSuchTree(name: string, directory: string): VarveError {
  return new VarveError('NOT_FOUND', `there is no tree ${name} in ${directory}`, { file: directory });
}
