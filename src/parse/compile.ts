/**
 * Compiles a pattern of lines and of times to the program that the kernel `parsePattern` carries out; what it
 * is made of is in memory/program-layout.ts. An optional part makes two ways on, each with all that follows.
 *
 * @module
 */

import {
  KIND_PRIORITY,
  KIND_STATUS,
  OP_BLANKS,
  OP_CLEAR,
  OP_END,
  OP_FIELD,
  OP_LAST_BLANKS,
  OP_LINE_END,
  OP_MATCHED,
  OP_REST,
  OP_SPLIT,
  OP_STRUCTURED,
  OP_TEXT,
  OP_TIME,
  OP_TIMESTAMP,
  OP_TRY,
  SLOT_COMPONENT,
  SLOT_CONTENT,
  SLOT_EXTRAS,
  SLOT_LEVEL,
  SLOT_NONE,
  SLOT_PID,
} from '../memory/program-layout.ts';
import { type FieldPiece, type Piece, readPattern, wrong } from './notation.ts';
import { TimePattern } from './time-pattern.ts';

/** A compiled pattern. */
export interface Program {
  /** Instructions, as words. */
  words: readonly number[];
  /** Names of the fields beyond time, level, pid, component and message. */
  extraNames: readonly string[];
  hasTime: boolean;
  /** Whether its times have no year. */
  isYearless: boolean;
}

/** Fields with a place in the row, by their names in small letters; the first of each place has it. */
const SLOTS: ReadonlyMap<string, number> = new Map([
  ['level', SLOT_LEVEL],
  ['severity', SLOT_LEVEL],
  ['pid', SLOT_PID],
  ['component', SLOT_COMPONENT],
  ['logger', SLOT_COMPONENT],
  ['program', SLOT_COMPONENT],
  ['content', SLOT_CONTENT],
  ['message', SLOT_CONTENT],
  ['msg', SLOT_CONTENT],
]);

/** Fields that a time is made of, unless the time pattern names others. */
const TIME_NAME = /^(?:timestamp|datetime|date|time|year|month|day|weekday|zone)$/i;

const EXTRAS_MAX = 16;
const OPTIONALS_MAX = 4;
const WORDS_MAX = 2000;

/**
 * Compiles a pattern.
 *
 * @param pattern of lines: see notation.ts
 * @param time pattern of their times: see time-pattern.ts. Fields may be named in it, `<Date> yyMMdd <Time>
 *   HHmmss`; if none are, those with the usual names make the time, with a word of the pattern for each
 * @throws RangeError where one of them makes no sense, with the column
 */
export function compilePattern(pattern: string, time: string | undefined): Program {
  const pieces = readPattern(pattern);
  return new Compiler(pieces, time).compile();
}

class Compiler {
  readonly #pieces: readonly Piece[];
  readonly #slots = new Map<string, number>();
  readonly #extraNames: string[] = [];
  /** The instructions of the fields that the time is made of. */
  readonly #times = new Map<string, readonly number[]>();
  #lastTime = '';
  #isYearless = false;

  constructor(pieces: readonly Piece[], time: string | undefined) {
    this.#pieces = pieces;
    if (time !== undefined) this.#compileTime(time);
    this.#check();
    for (const field of fieldsOf(pieces)) this.#place(field);
    if (this.#extraNames.length > EXTRAS_MAX) {
      throw wrong(
        `it has ${this.#extraNames.length} fields beside time, level, pid, component and content, and there is room for ${EXTRAS_MAX}`,
      );
    }
  }

  compile(): Program {
    const words = this.#sequence(this.#pieces);
    if (words.length > WORDS_MAX) throw wrong('it is too long');
    return {
      words,
      extraNames: this.#extraNames,
      hasTime: this.#times.size > 0,
      isYearless: this.#isYearless,
    };
  }

