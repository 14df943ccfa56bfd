/** Making entries of fields. */

import { describe, expect, it } from 'vitest';
import { LEVEL_NAMES } from '../../../src/levels.ts';
import {
  ENTRY_BYTES,
  ENTRY_HEADERS,
  ENTRY_HEADERS_COUNT,
  ENTRY_HEADERS_LENGTH,
  ENTRY_KEY_LENGTH,
  ENTRY_TIMESTAMP,
  ENTRY_VALUE,
  ENTRY_VALUE_LENGTH,
  FIELDS_BYTES,
  FIELDS_HEADERS_BYTES_MAX,
  FIELDS_LEVEL,
  FIELDS_LEVEL_CODE,
  FIELDS_LEVEL_LENGTH,
  FIELDS_PID,
  LEVEL_COUNT,
  LEVEL_INFO,
  LEVEL_OTHER,
  LEVEL_WARN,
  SUMMARY_BYTES,
  SUMMARY_CARRIED,
  SUMMARY_CUT,
  SUMMARY_EARLIEST,
  SUMMARY_EMPTY,
  SUMMARY_FAILED,
  SUMMARY_JOINED,
  SUMMARY_LATEST,
  SUMMARY_LEVELS,
} from '../../../src/memory/layout.ts';
import { decodeHeaders } from '../../../src/record/headers.ts';
import { mixedLines } from '../../kit/hdfs-lines.ts';
import {
  ENTRIES,
  entryBytes,
  FIELDS,
  HEADERS,
  type ParseArena,
  SPANS,
  SUMMARY,
} from '../../kit/parse-arena.ts';
import { createRandom } from '../../kit/random.ts';

const UNLIMITED = 1 << 20;
const TEN_SECONDS_PAST_MIDNIGHT = Date.UTC(2008, 10, 9, 0, 0, 10);

interface TestEntry {
  timestamp: number;
  value: string;
  headers: Record<string, string>;
}

