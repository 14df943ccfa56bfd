/**
 * Time patterns: how a time is written, in the letters that Java's SimpleDateFormat made common, compiled to
 * instructions that the kernel carries out (`TIME_*` in memory/program-layout.ts).
 *
 * @module
 */

import {
  TIME_BLANKS,
  TIME_BYTE,
  TIME_DAY,
  TIME_EPOCH,
  TIME_EPOCH_MILLISECONDS,
  TIME_EPOCH_SECONDS,
  TIME_FRACTION,
  TIME_HALF_DAY,
  TIME_HALF_DAY_HOUR,
  TIME_HOUR,
  TIME_ISO,
  TIME_LONG_DATE,
  TIME_MILLISECONDS,
  TIME_MINUTE,
  TIME_MONTH,
  TIME_MONTH_NAME,
  TIME_OF_DAY,
  TIME_OPTIONAL,
  TIME_SECOND,
  TIME_SHORT_DATE,
  TIME_SHORT_YEAR,
  TIME_WEEKDAY,
  TIME_YEAR,
  TIME_ZONE,
} from '../memory/program-layout.ts';

/** What a time must not say twice. */
type Part =
  | 'year'
  | 'month'
  | 'day'
  | 'weekday'
  | 'hour'
  | 'half'
  | 'minute'
  | 'second'
  | 'fraction'
  | 'zone'
  | 'all';

interface Token {
  part: Part | undefined;
  words: readonly number[];
}

const FRACTION_DIGITS_MAX = 9;
/** A fraction of any length: what is beyond nanoseconds is dropped. */
const ANY_DIGITS = 1_000_000;

const TOKENS: Readonly<Record<string, Token>> = {
  yyyy: { part: 'year', words: [TIME_YEAR] },
  yy: { part: 'year', words: [TIME_SHORT_YEAR] },
  MMM: { part: 'month', words: [TIME_MONTH_NAME] },
  MM: { part: 'month', words: [TIME_MONTH, 2] },
  M: { part: 'month', words: [TIME_MONTH, 1] },
  dd: { part: 'day', words: [TIME_DAY, 2] },
  d: { part: 'day', words: [TIME_DAY, 1] },
  EEE: { part: 'weekday', words: [TIME_WEEKDAY] },
  HH: { part: 'hour', words: [TIME_HOUR, 2] },
  H: { part: 'hour', words: [TIME_HOUR, 1] },
  hh: { part: 'hour', words: [TIME_HALF_DAY_HOUR, 2] },
  h: { part: 'hour', words: [TIME_HALF_DAY_HOUR, 1] },
  a: { part: 'half', words: [TIME_HALF_DAY] },
  mm: { part: 'minute', words: [TIME_MINUTE, 2] },
  m: { part: 'minute', words: [TIME_MINUTE, 1] },
  ss: { part: 'second', words: [TIME_SECOND, 2] },
  s: { part: 'second', words: [TIME_SECOND, 1] },
  S: { part: 'fraction', words: [TIME_MILLISECONDS] },
  'S+': { part: 'fraction', words: [TIME_FRACTION, 1, ANY_DIGITS] },
  Z: { part: 'zone', words: [TIME_ZONE] },
  iso8601: { part: 'all', words: [TIME_ISO] },
  epoch: { part: 'all', words: [TIME_EPOCH] },
  epochSeconds: { part: 'all', words: [TIME_EPOCH_SECONDS] },
  epochMillis: { part: 'all', words: [TIME_EPOCH_MILLISECONDS] },
};

/** What stands for itself may not be a letter, unless it is in quotes. */
const PIECE = /'((?:[^']|'')*)'|(iso8601|epochSeconds|epochMillis|epoch)\b|(S\+|([A-Za-z])\4*)|( +)|([^])/y;

/** The parts of one time, over all its fields. */
export class TimePattern {
  readonly #parts = new Set<Part>();

  /**
   * Compiles the pattern of one field.
   *
   * @param text the pattern
   * @param column where it stands in the whole, from 1
   * @returns instructions, as words
   * @throws RangeError where it makes no sense, with the column
   */
  compile(text: string, column: number): number[] {
    const { tokens, end } = this.#tokens(text, 0, column);
    if (end < text.length) throw wrong(`the ] at column ${column + end} closes nothing`);
    return fuse(tokens).flatMap(({ words }) => words);
  }

  /** Whether there is no year in it. */
  get isYearless(): boolean {
    return !this.#parts.has('year') && !this.#parts.has('all');
  }

