/** Medians, percentiles, and the order in which things that are compared are run. */

export interface Spread {
  readonly min: number;
  readonly max: number;
}

/** The number at a quantile of numbers that are sorted, the nearest one; no interpolation. */
export function quantile(sorted: ArrayLike<number>, q: number): number {
  if (sorted.length === 0) throw new RangeError('there is no quantile of nothing');
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(q * sorted.length) - 1))]!;
}

export function spreadOf(numbers: readonly number[]): Spread {
  return { min: Math.min(...numbers), max: Math.max(...numbers) };
}

/** One side of a comparison: does its work once, and returns what it measured. */
export type Contestant = () => number | Promise<number>;

/**
 * Runs contestants in turn, A B C A B C …, so that a machine that gets slower or faster does so for all
 * of them. The first round warms up and is not counted.
 *
 * @param rounds how many rounds count
 * @returns for each contestant one number a round
 */
export async function inTurn<Name extends string>(
  rounds: number,
  contestants: Readonly<Record<Name, Contestant>>,
): Promise<Record<Name, number[]>> {
  const names = Object.keys(contestants) as Name[];
  const samples = Object.fromEntries(names.map((name) => [name, []])) as unknown as Record<Name, number[]>;
  for (let round = -1; round < rounds; round++) {
    for (const name of names) {
      const measured = await contestants[name]();
      if (!Number.isFinite(measured)) throw new RangeError(`${name} measured ${measured}`);
      if (round >= 0) samples[name].push(measured);
    }
  }
  return samples;
}
