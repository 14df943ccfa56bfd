/** Which lines a filter chooses. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { LEVEL_NAMES, parseLevels } from '../../src/levels.ts';
import { SPAN_BYTES } from '../../src/memory/layout.ts';
import { Memory } from '../../src/memory/memory.ts';
import { createParser, PARSER_WORK_BYTES } from '../../src/parse/parser.ts';
import { createFilter, type FilterOptions, RowFilter } from '../../src/scan/filter.ts';
import { createRandom } from '../kit/random.ts';

const memory = Memory.create(8 << 20);
const slab = memory.slabs.allocate(1 << 20, 'test');
const TEXT = slab.address;
const SPANS: number = TEXT + 256 * 1024;
const ROWS: number = SPANS + 64 * 1024;
const CHOSEN: number = ROWS + 512 * 1024;
const WORK: number = CHOSEN + 64 * 1024;

beforeAll(() => expect(WORK + PARSER_WORK_BYTES).toBeLessThanOrEqual(TEXT + slab.bytes));
afterAll(() => slab.release());

const LOG = [
  'before the first entry',
  '081109 203615 148 INFO dfs.DataNode$PacketResponder: one',
  '081109 203616 148 WARN dfs.DataNode: two',
  '\tat java.lang.Thread.run(Thread.java:662)',
  'a line that does not parse',
  '081109 203617 148 ERROR dfs.FSNamesystem: three',
  '081109 203615 148 FATAL dfs.FSNamesystem: four, late',
  '081109 203618 148 ODD dfs.Xyz: five',
];
const AT = Date.UTC(2008, 10, 9, 20, 36, 15);

/** The numbers of the lines that are chosen, some rows at a time. */
function choose(
  lines: readonly string[],
  options: FilterOptions,
  format: 'hdfs' | 'plain' = 'hdfs',
  step = 1000,
): number[] {
  const filter = createFilter(options);
  if (filter === undefined) return lines.map((_, i) => i);
  const rowFilter = new RowFilter(memory, filter);
  const parser = createParser(format, {}, memory, WORK);
  const bytes = Buffer.from(`${lines.join('\n')}\n`);
  memory.u8.set(bytes, TEXT);
  const count = memory.kernels.indexLines(TEXT, bytes.length, SPANS, 4000, 1);
  const chosen: number[] = [];
  for (let at = 0; at < count; at += step) {
    const some = Math.min(step, count - at);
    parser.parse(SPANS + at * SPAN_BYTES, some, ROWS, 0);
    const found = rowFilter.select(ROWS, some, CHOSEN);
    for (let i = 0; i < found; i++) chosen.push(at + (memory.i32[(CHOSEN >> 2) + i] as number));
  }
  return chosen;
}

test('times are from the first on and before the last; lines that are no entries go with the one before', () => {
  expect(choose(LOG, { since: AT + 1000, until: AT + 2000 })).toEqual([2, 3, 4]);
  expect(choose(LOG, { since: AT + 1000 })).toEqual([2, 3, 4, 5, 7]);
  expect(choose(LOG, { until: AT + 1000 })).toEqual([1, 6]);
  expect(choose(LOG, { since: AT, until: AT })).toEqual([]);
});

test('a level stands for itself and those above, or behind an equals sign for itself alone', () => {
  expect(choose(LOG, { level: 'WARN' })).toEqual([2, 3, 4, 5, 6]);
  expect(choose(LOG, { level: 'err' })).toEqual([5, 6]);
  expect(choose(LOG, { level: '=INFO' })).toEqual([1]);
  expect(choose(LOG, { level: '=INFO,fatal' })).toEqual([1, 6]);
  expect(choose(LOG, { level: '=OTHER' })).toEqual([7]);
  expect(choose(LOG, { level: 'TRACE' })).toEqual([1, 2, 3, 4, 5, 6]);
});

test('a component is the whole name, or a part of it where a star says so', () => {
  expect(choose(LOG, { component: 'dfs.DataNode' })).toEqual([2, 3, 4]);
  expect(choose(LOG, { component: 'dfs.DataNode*' })).toEqual([1, 2, 3, 4]);
  expect(choose(LOG, { component: '*system' })).toEqual([5, 6]);
  expect(choose(LOG, { component: '*Name*' })).toEqual([5, 6]);
  expect(choose(LOG, { component: ['dfs.Xyz', '*Responder'] })).toEqual([1, 7]);
  expect(choose(LOG, { component: '*' })).toEqual([1, 2, 3, 4, 5, 6, 7]);
  expect(choose(LOG, { component: 'dfs.FSNamesystem', level: 'FATAL', since: AT })).toEqual([6]);
});

test('nothing is chosen of text in which nothing is looked for', () => {
  expect(choose(LOG, { since: 0 }, 'plain')).toEqual([]);
  expect(choose(LOG, { level: '=OTHER' }, 'plain')).toEqual([]);
  expect(choose(LOG, { component: '*' }, 'plain')).toEqual([]);
});

test('what is chosen does not depend on how many rows are looked at at once', () => {
  const random = createRandom(20_081_109);
  const lines = Array.from({ length: 1500 }, () => {
    if (random.chance(0.3)) return random.pick(['\tat x.y(Z.java:1)', 'noise', '']);
    const second = String(10 + random.int(0, 49));
    return `081109 2036${second} 1 ${random.pick(LEVEL_NAMES)} ${random.pick(['a.B', 'a.C', 'b.B$C'])}: text`;
  });
  const options = { level: 'NOTICE', since: AT, until: AT + 20_000, component: ['a.*', '*$C'] };
  const whole = choose(lines, options);
  expect(whole.length).toBeGreaterThan(50);
  for (const step of [1, 7, 512]) expect(choose(lines, options, 'hdfs', step)).toEqual(whole);
});

describe('mistakes are told', () => {
  test.each([
    [{ level: 'LOUD' }, RangeError],
    [{ level: '=' }, RangeError],
    [{ level: 3 }, TypeError],
    [{ since: '2008' }, TypeError],
    [{ until: Number.NaN }, RangeError],
    [{ component: '' }, RangeError],
    [{ component: [] }, RangeError],
    [{ component: [1] }, TypeError],
  ])('%j', (options, kind) => {
    expect(() => createFilter(options as FilterOptions)).toThrow(kind);
  });

  test('no wish is no filter', () => {
    expect(createFilter({})).toBeUndefined();
  });

  test('every level has a name that is understood', () => {
    for (const [code, name] of LEVEL_NAMES.entries()) expect(parseLevels(`=${name}`)).toBe(1 << code);
  });
});
