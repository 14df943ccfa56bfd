/**
 * Chooses lines of a text by what they say of themselves: their time, level and component. They are taken
 * apart, and the filter is asked; lines that are chosen and lie end to end are one run.
 *
 * @module
 */

import { FIELDS_BYTES, SPAN_ADDRESS, SPAN_BYTES } from '../memory/layout.ts';
import type { MemoryView } from '../memory/memory.ts';
import {
  createParser,
  EXTRAS_MAX,
  type FormatSpec,
  type LineParser,
  PARSER_WORK_BYTES,
  type ParserOptions,
} from '../parse/parser.ts';
import { guessFormat, PROBE_WORK_BYTES } from '../parse/probe.ts';
import { type Filter, RowFilter } from './filter.ts';

/** Which lines are wanted, in plain values. */
export interface ChoiceSpec {
  filter: Filter;
  /** Found out from the first lines unless given. */
  format: FormatSpec | undefined;
  options: ParserOptions;
}

const ROWS = 512;
const align = (bytes: number): number => Math.ceil(bytes / 64) * 64;
const PARSER_AT: number = align((ROWS + 1) * SPAN_BYTES);
const ROWS_AT: number = PARSER_AT + align(PARSER_WORK_BYTES);
const EXTRAS_AT: number = ROWS_AT + ROWS * FIELDS_BYTES;
const CHOSEN_AT: number = EXTRAS_AT + ROWS * EXTRAS_MAX * SPAN_BYTES;

/** Memory that a choice works in. */
export const CHOICE_BYTES: number = Math.max(CHOSEN_AT + ROWS * 4, PROBE_WORK_BYTES);

export class Choice {
  readonly #memory: MemoryView;
  readonly #work: number;
  readonly #spec: ChoiceSpec;
  readonly #filter: RowFilter;
  #parser: LineParser | undefined;
  #format: FormatSpec | undefined;

  /** @param work address of `CHOICE_BYTES`, aligned to 64 bytes */
  constructor(memory: MemoryView, work: number, spec: ChoiceSpec) {
    this.#memory = memory;
    this.#work = work;
    this.#spec = spec;
    this.#filter = new RowFilter(memory, spec.filter);
  }

  /** Whether no format was found out for the lines, so that none of them is chosen for what it says. */
  get isPlain(): boolean {
    return this.#format === 'plain' && this.#spec.format === undefined;
  }

  /**
   * Finds the runs of lines that are chosen.
   *
   * @param address of a text of whole lines, the next of the file
   * @param visit is given the addresses of the first byte of a run and of that behind it; it returns false where
   *   it has seen enough
   */
  runs(address: number, bytes: number, visit: (from: number, to: number) => boolean): boolean {
    const { kernels, i32 } = this.#memory;
    const parser = this.#parserFor(address, bytes);
    const spans = this.#work;
    const chosen = (this.#work + CHOSEN_AT) >> 2;
    const end = address + bytes;
    let from = -1;
    let to = -1;
    for (let at = address; at < end; ) {
      const count = kernels.indexLines(at, end - at, spans, ROWS, 1);
      const rows = this.#work + ROWS_AT;
      parser.parse(spans, count, rows, this.#work + EXTRAS_AT);
      const selected = this.#filter.select(rows, count, chosen << 2);
      for (let i = 0; i < selected; i++) {
        const line = i32[chosen + i] as number;
        const start = i32[(spans + line * SPAN_BYTES + SPAN_ADDRESS) >> 2] as number;
        if (start !== to) {
          if (to > from && !visit(from, to)) return false;
          from = start;
        }
        to = i32[(spans + (line + 1) * SPAN_BYTES + SPAN_ADDRESS) >> 2] as number;
      }
      at = i32[(spans + count * SPAN_BYTES + SPAN_ADDRESS) >> 2] as number;
    }
    return to > from ? visit(from, to) : true;
  }

  #parserFor(address: number, bytes: number): LineParser {
    if (this.#parser === undefined) {
      const { format, options } = this.#spec;
      this.#format = format ?? guessFormat(this.#memory, this.#work, { address, bytes }, options).format;
      this.#parser = createParser(this.#format, options, this.#memory, this.#work + PARSER_AT);
    }
    return this.#parser;
  }
}
