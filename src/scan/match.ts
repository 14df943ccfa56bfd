/**
 * Finds the lines of a text that match a pattern, in whichever way is the fastest for it:
 *
 * - with literals, the kernel finds the lines that have one, and the expression is tried on those alone, or on
 *   none where the literals are all there is to it;
 * - without, or where nearly every line has one, the expression runs over many lines at once, where the text is
 *   such that this comes to the same;
 * - else it is tried on one line after the other.
 *
 * @module
 */

import { SPAN_ADDRESS, SPAN_BYTES, SPAN_LENGTH, TEXT_NOT_ASCII } from '../memory/layout.ts';
import type { MemoryView } from '../memory/memory.ts';
import { FINDER_BYTES, writeFinder } from './finder.ts';
import { type CompiledPattern, compilePattern, type PatternSpec } from './pattern/compile.ts';

/** Lines that are found at once. */
const SPANS_MAX = 2048;
/** Strings of this size are collected cheaply: V8 keeps larger ones in a space of their own. */
const STRING_BYTES: number = 64 * 1024;
/** Where there are more candidates in the text, many lines at once are the faster way. */
const CANDIDATE_BYTES_MIN = 600;
/** How many texts are searched in that way before literals are tried again. */
const DENSE_TEXTS = 32;
const LINE_FEED = 10;
const RETURN = 13;

const align = (bytes: number): number => Math.ceil(bytes / 64) * 64;
const SPANS_AT: number = align(FINDER_BYTES);

/** Memory that a matcher works in. */
export const MATCHER_BYTES: number = SPANS_AT + align((SPANS_MAX + 1) * SPAN_BYTES);

type Way = 'literals' | 'window' | 'lines';

export class LineMatcher {
  /** Address of the spans that `next` has filled: lines without their line feeds. */
  readonly spans: number;
  readonly #memory: MemoryView;
  readonly #all: Buffer;
  readonly #pattern: CompiledPattern;
  readonly #finder: number;
  #start = 0;
  #at = 0;
  #end = 0;
  #way: Way = 'lines';
  #isAscii = false;
  #candidates = 0;
  /** Texts that are still to be searched without literals, since these were found too often. */
  #dense = 0;

  /** @param work address of `MATCHER_BYTES` */
  constructor(memory: MemoryView, work: number, spec: PatternSpec) {
    this.#memory = memory;
    this.#all = memory.buffer(0, memory.bytes.byteLength);
    this.#pattern = compilePattern(spec);
    this.#finder = work;
    this.spans = work + SPANS_AT;
    const { literals, fold, line, window } = this.#pattern;
    if (literals !== undefined) writeFinder(memory, work, literals, fold);
    // V8 interprets an expression until it was used: that must not happen to a large text.
    for (let i = 0; i < 2; i++) for (const regexp of [line, window]) regexp?.test('');
    this.#rewind();
  }