  /**
   * Checks that all of it makes a time.
   *
   * @throws RangeError where something is missing
   */
  check(): void {
    const parts = this.#parts;
    if (parts.has('all')) {
      const [other] = [...parts].filter((part) => part !== 'all');
      if (other === undefined) return;
      throw wrong(`it has a whole time, and a ${other} beside it`);
    }
    for (const part of ['month', 'day', 'hour'] as const)
      if (!parts.has(part)) throw wrong(`it has no ${part}`);
    if (parts.has('fraction') && !parts.has('second'))
      throw wrong('it has a fraction of a second, and no second');
    if (parts.has('second') && !parts.has('minute')) throw wrong('it has a second, and no minute');
  }

  #tokens(text: string, start: number, column: number): { tokens: Token[]; end: number } {
    const tokens: Token[] = [];
    for (let at = start; at < text.length; ) {
      if (text[at] === ']') return { tokens, end: at };
      if (text[at] === '[') {
        const inner = this.#tokens(text, at + 1, column);
        if (text[inner.end] !== ']') throw wrong(`the [ at column ${column + at} is not closed`);
        tokens.push(optional(inner.tokens, column + at));
        at = inner.end + 1;
        continue;
      }
      PIECE.lastIndex = at;
      const [piece = '', quoted, word, letters, , blanks, other] = PIECE.exec(text) ?? [];
      if (quoted !== undefined) tokens.push(...bytes(piece === "''" ? "'" : quoted.replaceAll("''", "'")));
      else if (blanks !== undefined) tokens.push({ part: undefined, words: [TIME_BLANKS] });
      else if (other !== undefined) tokens.push(...bytes(other));
      else tokens.push(this.#token(word ?? letters ?? '', column + at));
      at += piece.length;
    }
    return { tokens, end: text.length };
  }

  #token(letters: string, column: number): Token {
    const isFraction = /^SS+$/.test(letters) && letters.length <= FRACTION_DIGITS_MAX;
    const digits = letters.length;
    const token: Token | undefined = isFraction
      ? { part: 'fraction', words: [TIME_FRACTION, digits, digits] }
      : Object.hasOwn(TOKENS, letters)
        ? TOKENS[letters]
        : undefined;
    if (token?.part === undefined) {
      throw wrong(
        `nothing is known as ${letters} (column ${column}); put '${letters}' in quotes if it is text`,
      );
    }
    if (this.#parts.has(token.part)) throw wrong(`${letters} at column ${column} is a second ${token.part}`);
    this.#parts.add(token.part);
    return token;
  }
}

function wrong(reason: string): RangeError {
  return new RangeError(`the time pattern is wrong: ${reason}`);
}

function bytes(text: string): Token[] {
  return [...Buffer.from(text)].map((byte) => ({ part: undefined, words: [TIME_BYTE, byte] }));
}

/** What may be missing is told by its first byte. */
function optional(tokens: readonly Token[], column: number): Token {
  const [first, ...rest] = tokens;
  // White space that tells is one space.
  const told = first?.words[0] === TIME_BLANKS ? [...bytes(' '), ...rest] : tokens;
  const words = fuse(told).flatMap((token) => token.words);
  if (words[0] !== TIME_BYTE) {
    throw wrong(
      `what may be missing, at column ${column}, must begin with a character that tells it is there`,
    );
  }
  return { part: undefined, words: [TIME_OPTIONAL, words.length + 2, ...words] };
}

/** The usual dates and times of day are read in one step. */
const STEPS: readonly [readonly (number | undefined)[], number][] = [
  [[TIME_YEAR, undefined, TIME_MONTH, 2, undefined, TIME_DAY, 2], TIME_LONG_DATE],
  [[TIME_SHORT_YEAR, undefined, TIME_MONTH, 2, undefined, TIME_DAY, 2], TIME_SHORT_DATE],
  [[TIME_HOUR, 2, undefined, TIME_MINUTE, 2, undefined, TIME_SECOND, 2], TIME_OF_DAY],
];
const STEP_TOKENS = 5;

function fuse(tokens: readonly Token[]): Token[] {
  const fused: Token[] = [];
  for (let i = 0; i < tokens.length; ) {
    const [first, one, second, other, third] = tokens.slice(i, i + STEP_TOKENS);
    const separator = one?.words[0] === TIME_BYTE ? one.words[1] : undefined;
    const isSame = separator !== undefined && other?.words[0] === TIME_BYTE && other.words[1] === separator;
    const parts = [first, second, third].map((token) => token?.words.join());
    const step = STEPS.find(([words]) => isSame && partsOf(words) === parts.join(' '));
    if (step === undefined || separator === undefined) {
      fused.push(first as Token);
      i++;
    } else {
      fused.push({ part: undefined, words: [step[1], separator] });
      i += STEP_TOKENS;
    }
  }
  return fused;
}

/** The three parts of a step, as text to compare with. */
function partsOf(words: readonly (number | undefined)[]): string {
  return words
    .map((word) => word ?? ' ')
    .join(',')
    .replaceAll(', ,', ' ');
}
