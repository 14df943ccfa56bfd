import { describe, expect, test } from 'vitest';
import { parseDuration, parseTime } from '../../src/cli/time.ts';

const NOW = Date.UTC(2024, 1, 29, 12, 0, 0);

describe('a time on the command line', () => {
  test.each([
    ['2008-11-09T20:36:15.123Z', Date.UTC(2008, 10, 9, 20, 36, 15, 123)],
    ['2008-11-09T20:36:15Z', Date.UTC(2008, 10, 9, 20, 36, 15)],
    ['2008-11-09 20:36:15', Date.UTC(2008, 10, 9, 20, 36, 15)],
    ['2008-11-09T20:36', Date.UTC(2008, 10, 9, 20, 36)],
    ['2008-11-09', Date.UTC(2008, 10, 9)],
    ['2008-11', Date.UTC(2008, 10, 1)],
    ['2008-11-09T20:36:15.5+01:00', Date.UTC(2008, 10, 9, 19, 36, 15, 500)],
    ['2008-11-09T20:36:15-0330', Date.UTC(2008, 10, 10, 0, 6, 15)],
    ['2008-11-09T20:36:15.123456789Z', Date.UTC(2008, 10, 9, 20, 36, 15, 123)],
    ['2024-02-29', Date.UTC(2024, 1, 29)],
    ['1969-12-31T23:59:59Z', -1000],
    ['0', 0],
    ['1226262975000', 1_226_262_975_000],
    ['now', NOW],
    ['-15m', NOW - 900_000],
    ['-1h30m', NOW - 5_400_000],
    ['+2d', NOW + 172_800_000],
    ['-500ms', NOW - 500],
    ['-1.5h', NOW - 5_400_000],
    [' 2008-11-09 ', Date.UTC(2008, 10, 9)],
  ])('%s is understood', (text, expected) => {
    expect(parseTime(text, NOW)).toBe(expected);
  });

  test.each([
    '',
    'yesterday',
    '2008-02-30',
    '2023-02-29',
    '2008-13-01',
    '2008-00-01',
    '2008-11-09T24:00',
    '2008-11-09T20:60',
    '2008-11-09T20:36:15+25:00',
    '2008-11-09T20',
    '15m',
    '-15',
    '-15x',
    '-m',
    '1e3',
    '99999999999999999999',
    '2008-11-09T20:36:15Zjunk',
  ])('%j is refused, with what would do', (text) => {
    expect(() => parseTime(text, NOW)).toThrow(RangeError);
    expect(() => parseTime(text, NOW)).toThrow(/is not a time such as/);
  });
});

test('durations add up', () => {
  expect(parseDuration('1h30m15s250ms')).toBe(5_415_250);
  expect(parseDuration('2min')).toBe(120_000);
  expect(parseDuration('1w')).toBe(604_800_000);
  expect(parseDuration('')).toBeUndefined();
  expect(parseDuration('5')).toBeUndefined();
  expect(parseDuration('5 s')).toBeUndefined();
});
