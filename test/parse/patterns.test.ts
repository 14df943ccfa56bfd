import { describe, expect, it } from 'vitest';

import { FIELDS_FAILED, FIELDS_PARSED } from '../../src/memory/layout.ts';
import { compilePattern } from '../../src/parse/compile.ts';
import { parseOne } from '../kit/parsing.ts';

/** What is said about a pattern that makes no sense. */
function complaint(pattern: string, time?: string): string {
  try {
    compilePattern(pattern, time);
  } catch (error) {
    expect(error).toBeInstanceOf(RangeError);
    return (error as Error).message;
  }
  return 'nothing';
}

describe('compilePattern', () => {
  it('says where a pattern is wrong', () => {
    const bad: readonly (readonly [string, string])[] = [
      ['  ', 'the pattern is wrong: it is empty'],
      ['<a', 'the pattern is wrong: the < at column 1 is not closed'],
      ['<a> <b', 'the pattern is wrong: the < at column 5 is not closed'],
      ['a> b', 'the pattern is wrong: the > at column 2 closes nothing'],
      ['<> x', 'the pattern is wrong: "" at column 2 is no name of a field'],
      ['<a b> x', 'the pattern is wrong: "a b" at column 2 is no name of a field'],
      ['<a> <a>', 'the pattern is wrong: <a> at column 5 is there already at column 1'],
      [
        '<a:xyz> b',
        'the pattern is wrong: <a> at column 1 is of no kind that is known: there are int, word, dash, priority, status, quoted, structured',
      ],
      [
        '<a><b>',
        'the pattern is wrong: nothing between <a> and <b> at column 4 tells where the first of them ends',
      ],
      [
        '<a>(x)?<b>',
        'the pattern is wrong: nothing between <a> and <b> at column 8 tells where the first of them ends',
      ],
      [
        '<a>(<b> )? <c>',
        'the pattern is wrong: nothing between <a> and <b> at column 5 tells where the first of them ends',
      ],
      ['<a> (<b>', 'the pattern is wrong: the ( at column 5 is not closed; text is written \\('],
      [
        '<a> (x) <b>',
        'the pattern is wrong: the ) at column 7 has no ? behind it; text is written \\( and \\)',
      ],
      ['<a>) b', 'the pattern is wrong: the ) at column 4 closes nothing'],
      ['()? <a>', 'the pattern is wrong: there is nothing in the ( at column 1'],
      ['<a> \\', 'the pattern is wrong: there is nothing behind the \\ at column 5'],
      ['<a> \\d', 'the pattern is wrong: \\d at column 5 is no text: only \\s has a meaning'],
      [
        '(a)?(b)?(c)?(d)?(e)?<x>',
        'the pattern is wrong: it has 5 parts that may be missing, and 4 is the most',
      ],
      ['x'.repeat(1001), 'the pattern is wrong: it has more than 1000 characters'],
      [
        '<a>(x)?(y)?z',
        'the pattern is wrong: where <a> ends is not clear: what may be missing at column 4 must have text on both sides of it',
      ],
      [
        'x(y<a>)?<b>',
        'the pattern is wrong: what may be missing at column 2 ends with <a>, and nothing behind it tells where that ends',
      ],
      ['(a(<b>)?)?<c>', 'the pattern is wrong: nothing tells where what stands before column 11 ends'],
      [
        Array.from({ length: 17 }, (_, i) => `<f${i}>`).join(' '),
        'the pattern is wrong: it has 17 fields beside time, level, pid, component and content, and there is room for 16',
      ],
    ];
    for (const [pattern, message] of bad) expect([pattern, complaint(pattern)]).toEqual([pattern, message]);
  });

  it('says where a time pattern is wrong', () => {
    const bad: readonly (readonly [string, string])[] = [
      ['yyyy-MM-dd HH:mm:xx', "nothing is known as xx (column 18); put 'xx' in quotes if it is text"],
      ['yyyy-MM-DD', "nothing is known as DD (column 9); put 'DD' in quotes if it is text"],
      ['yyyy-MM-dd yy HH', 'yy at column 12 is a second year'],
      ['HH:mm:ss', 'it has no month'],
      ['yyyy-MM', 'it has no day'],
      ['yyyy-MM-dd', 'it has no hour'],
      ['MM-dd HH.SSS', 'it has a fraction of a second, and no second'],
      ['MM-dd HH ss', 'it has a second, and no minute'],
      ['iso8601 yyyy', 'it has a whole time, and a year beside it'],
      ['MM-dd HH:mm[:ss', 'the [ at column 12 is not closed'],
      ['MM-dd HH:mm]', 'the ] at column 12 closes nothing'],
      [
        'MM-dd HH[mm]',
        'what may be missing, at column 9, must begin with a character that tells it is there',
      ],
    ];
    for (const [time, message] of bad) {
      expect([time, complaint('<Time>|<Content>', time)]).toEqual([
        time,
        `the time pattern is wrong: ${message}`,
      ]);
    }
    const fields: readonly (readonly [string, string, string])[] = [
      [
        '<a> <b>',
        'HH',
        'the pattern has no field for it: <Date>, <Time>, <Timestamp>, <Month>, <Day> or <Year>',
      ],
      [
        '<Date> <Time> <b>',
        'MM-dd-HH',
        'it has 1 parts, and the pattern 2 fields for them (<Date>, <Time>); name those that are meant, as <Date> yyyy-MM-dd',
      ],
      ['<Date> <Time> <b>', '<Tim> HH', 'the pattern has no field <Tim> (column 1)'],
      ['<Date> <Time> <b>', '<Date> MM-dd <Time>', 'nothing stands behind <Time> at column 14'],
      ['<Date> <Time> <b>', '<Date> MM-dd <Date> HH', '<Date> is there twice'],
      ['<Date> <Time> <b>', 'x <Date> MM-dd', 'x at column 1 stands before the first field'],
      [
        '<Date> <Time> <b>',
        '<Date> MM-dd <Time> HHH',
        "nothing is known as HHH (column 21); put 'HHH' in quotes if it is text",
      ],
    ];
    for (const [pattern, time, message] of fields) {
      expect([time, complaint(pattern, time)]).toEqual([time, `the time pattern is wrong: ${message}`]);
    }
    expect(complaint('<Date> (x)?<Time> <b>', 'MM-dd HH')).toBe(
      'the pattern is wrong: the part that may be missing at column 8 is in the middle of the time',
    );
    expect(complaint('(<Time> )?<b>', 'iso8601')).toBe(
      'the pattern is wrong: <Time>, which is of the time, may be missing at column 1',
    );
  });

  it('refuses times that do not exist', () => {
    const timeOf = (text: string, time: string): string | undefined =>
      parseOne(`${text}|x`, { pattern: '<Time>|<Content>', time }).time;
    const iso = 'yyyy-MM-dd HH:mm:ss';
    for (const text of [
      '2021-13-01 00:00:00',
      '2021-00-01 00:00:00',
      '2021-02-29 00:00:00',
      '2020-02-30 00:00:00',
      '1900-02-29 00:00:00',
      '2021-04-31 00:00:00',
      '2021-01-00 00:00:00',
      '2021-01-01 24:00:00',
      '2021-01-01 00:60:00',
      '2021-01-01 00:00:60',
      '2021-01-01 23:59:61',
    ]) {
      expect([text, timeOf(text, iso)]).toEqual([text, undefined]);
      expect([text, timeOf(text, 'iso8601')]).toEqual([text, undefined]);
    }
    expect(timeOf('2000-02-29 23:59:59', iso)).toBe('2000-02-29T23:59:59.000Z');
    expect(timeOf('2016-12-31 23:59:60', iso)).toBe('2017-01-01T00:00:00.000Z');
    expect(timeOf('2021-01-01T00:00:00.5+24:00', 'iso8601')).toBeUndefined();
    expect(timeOf('13/1/07 1:1:1 AM', 'M/d/yy h:m:s a')).toBeUndefined();
    expect(timeOf('1/1/07 0:1:1 AM', 'M/d/yy h:m:s a')).toBeUndefined();
    expect(timeOf('1/1/07 12:1:1 AM', 'M/d/yy h:m:s a')).toBe('2007-01-01T00:01:01.000Z');
    expect(timeOf('1/1/07 12:1:1 pm', 'M/d/yy h:m:s a')).toBe('2007-01-01T12:01:01.000Z');
  });

  it('puts times without a year into the year that begins where it is told to', () => {
    const format = { pattern: '<Time>|<Content>', time: 'MMM d HH:mm:ss' };
    const timeOf = (text: string, from: string): string | undefined =>
      parseOne(`${text}|x`, format, { yearFrom: Date.parse(from) }).time?.slice(0, 10);
    expect(timeOf('Dec 31 23:59:59', '2021-06-01')).toBe('2021-12-31');
    expect(timeOf('Jan  1 00:00:00', '2021-06-01')).toBe('2022-01-01');
    expect(timeOf('May 31 23:59:59', '2021-06-01')).toBe('2022-05-31');
    expect(timeOf('Jun 1 00:00:00', '2021-06-01')).toBe('2021-06-01');
    // A leap day is of the year that has one, or of none.
    expect(timeOf('Feb 29 12:00:00', '2019-06-01')).toBe('2020-02-29');
    expect(timeOf('Feb 29 12:00:00', '2020-01-01')).toBe('2020-02-29');
    expect(timeOf('Feb 29 12:00:00', '2020-06-01')).toBeUndefined();
    expect(timeOf('Feb 29 12:00:00', '2021-01-01')).toBeUndefined();
  });

  it('keeps what a time says beyond milliseconds, whatever its notation', () => {
    const found = (text: string, time: string): [string | undefined, number] => {
      const line = parseOne(`${text}|x`, { pattern: '<Time>|<Content>', time });
      return [line.time, line.nanoseconds];
    };
    expect(found('2021-01-01T00:00:00.123456789Z', 'iso8601')).toEqual(['2021-01-01T00:00:00.123Z', 456_789]);
    expect(found('2021-01-01 00:00:00,1234', 'yyyy-MM-dd HH:mm:ss,S+')).toEqual([
      '2021-01-01T00:00:00.123Z',
      400_000,
    ]);
    expect(found('1609459200.000001', 'epochSeconds')).toEqual(['2021-01-01T00:00:00.000Z', 1000]);
    expect(found('1609459200000.5', 'epochMillis')).toEqual(['2021-01-01T00:00:00.000Z', 500_000]);
    expect(found('1609459200', 'epoch')).toEqual(['2021-01-01T00:00:00.000Z', 0]);
    expect(found('1609459200000001', 'epoch')).toEqual(['2021-01-01T00:00:00.000Z', 1000]);
    expect(found('1609459200000000001', 'epoch')).toEqual(['2021-01-01T00:00:00.000Z', 1]);
    expect(found('-1.25', 'epoch')).toEqual(['1969-12-31T23:59:58.750Z', 0]);
  });

  it('reads a zone that a line has, and assumes one where it has none', () => {
    const format = { pattern: '<Time>|<Content>', time: 'yyyy-MM-dd HH:mm:ss[ Z]' };
    const timeOf = (text: string): string | undefined =>
      parseOne(`${text}|x`, format, { zone: 'Europe/Berlin' }).time;
    expect(timeOf('2021-07-01 12:00:00')).toBe('2021-07-01T10:00:00.000Z');
    expect(timeOf('2021-07-01 12:00:00 +0530')).toBe('2021-07-01T06:30:00.000Z');
    expect(timeOf('2021-07-01 12:00:00 Z')).toBe('2021-07-01T12:00:00.000Z');
    expect(timeOf('2021-07-01 12:00:00 -03:30')).toBe('2021-07-01T15:30:00.000Z');
  });

  it('takes optional parts for there only where all of them are', () => {
    const format = { pattern: '<host> <Component>([<Pid:int>])?: <Content>' };
    const found = (line: string): unknown[] => {
      const { status, component, pid, content } = parseOne(line, format);
      return [status, component, pid, content];
    };
    expect(found('h su[12]: x')).toEqual([FIELDS_PARSED, 'su', '12', 'x']);
    expect(found('h su: x')).toEqual([FIELDS_PARSED, 'su', '', 'x']);
    expect(found('h su: [x]: y')).toEqual([FIELDS_PARSED, 'su', '', '[x]: y']);
    expect(found('h su[12: x')).toEqual([FIELDS_PARSED, 'su[12', '', 'x']);
    expect(found('h su[x]: y')).toEqual([FIELDS_PARSED, 'su[x]', '', 'y']);
    expect(found('h su[12] x')).toEqual([FIELDS_FAILED, '', '', '']);
    expect(found('h su:')).toEqual([FIELDS_PARSED, 'su', '', '']);
  });
});
