/**
 * The snapshots that are open: sequence numbers, each with how many hold it. Compactions keep what they see.
 *
 * @module
 */

export class Snapshots {
  readonly #holders: Map<number, number> = new Map();
  #isClosed = false;

  /** Whether they were closed together with their database. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  get count(): number {
    return this.#holders.size;
  }

  hold(sequence: number): void {
    this.#holders.set(sequence, (this.#holders.get(sequence) ?? 0) + 1);
  }

  release(sequence: number): void {
    const holders = this.#holders.get(sequence) ?? 0;
    if (holders > 1) this.#holders.set(sequence, holders - 1);
    else this.#holders.delete(sequence);
  }

  /** All of them, the oldest first. */
  list(): number[] {
    return [...this.#holders.keys()].sort((a, b) => a - b);
  }

  close(): void {
    this.#isClosed = true;
    this.#holders.clear();
  }
}
