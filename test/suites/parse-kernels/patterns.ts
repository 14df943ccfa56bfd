/** Taking lines apart by a program. */

import { describe, expect, it } from 'vitest';

import {
  FIELDS_FLAGS,
  FIELDS_LOCAL,
  FIELDS_NANOSECONDS,
  FIELDS_PARSED,
  SLACK_BYTES,
  SPAN_ADDRESS,
  SPAN_BYTES,
  SPAN_LENGTH,
} from '../../../src/memory/layout.ts';
import {
  PROGRAM_CODE,
  PROGRAM_EXTRAS,
  PROGRAM_FROM,
  PROGRAM_YEAR,
} from '../../../src/memory/program-layout.ts';
import { compilePattern } from '../../../src/parse/compile.ts';
import { PATTERNS } from '../../../src/parse/formats.ts';
import { anyLines, LINE_MAKERS } from '../../kit/log-lines.ts';
import { ENTRIES, FIELDS, fieldBytes, OUT, type ParseArena, SPANS } from '../../kit/parse-arena.ts';
import { createRandom, type Random } from '../../kit/random.ts';

const PROGRAM = ENTRIES;
const EXTRAS = OUT;
const YEAR_FROM: number = Date.UTC(2004, 2, 1);

/** Patterns that have what those that are built in do not. */
const MORE: readonly (readonly [string, string | undefined, (random: Random) => string])[] = [
  ['<a>', undefined, (random) => random.pick(['', ' ', 'x y', '\t'])],
  [
    '<a> - <b:int>|<c>;',
    undefined,
    (random) => random.pick(['x - 12|z;', 'x y - 1|;', 'x  -  1|a;b; ', ' - 1|x;']),
  ],
  [
    '(<a:word>=)?<b:dash>(-<c>)? end',
    undefined,
    (random) => random.pick(['x=y-z end', 'y end', '-  end', 'a-b- end']),
  ],
  ['x(<a> )?y(:<b>;)?z', undefined, (random) => random.pick(['xyz', 'x1 yz', 'xy:2;z', 'x1 y:2;z', 'x y z'])],
  [
    '<Level>,<Pid>,<Component>,<Content>',
    undefined,
    (random) => random.pick(['E,1,a,b', '30,1,a,', 'Informational,,x,', `${'x'.repeat(26)},1,a,`]),
  ],
  [
    '<Time> <x>',
    'M/d/yy h:m:s a',
    (random) =>
      `${random.int(0, 13)}/${random.int(0, 32)}/07 ${random.int(0, 13)}:${random.int(0, 61)}:${random.int(0, 61)} ${random.pick(['AM', 'pm', 'xm'])} y`,
  ],
  [
    '<Time> <x>',
    'yyyyMMdd-H:m:s:S',
    (random) =>
      `2017${random.int(10, 12)}${random.int(10, 31)}-${random.int(0, 24)}:${random.int(0, 60)}:${random.int(0, 61)}:${random.int(0, 1000)} y`,
  ],
  [
    '<Time> <x>',
    'epoch',
    (random) =>
      `${random.pick(['', '-'])}${random.int(0, 10 ** random.int(1, 15))}${random.pick(['', '000', '.', '.5', '.1234567891', '000000000000'])} y`,
  ],
  [
    '<Time> <x>',
    'epochSeconds',
    (random) => `${random.int(0, 10 ** random.int(8, 13))}.${random.int(0, 999)} y`,
  ],
  [
    '<Time> <x>',
    'epochMillis',
    (random) => `${random.int(0, 10 ** random.int(11, 15))}${random.pick(['', '.25'])} y`,
  ],
  [
    '<Time>|<x>',
    'iso8601',
    (random) =>
      `${random.int(1990, 2030)}-0${random.int(0, 9)}-${random.int(10, 31)}${random.pick(['T', ' ', 't'])}${random.int(10, 24)}:${random.int(10, 60)}${random.pick(['', ':30', ':59.5', ':1', ':60', ',5'])}${random.pick(['', 'Z', ' +02:00', '-05', ' -0', '+18:01', ' x'])}|y`,
  ],
  [
    '<Time> <x>',
    "EEE MMM d HH:mm[:ss[.S+]] yyyy 'at' Z",
    (random) =>
      `Tue Feb ${random.int(0, 30)} 10:${random.int(10, 60)}${random.pick(['', ':30', ':59.5', ':60'])} ${random.int(1996, 2005)} at ${random.pick(['UTC', 'GMT', '+1', 'Z', '+01:3', '+01:30'])} y`,
  ],
  [
    '<Month> <Day> <Time> <x>',
    'MMM d HH:mm:ss',
    (random) =>
      `${random.pick(['Jan', 'feb', 'FEB', 'Dec', 'Foo'])} ${random.pick(['29', '1', ' 2', '30', '0'])} 23:59:60 y`,
  ],
];