export function entriesSuite(arena: ParseArena, reference: ParseArena): void {
  const { kernels, view } = arena;

  function entry(index: number): TestEntry {
    const at = ENTRIES + index * ENTRY_BYTES;
    const i32 = (field: number): number => view.getInt32(at + field, true);
    expect(i32(ENTRY_KEY_LENGTH)).toBe(-1);
    const headers = arena.slice(i32(ENTRY_HEADERS), i32(ENTRY_HEADERS_LENGTH));
    const decoded = decodeHeaders(headers, i32(ENTRY_HEADERS_COUNT));
    return {
      timestamp: view.getFloat64(at + ENTRY_TIMESTAMP, true),
      value: arena.slice(i32(ENTRY_VALUE), i32(ENTRY_VALUE_LENGTH)).toString('latin1'),
      headers: Object.fromEntries(decoded.map(({ key, value }) => [key, String(value)])),
    };
  }

  function make(
    text: string,
    format: 'hdfs' | 'plain',
    carried = 7,
    recordBytesMax = UNLIMITED,
  ): TestEntry[] {
    const count = arena.putLines(text);
    if (format === 'hdfs') kernels.parseHdfs(SPANS, count, FIELDS);
    else kernels.plainFields(SPANS, count, FIELDS);
    kernels.markContinuations(FIELDS, count);
    arena.resetSummary(carried);
    const made = kernels.makeEntries(FIELDS, count, ENTRIES, HEADERS, recordBytesMax, SUMMARY);
    return Array.from({ length: made }, (_, i) => entry(i));
  }

  function summary(): Record<string, number> {
    const i32 = (field: number): number => view.getInt32(SUMMARY + field, true);
    return {
      carried: view.getFloat64(SUMMARY + SUMMARY_CARRIED, true),
      earliest: view.getFloat64(SUMMARY + SUMMARY_EARLIEST, true),
      latest: view.getFloat64(SUMMARY + SUMMARY_LATEST, true),
      failed: i32(SUMMARY_FAILED),
      joined: i32(SUMMARY_JOINED),
      empty: i32(SUMMARY_EMPTY),
      cut: i32(SUMMARY_CUT),
      info: i32(SUMMARY_LEVELS + 4 * LEVEL_INFO),
      warn: i32(SUMMARY_LEVELS + 4 * LEVEL_WARN),
    };
  }

  describe('makeEntries', () => {
    it('makes a record of each line, with the fields as headers', () => {
      const line = '081109 000010 42 WARN dfs.Node: no room';
      expect(make(line, 'hdfs')).toEqual([
        {
          timestamp: TEN_SECONDS_PAST_MIDNIGHT,
          value: line,
          headers: { level: 'WARN', pid: '42', component: 'dfs.Node' },
        },
      ]);
    });

    it('keeps lines that do not parse, with the time of the line before', () => {
      const lines = ['first', '081109 000010 1 INFO c: x', 'no entry', '', '081109 000009 1 WARN c: y'];
      const made = make(lines.join('\n'), 'hdfs');
      expect(made.map(({ value }) => value)).toEqual(lines);
      const time = TEN_SECONDS_PAST_MIDNIGHT;
      expect(made.map(({ timestamp }) => timestamp)).toEqual([7, time, time, time, time - 1000]);
      expect(made.map(({ headers }) => Object.keys(headers).length)).toEqual([0, 3, 0, 0, 3]);
      const counts = { failed: 3, joined: 0, empty: 1, cut: 0, info: 1, warn: 1 };
      expect(summary()).toEqual({ carried: time - 1000, earliest: 7, latest: time, ...counts });
    });

    it('joins the lines of a stack trace to the line before, with the line ends between them', () => {
      const line = '081109 000010 42 WARN dfs.Node: no room';
      const trace = 'java.io.IOException: full\r\n\tat a.b(c)\n';
      const made = make(`\tat lost\n${line}\r\n${trace}no entry\n  with more\n${line}`, 'hdfs');
      const headers = { level: 'WARN', pid: '42', component: 'dfs.Node' };
      const timestamp = TEN_SECONDS_PAST_MIDNIGHT;
      expect(made).toEqual([
        { timestamp: 7, value: '\tat lost', headers: {} },
        { timestamp, value: `${line}\r\n${trace}`.slice(0, -1), headers },
        { timestamp, value: 'no entry\n  with more', headers: {} },
        { timestamp, value: line, headers },
      ]);
      expect(summary()).toMatchObject({ failed: 2, joined: 3, warn: 2 });
      const [cut] = make(`${line}\n\tat a.b(c)`, 'hdfs', 7, 75).slice(-1);
      expect(cut).toEqual({ timestamp, value: `${line}\n\tat a.b(c)`.slice(0, cut?.value.length), headers });
      expect(summary()).toMatchObject({ cut: 1 });
    });

    it('names a level that is a number, or only in the code', () => {
      const lines = ['081109 000010 1 INFO c: x', '081109 000010 1 X c: x', '081109 000010 1 INFO c: x'];
      const count = arena.putLines(lines.join('\n'));
      for (const each of [arena, reference]) {
        each.putLines(lines.join('\n'));
        each.kernels.parseHdfs(SPANS, count, FIELDS);
        for (let code = LEVEL_OTHER; code < LEVEL_COUNT; code++) {
          each.view.setInt32(FIELDS + FIELDS_LEVEL_CODE, code, true);
          each.view.setInt32(FIELDS + FIELDS_LEVEL_LENGTH, 0, true);
          // The second line's level is what is its pid: a number.
          const row = FIELDS + FIELDS_BYTES;
          each.view.setInt32(row + FIELDS_LEVEL_CODE, code, true);
          each.view.setInt32(row + FIELDS_LEVEL, each.view.getInt32(row + FIELDS_PID, true), true);
          each.resetSummary(99);
          each.kernels.makeEntries(FIELDS, count, ENTRIES, HEADERS, UNLIMITED, SUMMARY);
          if (each === arena) {
            const name = code === LEVEL_OTHER ? undefined : LEVEL_NAMES[code];
            expect(entry(0).headers['level']).toBe(name);
            expect(entry(1).headers['level']).toBe(name ?? '1');
            expect(entry(2).headers['level']).toBe('INFO');
          }
        }
      }
      const bytes = view.getInt32(ENTRIES + 2 * ENTRY_BYTES + ENTRY_HEADERS, true) - HEADERS;
      expect(arena.slice(HEADERS, bytes).equals(reference.slice(HEADERS, bytes))).toBe(true);
    });

    it('gives plain lines the time it is given, and counts no failure', () => {
      const made = make('a\n\nb', 'plain', 5000);
      expect(made).toEqual(['a', '', 'b'].map((value) => ({ timestamp: 5000, value, headers: {} })));
      expect(summary()).toMatchObject({ failed: 0, empty: 1, earliest: 5000, latest: 5000 });
    });

    it('goes on with the summary that it is given', () => {
      make('081109 000010 1 INFO c: x', 'hdfs');
      const count = arena.putLines('later\n\n081109 000020 1 INFO c: x');
      kernels.parseHdfs(SPANS, count, FIELDS);
      kernels.makeEntries(FIELDS, count, ENTRIES, HEADERS, UNLIMITED, SUMMARY);
      expect(entry(0).timestamp).toBe(TEN_SECONDS_PAST_MIDNIGHT);
      expect(summary()).toMatchObject({ info: 2, failed: 2, empty: 1, earliest: TEN_SECONDS_PAST_MIDNIGHT });
    });

    it('cuts a line where its record would be too large, and leaves headers out that do not fit', () => {
      const line = '081109 000010 42 WARN dfs.Node: no room';
      const headersBytes = 6 + 1 + 4 + 4 + 1 + 2 + 10 + 1 + 8;
      const whole = headersBytes + line.length;
      for (const limit of [whole + 1, whole]) {
        expect(make(line, 'hdfs', 7, limit)[0]?.value).toBe(line);
        expect(summary()['cut']).toBe(0);
      }
      for (const limit of [whole - 1, headersBytes + 3, headersBytes]) {
        const made = make(line, 'hdfs', 7, limit)[0];
        expect(made?.value).toBe(line.slice(0, limit - headersBytes));
        expect(made?.headers['component']).toBe('dfs.Node');
        expect(summary()['cut']).toBe(1);
      }
      expect(make(line, 'hdfs', 7, headersBytes - 1)).toEqual([
        { timestamp: TEN_SECONDS_PAST_MIDNIGHT, value: line.slice(0, headersBytes - 1), headers: {} },
      ]);
      expect(make(line, 'plain', 7, 0)[0]?.value).toBe('');
    });

    it('makes the entries and headers of the reference from lines of all kinds', () => {
      const random = createRandom(22);
      for (let i = 0; i < 12; i++) {
        const text = mixedLines(random, 300).join('\n');
        const recordBytesMax = random.pick([UNLIMITED, 200, 100, 20]);
        const count = arena.putLines(text);
        reference.putLines(text);
        for (const each of [arena, reference]) {
          each.kernels.parseHdfs(SPANS, count, FIELDS);
          each.kernels.markContinuations(FIELDS, count);
          each.resetSummary(99);
        }
        const args = [FIELDS, count, ENTRIES, HEADERS, recordBytesMax, SUMMARY] as const;
        const made = kernels.makeEntries(...args);
        expect(made).toBe(reference.kernels.makeEntries(...args));
        const at = ENTRIES + (made - 1) * ENTRY_BYTES;
        const end = view.getInt32(at + ENTRY_HEADERS, true) + view.getInt32(at + ENTRY_HEADERS_LENGTH, true);
        expect(entryBytes(arena, made).equals(entryBytes(reference, made))).toBe(true);
        for (const [from, length] of [
          [HEADERS, end - HEADERS],
          [SUMMARY, SUMMARY_BYTES],
        ] as const) {
          expect(arena.slice(from, length).equals(reference.slice(from, length))).toBe(true);
        }
      }
    });

    it('needs no more room for headers than it says', () => {
      const line = `081109 000010 ${'9'.repeat(20)} ${'L'.repeat(16)} ${'c'.repeat(255)}: x`;
      const [made] = make(line, 'hdfs');
      expect(Object.values(made?.headers ?? {}).map(({ length }) => length)).toEqual([16, 20, 255]);
      expect(view.getInt32(ENTRIES + ENTRY_HEADERS_LENGTH, true)).toBeLessThanOrEqual(
        FIELDS_HEADERS_BYTES_MAX,
      );
    });
  });

  describe('keepEntries', () => {
    it('moves what is left, and its headers, to the front', () => {
      const lines = ['081109 000010 1 INFO c: x', 'no', '081109 000010 22 WARN dfs.Node: y', 'more', 'last'];
      for (let done = 0; done <= lines.length; done++) {
        const made = make(lines.join('\n'), 'hdfs');
        const left = made.slice(done);
        const end = kernels.keepEntries(ENTRIES, done, lines.length, HEADERS);
        expect(left.map((_, i) => entry(i))).toEqual(left);
        const bytes = [6 + 5 + 4 + 2 + 10 + 2, 0, 6 + 5 + 4 + 3 + 10 + 9, 0, 0].slice(done);
        expect(end - HEADERS).toBe(bytes.reduce((sum, length) => sum + length, 0));
      }
    });

    it('keeps what the reference keeps', () => {
      const random = createRandom(24);
      for (let i = 0; i < 12; i++) {
        const text = mixedLines(random, 200).join('\n');
        const count = arena.putLines(text);
        reference.putLines(text);
        const done = random.int(0, count);
        const gap = random.int(0, 500);
        const [end, expected] = [arena, reference].map((each) => {
          each.kernels.parseHdfs(SPANS, count, FIELDS);
          each.kernels.makeEntries(FIELDS, count, ENTRIES, HEADERS + gap, UNLIMITED, SUMMARY);
          return each.kernels.keepEntries(ENTRIES, done, count, HEADERS);
        });
        expect(end).toBe(expected);
        expect(entryBytes(arena, count - done).equals(entryBytes(reference, count - done))).toBe(true);
        const length = (end ?? 0) - HEADERS;
        expect(arena.slice(HEADERS, length).equals(reference.slice(HEADERS, length))).toBe(true);
      }
    });
  });
}
