/**
 * A disk in memory: the contract of vfs.ts without a machine underneath. Tests run on it, and the file
 * system of `varve/testing` that crashes is this one with a model of a disk looking on.
 *
 * A call takes effect at once and is over one microtask later, so that whoever does not wait for it sees
 * what it means to have it in flight. There is no clock and no chance in it: a run repeats exactly.
 *
 * @module
 */

import { fromSystem } from '../errors.ts';
import { checkLength, checkPosition, closedError, lockedError, readOnlyError } from './checks.ts';
import {
  type DirectoryNode,
  type FileNode,
  type NameObserver,
  pathNames,
  Tree,
  type TreeNode,
} from './tree.ts';
import type { FileStat, OpenMode, Vfs, VfsFile, VfsLock } from './vfs.ts';

/** The calls of the contract, by name. */
export type OperationName =
  | 'open'
  | 'size'
  | 'read'
  | 'write'
  | 'datasync'
  | 'truncate'
  | 'close'
  | 'readdir'
  | 'stat'
  | 'mkdir'
  | 'rename'
  | 'remove'
  | 'removeDir'
  | 'syncDir'
  | 'lock'
  | 'release';

/** One call: what is asked of which file. */
export interface Operation {
  readonly op: OperationName;
  readonly path: string;
  /** The new name, of a rename. */
  readonly to?: string;
  /** Where a read or a write begins, in bytes. */
  readonly position?: number;
  /** How many bytes are to be read, written, or left by `truncate`. */
  readonly bytes?: number;
}

/** Runs when a call is over; what it throws is the outcome of the call. */
export type Settle = () => void;

/**
 * Looks on, call by call; this is how a model of a disk follows what is done to it. One call is `before`,
 * then what it changes (told before it happens), then `after`, whose result runs when the call is over.
 */
export interface DiskObserver extends NameObserver {
  /** What it throws is the outcome of the call, which then does nothing. */
  before(operation: Operation): void;
  written(file: FileNode, source: Uint8Array, position: number): void;
  truncated(file: FileNode, bytes: number): void;
  synced(file: FileNode): void;
  syncedDir(directory: DirectoryNode): void;
  after(): Settle;
}

class MemoryFile implements VfsFile {
  readonly path: string;
  readonly handle = undefined;
  readonly #node: FileNode;
  readonly #writable: boolean;
  readonly #vfs: MemoryVfs;
  #closing: Promise<void> | undefined;

  constructor(path: string, node: FileNode, mode: OpenMode, vfs: MemoryVfs) {
    this.path = path;
    this.#node = node;
    this.#writable = mode !== 'read';
    this.#vfs = vfs;
  }

  async size(): Promise<number> {
    this.#check();
    return this.#vfs.run({ op: 'size', path: this.path }, () => this.#node.bytes.length);
  }

  async read(target: Uint8Array, position: number): Promise<number> {
    const operation = this.#transfer('read', target, position);
    return this.#vfs.run(operation, () => this.#node.bytes.read(target, position));
  }

  readSync(target: Uint8Array, position: number): number {
    const operation = this.#transfer('read', target, position);
    return this.#vfs.runSync(operation, () => this.#node.bytes.read(target, position));
  }

  async write(source: Uint8Array, position: number): Promise<void> {
    const operation = this.#transfer('write', source, position);
    await this.#vfs.run(operation, (observer) => {
      observer?.written(this.#node, source, position);
      this.#node.bytes.write(source, position);
      this.#vfs.fileChanged(this.#node);
    });
  }

  writeSync(source: Uint8Array, position: number): void {
    const operation = this.#transfer('write', source, position);
    this.#vfs.runSync(operation, (observer) => {
      observer?.written(this.#node, source, position);
      this.#node.bytes.write(source, position);
      this.#vfs.fileChanged(this.#node);
    });
  }

  async datasync(): Promise<void> {
    this.#check();
    await this.#vfs.run({ op: 'datasync', path: this.path }, (observer) => observer?.synced(this.#node));
  }

  async truncate(bytes: number): Promise<void> {
    this.#check();
    if (!this.#writable) throw readOnlyError(this.path);
    checkLength(bytes);
    await this.#vfs.run({ op: 'truncate', path: this.path, bytes }, (observer) => {
      observer?.truncated(this.#node, bytes);
      this.#node.bytes.truncate(bytes);
      this.#vfs.fileChanged(this.#node);
    });
  }

  close(): Promise<void> {
    this.#closing ??= this.#vfs.run({ op: 'close', path: this.path }, () => this.#vfs.fileClosed());
    return this.#closing;
  }

  #check(): void {
    if (this.#closing !== undefined) throw closedError(this.path);
  }

  #transfer(op: 'read' | 'write', bytes: Uint8Array, position: number): Operation {
    this.#check();
    if (op === 'write' && !this.#writable) throw readOnlyError(this.path);
    checkPosition(position);
    return { op, path: this.path, position, bytes: bytes.length };
  }
}

