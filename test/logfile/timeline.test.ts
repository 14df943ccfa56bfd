/** Counts over time. */

import { expect, test } from 'vitest';
import { Timeline } from '../../src/logfile/timeline.ts';
import { createRandom } from '../kit/random.ts';

const SECONDS = 64;

/** Adds seconds, each in a page of its own, as parts of a file do. */
function timelineOf(seconds: readonly number[], pagesMax?: number): Timeline {
  const timeline = new Timeline(pagesMax);
  for (const second of seconds) {
    const page = Math.floor(second / SECONDS);
    const counts = new Int32Array(SECONDS);
    counts[second - page * SECONDS] = 1;
    timeline.add([page], counts);
  }
  return timeline;
}

test('the busiest second and the longest silences are those of a plain count, in whatever order', () => {
  const random = createRandom(5);
  for (const start of [-500, 0, 1_226_262_975]) {
    const seconds = Array.from({ length: 800 }, () => start + random.int(0, random.pick([50, 3000])));
    const timeline = timelineOf(seconds);
    const counts = new Map<number, number>();
    for (const second of seconds) counts.set(second, (counts.get(second) ?? 0) + 1);
    const sorted = [...counts].sort(([a], [b]) => a - b);
    const most = Math.max(...counts.values());
    const peak = sorted.find(([, count]) => count === most)?.[0] ?? 0;
    expect(timeline.peak()).toEqual({ startMs: peak * 1000, widthMs: 1000, count: most });
    const gaps = sorted
      .slice(1)
      .map(([second], i) => ({ fromMs: ((sorted[i]?.[0] ?? 0) + 1) * 1000, toMs: second * 1000 }))
      .filter(({ fromMs, toMs }) => toMs > fromMs)
      .sort((a, b) => b.toMs - b.fromMs - (a.toMs - a.fromMs) || a.fromMs - b.fromMs);
    expect(timeline.gaps(7)).toEqual(gaps.slice(0, 7));
    for (const columns of [2, 10, 60, 5000]) {
      const histogram = timeline.histogram(columns);
      expect(histogram?.counts.length).toBeLessThanOrEqual(columns);
      expect(histogram?.counts.reduce((sum, count) => sum + count, 0)).toBe(seconds.length);
      const first = (histogram?.startMs ?? 0) / 1000;
      const width = (histogram?.widthMs ?? 0) / 1000;
      expect(first % width).toBeCloseTo(0);
      const inFirst = seconds.filter((second) => Math.floor((second - first) / width) === 0).length;
      expect(histogram?.counts[0]).toBe(inFirst);
    }
  }
});

test('where there are too many pages, counts become those of longer times, and none is lost', () => {
  const random = createRandom(6);
  const seconds = Array.from({ length: 2000 }, () => random.int(-200_000, 200_000));
  const timeline = timelineOf(seconds, 16);
  const histogram = timeline.histogram(100_000);
  expect(histogram?.widthMs).toBeGreaterThan(1000);
  expect(histogram?.counts.reduce((sum, count) => sum + count, 0)).toBe(seconds.length);
  expect(timeline.peak()?.widthMs).toBe(
    2 ** Math.round(Math.log2((timeline.peak()?.widthMs ?? 0) / 1000)) * 1000,
  );
});

test('where nothing happened there is nothing', () => {
  const timeline = new Timeline();
  expect([timeline.peak(), timeline.histogram(10), timeline.gaps(3)]).toEqual([undefined, undefined, []]);
});
