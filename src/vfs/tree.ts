/**
 * Directories and files in memory, as POSIX has them: a name leads to a node, a node may have several names
 * or, while it is open, none. Every refusal is an error that looks like the operating system's.
 *
 * Paths are taken as absolute and cleaned of `.` and `..` as text; there are no symbolic links.
 *
 * @module
 */

import { systemError } from './checks.ts';
import { PagedBytes } from './pages.ts';

export interface FileNode {
  readonly kind: 'file';
  readonly bytes: PagedBytes;
}

export interface DirectoryNode {
  readonly kind: 'directory';
  readonly entries: Map<string, TreeNode>;
}

export type TreeNode = FileNode | DirectoryNode;

/** One name: the directory that holds it, and what it is called there. */
export interface Place {
  readonly directory: DirectoryNode;
  readonly name: string;
}

/** Is told of every change of a name, just before it happens. */
export interface NameObserver {
  linked(place: Place, node: TreeNode): void;
  unlinked(place: Place): void;
  renamed(from: Place, to: Place, node: TreeNode): void;
}

export function newFile(bytes: PagedBytes = new PagedBytes()): FileNode {
  return { kind: 'file', bytes };
}

export function newDirectory(): DirectoryNode {
  return { kind: 'directory', entries: new Map() };
}

/** The names on the way to `path`, cleaned: two paths to one place give equal lists. */
export function pathNames(path: string): string[] {
  const names: string[] = [];
  for (const name of path.split('/')) {
    if (name === '..') names.pop();
    else if (name !== '' && name !== '.') names.push(name);
  }
  return names;
}

export class Tree {
  readonly root: DirectoryNode;
  readonly #observer: NameObserver | undefined;

  constructor(root: DirectoryNode = newDirectory(), observer?: NameObserver) {
    this.root = root;
    this.#observer = observer;
  }

  /** What `path` stands for, or undefined where there is nothing. */
  find(path: string): TreeNode | undefined {
    let node: TreeNode | undefined = this.root;
    for (const name of pathNames(path)) {
      if (node?.kind !== 'directory') return undefined;
      node = node.entries.get(name);
    }
    return node;
  }

  directory(path: string, syscall: string): DirectoryNode {
    const node = this.#walk(pathNames(path), path, syscall);
    if (node.kind !== 'directory') throw systemError('ENOTDIR', syscall, path);
    return node;
  }

  file(path: string, syscall: string): FileNode {
    const node = this.#walk(pathNames(path), path, syscall);
    if (node.kind !== 'file') throw systemError('EISDIR', syscall, path);
    return node;
  }

  /** Makes an empty file under a name that is free. */
  create(path: string): FileNode {
    const place = this.#place(path, 'open');
    if (place.directory.entries.has(place.name)) throw systemError('EEXIST', 'open', path);
    const file = newFile();
    this.#link(place, file);
    return file;
  }

  mkdir(path: string): void {
    let directory = this.root;
    for (const name of pathNames(path)) {
      let next = directory.entries.get(name);
      if (next === undefined) {
        next = newDirectory();
        this.#link({ directory, name }, next);
      }
      if (next.kind !== 'directory') throw systemError('EEXIST', 'mkdir', path);
      directory = next;
    }
  }

  rename(fromPath: string, toPath: string): void {
    const from = this.#place(fromPath, 'rename');
    const to = this.#place(toPath, 'rename');
    const node = from.directory.entries.get(from.name);
    if (node === undefined) throw systemError('ENOENT', 'rename', fromPath);
    const replaced = to.directory.entries.get(to.name);
    // Two names of one file: POSIX asks that both stay.
    if (replaced === node) return;
    if (node.kind === 'directory') {
      if (holds(node, to.directory)) throw systemError('EINVAL', 'rename', fromPath);
      if (replaced?.kind === 'file') throw systemError('ENOTDIR', 'rename', fromPath);
      if (replaced !== undefined && replaced.entries.size > 0)
        throw systemError('ENOTEMPTY', 'rename', fromPath);
    } else if (replaced?.kind === 'directory') {
      throw systemError('EISDIR', 'rename', fromPath);
    }
    this.#observer?.renamed(from, to, node);
    to.directory.entries.set(to.name, node);
    from.directory.entries.delete(from.name);
  }

  /** Removes the name of a file; one that does not exist is no error. */
  remove(path: string): void {
    const node = this.find(path);
    if (node === undefined) return;
    if (node.kind !== 'file') throw systemError('EISDIR', 'unlink', path);
    this.#unlink(this.#place(path, 'unlink'));
  }

  /** Removes an empty directory; one that does not exist is no error. */
  removeDir(path: string): void {
    const node = this.find(path);
    if (node === undefined) return;
    if (node.kind !== 'directory') throw systemError('ENOTDIR', 'rmdir', path);
    if (node.entries.size > 0) throw systemError('ENOTEMPTY', 'rmdir', path);
    this.#unlink(this.#place(path, 'rmdir'));
  }

  #walk(names: readonly string[], path: string, syscall: string): TreeNode {
    let node: TreeNode = this.root;
    for (const name of names) {
      if (node.kind !== 'directory') throw systemError('ENOTDIR', syscall, path);
      const next = node.entries.get(name);
      if (next === undefined) throw systemError('ENOENT', syscall, path);
      node = next;
    }
    return node;
  }

  #place(path: string, syscall: string): Place {
    const names = pathNames(path);
    const name = names.pop();
    if (name === undefined) throw systemError('EBUSY', syscall, path);
    const directory = this.#walk(names, path, syscall);
    if (directory.kind !== 'directory') throw systemError('ENOTDIR', syscall, path);
    return { directory, name };
  }

  #link(place: Place, node: TreeNode): void {
    this.#observer?.linked(place, node);
    place.directory.entries.set(place.name, node);
  }

  #unlink(place: Place): void {
    this.#observer?.unlinked(place);
    place.directory.entries.delete(place.name);
  }
}

/** Whether `wanted` is `directory` or below it. */
function holds(directory: DirectoryNode, wanted: DirectoryNode): boolean {
  if (directory === wanted) return true;
  for (const node of directory.entries.values()) {
    if (node.kind === 'directory' && holds(node, wanted)) return true;
  }
  return false;
}
