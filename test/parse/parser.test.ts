import { describe, expect, it } from 'vitest';

import {
  FIELDS_BYTES,
  FIELDS_CONTINUATION,
  FIELDS_FAILED,
  FIELDS_PARSED,
  FIELDS_PLAIN,
  FIELDS_STATUS,
  FIELDS_TIMESTAMP,
} from '../../src/memory/layout.ts';
import { Memory } from '../../src/memory/memory.ts';
import {
  checkParser,
  createParser,
  type FormatSpec,
  PARSER_WORK_BYTES,
  type ParserOptions,
} from '../../src/parse/parser.ts';

const memory = Memory.create(8 << 20);
const { address: work } = memory.slabs.allocate(PARSER_WORK_BYTES, 'test');
const { address: text } = memory.slabs.allocate(1 << 20, 'test');
const { address: spans } = memory.slabs.allocate(1 << 16, 'test');
const { address: rows } = memory.slabs.allocate(1 << 20, 'test');

function parse(
  lines: readonly string[],
  format: FormatSpec,
  options: ParserOptions = {},
): { parsed: number; rows: [number, number][] } {
  const bytes = Buffer.from(lines.join('\n'));
  memory.u8.set(bytes, text);
  const count = memory.kernels.indexLines(text, bytes.length, spans, 1000, 1);
  const parsed = createParser(format, options, memory, work).parse(spans, count, rows, 0);
  const found = lines.map((_, i): [number, number] => {
    const row = rows + i * FIELDS_BYTES;
    return [
      memory.i32[(row + FIELDS_STATUS) >> 2] as number,
      memory.f64[(row + FIELDS_TIMESTAMP) >> 3] as number,
    ];
  });
  return { parsed, rows: found };
}

const LINES = [
  '081109 203518 143 INFO dfs.Node: stopped',
  '\tat Some.where(File.java:12)',
  'nothing of the kind',
];
const TIME: number = Date.UTC(2008, 10, 9, 20, 35, 18);

describe('createParser', () => {
  it('takes lines apart, and tells continuations from failures', () => {
    expect(parse(LINES, 'hdfs')).toEqual({
      parsed: 1,
      rows: [
        [FIELDS_PARSED, TIME],
        [FIELDS_CONTINUATION, Number.NaN],
        [FIELDS_FAILED, Number.NaN],
      ],
    });
    expect(parse(LINES, 'plain')).toEqual({ parsed: 3, rows: LINES.map(() => [FIELDS_PLAIN, Number.NaN]) });
  });

  it('takes times that do not say their zone for those of the zone that is assumed', () => {
    expect(parse(LINES, 'hdfs', { zone: '+02:00' }).rows[0]?.[1]).toBe(TIME - 7_200_000);
    expect(parse(LINES, 'hdfs', { zone: 'America/New_York' }).rows[0]?.[1]).toBe(TIME + 5 * 3_600_000);
    expect(parse(LINES, 'hdfs', { zone: 'utc' }).rows[0]?.[1]).toBe(TIME);
  });

  it('says what is wrong before anything happens', () => {
    expect(() => checkParser('xml', {})).toThrow(/^format must be one of .*, not "xml"$/);
    expect(() => checkParser('hdfs', { zone: 1 })).toThrow(TypeError);
    expect(() => checkParser('hdfs', { zone: 'here' })).toThrow(RangeError);
    expect(() => checkParser('hdfs', { zones: 'utc' })).toThrow(TypeError);
  });
});
