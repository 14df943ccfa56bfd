/** What is counted in log files: compared with what others found, and with a plain count of the same lines. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { VarveError } from '../../src/errors.ts';
import { type LogStats, type LogStatsOptions, logStats } from '../../src/logfile/stats.ts';
import { maskMessage } from '../../src/memory/template.ts';
import { generateHdfsSample } from '../../src/parse/sample.ts';
import { createRuntime, type Runtime } from '../../src/runtime.ts';
import { hasLoghub, loghubPath, loghubRows, loghubTitle } from '../kit/loghub.ts';
import { createRandom, type Random } from '../kit/random.ts';

let directory: string;
let runtime: Runtime;
/** Time goes fast here, so that threads pay at once. */
let hasty: Runtime;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'varve-stats-'));
  runtime = createRuntime({ threads: 1 });
  let nowMs = 0;
  hasty = createRuntime({
    threads: 1,
    clock: {
      now: () => Date.UTC(2026, 0, 1),
      monotonic: () => (nowMs += 1000),
      after: () => () => undefined,
      nextTurn: (callback) => void setImmediate(callback),
    },
  });
});

afterAll(async () => {
  await runtime.close();
  await hasty.close();
  expect(runtime.memory.slabs.inUse()).toEqual([]);
  expect(hasty.memory.slabs.inUse()).toEqual([]);
  rmSync(directory, { recursive: true });
});

function file(name: string, content: string | Uint8Array): string {
  const path = join(directory, name);
  writeFileSync(path, content);
  return path;
}

const ALL = 100_000;

/** How often each text occurs, the most frequent first. */
function tally(texts: readonly string[]): [string, number][] {
  const counts = new Map<string, number>();
  for (const text of texts) counts.set(text, (counts.get(text) ?? 0) + 1);
  return [...counts].sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1));
}

const pairs = (counted: readonly { text: string; count: number }[]): [string, number][] =>
  counted.map(({ text, count }) => [text, count]);

describe.skipIf(!hasLoghub)(loghubTitle('the HDFS lines of loghub'), () => {
  test('have the levels, components and templates that others found in them', async () => {
    const rows = loghubRows('HDFS');
    expect(rows).toHaveLength(2000);
    const found = await logStats(loghubPath('HDFS'), { runtime, top: ALL });
    expect(found).toMatchObject({ lines: 2000, entries: 2000, failed: 0, continuations: 0, cut: 0 });
    expect(found.files).toMatchObject([{ format: 'hdfs', confidence: 1 }]);
    expect(new Map(pairs(found.levels))).toEqual(new Map(tally(rows.map(({ Level = '' }) => Level))));
    expect(pairs(found.components)).toEqual(tally(rows.map(({ Component = '' }) => Component)));
    // As many templates, and each as often.
    const counts = (all: [string, number][]): number[] => all.map(([, count]) => count);
    expect(counts(pairs(found.templates))).toEqual(counts(tally(rows.map(({ EventId = '' }) => EventId))));
    const times = rows.map(({ Date: date = '', Time: time = '' }) => {
      const [year, month, day] = date.match(/../g) ?? [];
      return Date.parse(`20${year}-${month}-${day}T${time.match(/../g)?.join(':')}Z`);
    });
    expect([found.fromMs, found.toMs]).toEqual([Math.min(...times), Math.max(...times)]);
  });

  test.each([
    ['Hadoop', 'hadoop'],
    ['Spark', 'spark'],
    ['Zookeeper', 'zookeeper'],
    ['Apache', 'apache'],
    ['OpenStack', 'openstack'],
  ])('the lines of %s have the levels and components that others found in them', async (system, format) => {
    const rows = loghubRows(system);
    const found = await logStats(loghubPath(system), { runtime, top: ALL });
    expect(found.files).toMatchObject([{ format }]);
    expect([found.lines, found.entries, found.failed]).toEqual([2000, 2000, 0]);
    const upper = (level: string): string => level.toUpperCase().replace('WARNING', 'WARN');
    expect(new Map(pairs(found.levels))).toEqual(new Map(tally(rows.map(({ Level = '' }) => upper(Level)))));
    const components = rows.flatMap(({ Component }) => (Component === undefined ? [] : [Component]));
    expect(pairs(found.components)).toEqual(tally(components));
    const messages = rows.map(({ Content = '' }) => maskMessage(Content.trimEnd()));
    expect(pairs(found.templates)).toEqual(tally(messages));
  });

  // What the page on log files says about how well messages are grouped.
  test.each([
    ['HDFS', 1],
    ['Hadoop', 0.98],
    ['Spark', 1],
    ['Zookeeper', 0.99],
    ['OpenStack', 1],
    ['Apache', 1],
    ['Linux', 0.23],
  ])('the messages of %s are grouped as others group them, for a share of at least %d', (system, atLeast) => {
    const rows = loghubRows(system);
    expect(rows.length).toBeGreaterThanOrEqual(1999);
    const byTemplate = new Map<string, number[]>();
    const byEvent = new Map<string, number[]>();
    const add = (map: Map<string, number[]>, key: string, i: number): void => {
      map.set(key, [...(map.get(key) ?? []), i]);
    };
    for (const [i, { Content = '', EventId = '' }] of rows.entries()) {
      add(byTemplate, maskMessage(Content), i);
      add(byEvent, EventId, i);
    }
    let right = 0;
    for (const group of byTemplate.values()) {
      const event = byEvent.get(rows[group[0] ?? 0]?.['EventId'] ?? '') ?? [];
      if (event.length === group.length && event.every((i, at) => i === group[at])) right += group.length;
    }
    expect(right / rows.length).toBeGreaterThanOrEqual(atLeast);
  });
});

