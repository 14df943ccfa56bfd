import { describe, expect, test } from 'vitest';
import { parseBytes, parseCount, parseSyncPolicy } from '../../src/cli/arguments.ts';

test.each([
  ['0', 0],
  ['42', 42],
  ['9007199254740991', Number.MAX_SAFE_INTEGER],
])('the count %s is understood', (text, count) => {
  expect(parseCount(text)).toBe(count);
});

test.each(['', '-1', '1.5', '1e3', ' 1', 'x', '9007199254740992'])('the count %j is refused', (text) => {
  expect(() => parseCount(text)).toThrow(RangeError);
});

test.each([
  ['1', 1],
  ['64k', 65_536],
  ['64KiB', 65_536],
  ['1.5 GB', 1.5 * 2 ** 30],
  ['200MiB', 200 * 2 ** 20],
  ['1t', 2 ** 40],
])('the size %s is understood', (text, bytes) => {
  expect(parseBytes(text)).toBe(bytes);
});

test.each(['', 'k', '-1k', '1kk', '1 parsec', '9999999999t'])('the size %j is refused', (text) => {
  expect(() => parseBytes(text)).toThrow(RangeError);
});

describe('a sync policy', () => {
  test.each([
    ['always', { mode: 'always' }],
    ['never', { mode: 'never' }],
    ['interval', { mode: 'interval' }],
    ['interval:500ms', { mode: 'interval', intervalMs: 500 }],
    ['interval:2s', { mode: 'interval', intervalMs: 2000 }],
    ['adaptive', { mode: 'adaptive' }],
    ['adaptive:3ms', { mode: 'adaptive', maxDelayMs: 3 }],
    ['batch', { mode: 'batch' }],
    ['batch:1000', { mode: 'batch', maxRecords: 1000 }],
    ['batch:1000,1MiB,10ms', { mode: 'batch', maxRecords: 1000, maxBytes: 1_048_576, maxDelayMs: 10 }],
    ['batch:64k', { mode: 'batch', maxBytes: 65_536 }],
  ])('%s is understood', (text, policy) => {
    expect(parseSyncPolicy(text)).toEqual(policy);
  });

  test.each([
    '',
    'sometimes',
    'always:1',
    'never:',
    'interval:',
    'interval:5',
    'interval:1s,2s',
    'adaptive:x',
    'batch:x',
    'batch:0',
    'interval:0ms',
  ])('%j is refused', (text) => {
    expect(() => parseSyncPolicy(text)).toThrow(RangeError);
  });
});
