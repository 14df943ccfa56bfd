/**
 * A witness from outside: 2,000 lines of each of seven systems, and what the loghub project (logpai) found in
 * them. The files are not part of the repository; without them the test is skipped, and says so.
 *
 * @module
 */

import { existsSync, readFileSync } from 'node:fs';

import { describe, expect, it } from 'vitest';
import type { FormatSpec, ParserOptions } from '../../src/parse/parser.ts';
import { readCsv } from '../kit/csv.ts';
import { type ParsedLine, parseText } from '../kit/parsing.ts';

const FOLDER: URL = new URL('../../../shared/data/loghub/', import.meta.url);
const isThere: boolean = existsSync(FOLDER);
const title: string = isThere
  ? 'the lines of loghub'
  : `the lines of loghub (skipped: there is no ${FOLDER.pathname})`;

/** What the columns of a CSV file are in a line that was taken apart. */
type Columns = Readonly<Record<string, (line: ParsedLine) => string | undefined>>;

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const DAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];

/** Columns that are the same in most systems. */
const USUAL: Columns = {
  Level: ({ levelText }) => levelText,
  Component: ({ component }) => component,
  Content: ({ content }) => content,
};
const isoDate = ({ time }: ParsedLine): string | undefined => time?.slice(0, 10);
const timeWith =
  (mark: string) =>
  ({ time }: ParsedLine): string | undefined =>
    time?.slice(11, 23).replace('.', mark);

interface System {
  format: FormatSpec;
  options?: ParserOptions;
  columns: Columns;
}

const SYSTEMS: Readonly<Record<string, System>> = {
  HDFS: {
    format: 'hdfs',
    columns: {
      ...USUAL,
      Date: ({ time }) => time?.slice(2, 10).replaceAll('-', ''),
      Time: ({ time }) => time?.slice(11, 19).replaceAll(':', ''),
      Pid: ({ pid }) => pid,
    },
  },
  Hadoop: {
    format: 'hadoop',
    columns: { ...USUAL, Date: isoDate, Time: timeWith(','), Process: ({ extras }) => extras['process'] },
  },
  Spark: {
    format: 'spark',
    columns: {
      ...USUAL,
      Date: ({ time }) => time?.slice(2, 10).replaceAll('-', '/'),
      Time: ({ time }) => time?.slice(11, 19),
    },
  },
  Zookeeper: {
    format: 'zookeeper',
    columns: {
      ...USUAL,
      Date: isoDate,
      Time: timeWith(','),
      Node: ({ extras }) => extras['node'],
      Id: ({ extras }) => extras['id'],
    },
  },
  Apache: {
    format: 'apache',
    columns: {
      Level: USUAL['Level'] as Columns[string],
      Content: USUAL['Content'] as Columns[string],
      Time({ time = '' }) {
        const date = new Date(time);
        const day = `${DAYS[date.getUTCDay()]} ${MONTHS[date.getUTCMonth()]} ${time.slice(8, 10)}`;
        return `${day} ${time.slice(11, 19)} ${time.slice(0, 4)}`;
      },
    },
  },
  OpenStack: {
    format: 'openstack',
    columns: {
      ...USUAL,
      Date: isoDate,
      Time: timeWith('.'),
      Pid: ({ pid }) => pid,
      Logrecord: ({ extras }) => extras['file'],
      ADDR: ({ extras }) => extras['request'],
    },
  },
  Linux: {
    format: 'syslog',
    options: { yearFrom: Date.UTC(2005, 5, 1) },
    columns: {
      Month: ({ time = '' }) => MONTHS[Number(time.slice(5, 7)) - 1],
      Date: ({ time = '' }) => String(Number(time.slice(8, 10))),
      Time: ({ time }) => time?.slice(11, 19),
      Level: ({ extras }) => extras['host'],
      Component: ({ component }) => component,
      PID: ({ pid }) => pid,
      Content: ({ content }) => content,
    },
  },
};

