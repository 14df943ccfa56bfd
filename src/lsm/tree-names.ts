/** Names of trees: each is the name of a directory too. */

import { VarveError } from '../errors.ts';

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

/** What is said where a tree cannot be made, since the database is read-only. */
export function noSuchTree(name: string, directory: string): VarveError {
  return new VarveError('NOT_FOUND', `there is no tree ${name} in ${directory}`, { file: directory });
}
