/**
 * The notation for lines: what stands in it is text, `<Name>` is a field, white space is any white space, and
 * `(…)?` is a part that may be missing. It is the one of logpai's log parsers, of which a backslash before a
 * bracket, a bar or a parenthesis is kept; here it may also be left out, except for `<`, `>`, `(`, `)`, `\`.
 *
 *     <Date> <Time> <Level> \[<Process>\] <Component>(\[<Pid>\])?: <Content>
 *
 * @module
 */

import {
  KIND_ANY,
  KIND_DASH,
  KIND_INTEGER,
  KIND_PRIORITY,
  KIND_QUOTED,
  KIND_STATUS,
  KIND_WORD,
} from '../memory/program-layout.ts';

/** A field, and where it stands. */
export interface FieldPiece {
  type: 'field';
  name: string;
  /** One of `KIND_*`, or structured data, which has an instruction of its own. */
  kind: number | 'structured';
  /** From 1. */
  column: number;
}

/** A part of a pattern. */
export type Piece =
  | { type: 'text'; text: string }
  | { type: 'blanks' }
  | FieldPiece
  | { type: 'optional'; pieces: Piece[]; column: number };

/** What may stand behind the name of a field, and a colon. */
const KINDS: Readonly<Record<string, FieldPiece['kind']>> = {
  int: KIND_INTEGER,
  word: KIND_WORD,
  dash: KIND_DASH,
  priority: KIND_PRIORITY,
  status: KIND_STATUS,
  quoted: KIND_QUOTED,
  structured: 'structured',
};

const NAME = /^[A-Za-z_][A-Za-z0-9_.@-]*$/;
const NAME_CHARACTERS_MAX = 60;
const PATTERN_CHARACTERS_MAX = 1000;

/**
 * Reads a pattern.
 *
 * @throws RangeError where it makes no sense, with the column
 */
export function readPattern(pattern: string): Piece[] {
  if (pattern.trim() === '') throw wrong('it is empty');
  if (pattern.length > PATTERN_CHARACTERS_MAX)
    throw wrong(`it has more than ${PATTERN_CHARACTERS_MAX} characters`);
  return new Reader(pattern.trim()).read();
}

/** The error of a pattern. */
export function wrong(reason: string): RangeError {
  return new RangeError(`the pattern is wrong: ${reason}`);
}

class Reader {
  readonly #pattern: string;
  readonly #names = new Map<string, number>();
  #at = 0;

  constructor(pattern: string) {
    this.#pattern = pattern;
  }

  read(): Piece[] {
    const pieces = this.#pieces();
    if (this.#at < this.#pattern.length) throw wrong(`the ) at column ${this.#at + 1} closes nothing`);
    return pieces;
  }

  /** All up to a parenthesis that closes, or the end. */
  #pieces(): Piece[] {
    const pieces: Piece[] = [];
    const pattern = this.#pattern;
    while (this.#at < pattern.length) {
      const character = pattern[this.#at] as string;
      if (character === ')') break;
      if (character === '<') pieces.push(this.#field());
      else if (character === '>') throw wrong(`the > at column ${this.#at + 1} closes nothing`);
      else if (character === '(') pieces.push(this.#optional());
      else this.#text(pieces, character);
    }
    return pieces;
  }

  #text(pieces: Piece[], character: string): void {
    if (/\s/.test(character)) {
      while (/\s/.test(this.#pattern[this.#at] ?? '')) this.#at++;
      pieces.push({ type: 'blanks' });
      return;
    }
    let text = character;
    this.#at++;
    if (character === '\\') {
      text = this.#pattern[this.#at] ?? '';
      if (text === '') throw wrong(`there is nothing behind the \\ at column ${this.#at}`);
      this.#at++;
      if (text === 's') {
        if (this.#pattern[this.#at] === '+' || this.#pattern[this.#at] === '*') this.#at++;
        pieces.push({ type: 'blanks' });
        return;
      }
      if (/[A-Za-z0-9]/.test(text))
        throw wrong(`\\${text} at column ${this.#at - 1} is no text: only \\s has a meaning`);
    }
    const last = pieces.at(-1);
    if (last?.type === 'text') last.text += text;
    else pieces.push({ type: 'text', text });
  }

  #field(): FieldPiece {
    const start = this.#at;
    const column = start + 1;
    const end = this.#pattern.indexOf('>', start);
    if (end < 0) throw wrong(`the < at column ${column} is not closed`);
    const [name = '', kind] = this.#pattern.slice(start + 1, end).split(':', 2);
    if (!NAME.test(name) || name.length > NAME_CHARACTERS_MAX) {
      throw wrong(`${JSON.stringify(name)} at column ${column + 1} is no name of a field`);
    }
    if (this.#names.has(name))
      throw wrong(`<${name}> at column ${column} is there already at column ${this.#names.get(name)}`);
    if (kind !== undefined && !Object.hasOwn(KINDS, kind)) {
      throw wrong(
        `<${name}> at column ${column} is of no kind that is known: there are ${Object.keys(KINDS).join(', ')}`,
      );
    }
    this.#names.set(name, column);
    this.#at = end + 1;
    return { type: 'field', name, kind: kind === undefined ? KIND_ANY : (KINDS[kind] ?? KIND_ANY), column };
  }

  #optional(): Piece {
    const column = this.#at + 1;
    this.#at++;
    const pieces = this.#pieces();
    if (this.#pattern[this.#at] !== ')')
      throw wrong(`the ( at column ${column} is not closed; text is written \\(`);
    if (this.#pattern[this.#at + 1] !== '?') {
      throw wrong(`the ) at column ${this.#at + 1} has no ? behind it; text is written \\( and \\)`);
    }
    this.#at += 2;
    if (pieces.length === 0) throw wrong(`there is nothing in the ( at column ${column}`);
    return { type: 'optional', pieces, column };
  }
}
