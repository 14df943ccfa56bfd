/** Lines into what a parser makes of them, as plain values, for tests. */

import { LEVEL_NAMES } from '../../src/levels.ts';
import {
  FIELDS_BYTES,
  FIELDS_COMPONENT,
  FIELDS_CONTENT,
  FIELDS_LEVEL,
  FIELDS_LEVEL_CODE,
  FIELDS_NANOSECONDS,
  FIELDS_PID,
  FIELDS_STATUS,
  FIELDS_TIMESTAMP,
  SPAN_BYTES,
} from '../../src/memory/layout.ts';
import { Memory } from '../../src/memory/memory.ts';
import {
  createParser,
  type FormatSpec,
  type LineParser,
  PARSER_WORK_BYTES,
  type ParserOptions,
} from '../../src/parse/parser.ts';

const MIB = 1 << 20;
const LINES_MAX = 8000;
const memory = Memory.create(32 * MIB);
const [work, text, spans, rows, extras] = [PARSER_WORK_BYTES, 4 * MIB, MIB, MIB, 2 * MIB].map(
  (bytes) => memory.slabs.allocate(bytes, 'test').address,
) as [number, number, number, number, number];

export interface ParsedLine {
  status: number;
  /** ISO 8601, or undefined where there is none. */
  time: string | undefined;
  nanoseconds: number;
  level: string;
  levelText: string;
  pid: string;
  component: string;
  content: string;
  extras: Record<string, string>;
}

/** Takes the lines of a text apart. */
export function parseText(
  content: string | Uint8Array,
  format: FormatSpec,
  options: ParserOptions = {},
): ParsedLine[] {
  const bytes = typeof content === 'string' ? Buffer.from(content) : content;
  memory.u8.set(bytes, text);
  const count = memory.kernels.indexLines(text, bytes.length, spans, LINES_MAX, 1);
  const parser = createParser(format, options, memory, work);
  parser.parse(spans, count, rows, extras);
  return Array.from({ length: count }, (_, i) => lineAt(parser, i));
}

/** Takes one line apart. */
export function parseOne(line: string, format: FormatSpec, options: ParserOptions = {}): ParsedLine {
  return parseText(line, format, options)[0] as ParsedLine;
}

function lineAt({ extraNames }: LineParser, i: number): ParsedLine {
  const { i32, f64 } = memory;
  const row = rows + i * FIELDS_BYTES;
  const spanAt = (address: number): string =>
    memory.buffer(i32[address >> 2] as number, i32[(address >> 2) + 1] as number).toString();
  const time = f64[(row + FIELDS_TIMESTAMP) >> 3] as number;
  return {
    status: i32[(row + FIELDS_STATUS) >> 2] as number,
    time: Number.isNaN(time) ? undefined : new Date(time).toISOString(),
    nanoseconds: i32[(row + FIELDS_NANOSECONDS) >> 2] as number,
    level: LEVEL_NAMES[i32[(row + FIELDS_LEVEL_CODE) >> 2] as number] ?? '',
    levelText: spanAt(row + FIELDS_LEVEL),
    pid: spanAt(row + FIELDS_PID),
    component: spanAt(row + FIELDS_COMPONENT),
    content: spanAt(row + FIELDS_CONTENT),
    extras: Object.fromEntries(
      extraNames.map((name, k) => [name, spanAt(extras + (i * extraNames.length + k) * SPAN_BYTES)]),
    ),
  };
}
