/**
 * What is to be read, from what was asked for: files, directories, patterns, standard input. Nothing of it is
 * opened here; and one that is not there does not keep the others from being read.
 *
 * - A path of a file is that file.
 * - A path of a directory is the files in it (and, where that is asked for, in those below it), but for those
 *   whose names start with a dot.
 * - A pattern, which a shell would have expanded had it not been quoted, is what it finds.
 *
 * Files that were named stay in that order. What a directory or a pattern holds is sorted by name, but the
 * files of a rotated set by time, the oldest first.
 *
 * @module
 */

import { isVarveError, VarveError } from '../errors.ts';
import { joinPath, type Vfs } from '../vfs/vfs.ts';
import { openFile } from './file-source.ts';
import { expandGlob, isGlob } from './glob.ts';
import { inTimeOrder, rotatedSetOf } from './rotation.ts';
import type { TextOptions, TextSource } from './source.ts';
import { openStream } from './stream-source.ts';

/** What stands for standard input. */
const STANDARD_INPUT = '-';

/** One text that is to be read. */
export interface Input {
  /** What output and messages call it. */
  readonly name: string;
  /** The path of a file; undefined for a stream. */
  readonly path: string | undefined;
  /** How many bytes there are before they are decompressed, where that is known. */
  readonly bytes: number | undefined;
  /** Opens it. @throws VarveError as `openFile` does */
  open(options: TextOptions): Promise<TextSource>;
}

/**
 * Says whether a file or directory is passed over.
 *
 * @param isNamed whether it was asked for, and not found in a directory
 */
export type SkipName = (path: string, what: 'file' | 'directory', isNamed: boolean) => boolean;

export interface InputOptions {
  /** Takes the directories below a directory as well. */
  recursive?: boolean | undefined;
  /** Takes with each file the others of its rotated set, and all of them in the order of time. */
  rotated?: boolean | undefined;
  /** What `-` stands for; it is a path like any other unless given. */
  standardInput?: (() => AsyncIterable<Uint8Array | string>) | undefined;
  /** What is passed over; nothing unless given. */
  skip?: SkipName | undefined;
}

export interface ExpandedInputs {
  inputs: Input[];
  /** What could not be found or looked into, one error each, in order. */
  failures: VarveError[];
}

/**
 * Finds out what is to be read.
 *
 * @param patterns paths of files or directories, patterns, and `-`
 * @throws RangeError where standard input is asked for twice, or a pattern stands for too many
 */
export async function expandInputs(
  vfs: Vfs,
  patterns: readonly string[],
  options: InputOptions = {},
): Promise<ExpandedInputs> {
  return new Expansion(vfs, options).run(patterns);
}

/** What a library call reads: a path or pattern, some of them, or a stream of bytes or UTF-8. */
export type TextInput = string | readonly string[] | AsyncIterable<Uint8Array | string>;

/**
 * Finds out what a library call is to read.
 *
 * @throws TypeError where it is nothing that can be read
 */
export async function inputsOf(
  vfs: Vfs,
  source: TextInput,
  options: InputOptions = {},
): Promise<ExpandedInputs> {
  if (typeof source === 'string') return expandInputs(vfs, [source], options);
  if (Array.isArray(source)) {
    for (const path of source as readonly unknown[]) {
      if (typeof path !== 'string') throw new TypeError(`a source must be a path, not ${String(path)}`);
    }
    return expandInputs(vfs, source as readonly string[], options);
  }
  const stream = source as AsyncIterable<Uint8Array | string> | null | undefined;
  if (typeof stream?.[Symbol.asyncIterator] !== 'function') {
    throw new TypeError('a source must be a path, a list of paths, or a stream of bytes');
  }
  return { inputs: [streamInput('the stream', () => stream)], failures: [] };
}

/** A stream as an input. */
function streamInput(name: string, stream: () => AsyncIterable<Uint8Array | string>): Input {
  return {
    name,
    path: undefined,
    bytes: undefined,
    open: async (options) => openStream(stream(), options, name),
  };
}

class Expansion {
  readonly #vfs: Vfs;
  readonly #options: InputOptions;
  readonly #inputs: Input[] = [];
  readonly #failures: VarveError[] = [];
  readonly #taken = new Set<string>();
  #hasStandardInput = false;

  constructor(vfs: Vfs, options: InputOptions) {
    this.#vfs = vfs;
    this.#options = options;
  }