interface Line {
  text: string;
  /** Undefined for a line that is no entry. */
  entry: { time: number; level: string; component: string; message: string } | undefined;
  isContinuation: boolean;
}

function randomLines(random: Random, count: number): Line[] {
  let time = Date.UTC(2008, 10, 9, 20, 36, 15);
  return Array.from({ length: count }, () => {
    if (random.chance(0.05)) {
      return { text: '\tat org.x.Y.z(Y.java:7)', entry: undefined, isContinuation: true };
    }
    if (random.chance(0.05)) {
      return { text: random.pick(['noise', '081399 1 x', 'é']), entry: undefined, isContinuation: false };
    }
    time += random.pick([0, 0, 0, 1000, 2000, -1000, random.int(0, 400) * 1000]);
    const date = new Date(time).toISOString().slice(2, 19).replaceAll(/[-:]/g, '').replace('T', ' ');
    const level = random.pick(['INFO', 'INFO', 'INFO', 'WARN', 'ERROR', 'DEBUG']);
    const component = `dfs.${random.pick(['Node', 'Name', 'Block$In'])}${random.int(0, 9)}`;
    const message = random.pick([
      () => `block blk_${random.int(-99_999, 99_999)} of ${random.int(1, 9)} is done`,
      () => `user=${random.pick(['root', 'guest'])} asks`,
      () => `odd ${random.pick(['alpha', 'beta', 'gamma', 'delta'])} ${'long '.repeat(random.int(0, 40))}end`,
    ])();
    const text = `${date} 1 ${level} ${component}: ${message}`;
    return { text, entry: { time, level, component, message }, isContinuation: false };
  });
}

