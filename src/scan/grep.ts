/**
 * Finds the lines of a text that match a pattern: counts them, or collects them, with the lines around them
 * where that is wanted.
 *
 * @module
 */

import { SPAN_ADDRESS, SPAN_BYTES, SPAN_LENGTH } from '../memory/layout.ts';
import type { MemoryView } from '../memory/memory.ts';
import { CHOICE_BYTES, Choice, type ChoiceSpec } from './choice.ts';
import { LINE_FOLLOWS_GAP, LINE_IS_CONTEXT, LINE_IS_CUT, LineCollector } from './line-collector.ts';
import { LineMatcher, MATCHER_BYTES } from './match.ts';
import type { PatternSpec } from './pattern/compile.ts';
import type { TextWindow } from './ranges.ts';
import type { ScanKind, Scanner } from './scanner.ts';

/** What is searched for, and what is wanted of it; plain values. */
export interface GrepSpec extends PatternSpec {
  /** Finds the lines that do not match. */
  invert: boolean;
  /** Whether the lines are only counted. */
  countOnly: boolean;
  /** Whether rows about the lines are wanted, and the number of all lines. */
  rows: boolean;
  /** Whether the places of the matches in the lines are wanted. */
  places: boolean;
  /** How many lines before and behind one that is found are wanted. It takes all lines in order. */
  before: number;
  after: number;
  /** Says where lines were left out even if none are wanted around those that are found. */
  parted?: boolean;
  /** After so many lines it is enough. It takes all lines in order. */
  limit: number;
  /** Only these lines are there for the search; their numbers stay. It takes all lines in order. */
  choice?: ChoiceSpec | undefined;
}

/** What was found in a part of a text. */
export interface GrepResult {
  /** Lines that were found. */
  found: number;
  /** All lines, where rows are wanted. */
  lines: number;
  /** Lines that were too long, and searched only in their beginning. */
  cut: number;
  /** The lines, and those around them, each with its line end; none where they are only counted. */
  text: Uint8Array;
  /** See `LineCollector`. */
  rows: Float64Array;
  /** Places of matches: number of the row, first byte, byte behind the last. */
  places: Float64Array;
}

/** A line that may be wanted when one behind it is found. */
interface EarlierLine {
  bytes: Uint8Array;
  line: number;
  position: number;
  /** Where the matches are in it: of lines that do not match, those around them do. */
  spans: readonly number[];
}

const LINE_FEED = 10;
/** Where the choice works, behind the matcher. */
const CHOICE_AT: number = MATCHER_BYTES;
const NO_BYTES = new Uint8Array(0);
const NO_ROWS = new Float64Array(0);

class GrepScanner implements Scanner<GrepResult> {
  readonly #memory: MemoryView;
  readonly #all: Buffer;
  readonly #spec: GrepSpec;
  readonly #matcher: LineMatcher;
  readonly #collector: LineCollector;
  readonly #hasContext: boolean;
  readonly #choice: Choice | undefined;
  #found = 0;
  #total = 0;
  #cut = 0;
  #rows = 0;
  #places: number[] = [];
  #spans: number[] = [];
  /** Lines before the window, counted where rows are wanted. */
  #lines = 0;
  #window: TextWindow = { address: 0, bytes: 0, position: 0, last: false, isCut: false };
  #end = 0;
  /** Address of the last line feed of the window, or -1. */
  #lastFeed = -1;
  /** Where the line begins behind the last one that was dealt with, and its number. */
  #cursor = 0;
  #cursorLine = 0;
  /** Lines that are still wanted behind one that was found. */
  #afterLeft = 0;
  #earlier: EarlierLine[] = [];
  #hasShown = false;
  /** Whether a line was left out since the last one that was shown. */
  #isGap = false;

  constructor(memory: MemoryView, work: number, spec: GrepSpec) {
    this.#memory = memory;
    this.#all = memory.buffer(0, memory.bytes.byteLength);
    this.#spec = spec;
    this.#matcher = new LineMatcher(memory, work, spec);
    this.#collector = new LineCollector(memory, spec.rows);
    this.#hasContext = spec.before > 0 || spec.after > 0 || spec.parted === true;
    if (spec.choice !== undefined) this.#choice = new Choice(memory, work + CHOICE_AT, spec.choice);
  }

