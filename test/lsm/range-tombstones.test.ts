/** Deletions of ranges, cut into fragments. */

import { expect, test } from 'vitest';
import {
  type Fragment,
  fragmentsOf,
  newestFragments,
  type RangeTombstone,
} from '../../src/lsm/range-tombstones.ts';
import { range } from '../kit/log-kit.ts';
import { createRandom } from '../kit/random.ts';

function textOf({ start, end, sequences }: Fragment): string {
  return `${Buffer.from(start).toString()}-${Buffer.from(end).toString()} ${sequences.join()}`;
}

test('what one snapshot sees of them is the newest in each stretch, whatever overlaps', () => {
  const random = createRandom(7);
  for (let round = 0; round < 300; round++) {
    const tombstones: RangeTombstone[] = range(0, random.int(0, 11)).map(() => ({
      start: Buffer.from(String.fromCharCode(97 + random.int(0, 19))),
      end: Buffer.from(String.fromCharCode(97 + random.int(0, 19))),
      sequence: random.int(0, 9),
    }));
    const snapshot = random.int(0, 11);
    const expected: Fragment[] = [];
    for (const { start, end, sequences } of fragmentsOf(tombstones)) {
      const newest = sequences.find((sequence) => sequence < snapshot);
      if (newest === undefined) continue;
      const last = expected.at(-1);
      const goesOn = last?.sequences[0] === newest && Buffer.compare(last.end, start) === 0;
      if (goesOn) last.end = end;
      else expected.push({ start, end, sequences: [newest] });
    }
    expect(newestFragments(tombstones, snapshot).map(textOf)).toEqual(expected.map(textOf));
  }
});

test('many that cover the same keys have one sequence number a stretch', () => {
  const count = 20_000;
  const key = (i: number): Buffer => Buffer.from(String(i).padStart(8, '0'));
  const nested = range(0, count).map((i) => ({ start: key(i), end: key(3 * count - i), sequence: i }));
  const fragments = newestFragments(nested, count);
  expect(fragments.length).toBe(2 * count - 1);
  expect(fragments.every(({ sequences }) => sequences.length === 1)).toBe(true);
});
