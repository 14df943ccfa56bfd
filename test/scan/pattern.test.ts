import { describe, expect, test } from 'vitest';
import { compilePattern, type PatternSpec } from '../../src/scan/pattern/compile.ts';
import { createRandom, type Random } from '../kit/random.ts';

const SPEC: PatternSpec = { patterns: [], fixed: false, ignoreCase: false, whole: 'part' };

function compile(pattern: string, options: Partial<PatternSpec> = {}): ReturnType<typeof compilePattern> {
  return compilePattern({ ...SPEC, patterns: [pattern], ...options });
}

function literalsOf(pattern: string, options: Partial<PatternSpec> = {}): string[] | undefined {
  return compile(pattern, options).literals?.map((literal) => Buffer.from(literal).toString());
}

describe('the literals of an expression', () => {
  test.each<[string, string[] | undefined]>([
    ['error', ['error']],
    ['blk_-?[0-9]+ terminating', [' terminating']],
    ['(foo|bar)baz', ['foobaz', 'barbaz']],
    ['foo|bar', ['foo', 'bar']],
    ['foo|b.*r', ['foo', 'b']],
    ['foo|.*', undefined],
    ['colou?r', ['color', 'colour']],
    ['[Ee]rror', ['Error', 'error']],
    ['a{3}b', ['aaab']],
    ['xyzzy+', ['xyzzy']],
    ['(?:ab)+c', ['ab']],
    ['(?=foo)bar', ['bar']],
    ['^\\[main\\]$', ['[main]']],
    ['\\u{65e5}\\u672c', ['日本']],
    ['日本.*', ['日本']],
    ['[0-9]+', undefined],
    ['.*', undefined],
    ['', undefined],
    ['a?', undefined],
    ['(a)\\1', ['a']],
    ['\\p{L}+x', undefined],
    ['x\\ny|abc', ['x', 'abc']],
    ['\\x41\\cJ?B', ['B']],
  ])('%s needs %j', (pattern, literals) => {
    expect(literalsOf(pattern)).toEqual(literals);
  });

  test('are in lower case where case is ignored, and end where another alphabet begins', () => {
    expect(literalsOf('ERROR in [Xx]', { ignoreCase: true })).toEqual(['error in x']);
    expect(literalsOf('GRÜSSE', { ignoreCase: true })).toEqual(['sse']);
    expect(compile('disk', { ignoreCase: true }).asciiOnly).toBe(true);
    expect(compile('error', { ignoreCase: true }).asciiOnly).toBe(false);
  });

  test('are all there is to it, or not', () => {
    expect(compile('foo|bar').areEnough).toBe(true);
    expect(compile('a.b', { fixed: true }).areEnough).toBe(true);
    expect(compile('^foo').areEnough).toBe(false);
    expect(compile('foo', { whole: 'word' }).areEnough).toBe(false);
    expect(compile('foo.*').areEnough).toBe(false);
  });
});

describe('an expression that is none, or not one of several', () => {
  test.each([['('], ['a**'], ['\\1'], ['a{2,1}'], ['[b-a]']])('%s', (pattern) => {
    expect(() => compile(pattern)).toThrow(RangeError);
  });

  test('refers to groups', () => {
    const patterns = ['(a)\\1', 'b'];
    expect(() => compilePattern({ ...SPEC, patterns })).toThrow('refers to its groups');
  });
});

const ATOMS = [
  'a',
  'b',
  'A',
  'B',
  '.',
  '\\w',
  '\\W',
  '\\s',
  '\\S',
  '\\d',
  '[ab]',
  '[^a]',
  '[^\\s]',
  '[\\W_]',
  '\\b',
  '\\B',
  '^',
  '$',
  '(?=a)',
  '(?!b)',
  '(?<=b)',
  '(?<!a)',
  '[^]',
  '[]',
  'é',
  '\\x62',
  '(a|b)',
  '(?:ab|)',
  '-',
  '\\n',
];

function randomPattern(random: Random): string {
  let pattern = '';
  for (let i = random.int(1, 4); i > 0; i--) {
    const atom = random.pick(ATOMS);
    const mayRepeat = !/^(?:\^|\$|\\[bB]|\(\?[=!<].*)$/.test(atom);
    pattern +=
      atom + (mayRepeat ? random.pick(['', '', '', '?', '*', '+', '+?', '{2}', '{1,2}', '{0}']) : '');
    if (random.chance(0.1)) pattern += '|';
  }
  return random.chance(0.2) ? `(${pattern})` : pattern;
}

describe('an expression that was made ready', () => {
  test('needs its literals, and finds the same in many lines as in each', () => {
    const random = createRandom(200);
    let compared = 0;
    for (let i = 0; i < 1500; i++) {
      const pattern = randomPattern(random);
      const ignoreCase = random.chance(0.3);
      const { line, window, literals, areEnough } = compile(pattern, { ignoreCase });
      const lines = Array.from({ length: 6 }, () =>
        Array.from({ length: random.int(0, 5) }, () =>
          random.pick(['a', 'b', 'A', 'B', ' ', '-', '_', '1']),
        ).join(''),
      );
      const expected = lines.map((text) => text.search(line) >= 0);
      const needed = literals?.map((literal) => Buffer.from(literal).toString());
      for (const [number, text] of lines.entries()) {
        const folded = ignoreCase ? text.toLowerCase() : text;
        const has = needed?.some((literal) => folded.includes(literal)) ?? true;
        if (expected[number] === true) expect({ pattern, text, has }).toEqual({ pattern, text, has: true });
        if (areEnough && has)
          expect({ pattern, text, found: expected[number] }).toEqual({ pattern, text, found: true });
      }
      if (window === undefined) continue;
      compared++;
      const found = lines.map(() => false);
      const joined = `${lines.join('\n')}\n`;
      for (const match of joined.matchAll(window)) {
        const number = joined.slice(0, match.index).split('\n').length - 1;
        if (number < lines.length) found[number] = true;
        expect(match[0]).not.toContain('\n');
      }
      expect({ pattern, ignoreCase, lines, found }).toEqual({ pattern, ignoreCase, lines, found: expected });
    }
    expect(compared).toBeGreaterThan(1400);
  });
});
