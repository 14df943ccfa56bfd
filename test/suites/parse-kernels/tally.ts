/** Counting rows. */

import { describe, expect, it } from 'vitest';

import {
  FIELDS_FAILED,
  FIELDS_PARSED,
  FIELDS_PLAIN,
  LEVEL_INFO,
  LEVEL_WARN,
  MEMO_BYTES,
  PAGE_BYTES,
  PAGE_SECONDS,
  SLOT_COUNT,
  SLOT_KEY,
  TALLY_BYTES,
  TALLY_COMPONENTS,
  TALLY_EARLIEST,
  TALLY_LATEST,
  TALLY_LEVELS,
  TALLY_MEMO,
  TALLY_PAGES,
  TALLY_STATUSES,
  TALLY_TEMPLATES,
} from '../../../src/memory/layout.ts';
import type { MemoryView } from '../../../src/memory/memory.ts';
import { ShapeMemo } from '../../../src/memory/shape-memo.ts';
import { Table, type TableShape, tableBytes } from '../../../src/memory/table.ts';
import { maskMessage } from '../../../src/memory/template.ts';
import { mixedLines } from '../../kit/hdfs-lines.ts';
import { ENTRIES, FIELDS, OUT, type ParseArena, SPANS } from '../../kit/parse-arena.ts';
import { createRandom, type Random } from '../../kit/random.ts';

const TALLY = OUT;
const CHOSEN = ENTRIES;
const TEXTS: TableShape = { slots: 4096, limit: 3000, stride: 256 };
const PAGES: TableShape = { slots: 1024, limit: 700, stride: PAGE_BYTES };

/** What was counted, in a form that does not depend on hashes. */
interface Counted {
  statuses: number[];
  levels: number[];
  earliest: number;
  latest: number;
  components: [string, number][];
  templates: [string, number][];
  seconds: [number, number][];
}

class Tally {
  readonly #arena: ParseArena;
  readonly #components: Table;
  readonly #templates: Table;
  readonly #pages: Table;
  readonly #shapes: ShapeMemo;

