/** Taking lines of keys and values apart. */

import { describe, expect, it } from 'vitest';

import {
  FIELDS_NANOSECONDS,
  FIELDS_PARSED,
  LEVEL_ERROR,
  SLACK_BYTES,
  SPAN_ADDRESS,
  SPAN_BYTES,
  SPAN_LENGTH,
} from '../../../src/memory/layout.ts';
import { PROGRAM_CODE, PROGRAM_EXTRAS } from '../../../src/memory/program-layout.ts';
import { keyTable } from '../../../src/parse/keys.ts';
import { anyLines, LINE_MAKERS } from '../../kit/log-lines.ts';
import { ENTRIES, FIELDS, fieldBytes, OUT, type ParseArena, SPANS } from '../../kit/parse-arena.ts';
import { createRandom } from '../../kit/random.ts';

const TABLE = ENTRIES;
const EXTRAS = OUT;
const NAMES = ['hostname', 'a', 'pid'];
const LINES = {
  json: '{"level":50,"time":1600000000123,"pid":12,"hostname":"h","name":"app","req":{"a":[1,"}"]},"msg":"it \\"works\\""}',
  logfmt: 'time=2020-09-13T12:26:40.123Z level=error pid=12 name=app hostname=h flag msg="it \\"works\\""',
};

export function keysSuite(arena: ParseArena, reference: ParseArena): void {
  const { view } = arena;

  function putTable(names: readonly string[]): void {
    for (const { view: each } of [arena, reference]) {
      each.setInt32(TABLE + PROGRAM_EXTRAS, names.length, true);
      for (const [i, word] of keyTable(names).entries())
        each.setInt32(TABLE + PROGRAM_CODE + i * 4, word, true);
    }
  }

  for (const [format, kernel] of [
    ['json', 'parseJson'],
    ['logfmt', 'parseLogfmt'],
  ] as const) {
    const run = ({ kernels }: ParseArena, count: number): number =>
      kernels[kernel](SPANS, count, FIELDS, EXTRAS, TABLE);

    describe(kernel, () => {
      it('takes a line apart', () => {
        putTable(NAMES);
        expect(run(arena, arena.putLines(LINES[format]))).toBe(1);
        expect(arena.fields(0)).toMatchObject({
          timestamp: 1_600_000_000_123,
          status: FIELDS_PARSED,
          levelCode: LEVEL_ERROR,
          pid: '12',
          component: 'app',
          content: 'it \\"works\\"',
        });
        expect(NAMES.map((_, i) => arena.span(EXTRAS + i * SPAN_BYTES))).toEqual(['h', '', '12']);
      });

      it('finds what the reference finds', () => {
        putTable(NAMES);
        const random = createRandom(26);
        let parsed = 0;
        for (let round = 0; round < 4; round++) {
          const text = anyLines(random, LINE_MAKERS[format], 1000).join('\n');
          const count = arena.putLines(text);
          reference.putLines(text);
          const found = run(arena, count);
          expect(found).toBe(run(reference, count));
          const size = count * NAMES.length * SPAN_BYTES;
          const isSame =
            fieldBytes(arena, count).equals(fieldBytes(reference, count)) &&
            arena.slice(EXTRAS, size).equals(reference.slice(EXTRAS, size));
          if (!isSame) {
            const rowOf = (each: ParseArena, row: number): unknown => [
              each.fields(row),
              each.slice(FIELDS + row * 64 + FIELDS_NANOSECONDS, 8),
              NAMES.map((_, i) => each.span(EXTRAS + (row * NAMES.length + i) * SPAN_BYTES)),
            ];
            for (let row = 0; row < count; row++) expect(rowOf(arena, row)).toEqual(rowOf(reference, row));
            expect.unreachable('rows differ in what cannot be read');
          }
          parsed += found;
        }
        expect(parsed).toBeGreaterThan(400);
      });

      it('reads no further than the slack behind a line', () => {
        putTable(NAMES);
        const line = LINES[format];
        for (let length = 0; length <= line.length; length++) {
          const address = arena.u8.length - SLACK_BYTES - length;
          arena.putText(line.slice(0, length), address);
          view.setInt32(SPANS + SPAN_ADDRESS, address, true);
          view.setInt32(SPANS + SPAN_LENGTH, length, true);
          run(arena, 1);
          expect(arena.fields(0).line).toBe(line.slice(0, length));
        }
      });
    });
  }

  describe('parseJson', () => {
    it('agrees with JSON.parse about the objects that are whole', () => {
      putTable(['hostname', 'a', 'x.y']);
      const random = createRandom(27);
      const lines = Array.from({ length: 2000 }, () => LINE_MAKERS.json(random));
      const count = arena.putLines(lines.join('\n'));
      arena.kernels.parseJson(SPANS, count, FIELDS, EXTRAS, TABLE);
      let whole = 0;
      for (const [i, line] of lines.entries()) {
        let object: Record<string, unknown>;
        try {
          object = JSON.parse(Buffer.from(line, 'latin1').toString('latin1')) as Record<string, unknown>;
        } catch {
          continue;
        }
        const row = arena.fields(i);
        const hasTime = ['time', '@timestamp', 'ts'].some((key) => key in object);
        if (!hasTime) expect([line, row.status]).toEqual([line, FIELDS_PARSED]);
        if (row.status !== FIELDS_PARSED) continue;
        whole++;
        for (const [k, key] of ['hostname', 'a', 'x.y'].entries()) {
          const value = object[key];
          // Where a key is there twice and null the second time, the first is what is found.
          if (value === undefined || value === null) continue;
          const span = arena.span(EXTRAS + (i * 3 + k) * SPAN_BYTES);
          expect([line, typeof value === 'string' ? JSON.parse(`"${span}"`) : JSON.parse(span)]).toEqual([
            line,
            value,
          ]);
        }
        const message = object['msg'];
        if (typeof message === 'string')
          expect([line, JSON.parse(`"${row.content}"`)]).toEqual([line, message]);
      }
      expect(whole).toBeGreaterThan(300);
    });
  });
}
