/**
 * The changes of a tree, in the order in which they were written: the write-ahead log, read again.
 *
 * @module
 */

import { KIND_DELETE, KIND_PUT } from '../memory/lsm-layout.ts';
import { checkOptions, integerOption } from '../options.ts';
import type { LogRecord } from '../record/record.ts';
import { decodeOperations, type Operation } from './operations.ts';
import type { Trees } from './trees.ts';

/** One change. Those of one batch have the same sequence number. */
export type TreeChange =
  | { type: 'put'; sequence: number; key: Buffer; value: Buffer }
  | { type: 'delete'; sequence: number; key: Buffer }
  | { type: 'deleteRange'; sequence: number; start: Buffer; end: Buffer };

export interface ChangesOptions {
  /** The first sequence number; the oldest that the write-ahead log still has unless given. */
  from?: number;
  /** Wait for more at the end; false unless given. */
  follow?: boolean;
  /** Ends the wait: the iterator throws its reason. */
  signal?: AbortSignal;
}

/**
 * Reads the changes of a tree.
 *
 * @throws TypeError, RangeError where an option is wrong
 */
export function readChanges(
  trees: Trees,
  tree: number,
  options: ChangesOptions,
): AsyncIterableIterator<TreeChange> {
  checkOptions('options', options, ['from', 'follow', 'signal']);
  const { from, follow, signal } = options;
  integerOption('from', from, 0, 0);
  const records = trees.wal.read({
    ...(from === undefined ? {} : { fromOffset: from }),
    ...(follow === undefined ? {} : { follow }),
    ...(signal === undefined ? {} : { signal }),
  });
  return changesOf(records, tree);
}

async function* changesOf(
  records: AsyncIterableIterator<LogRecord>,
  tree: number,
): AsyncGenerator<TreeChange, undefined, undefined> {
  for await (const { offset, value } of records) {
    for (const operation of decodeOperations(value ?? Buffer.alloc(0), offset)) {
      if (operation.tree === tree) yield changeOf(operation, offset);
    }
  }
  return undefined;
}

function changeOf({ kind, key, second }: Operation, sequence: number): TreeChange {
  if (kind === KIND_DELETE) return { type: 'delete', sequence, key };
  const bytes = second as Buffer;
  if (kind === KIND_PUT) return { type: 'put', sequence, key, value: bytes };
  return { type: 'deleteRange', sequence, start: key, end: bytes };
}
