/**
 * The iterators of a database that are open, and are closed with it. A seek makes an iterator for one entry, so each
 * knows its place in a list: a set would take longer to hash it than much of what the seek does.
 *
 * @module
 */

/** Something that is open. */
export interface OpenIterator {
  /** Where it is in the list; of no use to anybody else. */
  place: number;
  close(): void;
}

export class OpenIterators {
  readonly #list: OpenIterator[] = [];

  get size(): number {
    return this.#list.length;
  }

  add(iterator: OpenIterator): void {
    iterator.place = this.#list.length;
    this.#list.push(iterator);
  }

  /** Takes one out; nothing happens where it is not there. */
  delete(iterator: OpenIterator): void {
    const list = this.#list;
    if (list[iterator.place] !== iterator) return;
    const last = list.pop() as OpenIterator;
    if (last === iterator) return;
    list[iterator.place] = last;
    last.place = iterator.place;
  }

  closeAll(): void {
    for (const iterator of [...this.#list]) iterator.close();
  }
}
