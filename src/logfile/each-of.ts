/**
 * One thing after the other, out of a generator that has many at a time. A generator takes three turns of the queue of
 * promises for each `yield`; what is there already is handed out in one.
 *
 * @module
 */

export class EachOf<T> implements AsyncGenerator<T, void, undefined> {
  readonly #batches: AsyncGenerator<readonly T[], void, undefined>;
  #batch: readonly T[] = [];
  #at = 0;
  /** What was asked for last, as long as it is not there: as of a generator, the next waits for it. */
  #last: Promise<unknown> | undefined;

  constructor(batches: AsyncGenerator<readonly T[], void, undefined>) {
    this.#batches = batches;
  }

  next(): Promise<IteratorResult<T, void>> {
    if (this.#last === undefined && this.#at < this.#batch.length) return Promise.resolve(this.#take());
    return this.#inTurn(async () => {
      while (this.#at === this.#batch.length) {
        const next = await this.#batches.next();
        if (next.done === true) return this.#end();
        this.#batch = next.value;
        this.#at = 0;
      }
      return this.#take();
    });
  }

  return(): Promise<IteratorResult<T, void>> {
    return this.#inTurn(async () => {
      const end = this.#end();
      await this.#batches.return();
      return end;
    });
  }

  throw(error: unknown): Promise<IteratorResult<T, void>> {
    return this.#inTurn(async () => {
      const end = this.#end();
      await this.#batches.throw(error);
      return end;
    });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }

  #take(): IteratorYieldResult<T> {
    return { done: false, value: this.#batch[this.#at++] as T };
  }

  #end(): IteratorReturnResult<void> {
    this.#batch = [];
    this.#at = 0;
    return { done: true, value: undefined };
  }

  #inTurn<R>(step: () => Promise<R>): Promise<R> {
    const turn = this.#last === undefined ? step() : this.#last.then(step, step);
    const settled = (): void => {
      if (this.#last === turn) this.#last = undefined;
    };
    this.#last = turn;
    turn.then(settled, settled);
    return turn;
  }
}
