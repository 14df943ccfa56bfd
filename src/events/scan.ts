/**
 * Goes through the entries of a store that are wanted, page by page.
 *
 * @module
 */

import type { TreeIterator } from '../lsm/iterator.ts';
import type { TreeSnapshot } from '../lsm/snapshot.ts';
import { PAGE_ENTRY_HEADER_BYTES } from '../memory/table-layout.ts';
import { keyMilliseconds, Page } from './entry.ts';
import { KEY_BYTES, STATE_KEY, VALUE_LEVEL } from './format.ts';
import { type EventSource, PendingMerge } from './pending.ts';
import { isPlain, Matcher, type Selection, tagFilter } from './selection.ts';

/** Times before which entries of a level are past their retention, by level, in milliseconds. */
export type Cutoffs = readonly number[];

export interface ScanOptions {
  isBackward?: boolean | undefined;
  snapshot?: TreeSnapshot | undefined;
  cutoffs?: Cutoffs | undefined;
}

export class EventScan {
  /** The page that `next` has found an entry in. */
  page: Page = new Page(Buffer.alloc(0), new Int32Array(0));
  readonly #entries: TreeIterator<unknown>;
  readonly #matcher: Matcher | undefined;
  readonly #cutoffs: Cutoffs | undefined;
  readonly #pending: PendingMerge | undefined;
  #at = 0;
  #waiting = 0;

  constructor(
    { tree, pending }: EventSource,
    selection: Selection,
    { isBackward, snapshot, cutoffs }: ScanOptions = {},
  ) {
    const oldest = cutoffs === undefined ? 0 : Math.min(...cutoffs);
    this.#matcher = isPlain(selection) ? undefined : new Matcher(selection);
    this.#cutoffs = oldest === 0 && cutoffs?.every((cutoff) => cutoff === 0) ? undefined : cutoffs;
    const { start, end } = selection;
    this.#pending =
      pending.length === 0 ? undefined : new PendingMerge(pending, start, end, isBackward === true);
    const tags = tagFilter(selection);
    this.#entries = tree.entries({
      ...(tags.length === 0 ? {} : { tags }),
      ...(selection.start === undefined ? {} : { gte: selection.start }),
      lt: selection.end ?? STATE_KEY.subarray(0, 1),
      reverse: isBackward === true,
      ...(snapshot === undefined ? {} : { snapshot }),
    });
  }

  /** Whether the next step needs another page, which may have to be read from the disk. */
  get isAtPageEnd(): boolean {
    return this.#waiting === 0;
  }

  /**
   * Goes to the next entry that is wanted.
   *
   * @returns where in the page it lies; -1 at the end
   * @throws VarveError `CLOSED`, `CORRUPT`, `IO`, `NO_MEMORY`
   */
  next(): number {
    for (;;) {
      if (this.#waiting === 0 && !this.#turn()) return -1;
      const at = this.nextInPage();
      if (at >= 0) return at;
    }
  }

  /** How many entries of the rest of the page are wanted, all of which it passes; -1 at the end. */
  countPage(): number {
    if (this.#waiting === 0 && !this.#turn()) return -1;
    if (this.#matcher === undefined && this.#cutoffs === undefined) {
      const count = this.#waiting;
      this.#waiting = 0;
      return count;
    }
    let count = 0;
    while (this.nextInPage() >= 0) count++;
    return count;
  }

  /** Gives back what it holds; a second call does nothing. */
  close(): void {
    this.#waiting = 0;
    this.#entries.close();
  }

  /** Like `next`, within the page; -1 at its end. */
  nextInPage(): number {
    const { words, bytes } = this.page;
    const matcher = this.#matcher;
    const cutoffs = this.#cutoffs;
    while (this.#waiting > 0) {
      const at = this.#at;
      const value = at + PAGE_ENTRY_HEADER_BYTES + KEY_BYTES;
      const end = value + (words[(at >> 2) + 1] as number);
      this.#at = (end + 7) & ~7;
      this.#waiting--;
      if (cutoffs !== undefined && isPast(cutoffs, bytes, value)) continue;
      if (matcher === undefined || matcher.matches(bytes, value, end)) return at;
    }
    return -1;
  }

  #turn(): boolean {
    const page = this.#entries.nextPage();
    const next = this.#pending === undefined ? page : this.#pending.merge(page);
    if (next === undefined) return false;
    this.page = new Page(next.bytes, next.words);
    this.#at = next.at;
    this.#waiting = next.count;
    return true;
  }
}

/** Whether an entry is past its retention. */
export function isPast(cutoffs: Cutoffs, bytes: Uint8Array, value: number): boolean {
  const cutoff = cutoffs[bytes[value + VALUE_LEVEL] as number] as number;
  return cutoff > 0 && keyMilliseconds(bytes, value - KEY_BYTES) < cutoff;
}
