/**
 * A level of tables as one source of a merge.
 *
 * @module
 */

import type { Memory } from '../memory/memory.ts';
import { type Bound, endSource, type MergeSource } from './merge-source.ts';
import { plainSlabs, type SlabSource } from './spare-slabs.ts';
import { TableCursor } from './table/cursor.ts';
import type { TableReader } from './table/reader.ts';
import { endsBefore } from './table/table-file.ts';
import { isWanted, type TagFilter } from './table/tags.ts';

/** A table of a level. */
export interface OfLevel {
  readonly reader: TableReader;
}

/** The tables of one level, by their keys; one at a time is read. */
export class LevelSource implements MergeSource {
  readonly #memory: Memory;
  readonly #tables: readonly OfLevel[];
  readonly #tags: TagFilter | undefined;
  readonly #slabs: SlabSource;
  #at = 0;
  #backward = false;
  #cursor: TableCursor | undefined;

  /**
   * @param tables open for as long as this is used
   * @param tags which blocks are wanted; all unless given
   * @param slabs where its memory comes from
   */
  constructor(
    memory: Memory,
    tables: readonly OfLevel[],
    tags?: TagFilter,
    slabs: SlabSource = plainSlabs(memory),
  ) {
    this.#memory = memory;
    this.#tables = tables;
    this.#tags = tags;
    this.#slabs = slabs;
  }

  start(source: number, backward: boolean, from: Bound | undefined): void {
    this.#backward = backward;
    this.#at = backward ? this.#tables.length - 1 : 0;
    if (from !== undefined) {
      const key = from.key ?? this.#memory.copySmall(from.address, from.bytes);
      const at = this.#find(key);
      if (at < this.#tables.length || !backward) this.#at = at;
    }
    this.#enter(source, from);
  }

  /** The first table that does not end before a key; how many there are, where all do. */
  #find(key: Uint8Array): number {
    let [low, high] = [0, this.#tables.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (endsBefore((this.#tables[middle] as OfLevel).reader.properties, key)) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  next(source: number): void {
    if (this.#cursor?.next(source) === true) return;
    this.#at += this.#backward ? -1 : 1;
    this.#enter(source, undefined);
  }

  /** Goes to the first entry of the next table that has one. */
  #enter(source: number, first: Bound | undefined): void {
    let from = first;
    for (; ; this.#at += this.#backward ? -1 : 1) {
      this.#cursor?.close();
      this.#cursor = undefined;
      const reader = this.#tables[this.#at]?.reader;
      if (reader === undefined) {
        endSource(this.#memory, source);
        return;
      }
      if (reader.properties.entries > 0 && isWanted(reader.properties, this.#tags)) {
        this.#cursor = new TableCursor(reader, this.#tags, this.#slabs);
        if (this.#cursor.start(source, this.#backward, from)) return;
      }
      from = this.#backward ? first : undefined;
    }
  }

  close(): void {
    this.#cursor?.close();
    this.#cursor = undefined;
  }
}
