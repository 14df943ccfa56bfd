import { describe, expect, test } from 'vitest';
import { median, rankTest, relativeSpread, significant, stratifiedTest } from '../../src/lab/statistics.ts';
import { seededRandom, shuffled } from '../../src/random.ts';

describe('whether two sets of measurements differ', () => {
  test('the exact probability of small sets is that of dealing them out', () => {
    // Of the 20 ways to deal out six numbers, two are as far apart as these.
    expect(rankTest([1, 2, 3], [4, 5, 6])).toBeCloseTo(2 / 20, 12);
    expect(rankTest([4, 5, 6], [1, 2, 3])).toBeCloseTo(2 / 20, 12);
    expect(rankTest([1, 2, 3, 4, 5], [6, 7, 8, 9, 10])).toBeCloseTo(2 / 252, 12);
    // One pair changes places: four of the 252 ways are as far apart, or farther.
    expect(rankTest([1, 2, 3, 4, 6], [5, 7, 8, 9, 10])).toBeCloseTo(4 / 252, 12);
  });

  test('sets that are alike do not differ', () => {
    expect(rankTest([1, 2, 3, 4], [1, 2, 3, 4])).toBe(1);
    expect(rankTest([5, 5, 5], [5, 5, 5])).toBe(1);
    expect(rankTest([], [1])).toBe(1);
  });

  test('large sets are judged by the normal distribution, close to what is exact', () => {
    const shifted = (by: number): number[] => Array.from({ length: 40 }, (_, i) => i + by);
    expect(rankTest(shifted(0), shifted(0))).toBeCloseTo(1, 6);
    expect(rankTest(shifted(0), shifted(100))).toBeLessThan(1e-12);
  });

  test('the approximation is about what dealing the numbers out at random gives', () => {
    const random = seededRandom(5);
    const numbers = Array.from({ length: 30 }, (_, i) => random() + (i < 15 ? 0 : 0.25));
    const rankSum = (order: readonly number[]): number => {
      const sorted = [...numbers].sort((x, y) => x - y);
      return order.slice(0, 15).reduce((sum, value) => sum + sorted.indexOf(value) + 1, 0);
    };
    const distance = Math.abs(rankSum(numbers) - (15 * 31) / 2);
    const deals = 4000;
    let asFar = 0;
    for (let i = 0; i < deals; i++) {
      if (Math.abs(rankSum(shuffled(numbers, random)) - (15 * 31) / 2) >= distance) asFar++;
    }
    const probability = rankTest(numbers.slice(0, 15), numbers.slice(15));
    expect(Math.abs(probability - asFar / deals)).toBeLessThan(0.03);
  });

  test('pairs of sets that lie far apart are tested together, each against its own', () => {
    const pair = (at: number, by: number) => ({
      a: [at, at + 1, at + 2],
      b: [at + by, at + 1 + by, at + 2 + by],
    });
    expect(stratifiedTest([])).toBe(1);
    expect(stratifiedTest([pair(1, 3)])).toBe(rankTest([1, 2, 3], [4, 5, 6]));
    // Five pairs of three and three: alone none gets below 2 in 20, together they would by chance in 2 of 20^5 ways.
    const apart = [10, 1000, 5, 70, 300].map((at) => pair(at, 3));
    expect(stratifiedTest(apart)).toBeLessThan(0.001);
    // Differences in both directions take each other away.
    expect(stratifiedTest([...apart, ...[1, 2, 3, 4, 5].map((at) => pair(at, -3))])).toBeCloseTo(1, 6);
  });

  test('the test of several pairs is about what dealing the numbers out at random gives', () => {
    const random = seededRandom(9);
    const strata = Array.from({ length: 4 }, (_, k) => ({
      a: Array.from({ length: 5 }, () => k + random()),
      b: Array.from({ length: 5 }, () => k + random() + 0.2),
    }));
    const distanceOf = (pairs: typeof strata): number => {
      let sum = 0;
      for (const { a, b } of pairs) {
        const sorted = [...a, ...b].sort((x, y) => x - y);
        for (const value of a) sum += sorted.indexOf(value) + 1 - 5.5;
      }
      return Math.abs(sum);
    };
    const distance = distanceOf(strata);
    const deals = 4000;
    let asFar = 0;
    for (let i = 0; i < deals; i++) {
      const dealt = strata.map(({ a, b }) => {
        const all = shuffled([...a, ...b], random);
        return { a: all.slice(0, 5), b: all.slice(5) };
      });
      if (distanceOf(dealt) >= distance) asFar++;
    }
    expect(Math.abs(stratifiedTest(strata) - asFar / deals)).toBeLessThan(0.03);
  });

  test('of many tests only so many count that few of them are false', () => {
    // The example of Benjamini and Hochberg (1995), section 3.2.
    const probabilities = [
      0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.324, 0.4262, 0.5719, 0.6528,
      0.759, 1,
    ];
    const counting = significant(probabilities, 0.05);
    expect(counting.filter(Boolean)).toHaveLength(4);
    expect(counting.slice(0, 4)).toEqual([true, true, true, true]);
    expect(significant([], 0.05)).toEqual([]);
    expect(significant([0.2, 0.001], 0.05)).toEqual([false, true]);
  });
});

describe('medians and spreads', () => {
  test('the median of an even count lies in the middle of two', () => {
    expect(median([4, 1, 3, 2])).toBe(2.5);
    expect(median([10, 9, 100])).toBe(10);
    expect(() => median([])).toThrow(RangeError);
  });

  test('a spread is the range as a share of the median', () => {
    expect(relativeSpread([90, 100, 120])).toBeCloseTo(0.3, 12);
    expect(relativeSpread([0, 0])).toBe(0);
  });
});