  #compileTime(text: string): void {
    const pattern = new TimePattern();
    const named = timesOf(text, this.#pieces);
    for (const { field, text: part, column } of named) {
      this.#times.set(field.name, pattern.compile(part, column));
    }
    pattern.check();
    this.#isYearless = pattern.isYearless;
    const inLine = fieldsOf(this.#pieces).filter(({ name }) => this.#times.has(name));
    this.#lastTime = inLine.at(-1)?.name ?? '';
  }

  /** What must hold for any two pieces that meet. */
  #check(): void {
    const optionals = this.#checkSeries(this.#pieces, undefined);
    if (optionals > OPTIONALS_MAX)
      throw wrong(`it has ${optionals} parts that may be missing, and ${OPTIONALS_MAX} is the most`);
    let isBetween = false;
    for (const piece of this.#pieces) {
      if (piece.type === 'field' && this.#times.has(piece.name)) isBetween = piece.name !== this.#lastTime;
      if (piece.type === 'optional' && isBetween) {
        throw wrong(`the part that may be missing at column ${piece.column} is in the middle of the time`);
      }
    }
  }

  #checkSeries(pieces: readonly Piece[], before: FieldPiece | undefined): number {
    let optionals = 0;
    let previous = before;
    for (const [i, piece] of pieces.entries()) {
      if (piece.type === 'optional') {
        this.#checkOptional(piece.pieces, piece.column, pieces[i + 1]);
        const isUnclear = piece.pieces[0]?.type === 'optional' || pieces[i + 1]?.type === 'optional';
        if (previous !== undefined && isUnclear) {
          throw wrong(
            `where <${previous.name}> ends is not clear: what may be missing at column ${piece.column} must have text on both sides of it`,
          );
        }
        optionals += 1 + this.#checkSeries(piece.pieces, previous);
        continue;
      }
      if (piece.type === 'field' && previous !== undefined && !this.#endsItself(previous)) {
        throw wrong(
          `nothing between <${previous.name}> and <${piece.name}> at column ${piece.column} tells where the first of them ends`,
        );
      }
      previous = piece.type === 'field' ? piece : undefined;
    }
    return optionals;
  }

  #checkOptional(pieces: readonly Piece[], column: number, next: Piece | undefined): void {
    const time = fieldsOf(pieces).find(({ name }) => this.#times.has(name));
    if (time !== undefined)
      throw wrong(`<${time.name}>, which is of the time, may be missing at column ${column}`);
    const last = pieces.at(-1);
    if (last?.type === 'field' && (next?.type === 'field' || next?.type === 'optional')) {
      throw wrong(
        `what may be missing at column ${column} ends with <${last.name}>, and nothing behind it tells where that ends`,
      );
    }
  }

