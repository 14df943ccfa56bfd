/** Telling lines of stack traces from others. */

import { describe, expect, it } from 'vitest';

import {
  FIELDS_BYTES,
  FIELDS_CONTINUATION,
  FIELDS_FAILED,
  FIELDS_STATUS,
  SLACK_BYTES,
  SPAN_ADDRESS,
  SPAN_LENGTH,
} from '../../../src/memory/layout.ts';
import { goodLine } from '../../kit/hdfs-lines.ts';
import { FIELDS, fieldBytes, type ParseArena, SPANS } from '../../kit/parse-arena.ts';
import { createRandom, type Random } from '../../kit/random.ts';

const YES = [
  ' x',
  '\tat org.apache.Some.method(Some.java:12)',
  ' ',
  'at Some.where',
  'at ',
  'Caused by: java.lang.Error',
  'Caused by:',
  'Suppressed: x',
  '... 12 more',
  'Traceback (most recent call last):',
  'Exception in thread "main" java.lang.Error',
  '}',
  '} [cause]: x',
  'java.io.IOException: Connection reset by peer',
  'java.lang.NullPointerException',
  'Error: no such file',
  'Error',
  'Exception',
  'TypeError: x is not a function',
  'a$b_c.9Throwable:',
  `${'x'.repeat(250)}Error: x`,
];

const NO = [
  '',
  'a',
  'at',
  'att ',
  'Caused by',
  'caused by: x',
  'Suppressed',
  '...12 more',
  '... '.trim(),
  'Traceback',
  'exception: x',
  'Exceptions: x',
  'rror: x',
  'xception: x',
  'error: x',
  'Error x',
  'Error\r\r',
  'java.io.IOException Connection reset',
  'java-io-IOException: x',
  `${'x'.repeat(251)}Error: x`,
  `${'x'.repeat(251)}Error`,
  'hrowable',
  '{',
];

/** Beginnings of lines, whole and broken. */
function anyLine(random: Random): string {
  const line = random.pick(random.chance(0.5) ? YES : NO);
  if (random.chance(0.3)) return goodLine(random);
  if (random.chance(0.4)) return line;
  const at = random.int(0, Math.max(0, line.length));
  const byte = random.pick([' ', ':', 'E', 'x', '.', '$', '\u00c5', '\t', '']);
  return line.slice(0, at) + byte + line.slice(at + random.int(0, 1));
}

export function continuationsSuite(arena: ParseArena, reference: ParseArena): void {
  const { kernels, view } = arena;

  function statuses(lines: readonly string[]): number[] {
    const count = arena.putLines(lines.join('\n'));
    kernels.parseHdfs(SPANS, count, FIELDS);
    kernels.markContinuations(FIELDS, count);
    return lines.slice(0, count).map((_, i) => arena.fields(i).status);
  }

  describe('markContinuations', () => {
    it('knows the lines of a stack trace by their beginning', () => {
      for (const line of YES) expect([line, statuses(['x', line])[1]]).toEqual([line, FIELDS_CONTINUATION]);
      for (const line of NO) {
        expect([line, statuses([line, 'x'])[0]]).toEqual([line, FIELDS_FAILED]);
      }
    });

    it('finds what the reference finds, and changes nothing else', () => {
      const random = createRandom(22);
      for (let i = 0; i < 20; i++) {
        const text = Array.from({ length: 300 }, () => anyLine(random)).join('\n');
        const count = arena.putLines(text);
        reference.putLines(text);
        for (const { kernels: each } of [arena, reference]) each.parseHdfs(SPANS, count, FIELDS);
        const marked = kernels.markContinuations(FIELDS, count);
        expect(marked).toBe(reference.kernels.markContinuations(FIELDS, count));
        expect(fieldBytes(arena, count)).toEqual(fieldBytes(reference, count));
        expect(marked).toBeGreaterThan(20);
      }
    });

    it('reads no further than the slack behind a line', () => {
      for (const line of [...YES, ...NO]) {
        const address = arena.u8.length - SLACK_BYTES - line.length;
        arena.putText(line, address);
        view.setInt32(SPANS + SPAN_ADDRESS, address, true);
        view.setInt32(SPANS + SPAN_LENGTH, line.length, true);
        kernels.plainFields(SPANS, 1, FIELDS);
        view.setInt32(FIELDS + FIELDS_STATUS, FIELDS_FAILED, true);
        view.setInt32(FIELDS + FIELDS_BYTES + FIELDS_STATUS, FIELDS_FAILED, true);
        kernels.markContinuations(FIELDS, 1);
        expect(view.getInt32(FIELDS + FIELDS_BYTES + FIELDS_STATUS, true)).toBe(FIELDS_FAILED);
      }
    });
  });
}
