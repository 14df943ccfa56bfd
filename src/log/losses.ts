/**
 * Offsets that were given out and then taken back, because a write failed: a log has no holes, so others get
 * them. Whoever asks about such an offset later may mean the record that was lost, and must not be told of the
 * one that is there now.
 *
 * A generation tells the two apart: it grows with each loss, and a record that was accepted in one is lost by
 * no earlier one.
 *
 * @module
 */

import { VarveError } from '../errors.ts';

/** So many are remembered one by one; older ones are remembered as if they were one. */
const LOSSES_MAX = 64;

interface Loss {
  first: number;
  /** The offset behind the last one. */
  end: number;
  /** Records of this and later generations are not meant. */
  generation: number;
  error: VarveError;
}

export class Losses {
  /** How often offsets were taken back. */
  generation = 0;
  readonly #losses: Loss[] = [];

  /**
   * Notes a loss.
   *
   * @param first the first offset that was taken back
   * @param end the offset behind the last one
   * @param isKnown whether everybody who had one was told
   */
  add(first: number, end: number, error: VarveError, isKnown: boolean): void {
    this.generation++;
    if (isKnown || end <= first) return;
    this.#losses.push({ first, end, generation: this.generation, error });
    if (this.#losses.length <= LOSSES_MAX) return;
    const [a, b] = this.#losses.splice(0, 2) as [Loss, Loss];
    this.#losses.unshift({ ...b, first: Math.min(a.first, b.first), end: Math.max(a.end, b.end) });
  }

  /**
   * Looks for the loss of a record.
   *
   * @param generation at the time when it was accepted, or before; where that is not known, any loss counts
   * @throws VarveError with the code of the write that failed
   */
  check(offset: number, generation = -1): void {
    const loss = this.#losses.findLast(
      (one) => offset >= one.first && offset < one.end && generation < one.generation,
    );
    if (loss === undefined) return;
    const { first, end, error } = loss;
    throw new VarveError(
      error.code,
      `offsets ${first} to ${end - 1} were taken back when a write failed, and are given out again: the record that had offset ${offset} before is lost (${error.message})`,
      { offsets: { first, last: end - 1 }, cause: error },
    );
  }
}
