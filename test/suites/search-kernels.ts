/**
 * What every implementation of the search kernels must do. Each is compared with the reference on the same
 * bytes, and with facts that do not come from it.
 *
 * @module
 */

import { describe, expect, it } from 'vitest';

import { SPAN_ADDRESS, SPAN_BYTES, TEXT_HAS_RETURN, TEXT_NOT_ASCII } from '../../src/memory/layout.ts';
import type { AllKernels } from '../../src/memory/parse-kernels.ts';
import type { WasmMemory } from '../../src/memory/webassembly.ts';
import { FINDER_BYTES, writeFinder } from '../../src/scan/finder.ts';
import { createParseArena, FIELDS, type ParseArena, SPANS, TEXT } from '../kit/parse-arena.ts';
import { createRandom, type Random } from '../kit/random.ts';
import { referenceOf } from './parse-kernels.ts';

const FINDER = FIELDS;
const LINES_MAX = 1000;

/** Writes the same finder for both. */
function putFinder(arenas: readonly ParseArena[], literals: readonly string[], fold: boolean): void {
  const bytes = literals.map((literal) => Buffer.from(literal, 'latin1'));
  // What lay there before must not matter.
  for (const { u8, view } of arenas) {
    u8.fill(0xa5, FINDER, FINDER + FINDER_BYTES);
    writeFinder({ u8, data: view }, FINDER, bytes, fold);
  }
}

/** Text of few letters, so that literals of them are nearly there at many places. */
function randomText(random: Random, bytes: number): string {
  const letters = random.pick(['ab', 'abAB', 'ab\xe9\xc9', 'abcdefghij \xff@`']);
  const density = random.pick([0.002, 0.03, 0.3]);
  let text = '';
  while (text.length < bytes) text += random.chance(density) ? '\n' : random.pick(letters.split(''));
  return text;
}

/** A literal that is in the text, or nearly. */
function randomLiteral(random: Random, text: string, fold: boolean): string {
  const length = random.pick([1, 2, 3, 4, 7, 8, 9, 17, 40]);
  const at = random.int(0, Math.max(0, text.length - length));
  let literal = text.slice(at, at + length).replaceAll('\n', random.pick(['a', 'b', 'x']));
  if (literal === '') literal = 'a';
  return fold ? literal.replaceAll(/[A-Z]/g, (letter) => letter.toLowerCase()) : literal;
}

