/**
 * A level of tables as one source of a merge.
 *
 * @module
 */

import type { MemoryView } from '../memory/memory.ts';
import { endSource, type MergeSource } from './merge-source.ts';
import { TableCursor } from './table/cursor.ts';
import type { Span } from './table/output-bytes.ts';
import type { TableReader } from './table/reader.ts';
import { endsBefore } from './table/table-file.ts';
import { isWanted, type TagFilter } from './table/tags.ts';

/** The tables of one level, by their keys; one at a time is read. */
export class LevelSource implements MergeSource {
  readonly #memory: MemoryView;
  readonly #readers: readonly TableReader[];
  readonly #tags: TagFilter | undefined;
  #at = 0;
  #backward = false;
  #cursor: TableCursor | undefined;

  /**
   * @param readers open for as long as this is used
   * @param tags which blocks are wanted; all unless given
   */
  constructor(memory: MemoryView, readers: readonly TableReader[], tags?: TagFilter) {
    this.#memory = memory;
    this.#readers = readers;
    this.#tags = tags;
  }

  start(source: number, backward: boolean, from: Span | undefined): void {
    this.#backward = backward;
    this.#at = backward ? this.#readers.length - 1 : 0;
    if (from !== undefined) {
      const key = this.#memory.copySmall(from.address, from.bytes);
      const ended = this.#readers.findIndex(({ properties }) => !endsBefore(properties, key));
      if (ended >= 0) this.#at = ended;
      else if (!backward) this.#at = this.#readers.length;
    }
    this.#enter(source, from);
  }

  next(source: number): void {
    if (this.#cursor?.next(source) === true) return;
    this.#at += this.#backward ? -1 : 1;
    this.#enter(source, undefined);
  }

  /** Goes to the first entry of the next table that has one. */
  #enter(source: number, first: Span | undefined): void {
    let from = first;
    for (; ; this.#at += this.#backward ? -1 : 1) {
      this.#cursor?.close();
      this.#cursor = undefined;
      const reader = this.#readers[this.#at];
      if (reader === undefined) {
        endSource(this.#memory, source);
        return;
      }
      if (reader.properties.entries > 0 && isWanted(reader.properties, this.#tags)) {
        this.#cursor = new TableCursor(reader, this.#tags);
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