export function patternsSuite(arena: ParseArena, reference: ParseArena): void {
  const { kernels, view } = arena;

  /** Puts a program into both memories. */
  function putProgram(pattern: string, time: string | undefined): readonly string[] {
    const program = compilePattern(pattern, time);
    for (const { view: each } of [arena, reference]) {
      each.setInt32(PROGRAM + PROGRAM_EXTRAS, program.extraNames.length, true);
      each.setInt32(PROGRAM + PROGRAM_YEAR, new Date(YEAR_FROM).getUTCFullYear(), true);
      each.setFloat64(PROGRAM + PROGRAM_FROM, YEAR_FROM, true);
      for (const [i, word] of program.words.entries())
        each.setInt32(PROGRAM + PROGRAM_CODE + i * 4, word, true);
    }
    return program.extraNames;
  }

  /** Takes lines apart with both, and returns how many are of the format. */
  function compare(lines: readonly string[], extras: number): number {
    const text = lines.join('\n');
    const count = arena.putLines(text);
    reference.putLines(text);
    const parsed = kernels.parsePattern(SPANS, count, FIELDS, EXTRAS, PROGRAM);
    expect(parsed).toBe(reference.kernels.parsePattern(SPANS, count, FIELDS, EXTRAS, PROGRAM));
    const size = count * extras * SPAN_BYTES;
    const isSame =
      fieldBytes(arena, count).equals(fieldBytes(reference, count)) &&
      arena.slice(EXTRAS, size).equals(reference.slice(EXTRAS, size));
    if (isSame) return parsed;
    const rowOf = (each: ParseArena, row: number): unknown => [
      each.fields(row),
      each.slice(FIELDS + row * 64 + FIELDS_NANOSECONDS, 8),
      Array.from({ length: extras }, (_, i) => each.span(EXTRAS + (row * extras + i) * SPAN_BYTES)),
    ];
    for (let row = 0; row < count; row++) expect(rowOf(arena, row)).toEqual(rowOf(reference, row));
    expect.unreachable('rows differ in what cannot be read');
  }

  describe('parsePattern', () => {
    it('takes a line apart', () => {
      const names = putProgram(
        '<Date> <Time> <Level> [<Process>] <Component>: <Content>',
        'yyyy-MM-dd HH:mm:ss,S+',
      );
      expect(names).toEqual(['Process']);
      const line = '2015-10-18 18:01:47,9781234 INFO [main] org.apache.Some: it: works';
      expect(kernels.parsePattern(SPANS, arena.putLines(line), FIELDS, EXTRAS, PROGRAM)).toBe(1);
      expect(arena.fields(0)).toMatchObject({
        timestamp: Date.UTC(2015, 9, 18, 18, 1, 47, 978),
        status: FIELDS_PARSED,
        level: 'INFO',
        component: 'org.apache.Some',
        content: 'it: works',
        pid: '',
      });
      expect(view.getInt32(FIELDS + FIELDS_NANOSECONDS, true)).toBe(123_400);
      expect(view.getInt32(FIELDS + FIELDS_FLAGS, true)).toBe(FIELDS_LOCAL);
      expect(arena.span(EXTRAS)).toBe('main');
    });

    it('finds what the reference finds in lines of all formats that are built in', () => {
      const random = createRandom(23);
      for (const [name, { pattern, time }] of Object.entries(PATTERNS)) {
        const extras = putProgram(pattern, time).length;
        const parsed = compare(anyLines(random, LINE_MAKERS[name as keyof typeof LINE_MAKERS], 1500), extras);
        expect([name, parsed > 100, parsed < 1400]).toEqual([name, true, true]);
      }
    });

    it('finds what the reference finds with patterns of all kinds', () => {
      const random = createRandom(24);
      for (const [pattern, time, make] of MORE) {
        const extras = putProgram(pattern, time).length;
        const parsed = compare(anyLines(random, make, 500), extras);
        expect([pattern, time, parsed > 20]).toEqual([pattern, time, true]);
      }
    });

    it('reads no further than the slack behind a line', () => {
      const random = createRandom(25);
      for (const [name, { pattern, time }] of Object.entries(PATTERNS)) {
        putProgram(pattern, time);
        const line = LINE_MAKERS[name as keyof typeof LINE_MAKERS](random);
        for (let length = 0; length <= Math.min(line.length, 90); length++) {
          const address = arena.u8.length - SLACK_BYTES - length;
          arena.putText(line.slice(0, length), address);
          view.setInt32(SPANS + SPAN_ADDRESS, address, true);
          view.setInt32(SPANS + SPAN_LENGTH, length, true);
          kernels.parsePattern(SPANS, 1, FIELDS, EXTRAS, PROGRAM);
          expect(arena.fields(0).line).toBe(line.slice(0, length));
        }
      }
    });
  });
}