export function searchKernelsSuite(name: string, factory: (memory: WasmMemory) => AllKernels): void {
  describe(name, () => {
    const arena = createParseArena(factory);
    const reference = createParseArena(referenceOf);
    const { kernels } = arena;

    function found(text: string, literals: readonly string[], fold = false, maxLines = LINES_MAX): string[] {
      putFinder([arena], literals, fold);
      const count = kernels.findLines(FINDER, TEXT, arena.putText(text), SPANS, maxLines);
      return Array.from({ length: count }, (_, i) => arena.span(SPANS + i * SPAN_BYTES));
    }

    it('finds the lines that have a literal, each once and without its line feed', () => {
      const text = 'one\ntwo one one\n\nthree\r\none';
      expect(found(text, ['one'])).toEqual(['one', 'two one one', 'one']);
      expect(found(text, ['three\r'])).toEqual(['three\r']);
      expect(found(text, ['e\no'])).toEqual([]);
      expect(found(text, ['four'])).toEqual([]);
      expect(found('', ['a'])).toEqual([]);
    });

    it('finds several literals at once', () => {
      const text = 'first line\nsecond line\nthird\n';
      expect(found(text, ['thi', 'second'])).toEqual(['second line', 'third']);
      expect(found(text, ['x', 'line', 'ne'])).toEqual(['first line', 'second line']);
      expect(found(text, ['zz', 'yy'])).toEqual([]);
      const many = Array.from({ length: 64 }, (_, i) => `${i.toString(36)}?`);
      expect(found(text, [...many.slice(0, 63), 'd'])).toEqual(['second line', 'third']);
    });

    it('finds letters of ASCII in either case where it is told to, and nothing else', () => {
      const text = 'Error\neRROR\nE2ror\n@\n`\n[\n{\n\xc9\n\xe9\n';
      expect(found(text, ['error'], true)).toEqual(['Error', 'eRROR']);
      expect(found(text, ['error', '`'], true)).toEqual(['Error', 'eRROR', '`']);
      expect(found(text, ['{'], true)).toEqual(['{']);
      expect(found(text, ['\xe9'], true)).toEqual(['\xe9']);
    });

    it('stops when there is no room for more lines, and says where', () => {
      expect(found('a\nb\na\n', ['a'], false, 1)).toEqual(['a']);
      expect(arena.view.getInt32(SPANS + SPAN_BYTES + SPAN_ADDRESS, true)).toBe(TEXT + 2);
      expect(found('a\nb\na', ['a'], false, 2)).toEqual(['a', 'a']);
      expect(arena.view.getInt32(SPANS + 2 * SPAN_BYTES + SPAN_ADDRESS, true)).toBe(TEXT + 5);
    });

    it('finds what the reference finds in random text, wherever it lies', () => {
      const random = createRandom(41);
      for (let i = 0; i < 300; i++) {
        const text = Buffer.from(
          randomText(random, random.pick([0, 1, 15, 16, 17, 64, 300, 2000])),
          'latin1',
        );
        const fold = random.chance(0.4);
        const literals = Array.from({ length: random.pick([1, 1, 2, 5, 20]) }, () =>
          randomLiteral(random, text.toString('latin1'), fold),
        );
        const address = TEXT + random.int(0, 70);
        putFinder([arena, reference], literals, fold);
        for (const { u8 } of [arena, reference]) {
          // What lies around the text is not to be found.
          u8.fill(0x61, address - 80, address + text.length + 80);
          u8.set(text, address);
        }
        const maxLines = random.pick([0, 1, 7, LINES_MAX]);
        const counts = [arena, reference].map((one) => [
          one.kernels.findLines(FINDER, address, text.length, SPANS, maxLines),
          one.kernels.countFound(FINDER, address, text.length),
        ]);
        const answer = { literals, text: text.toString('latin1'), counts: counts[0] };
        expect(answer).toEqual({ ...answer, counts: counts[1] });
        const spansBytes = ((counts[0]?.[0] ?? 0) + 1) * SPAN_BYTES;
        expect(arena.slice(SPANS, spansBytes)).toEqual(reference.slice(SPANS, spansBytes));
      }
    });

    it('counts line feeds, finds them from the end, and tells bytes apart', () => {
      const random = createRandom(42);
      for (let i = 0; i < 200; i++) {
        const length = random.int(0, random.pick([20, 70, 5000, 40_000]));
        const density = random.pick([0, 0.001, 0.1, 1]);
        const text = new Uint8Array(length).map(() => (random.chance(density) ? 10 : 0x61));
        if (random.chance(0.3) && length > 0) text[random.int(0, length - 1)] = random.pick([13, 0x80, 0xff]);
        const address = TEXT + random.int(0, 70);
        for (const { u8 } of [arena, reference]) {
          u8.fill(0x0a, address - 80, address + length + 80);
          u8.set(text, address);
        }
        const number = random.int(1, random.pick([2, 100, 6000]));
        const [answers, expected] = [arena, reference].map((one) => [
          one.kernels.countFeeds(address, length),
          one.kernels.findFeedBack(address, length, number),
          one.kernels.examineText(address, length),
        ]);
        expect(answers).toEqual(expected);
      }
      expect(kernels.examineText(TEXT, arena.putText('a\r\xff'))).toBe(TEXT_NOT_ASCII + TEXT_HAS_RETURN);
      expect(kernels.findFeedBack(TEXT, arena.putText('a\nb\nc'), 2)).toBe(TEXT + 1);
      expect(kernels.findFeedBack(TEXT, arena.putText('a\nb\nc'), 3)).toBe(-1);
    });
  });
}