  /** Whether the end of a field is told by its own bytes. */
  #endsItself({ name, kind }: FieldPiece): boolean {
    return kind === 'structured' || this.#times.has(name);
  }

  #place({ name }: FieldPiece): void {
    if (this.#times.has(name)) return;
    const slot = SLOTS.get(name.toLowerCase());
    if (slot !== undefined && ![...this.#slots.values()].includes(slot)) this.#slots.set(name, slot);
    else this.#slots.set(name, SLOT_EXTRAS + this.#extraNames.push(name) - 1);
  }

  /** Instructions for pieces, to the end of the line. */
  #sequence(pieces: readonly Piece[]): number[] {
    const [first] = pieces;
    if (first === undefined) return [OP_END];
    if (first.type === 'optional') return this.#try(first.pieces, pieces.slice(1));
    if (first.type !== 'field') {
      const { words, rest } = this.#literal(pieces);
      return [...words, ...this.#sequence(rest)];
    }
    const rest = pieces.slice(1);
    const slot = this.#slots.get(first.name) ?? SLOT_NONE;
    const time = this.#times.get(first.name);
    if (time !== undefined) {
      const stamp = first.name === this.#lastTime ? [OP_TIMESTAMP] : [];
      return [OP_TIME, time.length + 2, ...time, ...stamp, ...this.#sequence(rest)];
    }
    const { kind } = first;
    if (kind === 'structured') return [OP_STRUCTURED, slot, ...this.#sequence(rest)];
    const [next] = rest;
    if (next === undefined) return [OP_REST, slot, kind, OP_END];
    if (next.type === 'optional') {
      const one = this.#sequence([...next.pieces, ...rest.slice(1)]);
      const other = this.#without(next.pieces, rest.slice(1), true);
      return [OP_SPLIT, slot, kind, one.length + 4, ...one, ...other];
    }
    const { words, rest: behind } = this.#literal(rest);
    return [OP_FIELD, slot, kind, words.length + 4, ...words, ...this.#sequence(behind)];
  }

  #try(optional: readonly Piece[], rest: readonly Piece[]): number[] {
    const one = this.#sequence([...optional, ...rest]);
    return [OP_TRY, one.length + 2, ...one, ...this.#without(optional, rest, false)];
  }

  /** The way on without an optional part: what it may have put in its places is taken back. */
  #without(optional: readonly Piece[], rest: readonly Piece[], literalFirst: boolean): number[] {
    const clears = fieldsOf(optional).flatMap(({ name, kind }) => {
      const slot = this.#slots.get(name) ?? SLOT_NONE;
      const isLevel = (kind === KIND_PRIORITY || kind === KIND_STATUS) && slot !== SLOT_LEVEL;
      return [OP_CLEAR, slot, ...(isLevel ? [OP_CLEAR, SLOT_NONE] : [])];
    });
    if (!literalFirst) return [...clears, ...this.#sequence(rest)];
    // A way of a field begins with the literal that ends it.
    const { words, rest: behind } = this.#literal(rest);
    return [...words, ...clears, ...this.#sequence(behind)];
  }

  /** The literal that pieces begin with, and what follows it. */
  #literal(pieces: readonly Piece[]): { words: number[]; rest: readonly Piece[] } {
    const end = pieces.findIndex(({ type }) => type === 'field' || type === 'optional');
    const literal = end < 0 ? pieces : pieces.slice(0, end);
    const rest = end < 0 ? [] : pieces.slice(end);
    const [next, behind] = rest;
    if (literal.length === 0 && next !== undefined) {
      throw wrong(`nothing tells where what stands before column ${columnOf(next)} ends`);
    }
    const isLast = next?.type === 'field' && behind === undefined && !this.#times.has(next.name);
    const words = literal.flatMap((piece, i) => {
      if (piece.type === 'text') return textWords(piece.text);
      return [isLast && i === literal.length - 1 ? OP_LAST_BLANKS : OP_BLANKS];
    });
    return { words: [...words, ...(rest.length === 0 ? [OP_LINE_END] : []), OP_MATCHED], rest };
  }
}

function textWords(text: string): number[] {
  const bytes = Buffer.from(text);
  const padded = Buffer.alloc(Math.ceil(bytes.length / 4) * 4);
  bytes.copy(padded);
  const words = Array.from({ length: padded.length / 4 }, (_, i) => padded.readInt32LE(i * 4));
  return [OP_TEXT, bytes.length, ...words];
}

function columnOf(piece: Piece): number {
  return piece.type === 'field' || piece.type === 'optional' ? piece.column : 0;
}

/** All fields of pieces, in their order. */
function fieldsOf(pieces: readonly Piece[]): FieldPiece[] {
  return pieces.flatMap((piece) => {
    if (piece.type === 'field') return [piece];
    return piece.type === 'optional' ? fieldsOf(piece.pieces) : [];
  });
}

interface TimeOfField {
  field: FieldPiece;
  text: string;
  column: number;
}

/** Which field has which part of a time pattern. */
function timesOf(time: string, pieces: readonly Piece[]): TimeOfField[] {
  const fields = fieldsOf(pieces);
  if (time.includes('<')) return namedTimes(time, fields);
  const usual = fields.filter(({ name }) => TIME_NAME.test(name));
  const [first] = usual;
  if (first === undefined) {
    throw wrongTime('the pattern has no field for it: <Date>, <Time>, <Timestamp>, <Month>, <Day> or <Year>');
  }
  const words = [...time.matchAll(/\S+/g)];
  if (usual.length === 1) return [{ field: first, text: time.trim(), column: (words[0]?.index ?? 0) + 1 }];
  if (words.length !== usual.length) {
    const names = usual.map(({ name }) => `<${name}>`).join(', ');
    throw wrongTime(
      `it has ${words.length} parts, and the pattern ${usual.length} fields for them (${names}); name those that are meant, as <${first.name}> yyyy-MM-dd`,
    );
  }
  return usual.map((field, i) => ({ field, text: words[i]?.[0] ?? '', column: (words[i]?.index ?? 0) + 1 }));
}

function namedTimes(time: string, fields: readonly FieldPiece[]): TimeOfField[] {
  const named = [...time.matchAll(/<([^<>]*)>([^<]*)/g)];
  const [first] = named;
  const before = time.slice(0, first?.index ?? time.length);
  if (before.trim() !== '') throw wrongTime(`${before.trim()} at column 1 stands before the first field`);
  const found = named.map(([, name = '', text = ''], i): TimeOfField => {
    const start = named[i]?.index ?? 0;
    const field = fields.find((candidate) => candidate.name === name);
    if (field === undefined) throw wrongTime(`the pattern has no field <${name}> (column ${start + 1})`);
    if (text.trim() === '') throw wrongTime(`nothing stands behind <${name}> at column ${start + 1}`);
    return { field, text: text.trim(), column: start + name.length + 3 + text.search(/\S/) };
  });
  const twice = found.find(({ field }, i) => found.findIndex((other) => other.field === field) < i);
  if (twice !== undefined) throw wrongTime(`<${twice.field.name}> is there twice`);
  return found;
}

function wrongTime(reason: string): RangeError {
  return new RangeError(`the time pattern is wrong: ${reason}`);
}
