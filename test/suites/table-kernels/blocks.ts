/** Blocks: built, taken apart, searched; against what went in, and against the reference byte for byte. */

import { describe, expect, it } from 'vitest';

import {
  FOUND_BYTES,
  FOUND_SEQUENCE,
  FOUND_VALUE,
  FOUND_VALUE_LENGTH,
  KIND_NONE,
  KIND_PUT,
} from '../../../src/memory/lsm-layout.ts';
import * as layout from '../../../src/memory/table-layout.ts';
import { createRandom } from '../../kit/random.ts';
import {
  compareEntries,
  randomEntries,
  randomKey,
  type TableArena,
  type TestEntry,
  textOf,
} from '../../kit/table-arena.ts';

const SEQUENCE_MAX = 2 ** 53 - 1;

function entry(key: string | Uint8Array, sequence = 0, value = ''): TestEntry {
  return { key: Buffer.from(key), value: Buffer.from(value), sequence, kind: KIND_PUT };
}

export function blocksSuite(arena: TableArena, reference: TableArena): void {
  const { kernels } = arena;

  /** What a search finds: the text of the entry, or a code. */
  function find(at: number, bytes: number, key: Uint8Array, snapshot: number): string | number {
    const found = arena.allocate(FOUND_BYTES);
    const kind = kernels.findInBlock(at, bytes, arena.put(key), key.length, snapshot, found);
    if (kind <= KIND_NONE || kind === layout.FOUND_MORE) return kind;
    const value = arena.slice(arena.i32(found + FOUND_VALUE), arena.i32(found + FOUND_VALUE_LENGTH));
    return textOf({ key, value, kind, sequence: arena.f64(found + FOUND_SEQUENCE) });
  }

  describe('a block', () => {
    it('is the same as that of the reference, and gives back what went in', () => {
      const random = createRandom(500);
      for (let round = 0; round < 60; round++) {
        arena.clear();
        reference.clear();
        const entries = randomEntries(
          random,
          random.pick([1, 2, 15, 16, 17, 60, 300]),
          random.pick([1, 5, 1e6]),
        );
        const options = { interval: random.pick([1, 2, 16]), target: 65_536 };
        const block = arena.build(entries, options);
        expect(block.equals(reference.build(entries, options))).toBe(true);
        expect(arena.decode(block)?.map(textOf)).toEqual(entries.map(textOf));
        expect(reference.decode(block)?.map(textOf)).toEqual(entries.map(textOf));
      }
    });

    it('is what the format says', () => {
      arena.clear();
      const block = arena.build([entry('ab', 7, 'X'), entry('abc', 5, ''), entry('b', 5, 'yz')], { base: 5 });
      const hex = [
        '00020109 6162 58', // nothing shared, 2 bytes, a value of 1, (7 - 5) * 4 + 1
        '02010001 63',
        '00010201 62 797a',
        '00000000', // one restart
        '0500000000000000 03000000 01000000',
      ];
      expect(block.toString('hex')).toBe(hex.join('').replaceAll(' ', ''));
    });

    it('holds the longest key, the greatest sequence number and the largest entry', () => {
      arena.clear();
      const longest = new Uint8Array(layout.KEY_BYTES_MAX).fill(7);
      const entries = [
        entry(longest, SEQUENCE_MAX, 'v'),
        entry(longest, 0, ''),
        { ...entry('\x08', 1), value: createRandom(1).bytes(100_000) },
      ];
      const block = arena.build(entries, { target: 300_000 });
      expect(arena.decode(block)?.map(textOf)).toEqual(entries.map(textOf));
    });

    it('is counted', () => {
      arena.clear();
      const builder = arena.builder();
      const add = ({ key, value, sequence, kind }: TestEntry): void =>
        kernels.addEntry(builder, arena.put(key), key.length, arena.put(value), value.length, sequence, kind);
      add(entry('a', 9, '12'));
      add({ ...entry('a', 3), kind: 2 });
      add(entry('abc', 4, '1'));
      kernels.finishBlock(builder);
      const counts = [
        layout.BUILDER_ALL_ENTRIES,
        layout.BUILDER_TOMBSTONES,
        layout.BUILDER_RAW_KEY_BYTES,
        layout.BUILDER_RAW_VALUE_BYTES,
        layout.BUILDER_LEAST_SEQUENCE,
        layout.BUILDER_GREATEST_SEQUENCE,
      ].map((field) => arena.f64(builder + field));
      expect(counts).toEqual([3, 1, 5, 3, 3, 9]);
      const sizes = [layout.BUILDER_LONGEST_KEY, layout.BUILDER_MOST_DECODED, layout.BUILDER_LARGEST_ENTRY];
      expect(sizes.map((field) => arena.i32(builder + field))).toEqual([3, 3 * 32 + 5, 4]);
      // One hash a key, however many versions.
      expect(arena.i32(builder + layout.BUILDER_HASH_COUNT)).toBe(2);
    });

    it('finds for each snapshot what looking at one entry after the other finds', () => {
      const random = createRandom(501);
      for (let round = 0; round < 15; round++) {
        arena.clear();
        const entries = randomEntries(random, random.pick([1, 3, 40, 100]), random.pick([3, 50]));
        const bytes = arena.build(entries, { interval: random.pick([1, 3, 16]), target: 65_536 });
        const block = arena.put(bytes);
        const keys = [
          ...entries.map(({ key }) => key),
          ...Array.from({ length: 10 }, () => randomKey(random)),
        ];
        for (const key of keys) {
          const snapshot = random.pick([0, 1, 2, random.int(0, 50), SEQUENCE_MAX]);
          const versions = entries.filter((other) => Buffer.compare(other.key, key) === 0);
          const seen = versions.find(({ sequence }) => sequence < snapshot);
          const goesOn = versions.length > 0 && versions.at(-1) === entries.at(-1);
          const expected = seen === undefined ? (goesOn ? layout.FOUND_MORE : KIND_NONE) : textOf(seen);
          expect(find(block, bytes.length, key, snapshot)).toBe(expected);
        }
      }
    });

    it('is refused where its entries are out of order', () => {
      const wrong = [
        [entry('b'), entry('a')],
        [entry('a', 1), entry('a', 1)],
        [entry('a', 1), entry('a', 2)],
        [entry('ab'), entry('a')],
      ];
      for (const entries of wrong) {
        for (const interval of [1, 16]) {
          arena.clear();
          const block = arena.build(entries, { interval });
          expect(arena.decode(block)).toBeUndefined();
          expect(reference.decode(block)).toBeUndefined();
        }
      }
    });

    it('is not taken apart into less room than it needs', () => {
      arena.clear();
      const entries = Array.from({ length: 20 }, (_, i) => entry(`key-${String(i).padStart(4, '0')}`, i));
      const bytes = arena.build(entries);
      const block = arena.put(bytes);
      const out = arena.allocate(4096);
      // The two keys at restarts stay in the block.
      const needed = 20 * layout.ROW_ENTRY_BYTES + 18 * 8;
      expect(kernels.decodeBlock(block, bytes.length, out, needed)).toBe(20);
      arena.u8.fill(0xaa, out, out + 4096);
      expect(kernels.decodeBlock(block, bytes.length, out, needed - 1)).toBe(-1);
      expect(kernels.decodeBlock(block, bytes.length, out, 20 * layout.ROW_ENTRY_BYTES - 1)).toBe(-1);
      expect(arena.slice(out + needed + 16, 64).every((byte) => byte === 0xaa)).toBe(true);
    });

    it('has rows that are searched as a list is', () => {
      const random = createRandom(502);
      for (let round = 0; round < 30; round++) {
        arena.clear();
        const entries = randomEntries(random, random.int(1, 60), 5);
        const bytes = arena.build(entries, { target: 65_536 });
        const rows = arena.allocate(65_536);
        const count = kernels.decodeBlock(arena.put(bytes), bytes.length, rows, 65_536);
        const run = arena.run(entries);
        for (const key of [...entries.map((other) => other.key), randomKey(random), randomKey(random)]) {
          const less = entries.filter((other) => Buffer.compare(other.key, key) < 0).length;
          const notGreater = entries.filter((other) => Buffer.compare(other.key, key) <= 0).length;
          const at = arena.put(key);
          expect(kernels.seekRows(rows, count, at, key.length, 0)).toBe(less);
          expect(kernels.seekRows(rows, count, at, key.length, 1)).toBe(notGreater);
          expect(kernels.seekRun(run, count, at, key.length)).toBe(less);
        }
      }
    });
  });

  describe('an index block', () => {
    it('finds the first entry that is not less, and its numbers', () => {
      const random = createRandom(503);
      for (let round = 0; round < 15; round++) {
        arena.clear();
        const keys = [...new Set(Array.from({ length: random.int(1, 80) }, () => randomKey(random)))];
        const sorted = keys
          .sort(Buffer.compare)
          .filter((key, i) => i === 0 || Buffer.compare(keys[i - 1] as Uint8Array, key) !== 0);
        const numbers = sorted.map((_, i) =>
          [i, random.int(0, SEQUENCE_MAX), 127, 128].slice(0, random.int(1, 4)),
        );
        const entries = sorted.map((key, i) => ({ ...entry(key), value: varints(numbers[i] as number[]) }));
        const bytes = arena.build(entries, { interval: 1, target: 65_536, withHashes: false });
        const block = arena.put(bytes);
        const fields = arena.allocate(layout.INDEX_FIELDS_BYTES);
        for (const key of [...sorted, randomKey(random), Buffer.alloc(30, 255)]) {
          const expected = sorted.filter((other) => Buffer.compare(other, key) < 0).length;
          expect(kernels.seekIndex(block, bytes.length, arena.put(key), key.length, 0)).toBe(expected);
          expect(kernels.seekIndex(block, bytes.length, arena.put(key), key.length, fields)).toBe(expected);
          if (expected === sorted.length) continue;
          const wanted = numbers[expected] as number[];
          expect(arena.i32(fields + layout.INDEX_FIELDS_COUNT)).toBe(wanted.length);
          expect(wanted.map((_, i) => arena.f64(fields + i * 8))).toEqual(wanted);
          arena.u8.fill(0, fields, fields + layout.INDEX_FIELDS_BYTES);
          expect(kernels.readIndex(block, bytes.length, expected, fields)).toBe(wanted.length);
          expect(wanted.map((_, i) => arena.f64(fields + i * 8))).toEqual(wanted);
        }
        expect(kernels.readIndex(block, bytes.length, sorted.length, fields)).toBe(-1);
      }
    });

    it('is none where keys are cut short, or numbers are none', () => {
      arena.clear();
      const short = arena.build([entry('aa', 0, '\x01'), entry('ab', 0, '\x01')]);
      expect(kernels.seekIndex(arena.put(short), short.length, arena.put(Buffer.from('b')), 1, 0)).toBe(-1);
      const bad = arena.build([entry('aa', 0, '\xff'.repeat(4))], { interval: 1 });
      const fields = arena.allocate(layout.INDEX_FIELDS_BYTES);
      expect(kernels.seekIndex(arena.put(bad), bad.length, arena.put(Buffer.from('a')), 1, fields)).toBe(-1);
      const many = arena.build([entry('aa', 0, '\x01'.repeat(7))], { interval: 1 });
      expect(kernels.readIndex(arena.put(many), many.length, 0, fields)).toBe(-1);
    });
  });

  describe('a separator', () => {
    it('lies between two keys, is no longer than the first, and is what the reference makes', () => {
      const random = createRandom(504);
      for (let round = 0; round < 800; round++) {
        arena.clear();
        reference.clear();
        const [a, b] = [randomKey(random), randomKey(random)].sort(Buffer.compare) as [
          Uint8Array,
          Uint8Array,
        ];
        if (Buffer.compare(a, b) === 0) continue;
        const made = [arena, reference].map((each) => {
          const out = each.allocate(512);
          const length = each.kernels.separate(each.put(a), a.length, each.put(b), b.length, out);
          return each.slice(out, length);
        }) as [Buffer, Buffer];
        expect(made[0].equals(made[1])).toBe(true);
        expect(Buffer.compare(a, made[0])).toBeLessThanOrEqual(0);
        expect(Buffer.compare(made[0], b)).toBe(-1);
        expect(made[0].length).toBeLessThanOrEqual(a.length);
      }
    });

    it('is short where it can be', () => {
      const between = (a: string, b: string): string => {
        arena.clear();
        const out = arena.allocate(64);
        const length = kernels.separate(
          arena.put(Buffer.from(a)),
          a.length,
          arena.put(Buffer.from(b)),
          b.length,
          out,
        );
        return arena.slice(out, length).toString('latin1');
      };
      expect(between('apple', 'melon')).toBe('b');
      expect(between('key-0034xx', 'key-0035')).toBe('key-0034y');
      expect(between('a', 'ab')).toBe('a');
      expect(between('a', 'b')).toBe('a');
    });
  });

  describe('a trailer', () => {
    it('is right for what was sealed, and wrong after any change', () => {
      arena.clear();
      const bytes = createRandom(505).bytes(40);
      const at = arena.allocate(64);
      arena.u8.set(bytes, at);
      kernels.sealBlock(at, bytes.length, 2);
      const size = bytes.length + layout.BLOCK_TRAILER_BYTES;
      expect(kernels.openBlock(at, size)).toBe(2);
      for (let bit = 0; bit < size * 8; bit++) {
        const byte = at + (bit >> 3);
        arena.u8[byte] = (arena.u8[byte] as number) ^ (1 << (bit & 7));
        expect(kernels.openBlock(at, size)).toBe(-1);
        arena.u8[byte] = arena.u8[byte] ^ (1 << (bit & 7));
      }
      for (let short = 0; short <= layout.BLOCK_TRAILER_BYTES; short++)
        expect(kernels.openBlock(at, short)).toBe(-1);
    });
  });

  it('entries are compared as the tests compare them', () => {
    expect([entry('b', 1), entry('a', 1), entry('a', 2)].sort(compareEntries).map(textOf)).toEqual(
      [entry('a', 2), entry('a', 1), entry('b', 1)].map(textOf),
    );
  });
}

/** Numbers as varints, end to end. */
export function varints(numbers: readonly number[]): Buffer {
  const bytes: number[] = [];
  for (const number of numbers) {
    let rest = BigInt(number);
    for (; rest >= 0x80n; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
    bytes.push(Number(rest));
  }
  return Buffer.from(bytes);
}
