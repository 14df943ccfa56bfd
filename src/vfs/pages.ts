/**
 * The bytes of a file in memory: pages that exist only where something was written, so that a file with a
 * hole costs nothing, and that are shared between copies until one of them writes.
 *
 * @module
 */

const PAGE_BYTES = 4096;

export class PagedBytes {
  /** By page number; a missing page is all zeros. Beyond `length` every stored byte is zero. */
  readonly #pages: Map<number, Uint8Array>;
  /** The pages that nobody shares. */
  readonly #own = new Set<number>();
  #length: number;

  constructor(source?: PagedBytes) {
    this.#pages = new Map(source === undefined ? [] : source.#pages);
    this.#length = source === undefined ? 0 : source.#length;
    if (source !== undefined) source.#own.clear();
  }

  get length(): number {
    return this.#length;
  }

  /** A copy that later writes on either side do not reach; takes time by page, not by byte. */
  clone(): PagedBytes {
    return new PagedBytes(this);
  }

  /** @returns how many bytes were there to read */
  read(target: Uint8Array, position: number): number {
    const bytes = Math.max(0, Math.min(target.length, this.#length - position));
    for (let done = 0; done < bytes; ) {
      const at = (position + done) % PAGE_BYTES;
      const count = Math.min(PAGE_BYTES - at, bytes - done);
      const page = this.#pages.get(Math.floor((position + done) / PAGE_BYTES));
      if (page === undefined) target.fill(0, done, done + count);
      else target.set(page.subarray(at, at + count), done);
      done += count;
    }
    return bytes;
  }

  /** Writes all of `source`; what lies between the end and `position` becomes zeros. */
  write(source: Uint8Array, position: number): void {
    for (let done = 0; done < source.length; ) {
      const at = (position + done) % PAGE_BYTES;
      const count = Math.min(PAGE_BYTES - at, source.length - done);
      const page = this.#ownPage(Math.floor((position + done) / PAGE_BYTES));
      page.set(source.subarray(done, done + count), at);
      done += count;
    }
    if (source.length > 0) this.#length = Math.max(this.#length, position + source.length);
  }

  /** Cuts off at `bytes`, or extends with zeros. */
  truncate(bytes: number): void {
    if (bytes < this.#length) {
      const last = Math.floor(bytes / PAGE_BYTES);
      for (const number of this.#pages.keys()) {
        if (number < last || (number === last && bytes % PAGE_BYTES !== 0)) continue;
        this.#pages.delete(number);
        this.#own.delete(number);
      }
      if (this.#pages.has(last)) this.#ownPage(last).fill(0, bytes % PAGE_BYTES);
    }
    this.#length = bytes;
  }

  #ownPage(number: number): Uint8Array {
    const page = this.#pages.get(number);
    if (page !== undefined && this.#own.has(number)) return page;
    const own = new Uint8Array(PAGE_BYTES);
    if (page !== undefined) own.set(page);
    this.#pages.set(number, own);
    this.#own.add(number);
    return own;
  }
}
