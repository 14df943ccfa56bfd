/** Names in a log's `quarantine/`, given out before anything is put there. */

import { joinPath } from '../vfs/vfs.ts';
import { QUARANTINE_DIRECTORY } from './names.ts';

/** The first of `name`, `name.1`, `name.2`, ... that is not taken. */
export function freeName(name: string, taken: ReadonlySet<string>): string {
  let free = name;
  for (let i = 1; taken.has(free); i++) free = `${name}.${i}`;
  return free;
}

export class Quarantine {
  readonly #folder: string;
  readonly #taken: Set<string>;

  /**
   * @param directory of the log
   * @param files what is there already
   */
  constructor(directory: string, files: readonly { file: string }[]) {
    this.#folder = joinPath(directory, QUARANTINE_DIRECTORY);
    this.#taken = new Set(files.map(({ file }) => baseName(file)));
  }

  /**
   * A path for a file, or for its bytes from a position on.
   *
   * @param file that is to be put there
   * @param position of the first byte; none for a file that is no segment
   */
  nameFor(file: string, position?: number): string {
    const name = position === undefined ? baseName(file) : `${baseName(file)}.${position}`;
    const free = freeName(name, this.#taken);
    this.#taken.add(free);
    return joinPath(this.#folder, free);
  }
}

function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}
