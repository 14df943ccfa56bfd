/**
 * The kernel `parsePattern` in plain JavaScript: the specification that the WebAssembly builds are compared
 * with. Lines are strings of one character a byte (latin1).
 *
 * @module
 */

import {
  FIELDS_COMPONENT,
  FIELDS_CONTENT,
  FIELDS_FLAGS,
  FIELDS_LEVEL,
  FIELDS_LEVEL_CODE,
  FIELDS_LOCAL,
  FIELDS_NANOSECONDS,
  FIELDS_PID,
  FIELDS_TIMESTAMP,
  LEVEL_ERROR,
  LEVEL_INFO,
  LEVEL_OTHER,
  LEVEL_WARN,
  SPAN_ADDRESS,
  SPAN_BYTES,
  SPAN_LENGTH,
} from './layout.ts';
import { levelOf, SEVERITIES } from './level-reference.ts';
import {
  COMPONENT_TEXT_BYTES_MAX,
  KIND_DASH,
  KIND_INTEGER,
  KIND_PRIORITY,
  KIND_QUOTED,
  KIND_STATUS,
  KIND_WORD,
  LEVEL_TEXT_BYTES_MAX,
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
  PID_TEXT_BYTES_MAX,
  PROGRAM_CODE,
  PROGRAM_EXTRAS,
  PROGRAM_FROM,
  PROGRAM_YEAR,
  SLOT_COMPONENT,
  SLOT_CONTENT,
  SLOT_EXTRAS,
  SLOT_LEVEL,
  SLOT_NONE,
  SLOT_PID,
} from './program-layout.ts';
import { readTime, type TimeParts, timeOf } from './time-reference.ts';

/** What a line was found to be. */
interface Found {
  spans: Map<number, readonly [number, number]>;
  level: number;
  time: { ms: number; nanoseconds: number; isLocal: boolean } | undefined;
}

const STRUCTURED = /^(?:-|(?:\[(?:"(?:[^"\\]|\\[^])*"|[^"\]])*\])+)/;

/** One line, taken apart. */
class Line {
  readonly #view: DataView;
  readonly #program: number;
  readonly #line: string;
  #found: Found = { spans: new Map(), level: LEVEL_OTHER, time: undefined };
  #parts: TimeParts = {};

  constructor(view: DataView, program: number, line: string) {
    this.#view = view;
    this.#program = program;
    this.#line = line;
  }

  parse(): Found | undefined {
    return this.#run(this.#program + PROGRAM_CODE, 0) ? this.#found : undefined;
  }

