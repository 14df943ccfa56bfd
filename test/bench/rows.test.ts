/** The arithmetic of the benches: what a row says about given measurements. */

import { describe, expect, test } from 'vitest';
import { alignColumns, formatNumber, formatOutcome, formatRatio } from '../../bench/print.ts';
import { measuredRow, meets, type RowSpec, skippedRow } from '../../bench/rows.ts';
import { inTurn, quantile } from '../../bench/statistics.ts';
import { median } from '../../src/lab/statistics.ts';

const spec: RowSpec = { id: 'suite/this vs that', unit: 'MB/s', versus: 'that', target: '>= 2' };

describe('a row', () => {
  test('has the medians of both sides, and their ratio', () => {
    const row = measuredRow(spec, { samples: [9, 10, 20], versusSamples: [1, 4, 5] }, true);
    expect(row).toMatchObject({ value: 10, versusValue: 4, ratio: 2.5, ok: true, runs: 3 });
    expect(row.spread).toEqual({ min: 9, max: 20 });
    expect(row.ratioSpread).toEqual({ min: 2.5, max: 9 });
  });

  test('that misses its target is missed, on either side of it', () => {
    const sides = { samples: [10], versusSamples: [6] };
    expect(measuredRow(spec, sides, true).ok).toBe(false);
    expect(measuredRow({ ...spec, target: '<= 1.5' }, sides, true).ok).toBe(false);
    expect(measuredRow({ ...spec, target: '<= 1.7' }, sides, true).ok).toBe(true);
    expect(formatOutcome(measuredRow(spec, sides, true))).toBe('MISSED');
  });

  test('without a target, or of toy sizes, is not judged', () => {
    const sides = { samples: [10], versusSamples: [6] };
    expect(measuredRow({ ...spec, target: null }, sides, true).ok).toBeNull();
    expect(measuredRow(spec, sides, false).ok).toBeNull();
  });

  test('needs as many measurements of one side as of the other', () => {
    expect(() => measuredRow(spec, { samples: [1, 2], versusSamples: [1] }, true)).toThrow(RangeError);
    expect(() => measuredRow(spec, { samples: [], versusSamples: [] }, true)).toThrow(RangeError);
  });

  test('that was skipped says why, and keeps what was measured', () => {
    const row = skippedRow(spec, 'it is raining', [3, 5]);
    expect(row).toMatchObject({
      value: 4,
      versusValue: null,
      ratio: null,
      ok: null,
      skipped: 'it is raining',
    });
    expect(formatOutcome(row)).toBe('skipped: it is raining');
  });

  test('meets a target that it hits exactly', () => {
    expect(meets(2, '>= 2')).toBe(true);
    expect(meets(2, '<= 2')).toBe(true);
    expect(meets(1.999, '>= 2')).toBe(false);
    expect(meets(0.0021, '<= 0.002')).toBe(false);
  });
});

describe('statistics', () => {
  test('the median of an even count lies in the middle of two', () => {
    expect(median([4, 1, 3, 2])).toBe(2.5);
    expect(median([10, 9, 100])).toBe(10);
    expect(() => median([])).toThrow(RangeError);
  });

  test('a quantile is one of the numbers', () => {
    const sorted = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10];
    expect([0, 0.5, 0.9, 0.99, 1].map((q) => quantile(sorted, q))).toEqual([1, 5, 9, 10, 10]);
  });

  test('contestants run in turn, and the first round does not count', async () => {
    const order: string[] = [];
    let a = 0;
    const measured = await inTurn(2, {
      a: () => {
        order.push('a');
        return ++a;
      },
      b: async () => {
        await Promise.resolve();
        order.push('b');
        return 7;
      },
    });
    expect(order.join('')).toBe('ababab');
    expect(measured).toEqual({ a: [2, 3], b: [7, 7] });
  });

  test('a contestant that measures nothing is an error', async () => {
    await expect(inTurn(1, { a: () => Number.NaN })).rejects.toThrow('a measured NaN');
  });
});

describe('the table', () => {
  test('numbers keep four digits that count', () => {
    expect([1234567, 999.96, 12.3456, 0.0123456].map(formatNumber)).toEqual([
      '1,234,567',
      '1000',
      '12.35',
      '0.01235',
    ]);
    expect([2.5, 12345.6, 0.00195].map(formatRatio)).toEqual(['2.50', '12,346', '0.00195']);
  });

  test('columns are as wide as their widest cell', () => {
    expect(
      alignColumns([
        ['a', '1', 'x'],
        ['long', '10', 'y'],
      ]),
    ).toEqual(['a      1  x', 'long  10  y']);
  });
});