  async run(patterns: readonly string[]): Promise<ExpandedInputs> {
    for (const pattern of patterns) {
      if (pattern === STANDARD_INPUT && this.#options.standardInput !== undefined) {
        if (this.#hasStandardInput) throw new RangeError('standard input can be read only once');
        this.#hasStandardInput = true;
        this.#inputs.push(streamInput('(standard input)', this.#options.standardInput));
        continue;
      }
      try {
        await this.#add(pattern);
      } catch (error) {
        if (!isVarveError(error)) throw error;
        this.#failures.push(error);
      }
    }
    return { inputs: this.#inputs, failures: this.#failures };
  }

  async #add(pattern: string): Promise<void> {
    const stat = await this.#vfs.stat(pattern);
    if (stat !== undefined) {
      const isDirectory = stat.kind === 'directory';
      if (this.#skips(pattern, isDirectory ? 'directory' : 'file', true)) return;
      if (isDirectory) return this.#addDirectory(pattern, new Set([stat.id]));
      return this.#addFile(pattern, stat.bytes);
    }
    const found = isGlob(pattern) ? await expandGlob(this.#vfs, pattern) : [];
    if (found.length === 0) {
      const what = isGlob(pattern) ? 'no file matches' : 'there is no file';
      throw new VarveError('NOT_FOUND', `${what} ${pattern}`, { file: pattern });
    }
    for (const path of sortedPaths(found)) {
      const kind = await this.#vfs.stat(path);
      if (kind?.kind === 'file' && !this.#skips(path, 'file', true)) this.#push(path, kind.bytes);
    }
  }

  #skips(path: string, what: 'file' | 'directory', isNamed: boolean): boolean {
    return this.#options.skip?.(path, what, isNamed) === true;
  }

  async #addFile(path: string, bytes: number): Promise<void> {
    if (this.#options.rotated !== true) return this.#push(path, bytes);
    const [directory, name] = split(path);
    const set = rotatedSetOf(name);
    const names = await this.#vfs.readdir(directory === '' ? '.' : directory);
    for (const sibling of inTimeOrder(names.filter((other) => rotatedSetOf(other) === set))) {
      const other = directory + sibling;
      const stat = await this.#vfs.stat(other);
      if (stat?.kind === 'file' && !this.#taken.has(other)) this.#push(other, stat.bytes);
    }
  }

  /** @param above the directories on the way, so that a link back to one of them does not go in circles */
  async #addDirectory(path: string, above: ReadonlySet<string>): Promise<void> {
    const directory = path.replace(/(?<=.)\/+$/, '');
    const below: { path: string; id: string }[] = [];
    for (const name of inTimeOrder(await this.#vfs.readdir(path))) {
      if (name.startsWith('.')) continue;
      const entry = joinPath(directory, name);
      const stat = await this.#vfs.stat(entry);
      if (stat?.kind !== 'file' && stat?.kind !== 'directory') continue;
      if (this.#skips(entry, stat.kind, false)) continue;
      if (stat.kind === 'file') this.#push(entry, stat.bytes);
      else if (!above.has(stat.id)) below.push({ path: entry, id: stat.id });
    }
    if (this.#options.recursive !== true) return;
    for (const next of below) {
      try {
        await this.#addDirectory(next.path, new Set([...above, next.id]));
      } catch (error) {
        if (!isVarveError(error)) throw error;
        this.#failures.push(error);
      }
    }
  }

  #push(path: string, bytes: number): void {
    this.#taken.add(path);
    const vfs = this.#vfs;
    this.#inputs.push({ name: path, path, bytes, open: (options) => openFile(vfs, path, options) });
  }
}

/** The directory of a path, with the slash behind it, and the name. */
function split(path: string): [directory: string, name: string] {
  const slash = path.lastIndexOf('/') + 1;
  return [path.slice(0, slash), path.slice(slash)];
}

/** By directory, and in each of them as `inTimeOrder` has it. */
function sortedPaths(paths: readonly string[]): string[] {
  const byDirectory = new Map<string, string[]>();
  for (const path of paths) {
    const [directory, name] = split(path);
    const names = byDirectory.get(directory);
    if (names === undefined) byDirectory.set(directory, [name]);
    else names.push(name);
  }
  return [...byDirectory.keys()]
    .sort()
    .flatMap((directory) =>
      inTimeOrder(byDirectory.get(directory) as string[]).map((name) => directory + name),
    );
}
