import { describe, expect, test } from 'vitest';
import { expandBraces, isGlob, segmentMatcher } from '../../src/text/glob.ts';
import { inTimeOrder, rotatedSetOf } from '../../src/text/rotation.ts';

describe('the order of rotated files', () => {
  test.each([
    ['numbers, compressed or not', ['app.log.10.gz', 'app.log.2.gz', 'app.log.1', 'app.log']],
    ['numbers before the extension', ['app.12.log', 'app.2.log', 'app.1.log', 'app.log']],
    ['dates', ['app.log-20231231.gz', 'app.log-20240101.zst', 'app.log-20240102', 'app.log']],
    ['dates before the extension', ['app-2023-12-31.log', 'app-2024-01-01.log', 'app.log']],
    [
      'a number behind a date',
      ['app-2024-01-31.1.log', 'app-2024-01-31.2.log', 'app-2024-02-01.1.log', 'app.log'],
    ],
    ['hours', ['app.log.2024-01-31-09', 'app.log.2024-01-31-10', 'app.log.2024-02-01-00', 'app.log']],
    ['two sets', ['a.log.2', 'a.log.1', 'a.log', 'b.log.1', 'b.log']],
    ['dates are older than numbers', ['app.log.2024-01-31', 'app.log.2', 'app.log']],
  ])('%s', (_, names) => {
    expect(inTimeOrder([...names].sort())).toEqual(names);
    expect(inTimeOrder([...names].reverse())).toEqual(names);
  });

  test.each([
    ['app.log.3.gz', 'app.log'],
    ['app.3.log', 'app.log'],
    ['access_log-20240131', 'access_log'],
    ['app-2024-01-31.12.log.gz', 'app.log'],
    ['app.log-20240131-1706659200', 'app.log'],
    // No dates, and no numbers of a rotation.
    ['app-20241331.log', 'app-20241331.log'],
    ['node-v20.20.2.tar', 'node-v20.20.2.tar'],
    ['port8080.log', 'port8080.log'],
    ['app.12345', 'app.12345'],
  ])('%s belongs to the set %s', (name, set) => {
    expect(rotatedSetOf(name)).toBe(set);
  });
});

describe('patterns for names', () => {
  test.each([
    ['*.log', ['a.log', '.log'], ['a.logs', 'alog']],
    ['a?c', ['abc', 'a.c'], ['ac', 'abbc']],
    ['[a-c]x', ['ax', 'cx'], ['dx', '-x']],
    ['[!a-c]x', ['dx', '^x'], ['ax']],
    ['[]x]', [']', 'x'], ['[']],
    ['[ab', ['[ab'], ['a']],
    ['a\\*b', ['a*b'], ['axb']],
    ['a.b+(c)$', ['a.b+(c)$'], ['axb+(c)$', 'a.bb(c)$']],
    ['日*', ['日本'], ['本日']],
  ])('%s', (pattern, fits, fitsNot) => {
    const matcher = segmentMatcher(pattern);
    expect([...fits, ...fitsNot].filter((name) => matcher.test(name))).toEqual(fits);
  });

  test.each([
    ['a{b,c}d', ['abd', 'acd']],
    ['{a,b}{1,2}', ['a1', 'a2', 'b1', 'b2']],
    ['x{a,b{c,d}}', ['xa', 'xbc', 'xbd']],
    ['{a}', ['{a}']],
    ['{a,b', ['{a,b']],
    ['a{,.gz}', ['a', 'a.gz']],
    ['\\{a,b}', ['\\{a,b}']],
  ])('the braces of %s', (pattern, expanded) => {
    expect(expandBraces(pattern)).toEqual(expanded);
  });

  test('braces that stand for too many are refused', () => {
    expect(() => expandBraces('{a,b}'.repeat(20))).toThrow(RangeError);
    expect(isGlob('a{b,c}')).toBe(true);
    expect(isGlob('a.log')).toBe(false);
  });
});
