/**
 * What the manifest says, and how an edit changes it: which trees there are, which tables each of them has, and
 * from which sequence number on the write-ahead log is needed for it. Pure: `manifest.ts` reads and writes.
 *
 * A record of the manifest is a format byte, 1, and an edit as JSON:
 *
 *     snapshot   true: forget all that was said before; what follows is everything
 *     trees      [{ id, name, flushed, options }]       trees that are new, or whose options are
 *     remove     [{ tree, number }]                     tables that are no longer part of a tree
 *     add        [{ tree, level, number, properties }]  tables that are
 *     flushed    [[tree, sequence]]                     what is older than this is in tables
 *     next       the least number that no table has had
 *
 * They are applied in this order. Keys are base64.
 *
 * @module
 */

import { VarveError } from '../errors.ts';
import type { TableProperties } from './table/table-file.ts';
import type { StoredTreeOptions } from './tree-options.ts';

const FORMAT = 1;

/** A table as the manifest knows it. */
export interface TableRecord {
  number: number;
  level: number;
  properties: TableProperties;
}

export interface TreeRecord {
  id: number;
  name: string;
  /** What is older than this sequence number is in tables. */
  flushed: number;
  options: StoredTreeOptions;
  tables: Map<number, TableRecord>;
}

export interface ManifestState {
  trees: Map<number, TreeRecord>;
  /** The least number that no table has had. */
  next: number;
}

/** A table that an edit adds. */
export interface AddedTable extends TableRecord {
  tree: number;
}

export interface Edit {
  trees?: { id: number; name: string; flushed: number; options: StoredTreeOptions }[];
  remove?: { tree: number; number: number }[];
  add?: AddedTable[];
  flushed?: [tree: number, sequence: number][];
  next?: number;
}

type StoredProperties = Omit<TableProperties, 'smallestKey' | 'largestKey'> & {
  smallestKey: string;
  largestKey: string;
};

type StoredEdit = Omit<Edit, 'add'> & {
  snapshot?: true;
  add?: { tree: number; number: number; level: number; properties: StoredProperties }[];
};

/** A database without trees. */
export function emptyState(): ManifestState {
  return { trees: new Map(), next: 1 };
}

/** An edit as the value of a record. */
export function encodeEdit(edit: Edit, isSnapshot = false): Buffer {
  const { add, ...rest } = edit;
  const stored: StoredEdit = { ...(isSnapshot ? { snapshot: true } : {}), ...rest };
  if (add !== undefined) {
    stored.add = add.map(({ tree, number, level, properties }) => {
      const { smallestKey, largestKey } = properties;
      const keys = { smallestKey: toBase64(smallestKey), largestKey: toBase64(largestKey) };
      return { tree, number, level, properties: { ...properties, ...keys } };
    });
  }
  const text = JSON.stringify(stored);
  const bytes = Buffer.alloc(1 + Buffer.byteLength(text));
  bytes[0] = FORMAT;
  bytes.write(text, 1);
  return bytes;
}

/**
 * The edit that a record holds.
 *
 * @param offset of the record, for what is said where it holds none
 * @throws VarveError `CORRUPT`, `VERSION` where a newer build wrote it
 */
export function decodeEdit(value: Buffer | null, offset: number): { edit: Edit; isSnapshot: boolean } {
  if (value === null || value.length === 0) throw brokenManifest(offset, 'it is empty');
  if (value[0] !== FORMAT) {
    throw new VarveError(
      'VERSION',
      `the record ${offset} of the manifest has format ${value[0]}; this build knows ${FORMAT}`,
    );
  }
  try {
    return readEdit(JSON.parse(value.toString('utf8', 1)) as StoredEdit);
  } catch (cause) {
    throw brokenManifest(offset, 'it is no edit', cause);
  }
}

function readEdit(stored: StoredEdit): { edit: Edit; isSnapshot: boolean } {
  const { snapshot, add, ...rest } = stored;
  const edit: Edit = rest;
  if (add !== undefined) {
    edit.add = add.map(({ tree, number, level, properties }) => {
      const smallestKey = Buffer.from(properties.smallestKey, 'base64');
      const largestKey = Buffer.from(properties.largestKey, 'base64');
      return { tree, number, level, properties: { ...properties, smallestKey, largestKey } };
    });
  }
  return { edit, isSnapshot: snapshot === true };
}

/**
 * Changes the state by an edit.
 *
 * @param offset of its record
 * @throws VarveError `CORRUPT` where it does not fit
 */
export function applyEdit(state: ManifestState, edit: Edit, offset: number): void {
  const tree = (id: number): TreeRecord => {
    const found = state.trees.get(id);
    if (found === undefined) throw brokenManifest(offset, `there is no tree ${id}`);
    return found;
  };
  for (const { id, name, flushed, options } of edit.trees ?? []) {
    const known = state.trees.get(id);
    if (known === undefined) state.trees.set(id, { id, name, flushed, options, tables: new Map() });
    else known.options = options;
  }
  for (const { tree: id, number } of edit.remove ?? []) {
    if (!tree(id).tables.delete(number))
      throw brokenManifest(offset, `there is no table ${number} to be removed`);
  }
  for (const { tree: id, ...table } of edit.add ?? []) {
    const { tables } = tree(id);
    if (tables.has(table.number)) throw brokenManifest(offset, `the table ${table.number} is there already`);
    tables.set(table.number, table);
    state.next = Math.max(state.next, table.number + 1);
  }
  for (const [id, sequence] of edit.flushed ?? []) {
    const record = tree(id);
    record.flushed = Math.max(record.flushed, sequence);
  }
  state.next = Math.max(state.next, edit.next ?? 0);
}

/** The edit that says all of a state. */
export function snapshotOf(state: ManifestState): Edit {
  const trees = [...state.trees.values()];
  return {
    trees: trees.map(({ id, name, flushed, options }) => ({ id, name, flushed, options })),
    add: trees.flatMap(({ id, tables }) => [...tables.values()].map((table) => ({ tree: id, ...table }))),
    next: state.next,
  };
}

function toBase64({ buffer, byteOffset, length }: Uint8Array): string {
  return Buffer.from(buffer, byteOffset, length).toString('base64');
}

/** What is said of a manifest that is damaged. */
export function brokenManifest(offset: number, why: string, cause?: unknown): VarveError {
  return new VarveError('CORRUPT', `the record ${offset} of the manifest is broken: ${why}`, {
    offsets: { first: offset, last: offset },
    ...(cause === undefined ? {} : { cause }),
  });
}