  #word(code: number, i: number): number {
    return this.#view.getInt32(code + i * 4, true);
  }

  #jump(code: number, i: number): number {
    return code + this.#word(code, i) * 4;
  }

  #run(code: number, at: number): boolean {
    const line = this.#line;
    switch (this.#word(code, 0)) {
      case OP_END:
        return line.slice(at).replaceAll(/[ \t]/g, '') === '';
      case OP_FIELD: {
        const literal = code + 16;
        const kind = this.#word(code, 2);
        const place = this.#find(literal, at, kind);
        if (place === undefined) return false;
        const [start, end] = place;
        if (start === at && this.#word(literal, 0) !== OP_TEXT) return false;
        if (!this.#store(this.#word(code, 1), kind, at, start)) return false;
        return this.#run(this.#jump(code, 3), end);
      }
      case OP_REST: {
        const end = at + line.slice(at).replace(/[ \t]+$/, '').length;
        if (!this.#store(this.#word(code, 1), this.#word(code, 2), at, end)) return false;
        return this.#run(code + 12, line.length);
      }
      case OP_TIME: {
        const next = this.#jump(code, 1);
        const words = Array.from({ length: (next - code) / 4 - 2 }, (_, i) => this.#word(code, i + 2));
        const length = readTime(words, line.slice(at), this.#parts);
        return length !== undefined && this.#run(next, at + length);
      }
      case OP_TIMESTAMP: {
        const year = this.#view.getInt32(this.#program + PROGRAM_YEAR, true);
        const from = this.#view.getFloat64(this.#program + PROGRAM_FROM, true);
        const time = timeOf(this.#parts, { year, from });
        this.#parts = {};
        if (time === undefined) return false;
        this.#found.time = time;
        return this.#run(code + 4, at);
      }
      case OP_TRY: {
        if (this.#run(code + 8, at)) return true;
        this.#parts = {};
        return this.#run(this.#jump(code, 1), at);
      }
      case OP_SPLIT:
        return this.#split(code, at);
      case OP_STRUCTURED: {
        const text = STRUCTURED.exec(line.slice(at))?.[0];
        if (text === undefined) return false;
        if (text !== '-') this.#store(this.#word(code, 1), KIND_QUOTED, at, at + text.length);
        return this.#run(code + 8, at + text.length);
      }
      case OP_CLEAR: {
        const slot = this.#word(code, 1);
        if (slot === SLOT_LEVEL || slot === SLOT_NONE) this.#found.level = LEVEL_OTHER;
        this.#found.spans.delete(slot === SLOT_NONE ? SLOT_LEVEL : slot);
        return this.#run(code + 8, at);
      }
      default: {
        const literal = this.#literal(code, at);
        return literal !== undefined && this.#run(literal.code, literal.end);
      }
    }
  }

  #split(code: number, at: number): boolean {
    const [slot, kind] = [this.#word(code, 1), this.#word(code, 2)];
    const first = code + 16;
    const other = this.#jump(code, 3);
    const [one] = this.#find(first, at, kind) ?? [];
    const [two] = this.#find(other, at, kind) ?? [];
    if (one !== undefined && (two === undefined || one <= two)) {
      if (this.#store(slot, kind, at, one) && this.#run(first, one)) return true;
      this.#parts = {};
    }
    return two !== undefined && this.#store(slot, kind, at, two) && this.#run(other, two);
  }

  /** Matches a literal; returns what is behind it, in the line and in the program. */
  #literal(code: number, at: number): { end: number; code: number } | undefined {
    let end = at;
    for (let next = code; ; ) {
      const op = this.#word(next, 0);
      if (op === OP_MATCHED) return { end, code: next + 4 };
      const rest = this.#line.slice(end);
      if (op === OP_TEXT) {
        const length = this.#word(next, 1);
        const bytes = Array.from({ length }, (_, i) => this.#view.getUint8(next + 8 + i));
        if (!rest.startsWith(String.fromCharCode(...bytes))) return undefined;
        end += length;
        next += 8 + Math.ceil(length / 4) * 4;
        continue;
      }
      const blanks = /^[ \t]*/.exec(rest)?.[0].length ?? 0;
      if (op === OP_BLANKS && blanks === 0) return undefined;
      if (op === OP_LAST_BLANKS && blanks === 0 && rest !== '') return undefined;
      if (op === OP_LINE_END && blanks < rest.length) return undefined;
      end += blanks;
      next += 4;
    }
  }

  /** The first place where a literal is: where it begins and where it ends. */
  #find(literal: number, from: number, kind: number): [number, number] | undefined {
    for (let at = from; at <= this.#line.length; at++) {
      const isBlankInside = at > from && /[ \t]/.test(this.#line[at - 1] ?? '');
      // White space is looked for from its beginning on.
      if (this.#word(literal, 0) !== OP_TEXT && isBlankInside && /^[ \t]/.test(this.#line.slice(at)))
        continue;
      const found = this.#literal(literal, at);
      if (found !== undefined) return [at, found.end];
      if (kind === KIND_QUOTED && this.#line[at] === '\\') at++;
    }
    return undefined;
  }

  #store(slot: number, kind: number, start: number, end: number): boolean {
    const text = this.#line.slice(start, end);
    if (text === '-' && [KIND_DASH, KIND_PRIORITY, KIND_STATUS, KIND_QUOTED].includes(kind)) return true;
    if (kind === KIND_INTEGER && !/^\d{1,20}$/.test(text)) return false;
    if ((kind === KIND_WORD || kind === KIND_DASH) && !/^[^ \t]+$/.test(text)) return false;
    if (kind === KIND_PRIORITY) {
      if (!/^\d{1,3}$/.test(text) || Number(text) > 191) return false;
      this.#found.level = SEVERITIES[Number(text) & 7] ?? LEVEL_OTHER;
    }
    if (kind === KIND_STATUS) {
      if (!/^\d{3}$/.test(text)) return false;
      this.#found.level = Number(text) >= 500 ? LEVEL_ERROR : Number(text) >= 400 ? LEVEL_WARN : LEVEL_INFO;
    }
    if (slot !== SLOT_NONE) this.#found.spans.set(slot, [start, end]);
    if (slot === SLOT_LEVEL) this.#found.level = levelOf(text);
    const most: Record<number, number> = {
      [SLOT_LEVEL]: LEVEL_TEXT_BYTES_MAX,
      [SLOT_PID]: PID_TEXT_BYTES_MAX,
      [SLOT_COMPONENT]: COMPONENT_TEXT_BYTES_MAX,
    };
    return text.length <= (most[slot] ?? Number.POSITIVE_INFINITY);
  }
}

const ROW_SPANS: Readonly<Record<number, number>> = {
  [SLOT_LEVEL]: FIELDS_LEVEL,
  [SLOT_PID]: FIELDS_PID,
  [SLOT_COMPONENT]: FIELDS_COMPONENT,
  [SLOT_CONTENT]: FIELDS_CONTENT,
};

/**
 * Takes one line apart.
 *
 * @param row what a line that fails has in it
 * @param extras room for its extras
 * @returns whether it is of the format
 */
export function parseLine(
  view: DataView,
  program: number,
  address: number,
  line: string,
  row: number,
  extras: number,
): boolean {
  const count = view.getInt32(program + PROGRAM_EXTRAS, true);
  for (let at = 0; at < count * SPAN_BYTES; at++) view.setUint8(extras + at, 0);
  const found = new Line(view, program, line).parse();
  if (found === undefined) return false;
  for (const [slot, [start, end]] of found.spans) {
    const span =
      slot >= SLOT_EXTRAS ? extras + (slot - SLOT_EXTRAS) * SPAN_BYTES : row + (ROW_SPANS[slot] ?? 0);
    view.setInt32(span + SPAN_ADDRESS, address + start, true);
    view.setInt32(span + SPAN_LENGTH, end - start, true);
  }
  view.setInt32(row + FIELDS_LEVEL_CODE, found.level, true);
  if (found.time === undefined) return true;
  view.setFloat64(row + FIELDS_TIMESTAMP, found.time.ms, true);
  view.setInt32(row + FIELDS_NANOSECONDS, found.time.nanoseconds, true);
  view.setInt32(row + FIELDS_FLAGS, found.time.isLocal ? FIELDS_LOCAL : 0, true);
  return true;
}

/** How many bytes the extras of a line have. */
export function extrasBytes(view: DataView, program: number): number {
  return view.getInt32(program + PROGRAM_EXTRAS, true) * SPAN_BYTES;
}
