/**
 * Those who wait for room in a log's buffer: appends that are parked, in their order, and calls of `ready`,
 * which come after them.
 *
 * @module
 */

/** An append that waits for room: `step` accepts what it can and says whether that was all. */
export interface Parked {
  step: () => boolean;
  reject: (error: unknown) => void;
}

export class WaitingLine {
  readonly #parked: Parked[] = [];
  #ready: { resolve: () => void; reject: (error: unknown) => void }[] = [];

  /** Whether an append is parked; then others have to wait behind it. */
  get isBusy(): boolean {
    return this.#parked.length > 0;
  }

  park(parked: Parked): void {
    this.#parked.push(parked);
  }

  /** Resolves when there is room and nobody is parked; rejects with what `advance` or `refuse` is given. */
  ready(): Promise<void> {
    return new Promise((resolve, reject) => this.#ready.push({ resolve, reject }));
  }

  /**
   * There may be room: lets in who is parked, in their order.
   *
   * @returns whether all are in
   */
  advance(): boolean {
    while (this.#parked.length > 0) {
      const first = this.#parked[0] as Parked;
      try {
        if (!first.step()) return false;
      } catch (error) {
        first.reject(error);
      }
      this.#parked.shift();
    }
    return true;
  }

  /**
   * Answers the calls of `ready`.
   *
   * @param takeError asked once, where somebody waits: what they are told instead
   */
  answer(takeError: () => unknown): void {
    if (this.#ready.length === 0) return;
    const waiters = this.#ready;
    this.#ready = [];
    const error = takeError();
    for (const waiter of waiters) {
      if (error === undefined) waiter.resolve();
      else waiter.reject(error);
    }
  }

  /** Turns everybody away. */
  refuse(error: unknown): void {
    for (const parked of this.#parked.splice(0)) parked.reject(error);
    this.answer(() => error);
  }
}
