import { describe, expect, test } from 'vitest';
import {
  formatByteRate,
  formatBytes,
  formatChecksum,
  formatCount,
  formatDuration,
  formatRate,
  formatShare,
  formatTime,
  isoTime,
  plural,
  printable,
} from '../../src/cli/format.ts';

describe('formatting for people', () => {
  test.each([
    [0, '0 B'],
    [1, '1 B'],
    [1023, '1023 B'],
    [1024, '1 KiB'],
    [1536, '1.5 KiB'],
    [1024 * 1024 - 1, '1 MiB'],
    [128 * 1024 * 1024, '128 MiB'],
    [1_234_567_890, '1.15 GiB'],
    [Number.NaN, '-'],
  ])('%d bytes are written as %s', (bytes, text) => {
    expect(formatBytes(bytes)).toBe(text);
  });

  test.each([
    [0, '0'],
    [999, '999'],
    [1000, '1,000'],
    [1_234_567, '1,234,567'],
    [12.6, '13'],
    [Number.POSITIVE_INFINITY, '-'],
  ])('the count %d is written as %s', (count, text) => {
    expect(formatCount(count)).toBe(text);
  });

  test.each([
    [0, '0 s'],
    [0.0004, '0.4 µs'],
    [0.85, '850 µs'],
    [0.9999, '1 ms'],
    [12.34, '12.3 ms'],
    [999.4, '999 ms'],
    [999.6, '1 s'],
    [4560, '4.56 s'],
    [59_940, '59.9 s'],
    [59_990, '1 min'],
    [125_000, '2 min 5 s'],
    [3_599_900, '1 h'],
    [11_520_000, '3 h 12 min'],
    [183_600_000, '2 d 3 h'],
    [-1500, '-1.5 s'],
    [Number.NaN, '-'],
  ])('%d ms are written as %s', (durationMs, text) => {
    expect(formatDuration(durationMs)).toBe(text);
  });

  test('a rate says how many a second, and nothing where no time has passed', () => {
    expect(formatRate(5000, 2000)).toBe('2,500');
    expect(formatRate(5, 2000)).toBe('2.5');
    expect(formatRate(1, 68_000)).toBe('0.0147');
    expect(formatRate(5, 0)).toBe('-');
    expect(formatByteRate(3 * 1024 * 1024, 1000)).toBe('3 MiB/s');
    expect(formatByteRate(1, 0)).toBe('-');
  });

  test('one of a thing is not written as many', () => {
    expect(plural(1, 'record')).toBe('1 record');
    expect(plural(0, 'record')).toBe('0 records');
    expect(plural(2000, 'entry', 'entries')).toBe('2,000 entries');
  });

  test('a share of one is written in percent', () => {
    expect(formatShare(0.00183)).toBe('0.183 %');
    expect(formatShare(1)).toBe('100 %');
    expect(formatShare(0 / 0)).toBe('-');
  });

  test('a time is written as ISO-8601 in UTC, and one that is none as a dash', () => {
    expect(formatTime(1_226_262_975_000)).toBe('2008-11-09T20:36:15.000Z');
    expect(formatTime(0)).toBe('1970-01-01T00:00:00.000Z');
    expect(formatTime(-1)).toBe('-');
    expect(formatTime(undefined)).toBe('-');
    expect(isoTime(Number.MAX_SAFE_INTEGER)).toBeUndefined();
  });

  test('a checksum is eight hexadecimal digits, whatever its sign', () => {
    expect(formatChecksum(-1)).toBe('ffffffff');
    expect(formatChecksum(0x0abc)).toBe('00000abc');
  });

  test('control characters cannot reach the terminal through a table', () => {
    expect(printable('a\u001b[31mb\nc\u009b')).toBe('a\\x1b[31mb\\x0ac\\x9b');
    expect(printable('grün 日本')).toBe('grün 日本');
  });
});
