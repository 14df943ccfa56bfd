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

const ALL: Wanted = { lower: undefined, upper: undefined, tags: undefined };

/** A table of a level. */
export interface OfLevel {
  readonly reader: TableReader;
}

/** Which entries of tables are wanted. */
export interface Wanted {
  /** The least key, and the first that is too great; undefined where there is none. */
  lower: Uint8Array | undefined;
  upper: Uint8Array | undefined;
  /** Which blocks; undefined for all. */
  tags: TagFilter | undefined;
}

/** Whether a table may have an entry that is wanted. */
export function mayHave({ properties, failure }: TableReader, { lower, upper, tags }: Wanted): boolean {
  // What ranges a damaged table has deleted nobody knows.
  if (properties.entries === 0 && failure === undefined) return false;
  if (lower !== undefined && endsBefore(properties, lower)) return false;
  if (upper !== undefined && Buffer.compare(properties.smallestKey, upper) >= 0) return false;
  return isWanted(properties, tags);
}

/** The tables of one level, by their keys; one at a time is read. */
export class LevelSource implements MergeSource {
  readonly #memory: Memory;
  readonly #tables: readonly OfLevel[];
  readonly #wanted: Wanted;
  readonly #slabs: SlabSource;
  #at = 0;
  #backward = false;
  #cursor: TableCursor | undefined;

  /**
   * @param tables open for as long as this is used
   * @param slabs where its memory comes from
   */
  constructor(
    memory: Memory,
    tables: readonly OfLevel[],
    wanted: Wanted = ALL,
    slabs: SlabSource = plainSlabs(memory),
  ) {
    this.#memory = memory;
    this.#tables = tables;
    this.#wanted = wanted;
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
      if (reader === undefined || this.#isBeyond(reader)) {
        endSource(this.#memory, source);
        return;
      }
      if (mayHave(reader, this.#wanted)) {
        this.#cursor = new TableCursor(reader, this.#wanted.tags, this.#slabs);
        if (this.#cursor.start(source, this.#backward, from)) return;
      }
      from = this.#backward ? first : undefined;
    }
  }

  /** Whether neither a table nor any behind it has keys that are wanted. */
  #isBeyond({ properties }: TableReader): boolean {
    const { lower, upper } = this.#wanted;
    if (this.#backward) return lower !== undefined && endsBefore(properties, lower);
    return upper !== undefined && Buffer.compare(properties.smallestKey, upper) >= 0;
  }

  close(): void {
    this.#cursor?.close();
    this.#cursor = undefined;
  }
}