  /** Begins with a text of whole lines. */
  start(address: number, bytes: number): void {
    this.#noteDensity();
    this.#start = address;
    this.#at = address;
    this.#end = address + bytes;
    this.#candidates = 0;
    this.#isAscii = false;
    const { literals, asciiOnly, areEnough, window } = this.#pattern;
    const usesLiterals = literals !== undefined && (areEnough || this.#dense === 0);
    if (usesLiterals && !asciiOnly) {
      this.#way = 'literals';
      return;
    }
    const kinds = this.#memory.kernels.examineText(address, bytes);
    this.#isAscii = (kinds & TEXT_NOT_ASCII) === 0;
    if (usesLiterals && this.#isAscii) this.#way = 'literals';
    else this.#way = window !== undefined && kinds === 0 ? 'window' : 'lines';
  }

  /**
   * Finds the next lines that match.
   *
   * @returns how many spans there are; 0 at the end of the text
   */
  next(): number {
    while (this.#at < this.#end) {
      const count =
        this.#way === 'literals'
          ? this.#byLiterals()
          : this.#way === 'window'
            ? this.#byWindow()
            : this.#byLine();
      if (count > 0) return count;
    }
    return 0;
  }

  /** Counts the lines of a text that match. */
  count(address: number, bytes: number): number {
    this.start(address, bytes);
    if (this.#way === 'literals' && this.#pattern.areEnough) {
      this.#at = this.#end;
      return this.#memory.kernels.countFound(this.#finder, address, bytes);
    }
    let total = 0;
    for (let count = this.next(); count > 0; count = this.next()) total += count;
    return total;
  }

  /** Finds the matches in a line: where each begins and ends, in bytes of the line. */
  matchesIn(address: number, bytes: number, found: number[]): void {
    const { line } = this.#pattern;
    const text = this.#textOf(address, bytes);
    const isAscii = text.length === this.#textBytes(address, bytes);
    line.lastIndex = 0;
    let place = 0;
    let placeBytes = 0;
    /** Bytes before a place of the text, counted on from the one before. */
    const bytesBefore = (index: number): number => {
      if (isAscii) return index;
      placeBytes += encodedBytes(this.#all, address + placeBytes, address + bytes, text, place, index);
      place = index;
      return placeBytes;
    };
    for (let match = line.exec(text); match !== null; match = line.exec(text)) {
      const length = match[0].length;
      if (length === 0) line.lastIndex++;
      else found.push(bytesBefore(match.index), bytesBefore(match.index + length));
    }
    line.lastIndex = 0;
  }

  #rewind(): void {
    this.#pattern.line.lastIndex = 0;
    if (this.#pattern.window !== undefined) this.#pattern.window.lastIndex = 0;
  }

  #noteDensity(): void {
    if (this.#dense > 0) this.#dense--;
    const { window, areEnough } = this.#pattern;
    if (window === undefined || areEnough || this.#candidates === 0) return;
    if (this.#candidates * CANDIDATE_BYTES_MIN > this.#end - this.#start) this.#dense = DENSE_TEXTS;
  }

  #byLiterals(): number {
    const { kernels } = this.#memory;
    const count = kernels.findLines(this.#finder, this.#at, this.#end - this.#at, this.spans, SPANS_MAX);
    this.#at = this.#addressOf(count);
    this.#candidates += count;
    if (this.#pattern.areEnough) return count;
    return this.#keep(count);
  }

  #byWindow(): number {
    const { window } = this.#pattern as { window: RegExp };
    const { kernels } = this.#memory;
    const start = this.#at;
    const wanted = Math.min(STRING_BYTES, this.#end - start);
    let end = start + wanted;
    if (end < this.#end) {
      const feed = kernels.findFeedBack(start, wanted, 1);
      const rest = this.#memory.buffer(end, this.#end - end);
      const ahead = feed >= 0 ? feed + 1 - end : rest.indexOf(LINE_FEED) + 1;
      end = feed < 0 && ahead === 0 ? this.#end : end + ahead;
    }
    const text = this.#all.toString('latin1', start, end);
    let count = 0;
    window.lastIndex = 0;
    while (window.test(text)) {
      // A match does not reach over a line end, so that its own end is in its line.
      const at = window.lastIndex;
      if (at === text.length && text.endsWith('\n')) break;
      const first = at === 0 ? 0 : text.lastIndexOf('\n', at - 1) + 1;
      const feed = text.indexOf('\n', at);
      const last = feed < 0 ? text.length : feed;
      this.#put(count++, start + first, last - first);
      if (last + 1 >= text.length) break;
      if (count === SPANS_MAX) {
        end = start + last + 1;
        break;
      }
      window.lastIndex = last + 1;
    }
    window.lastIndex = 0;
    this.#at = end;
    return count;
  }

  #byLine(): number {
    const { kernels } = this.#memory;
    const found = kernels.indexLines(this.#at, this.#end - this.#at, this.spans, SPANS_MAX, 1);
    for (let i = 0; i < found; i++) {
      // A carriage return is a part of the line here, and not of its text.
      const start = this.#addressOf(i);
      const behind = this.#addressOf(i + 1);
      const isEnded = this.#all[behind - 1] === LINE_FEED;
      this.#put(i, start, behind - start - (isEnded ? 1 : 0));
    }
    this.#at = this.#addressOf(found);
    return this.#keep(found);
  }

  /** Keeps the lines on which the expression matches. */
  #keep(count: number): number {
    const { line } = this.#pattern;
    const { i32 } = this.#memory;
    let kept = 0;
    for (let i = 0; i < count; i++) {
      const span = (this.spans + i * SPAN_BYTES) >> 2;
      const address = i32[span + SPAN_ADDRESS / 4] as number;
      const length = i32[span + SPAN_LENGTH / 4] as number;
      line.lastIndex = 0;
      if (line.test(this.#textOf(address, length))) this.#put(kept++, address, length);
    }
    line.lastIndex = 0;
    return kept;
  }

  #textBytes(address: number, bytes: number): number {
    return bytes > 0 && this.#all[address + bytes - 1] === RETURN ? bytes - 1 : bytes;
  }

  /** The text of a line, without a carriage return at its end. */
  #textOf(address: number, bytes: number): string {
    const length = this.#textBytes(address, bytes);
    const isAscii =
      this.#isAscii || (this.#memory.kernels.examineText(address, length) & TEXT_NOT_ASCII) === 0;
    return this.#all.toString(isAscii ? 'latin1' : 'utf8', address, address + length);
  }

  #addressOf(span: number): number {
    return this.#memory.i32[(this.spans + span * SPAN_BYTES + SPAN_ADDRESS) >> 2] as number;
  }

  #put(span: number, address: number, length: number): void {
    const { i32 } = this.#memory;
    const at = (this.spans + span * SPAN_BYTES) >> 2;
    i32[at + SPAN_ADDRESS / 4] = address;
    i32[at + SPAN_LENGTH / 4] = length;
  }
}

/**
 * How many bytes a part of a text was decoded from. Bytes that are no UTF-8 became U+FFFD, one for as many as
 * the standard of encodings says (WHATWG); so these are decoded again, one after the other.
 */
function encodedBytes(
  all: Buffer,
  address: number,
  end: number,
  text: string,
  from: number,
  to: number,
): number {
  const part = text.slice(from, to);
  if (!part.includes('\ufffd')) return Buffer.byteLength(part);
  let bytes = 0;
  for (const character of part) {
    if (character !== '\ufffd') bytes += Buffer.byteLength(character);
    else bytes += replacedBytes(all, address + bytes, end);
  }
  return bytes;
}

/** How many of the bytes from `address` on became one U+FFFD: the most that do not become two. */
function replacedBytes(all: Buffer, address: number, end: number): number {
  const limit = Math.min(3, end - address);
  for (let bytes = limit; bytes > 1; bytes--) {
    if (all.toString('utf8', address, address + bytes) === '\ufffd') return bytes;
  }
  return 1;
}