/** The same counts, in the plainest way. */
function count(
  lines: readonly Line[],
  wants: (entry: NonNullable<Line['entry']>) => boolean = () => true,
): unknown {
  let isWanted = false;
  const isAll = wants.toString() === (() => true).toString();
  const chosen = lines.filter(({ entry }) => {
    if (entry !== undefined) isWanted = wants(entry);
    return isAll || isWanted;
  });
  const entries = chosen.flatMap(({ entry }) => (entry === undefined ? [] : [entry]));
  const seconds = [...new Set(entries.map(({ time }) => time / 1000))].sort((a, b) => a - b);
  const gaps = seconds.slice(1).map((second, i) => second - (seconds[i] ?? 0) - 1);
  const times = entries.map(({ time }) => time);
  return {
    lines: lines.length,
    entries: entries.length,
    continuations: chosen.filter(({ isContinuation }) => isContinuation).length,
    failed: chosen.filter(({ entry, isContinuation }) => entry === undefined && !isContinuation).length,
    times: [Math.min(...times), Math.max(...times)],
    peak: tally(entries.map(({ time }) => String(time)))[0]?.[1],
    longestGap: Math.max(...gaps),
    levels: tally(entries.map(({ level }) => level)),
    components: tally(entries.map(({ component }) => component)),
    templates: tally(entries.map(({ message }) => maskMessage(message))),
  };
}

function simple(found: LogStats): unknown {
  const [gap] = found.gaps;
  return {
    lines: found.lines,
    entries: found.entries,
    continuations: found.continuations,
    failed: found.failed,
    times: [found.fromMs, found.toMs],
    peak: found.peak?.count,
    longestGap: ((gap?.toMs ?? 0) - (gap?.fromMs ?? 0)) / 1000,
    levels: tally(found.levels.flatMap(({ text, count: times }) => new Array<string>(times).fill(text))),
    components: pairs(found.components),
    templates: pairs(found.templates),
  };
}

describe('lines that a seed makes', () => {
  const lines = randomLines(createRandom(7), 30_000);
  const text = lines.map((line) => line.text).join('\n');

  test('are counted as a plain count has them, in a file and in a stream', async () => {
    const path = file('random.log', text);
    const options: LogStatsOptions = { runtime, top: ALL, format: 'hdfs' };
    const found = await logStats(path, options);
    expect(simple(found)).toEqual(count(lines));
    expect(found.bytes).toBe(Buffer.byteLength(text));
    expect(found.histogram?.counts.reduce((sum, n) => sum + n, 0)).toBe(found.entries);
    expect([found.componentsLack, found.templatesLack]).toEqual([0, 0]);
    const pieces = text.match(/[^]{1,70001}/g) ?? [];
    expect(simple(await logStats(Readable.from(pieces), options))).toEqual(count(lines));
    // Of several files all is added up.
    const both = await logStats([path, path], options);
    expect(both.lines).toBe(2 * lines.length);
    expect(both.files.map(({ bytes }) => bytes)).toEqual([found.bytes, found.bytes]);
  });

  test('are filtered as a plain filter does it', async () => {
    const path = file('filtered.log', text);
    const middle = lines[15_000]?.entry?.time ?? lines[15_001]?.entry?.time ?? 0;
    const options: LogStatsOptions = { runtime, top: ALL, format: 'hdfs' };
    const cases: [LogStatsOptions, (entry: NonNullable<Line['entry']>) => boolean][] = [
      [{ level: 'WARN' }, ({ level }) => level === 'WARN' || level === 'ERROR'],
      [{ since: middle }, ({ time }) => time >= middle],
      [{ until: middle, component: 'dfs.N*' }, (e) => e.time < middle && e.component.startsWith('dfs.N')],
    ];
    for (const [filter, wants] of cases) {
      expect(simple(await logStats(path, { ...options, ...filter }))).toEqual(count(lines, wants));
    }
  });

  test('that do not parse are shown, with their numbers', async () => {
    const found = await logStats(file('samples.log', text), { runtime, format: 'hdfs' });
    const failed = lines.flatMap(({ entry, isContinuation, text: line }, i) =>
      entry === undefined && !isContinuation ? [{ line: i + 1, text: line }] : [],
    );
    expect(found.failedSamples.map(({ line, text: sample }) => ({ line, text: sample }))).toEqual(
      failed.slice(0, 5),
    );
  });
});