  visit(window: TextWindow): boolean {
    if (this.#choice === undefined) return this.#visit(window);
    const { address, bytes, position, last, isCut } = window;
    const end = address + bytes;
    let done = address;
    const wantsMore = this.#choice.runs(address, bytes, (from, to) => {
      if (this.#spec.rows) this.#lines += this.#linesIn(done, from);
      done = to;
      const isLast = to === end;
      const at = position + (from - address);
      const run = {
        address: from,
        bytes: to - from,
        position: at,
        last: isLast && last,
        isCut: isLast && isCut,
      };
      return this.#visit(run);
    });
    if (this.#spec.rows) this.#lines += this.#linesIn(done, end);
    return wantsMore;
  }

  /** Looks at the next lines that are there for the search. */
  #visit(window: TextWindow): boolean {
    const { address, bytes, isCut } = window;
    const { invert, rows, countOnly, limit } = this.#spec;
    this.#window = window;
    this.#end = address + bytes;
    this.#cursor = address;
    this.#cursorLine = this.#lines;
    if (isCut) this.#cut++;
    if (countOnly && limit === Number.POSITIVE_INFINITY) {
      const found = this.#matcher.count(address, bytes);
      this.#found += invert ? this.#linesIn(address, this.#end) - found : found;
      if (rows) this.#lines += this.#linesIn(address, this.#end);
      return true;
    }
    this.#lastFeed = this.#memory.kernels.findFeedBack(address, bytes, 1);
    const wantsMore = this.#search();
    this.#collector.settle();
    if (rows) this.#lines += this.#linesIn(address, this.#end);
    return wantsMore;
  }

  take(): GrepResult {
    const { text, rows } = this.#spec.countOnly ? { text: NO_BYTES, rows: NO_ROWS } : this.#collector.take();
    const result = {
      found: this.#found,
      lines: this.#lines,
      cut: this.#cut,
      text,
      rows,
      places: this.#places.length === 0 ? NO_ROWS : Float64Array.from(this.#places),
    };
    for (const earlier of this.#earlier) earlier.line -= this.#lines;
    this.#found = 0;
    this.#lines = 0;
    this.#cut = 0;
    this.#rows = 0;
    this.#places = [];
    return result;
  }

  /** Deals with the lines of the window. Returns whether there may be more to show. */
  #search(): boolean {
    const { address, bytes } = this.#window;
    const { i32 } = this.#memory;
    const matcher = this.#matcher;
    if (!this.#isFull) matcher.start(address, bytes);
    while (!this.#isFull) {
      const count = matcher.next();
      if (count === 0) break;
      for (let i = 0; i < count && !this.#isFull; i++) {
        const span = (matcher.spans + i * SPAN_BYTES) >> 2;
        this.#deal(i32[span + SPAN_ADDRESS / 4] as number, i32[span + SPAN_LENGTH / 4] as number);
      }
    }
    if (this.#spec.invert) this.#findAll(this.#end);
    // As in grep, lines behind the last are shown whatever they are.
    this.#skipTo(this.#end);
    return !this.#isFull || this.#afterLeft > 0;
  }

  /** Deals with the next line that matches, and those before it. */
  #deal(start: number, length: number): void {
    if (this.#spec.invert) {
      this.#findAll(start);
      if (!this.#isFull) this.#skipTo(Math.min(start + length + 1, this.#end));
    } else {
      this.#skipTo(start);
      this.#find(start, length);
    }
  }

  get #isFull(): boolean {
    return this.#total >= this.#spec.limit;
  }

  /** Finds all lines from the cursor to `to`, until it is enough. */
  #findAll(to: number): void {
    const { rows, places, countOnly, limit } = this.#spec;
    if (this.#cursor >= to) return;
    if (!rows && !places && !this.#hasContext && limit === Number.POSITIVE_INFINITY && !this.#window.isCut) {
      const isEnded = this.#all[to - 1] === LINE_FEED;
      if (countOnly || isEnded) {
        const lines = this.#linesIn(this.#cursor, to);
        this.#found += lines;
        this.#total += lines;
        this.#collector.addText(this.#cursor, to);
        this.#cursor = to;
        return;
      }
    }
    while (this.#cursor < to && !this.#isFull) {
      this.#find(this.#cursor, this.#feedAt(this.#cursor) - this.#cursor);
    }
  }

  /** Takes the line at the cursor as found. */
  #find(start: number, length: number): void {
    const { countOnly, before, after, places, invert } = this.#spec;
    this.#found++;
    this.#total++;
    if (countOnly) {
      this.#cursor = Math.min(start + length + 1, this.#end);
      return;
    }
    if (before > 0) this.#showEarlier();
    if (places && !invert) this.#findPlaces(start, length);
    this.#show(start, length, 0);
    this.#afterLeft = after;
  }