  constructor(
    arena: ParseArena,
    templates: TableShape = { ...TEXTS, limit: 2000, stride: 504 },
    pages: TableShape = PAGES,
  ) {
    this.#arena = arena;
    const { u8, view } = arena;
    // A table needs nothing of a memory but its views.
    const memory = {
      u8,
      i32: new Int32Array(arena.memory.buffer),
      buffer: (address: number, bytes: number) => Buffer.from(arena.memory.buffer, address, bytes),
    } as unknown as MemoryView;
    let at = TALLY + TALLY_BYTES + 32;
    const place = (shape: TableShape): Table => {
      const table = new Table(memory, at, shape);
      at += tableBytes(shape);
      return table;
    };
    u8.fill(0, TALLY, TALLY + TALLY_BYTES);
    view.setFloat64(TALLY + TALLY_EARLIEST, Number.POSITIVE_INFINITY, true);
    view.setFloat64(TALLY + TALLY_LATEST, Number.NEGATIVE_INFINITY, true);
    this.#pages = place(pages);
    this.#components = place({ ...TEXTS, slots: 1024, limit: 700 });
    this.#templates = place(templates);
    this.#shapes = new ShapeMemo(memory, at);
    at += MEMO_BYTES;
    expect(at).toBeLessThanOrEqual(arena.memory.buffer.byteLength);
    for (const [field, table] of [
      [TALLY_COMPONENTS, this.#components],
      [TALLY_TEMPLATES, this.#templates],
      [TALLY_PAGES, this.#pages],
    ] as const) {
      view.setInt32(TALLY + field, table.address, true);
    }
    view.setInt32(TALLY + TALLY_MEMO, this.#shapes.address, true);
  }

  /** Makes room for other templates; returns what is taken off each count. */
  reduce(): number {
    this.#shapes.clear();
    return this.#templates.reduce();
  }

  /** Leaves tables out. */
  without(...fields: number[]): this {
    for (const field of fields) this.#arena.view.setInt32(TALLY + field, 0, true);
    return this;
  }

  /** Counts all lines of a text; returns how many were counted. */
  add(
    lines: readonly string[] | Uint8Array,
    format: 'hdfs' | 'plain' = 'hdfs',
    chosen: readonly number[] = [],
  ): number {
    const { kernels, view } = this.#arena;
    const count = this.#arena.putLines(lines instanceof Uint8Array ? lines : lines.join('\n'));
    if (format === 'hdfs') kernels.parseHdfs(SPANS, count, FIELDS);
    else kernels.plainFields(SPANS, count, FIELDS);
    for (const [i, row] of chosen.entries()) view.setInt32(CHOSEN + 4 * i, row, true);
    if (chosen.length > 0) return kernels.tallyRows(FIELDS, chosen.length, CHOSEN, TALLY);
    return kernels.tallyRows(FIELDS, count, 0, TALLY);
  }

  get counted(): Counted {
    const { view } = this.#arena;
    const numbers = (at: number): number[] =>
      Array.from({ length: 8 }, (_, i) => view.getInt32(TALLY + at + 4 * i, true));
    const sorted = <T extends string | number>(pairs: Iterable<[T, number]>): [T, number][] =>
      [...pairs].filter(([, count]) => count > 0).sort(([a], [b]) => (a < b ? -1 : 1));
    const templates = new Map<string, number>();
    for (const { text, count } of this.#templates.texts()) {
      const template = maskMessage(text);
      expect(templates.has(template), `${template} is there once`).toBe(false);
      templates.set(template, count);
    }
    const seconds: [number, number][] = [];
    this.#pages.forEach((slot, at) => {
      const page = Number(view.getBigUint64(slot + SLOT_KEY, true)) - 2 ** 40;
      expect(view.getInt32(slot + SLOT_COUNT, true)).toBe(0);
      for (let i = 0; i < PAGE_SECONDS; i++) {
        seconds.push([page * PAGE_SECONDS + i, view.getInt32(at + 4 * i, true)]);
      }
    });
    return {
      statuses: numbers(TALLY_STATUSES),
      levels: numbers(TALLY_LEVELS),
      earliest: view.getFloat64(TALLY + TALLY_EARLIEST, true),
      latest: view.getFloat64(TALLY + TALLY_LATEST, true),
      components: sorted(this.#components.texts().map(({ text, count }) => [text, count])),
      templates: sorted(templates),
      seconds: sorted(seconds),
    };
  }
}

/** A message of tokens that are near the borders of what the rules say. */
function randomMessage(random: Random): string {
  const token = (): string =>
    random.pick([
      () => random.pick(['read', 'block', 'of', 'B', 'KB', 'MB', 'QB', 'ends', 'é€', '-', '/', '?', '//x']),
      () => String(random.int(0, random.pick([9, 100_000]))),
      () => `/data/${random.pick(['a', 'b/c', '7'])}`,
      () => `blk_${random.int(-9, 9)}`,
      () => 'w'.repeat(random.pick([1, 8, 9, 15, 16, 17, 40, 62, 63, 64, 65, 130])),
      () => `${'v'.repeat(random.int(0, 70))}${random.int(0, 9)}`,
      () => String.fromCharCode(random.int(11, 255)),
    ])();
  const delimiter = (): string =>
    random.pick([
      ' ',
      ' ',
      ' ',
      ', ',
      ':',
      '=',
      '(',
      ')',
      '[',
      ']',
      '"',
      "'",
      '|',
      '\t',
      '{<>}',
      ' '.repeat(random.int(1, 90)),
    ]);
  let message = random.chance(0.2) ? delimiter() : '';
  for (let left = random.int(0, random.pick([3, 12, 80])); left > 0; left--) message += token() + delimiter();
  return (random.chance(0.5) ? message.trimEnd() : message).replaceAll('\n', ' ');
}

export function tallySuite(arena: ParseArena, reference: ParseArena): void {
  const head = '081109 203518 143 INFO dfs.Node: ';

  describe('tallyRows', () => {
    it('counts statuses, levels, times, components and templates', () => {
      const tally = new Tally(arena);
      const lines = [
        '081109 203518 143 INFO dfs.Node: block blk_1 is done',
        '081109 203518 143 INFO dfs.Node: block blk_22 is done',
        'noise',
        '081109 203717 1 WARN dfs.Name: block blk_-3 is done',
        '081109 203516 1 WARN dfs.Name: late',
      ];
      expect(tally.add(lines)).toBe(5);
      const at = Date.UTC(2008, 10, 9, 20, 35, 18) / 1000;
      const { statuses, levels, ...rest } = tally.counted;
      expect(rest).toEqual({
        earliest: (at - 2) * 1000,
        latest: (at + 119) * 1000,
        components: [
          ['dfs.Name', 2],
          ['dfs.Node', 2],
        ],
        templates: [
          ['block <*> is done', 3],
          ['late', 1],
        ],
        seconds: [
          [at - 2, 1],
          [at, 2],
          [at + 119, 1],
        ],
      });
      expect([statuses[FIELDS_FAILED], statuses[FIELDS_PARSED]]).toEqual([1, 4]);
      expect([levels[LEVEL_INFO], levels[LEVEL_WARN]]).toEqual([2, 2]);
    });

    it.each([
      ['Received 12 bytes from /10.0.0.1:50010', 'Received <*> bytes from <*>'],
      ['delete blk_1 blk_2, blk_3', 'delete <*>'],
      ['size 12.5 KB, free 3 B', 'size <*>, free <*>'],
      ['size 12.5 KBs and 3 BB', 'size <*> KBs and <*> BB'],
      ['user=root logname= uid=0 at', 'user=<*> logname= uid=<*> at'],
      ['open /etc/hosts / //x', 'open <*> / <*>'],
      ['[7] x', '[<*>] x'],
      [`${'w'.repeat(63)} ${'w'.repeat(64)} x`, `${'w'.repeat(63)} <*> x`],
      ['no variable', 'no variable'],
      ['', ''],
      ['42', '<*>'],
    ])('makes of the message %j the template %j', (message, template) => {
      const tally = new Tally(arena);
      tally.add([head + message]);
      expect(tally.counted.templates).toEqual([[template, 1]]);
    });

    it('takes messages of one template for one, whatever the length of their variables', () => {
      const tally = new Tally(arena);
      const random = createRandom(14);
      const variable = (): string => '7'.repeat(random.int(1, 150));
      const lines = Array.from({ length: 2000 }, () => {
        const list = Array.from({ length: random.int(1, 4) }, variable).join(', ');
        return `${head}took ${variable()} of (${list}) ${'constant '.repeat(9)}[${variable()}]`;
      }).map((line) => line.slice(0, 500));
      tally.add(lines);
      const whole = lines.filter((line) => line.endsWith(']')).length;
      expect(tally.counted.templates).toContainEqual([
        `took <*> of (<*>) ${'constant '.repeat(9)}[<*>]`,
        whole,
      ]);
    });

    it('counts lines in which nothing is looked for as messages', () => {
      const tally = new Tally(arena);
      tally.add(['a 1', '', 'a 2'], 'plain');
      const { templates, statuses, levels, components } = tally.counted;
      expect(templates).toEqual([
        ['', 1],
        ['a <*>', 2],
      ]);
      expect(statuses[FIELDS_PLAIN]).toBe(3);
      expect(levels).toEqual([0, 0, 0, 0, 0, 0, 0, 0]);
      expect(components).toEqual([]);
    });

    it('counts the rows that were chosen, and leaves out tables that are not wanted', () => {
      const tally = new Tally(arena).without(TALLY_TEMPLATES, TALLY_PAGES);
      expect(
        tally.add([`${head}a`, `${head}b`, 'x', `${head.replace('Node', 'Other')}c`], 'hdfs', [3, 2]),
      ).toBe(2);
      const { statuses, components, templates, seconds } = tally.counted;
      expect(statuses.slice(0, 2)).toEqual([1, 1]);
      expect(components).toEqual([['dfs.Other', 1]]);
      expect([templates, seconds]).toEqual([[], []]);
    });

    it('counts a row whole or not at all where a table is full', () => {
      const tally = new Tally(arena, { slots: 16, limit: 3, stride: 504 });
      const lines = ['a', 'b', 'a', 'c', 'b', 'd', 'a'].map((message) => head + message);
      expect(tally.add(lines)).toBe(5);
      expect(tally.counted.statuses[FIELDS_PARSED]).toBe(5);
      expect(tally.counted.components).toEqual([['dfs.Node', 5]]);
      expect(tally.counted.seconds[0]?.[1]).toBe(5);
      // The median, 2, is taken off each count: a and b have 2, c has 1.
      expect(tally.reduce()).toBe(2);
      expect(tally.counted.templates).toEqual([]);
      expect(tally.add(lines.slice(5))).toBe(2);
      expect(tally.counted.templates).toEqual([
        ['a', 1],
        ['d', 1],
      ]);
    });

    it('counts messages of shapes that come again as those of shapes that do not', () => {
      const random = createRandom(97);
      const digits = (most: number): string => {
        return Array.from({ length: random.int(1, most) }, () => random.int(0, 9)).join('');
      };
      const shapes: (() => string)[] = [
        () => `block blk_${digits(20)} of ${digits(9)} bytes from /${digits(3)}.${digits(3)}:${digits(5)}`,
        () => `block blk_-${digits(20)} of ${digits(9)} bytes from /${digits(3)}.${digits(3)}:${digits(5)}`,
        () => `${digits(70)}${digits(70)} ${'w'.repeat(50)} ${digits(70)}`,
        () => `${digits(70)} ${'w'.repeat(50)} ${digits(70)}, ${digits(1)} KB`,
        () => `all ${'of this is the same text '.repeat(9)}${digits(9)}`,
        () => `too ${'long for a shape to be kept of it '.repeat(9)}${digits(9)}`,
        () => digits(300),
        () => 'has none',
      ];
      const never = (): string => {
        return Array.from({ length: 30 }, () => random.pick(['a', 'b', ' ', '=', '7'])).join('');
      };
      const tallies = [new Tally(arena), new Tally(reference)];
      for (const share of [0, 0.5, 1, 0]) {
        const lines = Array.from({ length: 200 }, () => {
          return head + (random.chance(share) ? never() : random.pick(shapes)());
        });
        for (const tally of tallies) tally.add(lines);
        const order = Array.from({ length: 100 }, () => random.int(0, lines.length - 1));
        for (const tally of tallies) tally.add(lines, 'hdfs', order);
      }
      expect(tallies[0]?.counted).toEqual(tallies[1]?.counted);
    });

    it('counts the same as the reference, whatever the messages', () => {
      const random = createRandom(711);
      const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');
      for (let round = 0; round < 12; round++) {
        const lines =
          round < 4
            ? bytes(mixedLines(random, 300).join('\n'))
            : bytes(Array.from({ length: 250 }, () => head + randomMessage(random)).join('\n'));
        const tallies = [new Tally(arena), new Tally(reference)];
        for (const tally of tallies) {
          tally.add(lines, round === 0 ? 'plain' : 'hdfs');
          tally.add(lines.subarray(0, 2000), 'hdfs');
        }
        expect(tallies[0]?.counted).toEqual(tallies[1]?.counted);
      }
    });
  });
}