export class MemoryVfs implements Vfs {
  readonly #tree: Tree;
  readonly #observer: DiskObserver | undefined;
  readonly #locks = new Set<string>();
  readonly #ids = new WeakMap<TreeNode, number>();
  readonly #changed = new WeakMap<TreeNode, number>();
  #nodes = 0;
  #changes = 0;
  #openFiles = 0;

  /**
   * @param root the directory that `/` stands for; an empty one unless told
   * @param observer looks on at every call
   */
  constructor(root?: DirectoryNode, observer?: DiskObserver) {
    this.#tree = new Tree(root, observer);
    this.#observer = observer;
  }

  /** How many files are open: 0 where nothing leaks. */
  get openFiles(): number {
    return this.#openFiles;
  }

  async open(path: string, mode: OpenMode): Promise<VfsFile> {
    return this.run({ op: 'open', path }, () => {
      const node = mode === 'create' ? this.#tree.create(path) : this.#tree.file(path, 'open');
      this.#openFiles++;
      return new MemoryFile(path, node, mode, this);
    });
  }

  async readdir(path: string): Promise<string[]> {
    return this.run({ op: 'readdir', path }, () =>
      [...this.#tree.directory(path, 'scandir').entries.keys()].sort(),
    );
  }

  async stat(path: string): Promise<FileStat | undefined> {
    return this.run({ op: 'stat', path }, () => {
      const node = this.#tree.find(path);
      return node && this.#describe(node);
    });
  }

  /** There being no clock, the changes so far stand for the milliseconds. */
  #describe(node: TreeNode): FileStat {
    let id = this.#ids.get(node);
    if (id === undefined) {
      id = ++this.#nodes;
      this.#ids.set(node, id);
    }
    return {
      kind: node.kind,
      bytes: node.kind === 'file' ? node.bytes.length : 0,
      id: String(id),
      modifiedMs: this.#changed.get(node) ?? 0,
    };
  }

  async mkdir(path: string): Promise<void> {
    await this.run({ op: 'mkdir', path }, () => this.#tree.mkdir(path));
  }

  async rename(from: string, to: string): Promise<void> {
    await this.run({ op: 'rename', path: from, to }, () => this.#tree.rename(from, to));
  }

  async remove(path: string): Promise<void> {
    await this.run({ op: 'remove', path }, () => this.#tree.remove(path));
  }

  async removeDir(path: string): Promise<void> {
    await this.run({ op: 'removeDir', path }, () => this.#tree.removeDir(path));
  }

  async syncDir(path: string): Promise<void> {
    await this.run({ op: 'syncDir', path }, (observer) => {
      const directory = this.#tree.directory(path, 'fsync');
      observer?.syncedDir(directory);
    });
  }

  async lock(directory: string): Promise<VfsLock> {
    const key = pathNames(directory).join('/');
    await this.run({ op: 'lock', path: directory }, () => {
      this.#tree.directory(directory, 'lock');
      if (this.#locks.has(key)) throw lockedError(directory, process.pid);
      this.#locks.add(key);
    });
    let released = false;
    return {
      release: async () => {
        if (released) return;
        released = true;
        await this.run({ op: 'release', path: directory }, () => this.#locks.delete(key));
      },
    };
  }

  /** One call: it takes effect now and is over a microtask later. */
  async run<T>(operation: Operation, effect: (observer?: DiskObserver) => T): Promise<T> {
    try {
      this.#observer?.before(operation);
      const result = effect(this.#observer);
      const settle = this.#observer?.after();
      await Promise.resolve();
      settle?.();
      return result;
    } catch (error) {
      throw fromSystem(error, operation.op, operation.path);
    }
  }

  runSync<T>(operation: Operation, effect: (observer?: DiskObserver) => T): T {
    try {
      this.#observer?.before(operation);
      const result = effect(this.#observer);
      this.#observer?.after()();
      return result;
    } catch (error) {
      throw fromSystem(error, operation.op, operation.path);
    }
  }

  fileChanged(node: FileNode): void {
    this.#changed.set(node, ++this.#changes);
  }

  fileClosed(): void {
    this.#openFiles--;
  }
}

/** A file system that lives as long as the object. */
export function createMemoryVfs(): Vfs {
  return new MemoryVfs();
}