  /** Finds where the matches are in the line that is shown next. */
  #findPlaces(start: number, length: number): void {
    this.#spans.length = 0;
    this.#matcher.matchesIn(start, length, this.#spans);
    for (let i = 0; i < this.#spans.length; i += 2) {
      this.#places.push(this.#rows, this.#spans[i] as number, this.#spans[i + 1] as number);
    }
  }

  /** Shows the line at the cursor, and goes on to the next. */
  #show(start: number, length: number, flags: number): void {
    const { address, isCut, position } = this.#window;
    const isEnded = start + length < this.#end;
    const cut = isCut && !isEnded ? LINE_IS_CUT : 0;
    const at = position + (start - address);
    this.#collector.add(start, length, isEnded, this.#cursorLine, at, flags | cut | this.#gapFlag());
    this.#rows++;
    this.#cursor = Math.min(start + length + 1, this.#end);
    this.#cursorLine++;
  }

  /** As in grep: of lines that do not match, the matches are wanted that are in the lines around them. */
  get #marksContext(): boolean {
    return this.#spec.places && this.#spec.invert;
  }

  #gapFlag(): number {
    const isGap = this.#hasContext && this.#hasShown && this.#isGap;
    this.#hasShown = true;
    this.#isGap = false;
    return isGap ? LINE_FOLLOWS_GAP : 0;
  }

  /** Shows the lines that were kept for it. */
  #showEarlier(): void {
    for (const { bytes, line, position, spans } of this.#earlier) {
      for (let i = 0; i < spans.length; i += 2) {
        this.#places.push(this.#rows, spans[i] as number, spans[i + 1] as number);
      }
      // Of what was passed over since the last line shown, the lines are all that is not left out.
      this.#collector.addCopy(bytes, line, position, LINE_IS_CONTEXT | this.#gapFlag());
      this.#rows++;
    }
    this.#earlier = [];
  }

  /** Passes over lines that were not found, but for those that are wanted behind one that was. */
  #skipTo(to: number): void {
    const { before, rows, countOnly } = this.#spec;
    if (this.#cursor >= to) return;
    if (countOnly || !this.#hasContext) {
      if (rows) this.#cursorLine += this.#linesIn(this.#cursor, to);
      this.#cursor = to;
      return;
    }
    while (this.#afterLeft > 0 && this.#cursor < to) {
      this.#afterLeft--;
      const length = this.#feedAt(this.#cursor) - this.#cursor;
      if (this.#marksContext) this.#findPlaces(this.#cursor, length);
      this.#show(this.#cursor, length, LINE_IS_CONTEXT);
    }
    if (this.#cursor >= to) return;
    const skipped = this.#linesIn(this.#cursor, to);
    if (before === 0 || skipped > before || this.#earlier.length + skipped > before) this.#isGap = true;
    this.#keepLast(to, Math.min(before, skipped), skipped);
    this.#cursorLine += skipped;
    this.#cursor = to;
  }

  /** Keeps the last `wanted` of the `skipped` lines from the cursor to `to`. */
  #keepLast(to: number, wanted: number, skipped: number): void {
    if (wanted === 0) return;
    const { address, position } = this.#window;
    const isEnded = this.#all[to - 1] === LINE_FEED;
    const text = this.#cursor;
    const feed = this.#memory.kernels.findFeedBack(text, to - text, wanted + (isEnded ? 1 : 0));
    let start = feed < 0 ? text : feed + 1;
    for (let i = wanted; i > 0; i--) {
      const end = this.#feedAt(start);
      const bytes = this.#memory.copy(start, end - start);
      const spans: number[] = [];
      if (this.#marksContext) this.#matcher.matchesIn(start, end - start, spans);
      this.#earlier.push({
        bytes,
        line: this.#cursorLine + skipped - i,
        position: position + (start - address),
        spans,
      });
      start = end + 1;
    }
    this.#earlier.splice(0, this.#earlier.length - this.#spec.before);
  }

  /** Address of the line feed of the line that begins at `start`, or of the end of the window. */
  #feedAt(start: number): number {
    if (start > this.#lastFeed) return this.#end;
    return this.#all.indexOf(LINE_FEED, start);
  }

  #linesIn(from: number, to: number): number {
    if (from >= to) return 0;
    return this.#memory.kernels.countFeeds(from, to - from) + (this.#all[to - 1] === LINE_FEED ? 0 : 1);
  }
}

export const GREP: ScanKind<GrepSpec, GrepResult> = {
  workBytes: CHOICE_AT + CHOICE_BYTES,
  create: (memory, work, spec) => new GrepScanner(memory, work, spec),
};