/** All differences: line, column, what others found, what we did. */
function differences(
  name: string,
  { format, options = {}, columns }: System,
): [number, string, string, string | undefined][] {
  const folder = new URL(`${name}/`, FOLDER);
  const lines = parseText(readFileSync(new URL(`${name}_2k.log`, folder)), format, options);
  const rows = readCsv(readFileSync(new URL(`${name}_2k.log_structured.csv`, folder), 'utf8'));
  expect([lines.length, rows.length]).toEqual([2000, 2000]);
  const own = new Set(['LineId', 'EventId', 'EventTemplate']);
  const compared = Object.keys(rows[0] ?? {}).filter((column) => !own.has(column));
  expect(Object.keys(columns).sort()).toEqual(compared.sort());
  return rows.flatMap((row, i) =>
    compared
      .map((column): [number, string, string, string | undefined] => [
        i + 1,
        column,
        row[column] ?? '',
        columns[column]?.(lines[i] as ParsedLine),
      ])
      .filter(([, , theirs, ours]) => theirs !== ours),
  );
}

describe.skipIf(!isThere)(title, () => {
  for (const [name, system] of Object.entries(SYSTEMS)) {
    if (name === 'Linux') continue;
    it(`of ${name} become the fields that others found in them`, () => {
      expect(differences(name, system)).toEqual([]);
    });
  }

  it('of Linux do so too, but for tags that have a space, which RFC 3164 does not know', () => {
    const found = differences('Linux', SYSTEMS['Linux'] as System);
    const components = found.filter(([, column]) => column === 'Component');
    expect(components.map(([line, , theirs]) => [line, theirs])).toEqual([
      ...[146, 374, 714].map((line) => [line, 'syslogd 1.4.1']),
      [899, '-- root'],
      ...[1086, 1364, 1754, 1908].map((line) => [line, 'syslogd 1.4.1']),
    ]);
    const lines = new Set(components.map(([line]) => line));
    expect(found.filter(([line]) => !lines.has(line))).toEqual([]);
  });

  it('of Linux have no difference with the pattern that others had', () => {
    const { options, columns } = SYSTEMS['Linux'] as System;
    const format = {
      pattern: '<Month> <Date> <Time> <Level> <Component>(\\[<PID>\\])?: <Content>',
      time: 'MMM d HH:mm:ss',
    };
    const system = {
      format,
      options,
      columns: { ...columns, Level: ({ levelText }: ParsedLine) => levelText },
    };
    expect(differences('Linux', system as System)).toEqual([]);
  });

  it('have no difference with the patterns that others had', () => {
    const patterns: Readonly<Record<string, readonly [string, string]>> = {
      HDFS: ['<Date> <Time> <Pid> <Level> <Component>: <Content>', 'yyMMdd HHmmss'],
      Hadoop: ['<Date> <Time> <Level> \\[<process>\\] <Component>: <Content>', 'yyyy-MM-dd HH:mm:ss,SSS'],
      Spark: ['<Date> <Time> <Level> <Component>: <Content>', 'yy/MM/dd HH:mm:ss'],
      Zookeeper: [
        '<Date> <Time> - <Level>  \\[<node>:<Component>@<id>\\] - <Content>',
        'yyyy-MM-dd HH:mm:ss,SSS',
      ],
      Apache: ['\\[<Time>\\] \\[<Level>\\] <Content>', 'EEE MMM dd HH:mm:ss yyyy'],
      OpenStack: [
        '<file> <Date> <Time> <Pid> <Level> <Component> \\[<request>\\] <Content>',
        'yyyy-MM-dd HH:mm:ss.SSS',
      ],
    };
    for (const [name, [pattern, time]] of Object.entries(patterns)) {
      const { columns } = SYSTEMS[name] as System;
      expect([name, differences(name, { format: { pattern, time }, columns })]).toEqual([name, []]);
    }
  });
});