describe('a file that several threads read', () => {
  const bytes = Buffer.concat([...generateHdfsSample({ bytes: 48 << 20, seed: 3 })]);
  const stackTrace = Buffer.from(`${'\tat a.b(C.java:1)\n'.repeat(40_000)}nothing that parses\n`);

  test('has the same counts, in the same order, with and without a filter', async () => {
    const path = file('large.log', bytes);
    for (const filter of [{}, { level: 'WARN', since: Date.UTC(2009, 2, 2, 6) }]) {
      const alone = await logStats(path, { runtime, top: ALL, ...filter });
      const together = await logStats(path, { runtime: hasty, top: ALL, ...filter });
      expect(together).toEqual(alone);
      expect(alone.entries).toBeGreaterThan(1000);
    }
    expect(hasty.pool.metrics().completed).toBeGreaterThan(0);
  });

  test('has lines that go with an entry of another part', async () => {
    const lines = bytes.subarray(0, bytes.lastIndexOf('\n', 20 << 20) + 1);
    const path = file('traces.log', Buffer.concat([lines, stackTrace, lines]));
    const last = lines.subarray(lines.lastIndexOf('\n', -2) + 1).toString();
    const component = /[A-Z]+ (\S+):/.exec(last)?.[1] ?? '';
    for (const [filter, continuations] of [
      [{}, 40_000],
      [{ component }, 40_000],
      [{ component: 'nobody' }, 0],
    ] as const) {
      const found = await logStats(path, { runtime: hasty, ...filter });
      expect(found.continuations).toBe(continuations);
      expect(found.failed).toBe(continuations === 0 ? 0 : 1);
    }
  });
});

describe('samples', () => {
  test('have the truth within what they say, 95 times of 100', async () => {
    const path = file('sampled.log', Buffer.concat([...generateHdfsSample({ bytes: 16 << 20, seed: 5 })]));
    const all = await logStats(path, { runtime, top: ALL });
    let outside = 0;
    let looks = 0;
    for (let seed = 0; seed < 40; seed++) {
      const sampled = await logStats(path, { runtime, top: ALL, sample: 0.02, seed });
      expect(sampled.sample?.share).toBeLessThan(0.03);
      expect([sampled.fromMs, sampled.toMs]).toEqual([all.fromMs, all.toMs]);
      expect(sampled.peak).toBeUndefined();
      looks++;
      if (Math.abs(sampled.lines - all.lines) > (sampled.sample?.plusMinus.lines ?? 0)) outside++;
      for (const { text, share, shareError } of [...sampled.levels, ...sampled.components]) {
        const truth = [...all.levels, ...all.components].find((other) => other.text === text)?.share ?? 0;
        // Where hardly anything was found, the error cannot be known well.
        if (truth < 0.02) continue;
        looks++;
        if (Math.abs(share - truth) > 1.96 * shareError) outside++;
      }
    }
    expect(looks).toBeGreaterThan(300);
    expect(outside / looks).toBeLessThan(0.1);
    expect(outside).toBeGreaterThan(0);
  });

  test('of all blocks are the truth, and the same seed makes the same', async () => {
    const path = file('small.log', Buffer.concat([...generateHdfsSample({ lines: 500 })]));
    const all = await logStats(path, { runtime });
    const sampled = await logStats(path, { runtime, sample: 0.5 });
    expect(sampled.sample).toMatchObject({ share: 1, plusMinus: { lines: 0, entries: 0 } });
    expect(sampled.lines).toBe(all.lines);
    expect(pairs(sampled.levels)).toEqual(pairs(all.levels));
    const large = file('again.log', Buffer.concat([...generateHdfsSample({ bytes: 4 << 20 })]));
    const [first, second, other] = await Promise.all(
      [9, 9, 10].map((seed) => logStats(large, { runtime, sample: 0.01, seed })),
    );
    expect(first).toEqual(second);
    expect(first).not.toEqual(other);
  });

  test('of what cannot be read by position are refused', async () => {
    const stream = Readable.from(['a\n']);
    await expect(logStats(stream, { runtime, sample: 0.1 })).rejects.toMatchObject({ code: 'UNSUPPORTED' });
  });
});

