/**
 * Entries that are in no tree yet: those that only the journal of a process has which died, or is about to write them.
 * Whoever may not write reads them between those of the tree.
 *
 * @module
 */

import type { EntryPage } from '../lsm/iterator.ts';
import type { Tree } from '../lsm/tree.ts';
import type { Trees } from '../lsm/trees.ts';
import { PAGE_ENTRY_HEADER_BYTES } from '../memory/table-layout.ts';
import { KEY_BYTES } from './format.ts';
import { journalOperations } from './journal-recovery.ts';
import { scanJournals } from './journal-scan.ts';

export interface PendingEntry {
  readonly key: Buffer;
  readonly value: Buffer;
}

/** A tree, and what is to be read between its entries, in order. */
export interface EventSource {
  readonly tree: Tree;
  readonly pending: readonly PendingEntry[];
}

/**
 * Reads the entries of a journal that are not in the tree.
 *
 * @param directory of the tree
 * @throws VarveError `IO`, `NO_MEMORY`, `CORRUPT` where the tree is damaged
 */
export async function readPending(directory: string, trees: Trees, tree: Tree): Promise<PendingEntry[]> {
  const { vfs, memory } = trees.parts;
  const pending: PendingEntry[] = [];
  await scanJournals(vfs, memory, directory, (bytes) => {
    const operations = journalOperations(bytes);
    for (const { key, second } of operations ?? [])
      if (!tree.hasSync(key)) pending.push({ key: Buffer.from(key), value: Buffer.from(second as Buffer) });
    return operations !== undefined;
  });
  return pending.sort((a, b) => Buffer.compare(a.key, b.key));
}

/** Puts pending entries between those of pages, in one direction. */
export class PendingMerge {
  /** In the direction of the reading. */
  readonly #entries: readonly PendingEntry[];
  readonly #sign: number;
  #next = 0;

  /** @param start, end keys that are not less, and keys that are less */
  constructor(
    entries: readonly PendingEntry[],
    start: Buffer | undefined,
    end: Buffer | undefined,
    isBackward: boolean,
  ) {
    const wanted = entries.filter(
      ({ key }) =>
        (start === undefined || Buffer.compare(key, start) >= 0) &&
        (end === undefined || Buffer.compare(key, end) < 0),
    );
    this.#entries = isBackward ? wanted.reverse() : wanted;
    this.#sign = isBackward ? -1 : 1;
  }

  /** A page with what belongs before its last entry; what is left where there is no page any more. */
  merge(page: EntryPage | undefined): EntryPage | undefined {
    if (this.#next === this.#entries.length) return page;
    const entries = page === undefined ? [] : entriesOf(page);
    const last = entries.at(-1);
    const from = this.#next;
    while (this.#next < this.#entries.length && (last === undefined || this.#isBefore(this.#next, last)))
      this.#next++;
    if (this.#next === from) return page;
    const own = this.#entries.slice(from, this.#next);
    const all = [...entries, ...own].sort((a, b) => this.#sign * Buffer.compare(a.key, b.key));
    return pageOf(all);
  }

  #isBefore(index: number, last: PendingEntry): boolean {
    return this.#sign * Buffer.compare((this.#entries[index] as PendingEntry).key, last.key) < 0;
  }
}

function entriesOf({ bytes, words, at, count }: EntryPage): PendingEntry[] {
  const entries: PendingEntry[] = [];
  for (let i = 0, from = at; i < count; i++) {
    const key = from + PAGE_ENTRY_HEADER_BYTES;
    const value = key + (words[from >> 2] as number);
    const end = value + (words[(from >> 2) + 1] as number);
    entries.push({ key: bytes.subarray(key, value), value: bytes.subarray(value, end) });
    from = (end + 7) & ~7;
  }
  return entries;
}

function pageOf(entries: readonly PendingEntry[]): EntryPage {
  const size = ({ value }: PendingEntry): number =>
    (PAGE_ENTRY_HEADER_BYTES + KEY_BYTES + value.length + 7) & ~7;
  const memory = new ArrayBuffer(entries.reduce((sum, entry) => sum + size(entry), 0));
  const bytes = Buffer.from(memory);
  const words = new Int32Array(memory);
  let at = 0;
  for (const entry of entries) {
    words[at >> 2] = KEY_BYTES;
    words[(at >> 2) + 1] = entry.value.length;
    bytes.set(entry.key, at + PAGE_ENTRY_HEADER_BYTES);
    bytes.set(entry.value, at + PAGE_ENTRY_HEADER_BYTES + KEY_BYTES);
    at += size(entry);
  }
  return { bytes, words, at: 0, count: entries.length };
}
