import { expect, test } from 'vitest';
import { type Change, compareWith, formatChanges } from '../../bench/against.ts';
import { measuredRow, type RowSpec, skippedRow } from '../../bench/rows.ts';
import type { Result } from '../../bench/suite.ts';

const rate: RowSpec = { id: 'a/rate vs x', unit: 'records/s', versus: 'x', target: '>= 1' };
const time: RowSpec = { id: 'a/time vs x', unit: 'us', versus: 'x', target: '<= 1' };
const size: RowSpec = { id: 'a/rss vs x', unit: 'MiB', versus: 'x', target: null };

/** Six rounds around a figure; the other side stays at 100. */
function rounds(figure: number): { samples: number[]; versusSamples: number[] } {
  const samples = [0, 1, 2, 3, 4, 5].map((i) => figure + i / 10);
  return { samples, versusSamples: samples.map(() => 100) };
}

function result(rateIs: number, timeIs: number, sizeIs: number): Result {
  const rows = [
    measuredRow(rate, rounds(rateIs), true),
    measuredRow(time, rounds(timeIs), true),
    measuredRow(size, rounds(sizeIs), true),
    skippedRow({ ...rate, id: 'a/none vs x' }, 'no peer'),
  ];
  return { bench: 'a', rows } as unknown as Result;
}

/** The changes of rows, without that of the bench as a whole. */
function rowsOf(changes: readonly Change[]): Change[] {
  return changes.filter(({ id }) => !id.includes('together'));
}

test('a rate that falls, a time and a size that grow are worse; the reverse is better', () => {
  const verdicts = (before: Result, after: Result): string[] =>
    rowsOf(compareWith([before], [after])).map(({ verdict }) => verdict);
  expect(verdicts(result(100, 100, 100), result(50, 200, 200))).toEqual(['worse', 'worse', 'worse']);
  expect(verdicts(result(100, 100, 100), result(200, 50, 50))).toEqual(['better', 'better', 'better']);
  expect(verdicts(result(100, 100, 100), result(100, 100, 100))).toEqual(['same', 'same', 'same']);
});

test('a small change is none, however certain', () => {
  const [change] = rowsOf(compareWith([result(100, 100, 100)], [result(95, 100, 100)]));
  expect(change?.probability).toBeLessThan(0.01);
  expect(change?.verdict).toBe('same');
});

test('rows that only one of them has are left out, and the text sums up', () => {
  const changes = compareWith([result(100, 100, 100)], [result(50, 100, 100)]);
  expect(rowsOf(changes).map(({ id }) => id)).toEqual([rate.id, time.id, size.id]);
  expect(formatChanges(changes)).toContain('0 better, 1 worse, 3 the same');
});

test('a bench is found slower by its rows together, where too few rounds show it in none', () => {
  const few = (figure: number): Result => {
    const names = ['a', 'b', 'c', 'd', 'e'];
    const rows = names.map((name, i) => {
      const samples = [0, 1, 2].map((round) => (figure + round) * 10 ** i);
      const spec = { ...rate, id: `s/${name} vs x` };
      return measuredRow(spec, { samples, versusSamples: samples.map(() => 100) }, true);
    });
    return { bench: 's', rows } as unknown as Result;
  };
  const [whole, ...rows] = compareWith([few(100)], [few(80)]);
  expect(whole).toMatchObject({ id: 's: 5 rows together', verdict: 'worse' });
  expect(whole?.after).toBeCloseTo(81 / 101, 6);
  expect(rows.every(({ verdict, probability }) => verdict === 'same' && probability > 0.05)).toBe(true);
  expect(compareWith([few(100)], [few(100)])[0]?.verdict).toBe('same');
});

test('rows that share what was measured of varve count once in the whole', () => {
  const both = (figure: number): Result => {
    const rows = ['x', 'y'].map((other) =>
      measuredRow({ ...rate, id: `s/a vs ${other}` }, rounds(figure), true),
    );
    return { bench: 's', rows } as unknown as Result;
  };
  expect(compareWith([both(100)], [both(50)]).map(({ id }) => id)).toEqual(['s/a vs x', 's/a vs y']);
});