test('more templates than there is room for are counted with a bound on the error', async () => {
  const random = createRandom(77);
  const letters = (): string =>
    Array.from({ length: 5 }, () => String.fromCharCode(97 + random.int(0, 25))).join('');
  const lines = Array.from({ length: 60_000 }, (_, i) =>
    i % 5 === 0 ? 'the frequent one is this' : `the rare one ${letters()} ${letters()}`,
  );
  const found = await logStats(file('many.txt', lines.join('\n')), { runtime, format: 'plain', top: 3 });
  const [first] = found.templates;
  expect(first?.text).toBe('the frequent one is this');
  expect(found.templatesLack).toBeGreaterThan(0);
  expect(first?.count).toBeLessThanOrEqual(12_000);
  expect((first?.count ?? 0) + found.templatesLack).toBeGreaterThanOrEqual(12_000);
  expect(found.templatesLack).toBeLessThan(200);
});

describe('what is odd', () => {
  test('nothing is counted in an empty file', async () => {
    const found = await logStats(file('empty.log', ''), { runtime });
    expect(found).toMatchObject({
      lines: 0,
      entries: 0,
      bytes: 0,
      levels: [],
      histogram: undefined,
      gaps: [],
    });
    expect(found.fromMs).toBeUndefined();
  });

  test('line ends, zeros and lines that are too long are what they are', async () => {
    const odd = Buffer.concat([
      Buffer.from('081109 203615 1 INFO a.B: one\r\n\0\0\n'),
      Buffer.alloc(5 << 20, 'x'),
      Buffer.from('\n081109 203616 1 WARN a.B: two'),
    ]);
    const found = await logStats(file('odd.log', odd), { runtime, format: 'hdfs' });
    expect(found).toMatchObject({ lines: 4, entries: 2, failed: 2, cut: 1, bytes: odd.length });
    expect(found.failedSamples.map(({ line }) => line)).toEqual([2, 3]);
    const streamed = await logStats(Readable.from([odd]), { runtime, format: 'hdfs' });
    expect(streamed).toMatchObject({ lines: 4, entries: 2, failed: 2, cut: 1 });
  });

  test('a file that is not there is told of, and the others are read', async () => {
    const path = file('there.log', 'a\nb\n');
    await expect(logStats([join(directory, 'nowhere'), path], { runtime })).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
    const failures: VarveError[] = [];
    const found = await logStats([join(directory, 'nowhere'), path], {
      runtime,
      onFailure: (failure) => void failures.push(failure),
    });
    expect(failures.map(({ code }) => code)).toEqual(['NOT_FOUND']);
    expect(found.lines).toBe(2);
  });

  test('it stops when it is told to', async () => {
    const controller = new AbortController();
    const reason = new Error('enough');
    const path = file('stopped.log', Buffer.concat([...generateHdfsSample({ bytes: 8 << 20 })]));
    const counting = logStats(path, {
      runtime,
      signal: controller.signal,
      onProgress: () => controller.abort(reason),
    });
    await expect(counting).rejects.toBe(reason);
  });

  test.each([
    [{ sample: 0 }, RangeError],
    [{ sample: '1%' }, TypeError],
    [{ top: -1 }, RangeError],
    [{ columns: 1 }, RangeError],
    [{ zone: 'Nowhere/Land' }, RangeError],
    [{ encoding: 'ebcdic' }, TypeError],
    [{ format: 'morse' }, TypeError],
    [{ levels: 'WARN' }, TypeError],
  ])('the option %j is a mistake that is told', async (options, kind) => {
    await expect(logStats('x', { runtime, ...options } as LogStatsOptions)).rejects.toThrow(kind);
    await expect(logStats(7 as unknown as string, { runtime })).rejects.toThrow(TypeError);
  });
});
