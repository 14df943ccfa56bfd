/** Deleted ranges in fragments, as readers and merges need them, against the fragments of all of them. */

import { expect, test } from 'vitest';
import {
  coverFragments,
  coveringSequence,
  type Fragment,
  fragmentsBetween,
  fragmentsOf,
  neededTombstones,
  newestFragments,
  type RangeTombstone,
  survivingFragments,
} from '../../src/lsm/range-tombstones.ts';
import { createRandom } from '../kit/random.ts';

const random = createRandom(11);
const key = (i: number): Buffer => Buffer.from(String(i).padStart(3, '0'));

function randomTombstones(): RangeTombstone[] {
  return Array.from({ length: random.int(0, 40) }, (_, i) => ({
    start: key(random.int(0, 60)),
    end: key(random.int(0, 60)),
    sequence: i,
  }));
}

const covering = (fragments: readonly Fragment[], snapshot: number): number[] =>
  Array.from({ length: 62 }, (_, i) => coveringSequence(fragments, key(i), snapshot));

test('the newest deletion of each key is what all of them say, made at once or one by one', () => {
  for (let round = 0; round < 200; round++) {
    const tombstones = randomTombstones();
    const all = fragmentsOf(tombstones);
    const snapshot = random.int(0, 41);
    const expected = covering(all, snapshot);
    expect(covering(newestFragments(tombstones, snapshot), snapshot)).toEqual(expected);
    const covered: Fragment[] = [];
    for (const one of tombstones) if (one.sequence < snapshot) coverFragments(covered, one);
    expect(covering(covered, snapshot)).toEqual(expected);
    const [from, to] = [random.int(0, 30), random.int(30, 60)];
    const between = covering(fragmentsBetween(covered, key(from), key(to)), snapshot);
    expect(between.slice(from, to)).toEqual(expected.slice(from, to));
  }
});

test('what a merge keeps of deletions does not depend on those that nobody can tell from others', () => {
  for (let round = 0; round < 200; round++) {
    const tombstones = randomTombstones();
    const snapshots = [random.int(0, 15), random.int(16, 30)];
    const all = survivingFragments(fragmentsOf(tombstones), snapshots, false);
    const needed = survivingFragments(fragmentsOf(neededTombstones(tombstones, snapshots)), snapshots, false);
    for (const snapshot of [...snapshots, 100]) {
      expect(covering(needed, snapshot)).toEqual(covering(all, snapshot));
    }
  }
});

test('a queue that forgets what was done has one fragment', () => {
  const digits = (i: number): Buffer => Buffer.from(String(i).padStart(6, '0'));
  const queue: Fragment[] = [];
  for (let i = 1; i < 4000; i++) coverFragments(queue, { start: digits(0), end: digits(i), sequence: i });
  expect(queue).toEqual([{ start: digits(0), end: digits(3999), sequences: [3999] }]);
});
