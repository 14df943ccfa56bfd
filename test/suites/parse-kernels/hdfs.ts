/** Taking lines of the Hadoop file system's log apart. */

import { describe, expect, it } from 'vitest';

import {
  FIELDS_FAILED,
  FIELDS_PARSED,
  FIELDS_PLAIN,
  LEVEL_ERROR,
  LEVEL_FATAL,
  LEVEL_INFO,
  LEVEL_OTHER,
  LEVEL_WARN,
  SLACK_BYTES,
  SPAN_ADDRESS,
  SPAN_LENGTH,
} from '../../../src/memory/layout.ts';
import { mixedLines } from '../../kit/hdfs-lines.ts';
import { FIELDS, fieldBytes, type ParseArena, type ParsedFields, SPANS } from '../../kit/parse-arena.ts';
import { createRandom } from '../../kit/random.ts';

const LINE = '081109 203518 143 INFO dfs.Node$Writer: stage 1 of block blk_38 is done';

export function hdfsSuite(arena: ParseArena, reference: ParseArena): void {
  const { kernels, view } = arena;

  function parse(line: string): ParsedFields {
    const parsed = kernels.parseHdfs(SPANS, arena.putLines(line), FIELDS);
    const fields = arena.fields(0);
    expect(parsed).toBe(fields.status === FIELDS_PARSED ? 1 : 0);
    expect(fields.line).toBe(line);
    return fields;
  }

  /** The time of a line with this date and time of day; undefined where it does not parse. */
  function timeOf(dateAndTime: string): string | undefined {
    const { status, timestamp } = parse(LINE.replace('081109 203518', dateAndTime));
    return status === FIELDS_PARSED ? new Date(timestamp).toISOString() : undefined;
  }

  describe('parseHdfs', () => {
    it('takes a line apart', () => {
      expect(parse(LINE)).toEqual({
        timestamp: Date.UTC(2008, 10, 9, 20, 35, 18),
        line: LINE,
        status: FIELDS_PARSED,
        levelCode: LEVEL_INFO,
        level: 'INFO',
        pid: '143',
        component: 'dfs.Node$Writer',
        content: 'stage 1 of block blk_38 is done',
      });
    });

    it('takes years from 70 on for those of the last century', () => {
      expect(timeOf('700101 000000')).toBe('1970-01-01T00:00:00.000Z');
      expect(timeOf('991231 235959')).toBe('1999-12-31T23:59:59.000Z');
      expect(timeOf('000101 000000')).toBe('2000-01-01T00:00:00.000Z');
      expect(timeOf('691231 235959')).toBe('2069-12-31T23:59:59.000Z');
    });

    it('refuses dates and times of day that do not exist', () => {
      const bad = ['081301 000000', '080001 000000', '080100 000000', '080132 000000', '080431 000000'];
      bad.push('080230 000000', '070229 000000', '080101 240000', '080101 006000', '080101 000060');
      bad.push('08011a 000000', '080101 00000 ', '0801 1 000000', '080101-000000', '08010\u00b9 000000');
      for (const text of bad) expect([text, timeOf(text)]).toEqual([text, undefined]);
      expect(timeOf('080229 000000')).toBe('2008-02-29T00:00:00.000Z');
      expect(timeOf('000229 235959')).toBe('2000-02-29T23:59:59.000Z');
    });

    it('takes a leap second, which ends an hour, for the second after it', () => {
      expect(timeOf('161231 235960')).toBe('2017-01-01T00:00:00.000Z');
      expect(timeOf('161231 225960')).toBe('2016-12-31T23:00:00.000Z');
      for (const text of ['161231 235860', '161231 235961', '161231 236060'])
        expect(timeOf(text)).toBeUndefined();
    });

    it('knows every day of a century', () => {
      const lines: string[] = [];
      const times: number[] = [];
      const first = Date.UTC(1970, 0, 1);
      const dayMs = 86_400_000;
      for (let time = first; time < Date.UTC(2070, 0, 1); time += dayMs) {
        const text = new Date(time).toISOString();
        lines.push(`${text.slice(2, 4)}${text.slice(5, 7)}${text.slice(8, 10)} 120000 1 INFO c: x`);
        times.push(time + dayMs / 2);
      }
      for (let at = 0; at < lines.length; at += 4000) {
        const part = lines.slice(at, at + 4000);
        const count = arena.putLines(part.join('\n'));
        expect(count).toBe(part.length);
        expect(kernels.parseHdfs(SPANS, count, FIELDS)).toBe(count);
        const found = part.map((_, i) => arena.fields(i).timestamp);
        expect(found).toEqual(times.slice(at, at + 4000));
      }
    });

    it('maps levels to one scale, whatever their case', () => {
      const codes = { INFO: LEVEL_INFO, warn: LEVEL_WARN, Warning: LEVEL_WARN, ERROR: LEVEL_ERROR };
      const more = {
        CRITICAL: LEVEL_FATAL,
        FATAL: LEVEL_FATAL,
        AUDIT: LEVEL_OTHER,
        INFORMATION: LEVEL_OTHER,
      };
      for (const [level, levelCode] of Object.entries({ ...codes, ...more })) {
        expect(parse(LINE.replace('INFO', level))).toMatchObject({ level, levelCode, status: FIELDS_PARSED });
      }
    });

    it('refuses levels that are no words and pids that are no numbers', () => {
      for (const level of ['IN-O', '', 'W4RN', 'A'.repeat(17), '@@@@', '[[[[']) {
        expect(parse(LINE.replace('INFO', level)).status).toBe(FIELDS_FAILED);
      }
      for (const pid of ['', 'x', '12a', '-1', '1'.repeat(21), '12345678:']) {
        expect(parse(LINE.replace('143', pid)).status).toBe(FIELDS_FAILED);
      }
      for (const pid of ['0', '1234567', '12345678', '123456789', '1'.repeat(20)]) {
        expect(parse(LINE.replace('143', pid))).toMatchObject({ status: FIELDS_PARSED, pid });
      }
    });

    it('takes a component of up to 255 bytes that ends with a colon', () => {
      for (const component of ['c', 'a:b', ':', 'x'.repeat(254), 'x'.repeat(255)]) {
        const line = LINE.replace('dfs.Node$Writer', () => component);
        expect(parse(line)).toMatchObject({ status: FIELDS_PARSED, component });
        expect(parse(line.slice(0, line.indexOf(': ') + 1))).toMatchObject({ component, content: '' });
      }
      for (const component of ['', 'x'.repeat(256), 'x'.repeat(300), 'a b']) {
        const line = LINE.replace('dfs.Node$Writer', () => component);
        expect(parse(line).status).toBe(FIELDS_FAILED);
        expect(parse(line.slice(0, line.indexOf(': ') + 1)).status).toBe(FIELDS_FAILED);
      }
      expect(parse(LINE.replace(':', '')).status).toBe(FIELDS_FAILED);
    });

    it('refuses a line that is cut off before its content', () => {
      const end = LINE.indexOf(': ') + 1;
      for (let length = 0; length <= LINE.length; length++) {
        const isWhole = length >= end;
        expect(parse(LINE.slice(0, length).padEnd(1)).status).toBe(isWhole ? FIELDS_PARSED : FIELDS_FAILED);
      }
    });

    it('leaves nothing of an earlier line in the fields of one that fails', () => {
      kernels.parseHdfs(SPANS, arena.putLines(LINE), FIELDS);
      kernels.parseHdfs(SPANS, arena.putLines('nothing of the kind'), FIELDS);
      expect(arena.fields(0)).toEqual({
        timestamp: Number.NaN,
        line: 'nothing of the kind',
        status: FIELDS_FAILED,
        levelCode: LEVEL_OTHER,
        level: '',
        pid: '',
        component: '',
        content: '',
      });
    });

    it('finds what the reference finds in lines of all kinds', () => {
      const random = createRandom(21);
      let parsed = 0;
      for (let i = 0; i < 12; i++) {
        const text = mixedLines(random, 400).join('\n');
        const count = arena.putLines(text);
        expect(reference.putLines(text)).toBe(count);
        const found = kernels.parseHdfs(SPANS, count, FIELDS);
        expect(found).toBe(reference.kernels.parseHdfs(SPANS, count, FIELDS));
        const actual = fieldBytes(arena, count);
        if (!actual.equals(fieldBytes(reference, count))) {
          for (let row = 0; row < count; row++) expect(arena.fields(row)).toEqual(reference.fields(row));
        }
        parsed += found;
      }
      expect(parsed).toBeGreaterThan(1000);
    });

    it('reads no further than the slack behind a line', () => {
      for (const line of [LINE, LINE.slice(0, 20), LINE.slice(0, 24), LINE.slice(0, 39)]) {
        const address = arena.u8.length - SLACK_BYTES - line.length;
        arena.putText(line, address);
        view.setInt32(SPANS + SPAN_ADDRESS, address, true);
        view.setInt32(SPANS + SPAN_LENGTH, line.length, true);
        kernels.parseHdfs(SPANS, 1, FIELDS);
        expect(arena.fields(0).line).toBe(line);
      }
    });
  });

  describe('plainFields', () => {
    it('looks for nothing in a line', () => {
      const count = arena.putLines(`${LINE}\n\nx`);
      expect(kernels.plainFields(SPANS, count, FIELDS)).toBe(3);
      for (const [i, line] of [LINE, '', 'x'].entries()) {
        const fields = arena.fields(i);
        expect(fields).toMatchObject({ line, status: FIELDS_PLAIN, levelCode: LEVEL_OTHER, content: '' });
        expect(fields.timestamp).toBeNaN();
      }
    });
  });
}
