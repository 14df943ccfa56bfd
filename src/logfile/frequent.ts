/**
 * Counts texts, as many different ones as there is room for. When there are more, the rare ones are forgotten,
 * in the way of `Table` (memory/table.ts), which says whose that is; what a count may lack is known.
 *
 * @module
 */

/** A text that was counted. */
export interface FrequentText {
  text: string;
  count: number;
  /** The first text that it stands for, where it stands for others. */
  example: string;
}

const LIMIT = 20_000;

export class Frequent {
  readonly #limit: number;
  #counts = new Map<string, FrequentText>();
  #lack = 0;

  /** @param limit how many texts are kept */
  constructor(limit: number = LIMIT) {
    this.#limit = limit;
  }

  /** What each count may lack, and those of texts that are missing have at most; 0 where all are exact. */
  get lack(): number {
    return this.#lack;
  }

  /**
   * Adds counts.
   *
   * @param lack what each of these counts may lack
   */
  add(texts: readonly { text: string; count: number; example?: string }[], lack: number): void {
    this.#lack += lack;
    for (const { text, count, example } of texts) {
      const known = this.#counts.get(text);
      if (known !== undefined) known.count += count;
      else {
        if (this.#counts.size >= this.#limit) this.#reduce();
        this.#counts.set(text, { text, count, example: example ?? text });
      }
    }
  }

  /** The most frequent texts, the most frequent first. */
  top(limit: number): FrequentText[] {
    return [...this.#counts.values()]
      .filter(({ count }) => count > 0)
      .sort((a, b) => b.count - a.count || (a.text < b.text ? -1 : 1))
      .slice(0, limit);
  }

  /** How many different texts are known. */
  get size(): number {
    return this.#counts.size;
  }

  #reduce(): void {
    const counts = [...this.#counts.values()].map(({ count }) => count).sort((a, b) => a - b);
    const off = counts[counts.length >> 1] ?? 0;
    this.#lack += off;
    for (const [text, entry] of this.#counts) {
      entry.count -= off;
      if (entry.count <= 0) this.#counts.delete(text);
    }
  }
}
