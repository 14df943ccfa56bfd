/** A few runs of the whole engine; `npm run test:long -- --campaign simulation` makes more. */

import { describe, expect, test } from 'vitest';
import { simulate } from '../long/simulation.ts';

/** Another ones each day, so that time finds what one run does not; a failure names its seed. */
const TODAY = Math.floor(Date.now() / 86_400_000);
const seeds = [
  ...Array.from({ length: 20 }, (_, i) => i),
  ...Array.from({ length: 10 }, (_, i) => TODAY * 100 + i),
];

describe('the engine, at random', () => {
  test.each(seeds)('keeps its promises through many lives (seed %i)', async (seed) => {
    const { lives, records } = await simulate(seed, 8);
    expect(lives).toBe(8);
    expect(records).toBeGreaterThan(0);
  });

  test('repeats a run from its seed', async () => {
    const seed = 7;
    expect(await simulate(seed, 6)).toEqual(await simulate(seed, 6));
  });
});
