import { describe, expect, it } from 'vitest';

import { Memory } from '../../src/memory/memory.ts';
import { entryRows, wholeEntries } from '../../src/parse/entries.ts';
import { type Entry, EntryReader, isoOf } from '../../src/parse/entry.ts';
import {
  createParser,
  type FormatSpec,
  PARSER_WORK_BYTES,
  type ParserOptions,
} from '../../src/parse/parser.ts';

const memory = Memory.create(8 << 20);
const [work, text, spans, rows, extras] = [PARSER_WORK_BYTES, 1 << 20, 1 << 16, 1 << 20, 1 << 20].map(
  (bytes) => memory.slabs.allocate(bytes, 'test').address,
) as [number, number, number, number, number];

function entriesOf(
  content: string,
  format: FormatSpec,
  options: ParserOptions = {},
): { entries: Entry[]; whole: number } {
  const bytes = Buffer.from(content);
  memory.u8.set(bytes, text);
  const count = memory.kernels.indexLines(text, bytes.length, spans, 1000, 1);
  const parser = createParser(format, options, memory, work);
  parser.parse(spans, count, rows, extras);
  const reader = new EntryReader(memory, parser);
  const entries: Entry[] = [];
  for (let row = 0; row < count; ) {
    const joined = entryRows(memory.i32, rows, count, row);
    const position = memory.i32[(spans + row * 8) >> 2] ?? 0;
    entries.push(reader.read(rows, row, joined, extras, { position: position - text, line: row + 1 }));
    row += joined;
  }
  const whole = wholeEntries(memory.i32, rows, count);
  memory.u8.fill(0, text, text + bytes.length);
  return { entries, whole };
}

/** An entry as plain values, without what it has not. */
function plain(entry: Entry | undefined): Record<string, unknown> {
  return JSON.parse(JSON.stringify(entry)) as Record<string, unknown>;
}

const HDFS = '081109 203518 143 WARN dfs.Node: stopped';

describe('entries', () => {
  it('have their fields as strings, which stay when the memory is used for something else', () => {
    const [entry] = entriesOf(HDFS, 'hdfs').entries;
    expect(plain(entry)).toEqual({
      timestamp: Date.UTC(2008, 10, 9, 20, 35, 18),
      nanoseconds: 0,
      iso: '2008-11-09T20:35:18.000Z',
      level: 'WARN',
      levelText: 'WARN',
      component: 'dfs.Node',
      pid: '143',
      message: 'stopped',
      fields: {},
      raw: HDFS,
      isParsed: true,
      position: 0,
      line: 1,
    });
  });

  it('have the lines of their stack trace, and begin where their first line does', () => {
    const trace = 'java.io.IOException: gone\r\n\tat a.b(c)\r\nCaused by: x';
    const content = `\tat lost\n${HDFS}\r\n${trace}\r\nno entry\n${HDFS}\n${HDFS}\n  more`;
    const { entries, whole } = entriesOf(content, 'hdfs');
    expect(entries.map(({ raw, isParsed, line, position }) => [raw, isParsed, line, position])).toEqual([
      ['\tat lost', false, 1, 0],
      [`${HDFS}\r\n${trace}`, true, 2, 9],
      ['no entry', false, 6, 9 + HDFS.length + trace.length + 4],
      [HDFS, true, 7, content.length - 2 * HDFS.length - 8],
      [`${HDFS}\n  more`, true, 8, content.length - HDFS.length - 7],
    ]);
    expect(entries[1]?.message).toBe(`stopped\n${trace.replaceAll('\r\n', '\n')}`);
    expect(plain(entries[2])).toMatchObject({
      message: 'no entry',
      fields: {},
    });
    // The last entry may go on; an entry that fills all rows is taken as it is.
    expect(whole).toBe(7);
    expect(entriesOf(`${HDFS}\n a\n b`, 'hdfs').whole).toBe(3);
  });

  it('have all other fields by their names', () => {
    const hadoop = '2015-10-18 18:01:47,978 INFO [main] o.a.Some: made it';
    expect(entriesOf(hadoop, 'hadoop').entries[0]?.fields).toEqual({ process: 'main' });
    const access = '10.0.0.1 - - [10/Oct/2000:13:55:36 -0700] "GET /\\"x\\" HTTP/1.0" 404 -';
    const [entry] = entriesOf(access, 'access').entries;
    expect(plain(entry)).toMatchObject({ level: 'WARN', message: 'GET /\\"x\\" HTTP/1.0' });
    expect(entry?.fields).toEqual({ client: '10.0.0.1', status: '404' });
  });

  it('of JSON have their escapes read, and the keys that have no place of their own', () => {
    const pino =
      '{"level":50,"time":1600000000123,"pid":12,"hostname":"h","name":"a\\u00e9","req":{"id":1},"msg":"it \\"works\\"\\n"}';
    const [entry] = entriesOf(pino, 'json').entries;
    expect(plain(entry)).toMatchObject({
      iso: '2020-09-13T12:26:40.123Z',
      level: 'ERROR',
      levelText: '50',
      pid: '12',
      component: 'a\u00e9',
      message: 'it "works"\n',
    });
    expect(entry?.fields).toEqual({ hostname: 'h', req: { id: 1 } });
    const bunyan =
      '{"name":"app","component":"db","level":30,"msg":"","time":"2012-02-03T18:30:20.123456Z","v":0}';
    const [other] = entriesOf(bunyan, 'json').entries;
    expect(plain(other)).toMatchObject({ iso: '2012-02-03T18:30:20.123456Z', component: 'db', message: '' });
    expect(other?.fields).toEqual({ name: 'app', v: 0 });
    expect(entriesOf('{"time":"2021-02-30T00:00:00Z"}', 'json').entries[0]?.isParsed).toBe(false);
    expect(plain(entriesOf('{"a":{"b":tru}}', 'json').entries[0])).toMatchObject({
      isParsed: true,
      fields: {},
    });
  });

  it('of logfmt have their quotes read', () => {
    const line = 'ts=2020-09-13T12:26:40Z lvl=warn msg="a \\"b\\"" dry path=/x?y=1 err="c d"';
    const [entry] = entriesOf(line, 'logfmt').entries;
    expect(plain(entry)).toMatchObject({ iso: '2020-09-13T12:26:40.000Z', level: 'WARN', message: 'a "b"' });
    expect(entry?.fields).toEqual({ dry: true, path: '/x?y=1', err: 'c d' });
  });

  it('of text in which nothing is looked for are its lines', () => {
    const [entry] = entriesOf('caf\u00e9 \ud83d\ude00', 'plain').entries;
    expect(plain(entry)).toMatchObject({ message: 'caf\u00e9 \ud83d\ude00', isParsed: true });
  });

  it('say their time with the digits that it has', () => {
    expect(isoOf(0, 0)).toBe('1970-01-01T00:00:00.000Z');
    expect(isoOf(-1, 1000)).toBe('1969-12-31T23:59:59.999001Z');
    expect(isoOf(1, 1)).toBe('1970-01-01T00:00:00.001000001Z');
    expect(isoOf(Number.NaN, 0)).toBeUndefined();
  });
});
