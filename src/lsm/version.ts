/**
 * A version: the tables that make up a tree at one moment, level by level. It never changes; a flush or a
 * compaction makes the next one. Whoever reads holds the version that it reads from, and a table that no version
 * has any more is removed when nobody holds it.
 *
 *     level 0     tables as they were flushed, the newest first; their keys overlap
 *     level 1...  tables by their keys, which do not overlap
 *
 * @module
 */

import { assert } from '../assert.ts';
import type { RangeTombstone } from './range-tombstones.ts';
import type { TableReader } from './table/reader.ts';
import { endsBefore, type TableFile, type TableProperties } from './table/table-file.ts';

/** A table that is open. It is held by the versions that have it. */
export class Table implements TableFile {
  readonly number: number;
  readonly properties: TableProperties;
  readonly path: string;
  readonly reader: TableReader;
  /** No part of the tree any more: it is removed when nobody holds it. */
  isObsolete = false;
  readonly #onUnused: (table: Table) => void;
  #holders = 0;

  /** @param onUnused told when nobody holds it any more */
  constructor(file: TableFile, path: string, reader: TableReader, onUnused: (table: Table) => void) {
    this.number = file.number;
    this.properties = file.properties;
    this.path = path;
    this.reader = reader;
    this.#onUnused = onUnused;
  }

  hold(): void {
    this.#holders++;
  }

  release(): void {
    assert(this.#holders > 0, 'a table is let go as often as it is held');
    if (--this.#holders === 0) this.#onUnused(this);
  }
}

/** A change of a version. */
export interface VersionChange {
  remove?: readonly number[];
  add?: readonly { table: Table; level: number }[];
}

export class Version {
  /** From level 0 on; there is always at least that. */
  readonly levels: readonly (readonly Table[])[];
  #holders = 1;
  #rangeTombstones: readonly RangeTombstone[] | undefined;

  constructor(levels: readonly (readonly Table[])[]) {
    this.levels = levels.length === 0 ? [[]] : levels;
    for (const table of this.tables()) table.hold();
  }

  *tables(): Generator<Table> {
    for (const level of this.levels) yield* level;
  }

  /** Deleted ranges of all tables. */
  get rangeTombstones(): readonly RangeTombstone[] {
    this.#rangeTombstones ??= [...this.tables()].flatMap(({ reader }) => reader.rangeTombstones);
    return this.#rangeTombstones;
  }

  get tableCount(): number {
    return this.levels.reduce((sum, level) => sum + level.length, 0);
  }

  hold(): this {
    assert(this.#holders > 0, 'a version that is held is there');
    this.#holders++;
    return this;
  }

  release(): void {
    assert(this.#holders > 0, 'a version is let go as often as it is held');
    if (--this.#holders > 0) return;
    for (const table of this.tables()) table.release();
  }

  /** The version after a change; this one stays as it is. Its maker holds it. */
  change({ remove = [], add = [] }: VersionChange): Version {
    const gone = new Set(remove);
    const levels = this.levels.map((level) => level.filter(({ number }) => !gone.has(number)));
    for (const { table, level } of add) {
      while (levels.length <= level) levels.push([]);
      (levels[level] as Table[]).push(table);
    }
    for (const [number, level] of levels.entries()) level.sort(number === 0 ? newestFirst : byKey);
    while (levels.length > 1 && levels.at(-1)?.length === 0) levels.pop();
    return new Version(levels);
  }
}

/** By what they hold; what was flushed in one piece has numbers that grow. */
function newestFirst(a: Table, b: Table): number {
  return b.properties.largestSequence - a.properties.largestSequence || b.number - a.number;
}

function byKey(a: Table, b: Table): number {
  return Buffer.compare(a.properties.smallestKey, b.properties.smallestKey);
}

/** The first table of a level below 0 that does not end before a key; its number from 0, or the level's length. */
export function findTable(level: readonly Table[], key: Uint8Array): number {
  let [low, high] = [0, level.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (endsBefore((level[middle] as Table).properties, key)) low = middle + 1;
    else high = middle;
  }
  return low;
}
