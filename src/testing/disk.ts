/**
 * What the disk under a file system in memory holds for certain, and what is still on its way there.
 *
 * Beside the state that programs see, each file has the bytes and the length that its last sync left, and the
 * changes since then in order; each directory has the names that its last sync left, and the changes since.
 * A sync moves changes over: those whose calls were over when it began. A change whose call is still in
 * flight is not covered, although a real disk may have it by then: who relies on that relies on luck.
 *
 * @module
 */

import type { DiskObserver, Operation, Settle } from '../vfs/memory.ts';
import type { PagedBytes } from '../vfs/pages.ts';
import type { DirectoryNode, FileNode, Place, TreeNode } from '../vfs/tree.ts';

/** Whether the call that made a change is over, and so whether a sync covers it. */
interface Progress {
  over: boolean;
}

/** A write, or (with no `source`) a cut or an extension of the file to `end`. */
export interface FileChange extends Progress {
  readonly source: Uint8Array | undefined;
  /** Where the write begins; where the cut is. */
  readonly position: number;
  /** Length of the file before and after. */
  readonly lengthBefore: number;
  readonly lengthAfter: number;
}

export interface FileOnDisk {
  readonly synced: PagedBytes;
  readonly changes: FileChange[];
}

/** A name begins to stand for `node`, or (undefined) for nothing. */
export interface NameChange extends Progress {
  readonly place: Place;
  readonly node: TreeNode | undefined;
  /** For the old name of a rename: the change of the new one, which this one never precedes. */
  readonly target?: NameChange;
  /** For the new name of a renamed directory: the change of the old one. A directory never has two names. */
  source?: NameChange;
}

export interface DirectoryOnDisk {
  readonly synced: ReadonlyMap<string, TreeNode>;
  readonly changes: readonly NameChange[];
}

interface MutableDirectory extends DirectoryOnDisk {
  readonly synced: Map<string, TreeNode>;
  readonly changes: NameChange[];
}

export class Disk implements DiskObserver {
  readonly #onOperation: (operation: Operation) => void;
  readonly #files = new Map<FileNode, FileOnDisk>();
  readonly #directories = new Map<DirectoryNode, MutableDirectory>();
  /** What the call that is being made has changed, and what its end will do. */
  #current: Progress[] = [];
  #atEnd: Settle[] = [];
  #stopped: Error | undefined;

  /** @param onOperation is told of each call first; what it throws is the outcome of the call */
  constructor(onOperation: (operation: Operation) => void) {
    this.#onOperation = onOperation;
  }

  /** What the disk holds of a file; undefined where that is all that programs see. */
  file(node: FileNode): FileOnDisk | undefined {
    return this.#files.get(node);
  }

  directory(node: DirectoryNode): DirectoryOnDisk | undefined {
    return this.#directories.get(node);
  }

  /** Lets every call fail from now on, those in flight included. */
  stop(reason: Error): void {
    this.#stopped ??= reason;
  }

  before(operation: Operation): void {
    if (this.#stopped !== undefined) throw this.#stopped;
    // What a refused call had changed before it was refused is as old as the refusal.
    for (const change of this.#current) change.over = true;
    this.#current = [];
    this.#atEnd = [];
    this.#onOperation(operation);
  }

  after(): Settle {
    const changes = this.#current;
    const atEnd = this.#atEnd;
    this.#current = [];
    this.#atEnd = [];
    return () => {
      if (this.#stopped !== undefined) throw this.#stopped;
      for (const change of changes) change.over = true;
      for (const action of atEnd) action();
    };
  }

  written(file: FileNode, source: Uint8Array, position: number): void {
    if (source.length === 0) return;
    const lengthBefore = file.bytes.length;
    const lengthAfter = Math.max(lengthBefore, position + source.length);
    // A copy: `slice` of a Buffer is a view, and its caller goes on to use the memory for something else.
    this.#changeFile(file, {
      source: Uint8Array.from(source),
      position,
      lengthBefore,
      lengthAfter,
      over: false,
    });
  }

  truncated(file: FileNode, bytes: number): void {
    const lengthBefore = file.bytes.length;
    if (bytes === lengthBefore) return;
    this.#changeFile(file, {
      source: undefined,
      position: bytes,
      lengthBefore,
      lengthAfter: bytes,
      over: false,
    });
  }

  synced(file: FileNode): void {
    const known = this.#files.get(file);
    if (known === undefined) return;
    const covered = new Set(known.changes.filter((change) => change.over));
    this.#atEnd.push(() => {
      const rest: FileChange[] = [];
      for (const change of known.changes) {
        if (covered.has(change)) applyChange(known.synced, change);
        else rest.push(change);
      }
      known.changes.splice(0, known.changes.length, ...rest);
    });
  }

  linked(place: Place, node: TreeNode): void {
    this.#changeName({ place, node, over: false });
  }

  unlinked(place: Place): void {
    this.#changeName({ place, node: undefined, over: false });
  }

  renamed(from: Place, to: Place, node: TreeNode): void {
    const target: NameChange = { place: to, node, over: false };
    const source: NameChange = { place: from, node: undefined, target, over: false };
    if (node.kind === 'directory') target.source = source;
    this.#changeName(target);
    this.#changeName(source);
  }

  syncedDir(directory: DirectoryNode): void {
    const covered = (this.#directories.get(directory)?.changes ?? []).filter((change) => change.over);
    this.#atEnd.push(() => {
      for (const change of covered) this.#settleName(change);
    });
  }

  #changeFile(node: FileNode, change: FileChange): void {
    let known = this.#files.get(node);
    if (known === undefined) {
      known = { synced: node.bytes.clone(), changes: [] };
      this.#files.set(node, known);
    }
    known.changes.push(change);
    this.#current.push(change);
  }

  #changeName(change: NameChange): void {
    const node = change.place.directory;
    let known = this.#directories.get(node);
    if (known === undefined) {
      known = { synced: new Map(node.entries), changes: [] };
      this.#directories.set(node, known);
    }
    known.changes.push(change);
    this.#current.push(change);
  }

  /** Makes a change of a name durable, with those that it cannot be without. */
  #settleName(change: NameChange): void {
    const known = this.#directories.get(change.place.directory);
    if (known === undefined || !known.changes.includes(change)) return;
    const earlier = known.changes.find((other) => other.place.name === change.place.name);
    if (earlier !== undefined && earlier !== change) {
      this.#settleName(earlier);
      this.#settleName(change);
      return;
    }
    known.changes.splice(known.changes.indexOf(change), 1);
    if (change.node === undefined) known.synced.delete(change.place.name);
    else known.synced.set(change.place.name, change.node);
    if (change.target !== undefined) this.#settleName(change.target);
    if (change.source !== undefined) this.#settleName(change.source);
  }
}

/** Carries a change out on the bytes of a file. */
export function applyChange(bytes: PagedBytes, change: FileChange): void {
  if (change.source === undefined) bytes.truncate(change.position);
  else bytes.write(change.source, change.position);
}
