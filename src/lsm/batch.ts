/**
 * Batches: operations on any trees of a database that are written together. After a crash all of them are there,
 * or none.
 *
 * @module
 */

import { checkOptions } from '../options.ts';
import { checkKey, checkValue, type TreeBytes } from './input.ts';
import { OperationsEncoder } from './operations.ts';
import { levelOf, maxValueBytes, Tree, type WriteOptions } from './tree.ts';
import type { Trees } from './trees.ts';

/** One operation of a batch. */
export type TreeOperation =
  | { type: 'put'; tree: Tree; key: TreeBytes; value: TreeBytes }
  | { type: 'delete'; tree: Tree; key: TreeBytes }
  | { type: 'deleteRange'; tree: Tree; start: TreeBytes; end: TreeBytes };

/** Gathers operations, which `write` writes together. Of several on one key, the last counts. */
export class TreeBatch {
  readonly #trees: Trees;
  readonly #encoder: OperationsEncoder;
  readonly #maxValueBytes: number;

  /** Use `db.batch`. */
  constructor(trees: Trees) {
    this.#trees = trees;
    this.#encoder = new OperationsEncoder(trees.usualBatchBytes);
    this.#maxValueBytes = maxValueBytes(trees);
  }

  /** How many operations there are. */
  get length(): number {
    return this.#encoder.count;
  }

  /** How many bytes they may take: the greatest power of two within a sixteenth of the memory, and at most 16 MiB. */
  get maxBytes(): number {
    return this.#trees.maxBatchBytes;
  }

  /** How many bytes they take, encoded. */
  get bytes(): number {
    return this.#encoder.length;
  }

  /**
   * Adds a put. Key and value are copied.
   *
   * @throws TypeError, RangeError where something is wrong; the batch is as it was then
   */
  put(tree: Tree, key: TreeBytes, value: TreeBytes): this {
    const keyBytes = checkKey(key);
    const valueBytes = checkValue(value, this.#maxValueBytes);
    this.#encoder.put(this.#treeId(tree), keyBytes, valueBytes);
    return this;
  }

  delete(tree: Tree, key: TreeBytes): this {
    this.#encoder.delete(this.#treeId(tree), checkKey(key));
    return this;
  }

  /** Adds a deletion of all keys from `start` on that are less than `end`. */
  deleteRange(tree: Tree, start: TreeBytes, end: TreeBytes): this {
    const [first, last] = [checkKey(start, 'the start'), checkKey(end, 'the end')];
    this.#encoder.deleteRange(this.#treeId(tree), first, last);
    return this;
  }

  /** Adds an operation. */
  add(operation: TreeOperation): this {
    if (typeof operation !== 'object' || operation === null)
      throw new TypeError('an operation must be an object');
    switch (operation.type) {
      case 'put':
        checkOptions('a put', operation, ['type', 'tree', 'key', 'value']);
        return this.put(operation.tree, operation.key, operation.value);
      case 'delete':
        checkOptions('a delete', operation, ['type', 'tree', 'key']);
        return this.delete(operation.tree, operation.key);
      case 'deleteRange':
        checkOptions('a deleteRange', operation, ['type', 'tree', 'start', 'end']);
        return this.deleteRange(operation.tree, operation.start, operation.end);
      default:
        throw new TypeError('the type of an operation must be one of put, delete, deleteRange');
    }
  }

  /** Forgets all operations. */
  clear(): this {
    this.#encoder.clear();
    return this;
  }

  /**
   * Writes the operations. They stay in the batch, which can be written again or cleared.
   *
   * @returns the sequence number of all of them, once they have reached the level
   * @throws RangeError where there is none, or they are too many
   * @throws VarveError as `Tree.put`
   */
  write(options?: WriteOptions): Promise<number> {
    try {
      const level = levelOf(options);
      const { length } = this.#encoder;
      if (length === 0) throw new RangeError('the batch is empty');
      const { maxBatchBytes } = this.#trees;
      if (length > maxBatchBytes) {
        throw new RangeError(`a batch has at most ${maxBatchBytes} bytes, encoded, not ${length}`);
      }
      this.#trees.checkWritable();
      this.#trees.wroteBatch(length);
      return this.#trees.writer.write(this.#encoder.bytes, level);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #treeId(tree: unknown): number {
    if (!(tree instanceof Tree)) throw new TypeError('tree must be what db.tree() returned');
    if (!tree.isOf(this.#trees))
      throw new TypeError('tree must be one of the same database, while that is open');
    return tree.id;
  }
}
