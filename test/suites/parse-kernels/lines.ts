/** Finding lines. */

import { describe, expect, it } from 'vitest';

import { SLACK_BYTES, SPAN_ADDRESS, SPAN_BYTES } from '../../../src/memory/layout.ts';
import { type ParseArena, SPANS, spanBytes, TEXT } from '../../kit/parse-arena.ts';
import { createRandom } from '../../kit/random.ts';

export function linesSuite(arena: ParseArena, reference: ParseArena): void {
  const { kernels, u8, view } = arena;

  function linesOf(text: string, last = 1, maxLines = 100): { lines: string[]; next: number } {
    const count = kernels.indexLines(TEXT, arena.putText(text), SPANS, maxLines, last);
    const lines = Array.from({ length: count }, (_, i) => arena.span(SPANS + i * SPAN_BYTES));
    return { lines, next: view.getInt32(SPANS + count * SPAN_BYTES + SPAN_ADDRESS, true) - TEXT };
  }

  describe('indexLines', () => {
    it('takes line feeds, and carriage returns before them, off the lines', () => {
      expect(linesOf('one\ntwo\r\n\n\r\nx\r\r\n\ry\n')).toEqual({
        lines: ['one', 'two', '', '', 'x\r', '\ry'],
        next: 19,
      });
    });

    it('takes what is behind the last line end for a line only where nothing follows', () => {
      expect(linesOf('one\ntwo', 0)).toEqual({ lines: ['one'], next: 4 });
      expect(linesOf('one\ntwo', 1)).toEqual({ lines: ['one', 'two'], next: 7 });
      expect(linesOf('one\ntwo\r', 1)).toEqual({ lines: ['one', 'two\r'], next: 8 });
      expect(linesOf('one\n', 1)).toEqual({ lines: ['one'], next: 4 });
    });

    it('finds no line where there is no text', () => {
      expect(linesOf('', 1)).toEqual({ lines: [], next: 0 });
      expect(linesOf('abc', 0)).toEqual({ lines: [], next: 0 });
    });

    it('stops when there is no room for more lines, and says where', () => {
      expect(linesOf('a\nb\nc\n', 1, 2)).toEqual({ lines: ['a', 'b'], next: 4 });
      expect(linesOf('a\nb', 1, 1)).toEqual({ lines: ['a'], next: 2 });
      expect(linesOf('a\nb', 1, 0)).toEqual({ lines: [], next: 0 });
      expect(linesOf('\n'.repeat(200), 1, 64)).toEqual({ lines: new Array(64).fill(''), next: 64 });
    });

    it('finds the lines of the reference in random text of any length, wherever it lies', () => {
      const random = createRandom(20);
      for (let i = 0; i < 400; i++) {
        const bytes = random.bytes(random.int(0, random.pick([5, 70, 300, 3000])));
        const density = random.pick([0.01, 0.1, 0.5]);
        for (let at = 0; at < bytes.length; at++) {
          if (random.chance(density)) bytes[at] = random.pick([10, 10, 13]);
        }
        const address = TEXT + random.int(0, 70);
        const maxLines = random.pick([0, 1, 7, 64, 4000]);
        const last = random.int(0, 1);
        // What lies around the text is not to be found.
        for (const { u8: around } of [arena, reference]) {
          around.fill(10, address - 80, address + bytes.length + 80);
          around.set(bytes, address);
        }
        const count = kernels.indexLines(address, bytes.length, SPANS, maxLines, last);
        expect(count).toBe(reference.kernels.indexLines(address, bytes.length, SPANS, maxLines, last));
        const found = spanBytes(arena, count + 1);
        expect(found.equals(spanBytes(reference, count + 1)), `text ${i}`).toBe(true);
      }
    });

    it('reads no further than the slack behind the text', () => {
      for (let length = 0; length < 200; length++) {
        const address = u8.length - SLACK_BYTES - length;
        u8.fill(0x61, address);
        if (length > 0) u8[address + length - 1] = 10;
        expect(kernels.indexLines(address, length, SPANS, 10, 0)).toBe(length > 0 ? 1 : 0);
      }
    });
  });
}
