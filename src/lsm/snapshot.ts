/**
 * A snapshot: all trees of a database as they are at one moment. What it sees is kept as long as it is open.
 *
 * @module
 */

import { VarveError } from '../errors.ts';
import type { Trees } from './trees.ts';

export class TreeSnapshot {
  /** What is older than this sequence number is seen. */
  readonly sequence: number;
  readonly #trees: Trees;
  #isClosed = false;

  constructor(trees: Trees, sequence: number) {
    this.sequence = sequence;
    this.#trees = trees;
    trees.snapshots.hold(sequence);
  }

  /**
   * Whether it is one of this database.
   *
   * @internal
   */
  isOf(trees: Trees): boolean {
    return this.#trees === trees;
  }

  get isClosed(): boolean {
    return this.#isClosed || this.#trees.isClosed;
  }

  /** Lets go of what only it sees. A second call does nothing. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#trees.snapshots.release(this.sequence);
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/**
 * Up to where a read sees.
 *
 * @throws TypeError where it is no snapshot, or one of another database
 * @throws VarveError `CLOSED`
 */
export function sequenceOf(trees: Trees, snapshot: TreeSnapshot | undefined): number {
  if (snapshot === undefined) return trees.writer.visible;
  if (!(snapshot instanceof TreeSnapshot)) throw new TypeError('snapshot must be what snapshot() returned');
  if (!snapshot.isOf(trees)) throw new TypeError('snapshot must be one of the same database');
  if (snapshot.isClosed) throw new VarveError('CLOSED', 'the snapshot is closed');
  return snapshot.sequence;
}
