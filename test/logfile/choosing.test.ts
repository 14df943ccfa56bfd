/** Entries that are chosen by time, level and component: the same by every call, with and without a time index. */

import {
  appendFileSync,
  existsSync,
  mkdtempSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type GrepLine, type GrepOptions, grep } from '../../src/logfile/grep.ts';
import { columns, parseLog } from '../../src/logfile/parse-log.ts';
import { type LogStatsOptions, logStats } from '../../src/logfile/stats.ts';
import { tail } from '../../src/logfile/tail.ts';
import { generateHdfsSample } from '../../src/parse/sample.ts';
import { createRuntime, type Runtime } from '../../src/runtime.ts';

const START = Date.UTC(2009, 2, 2);
const HOUR = 3_600_000;

let runtime: Runtime;
let directory: string;
let large: string;

beforeAll(() => {
  runtime = createRuntime({ threads: 1 });
  directory = mkdtempSync(join(tmpdir(), 'varve-choosing-'));
  large = join(directory, 'large.log');
  const lines = [...generateHdfsSample({ bytes: 9 << 20, startMs: START, linesPerSecond: 1 })];
  const text = Buffer.concat(lines).toString('latin1').split('\n');
  for (let i = 50; i < text.length; i += 997)
    text[i] += i % 2 === 0 ? '\n\tat a.b(C.java:1)' : '\nnothing that parses';
  writeFileSync(large, text.join('\n'));
});

afterAll(async () => {
  await runtime.close();
  expect(runtime.memory.slabs.inUse()).toEqual([]);
  rmSync(directory, { recursive: true });
});

function write(name: string, text: string): string {
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
}

async function found(path: string, options: Partial<GrepOptions>): Promise<GrepLine[]> {
  const lines: GrepLine[] = [];
  for await (const line of grep(path, { runtime, pattern: '', ...options })) lines.push(line);
  return lines;
}

describe('grep', () => {
  const window = { since: START + 10 * HOUR, until: START + 11 * HOUR };

  test('searches entries of some time, level and component, and reads as little as there is', async () => {
    const indexDirectory = mkdtempSync(join(directory, 'index-'));
    for (const options of [
      { pattern: 'blk_' },
      { pattern: 'at a|nothing', level: 'INFO' },
      { pattern: 'e', level: '=WARN,ERROR' },
      { pattern: 'blk_', component: 'dfs.Name*', limit: 7 },
      { pattern: 'nothing', before: 2, after: 1 },
      { pattern: 'INFO', invert: true },
    ]) {
      const all = await found(large, { ...window, ...options, index: false });
      expect(all.length).toBeGreaterThan(0);
      for (let i = 0; i < 2; i++) {
        expect(await found(large, { ...window, ...options, indexDirectory })).toEqual(all);
      }
    }
    let searched = 0;
    const onProgress = (_: string, bytes: number): void => {
      searched = Math.max(searched, bytes);
    };
    const day = { since: START, until: START + HOUR };
    await found(large, { ...day, indexDirectory, onProgress, limit: 3 });
    expect(searched).toBeLessThan(2 << 20);
    expect(existsSync(join(directory, '.large.log.varve-index'))).toBe(false);
  });

  test('finds the lines that parseLog finds', async () => {
    const options = { ...window, level: '=WARN', index: false } as const;
    const raw: string[] = [];
    for await (const entry of parseLog(large, { runtime, ...options })) raw.push(...entry.raw.split('\n'));
    expect((await found(large, options)).map(({ text }) => text)).toEqual(raw);
  });

  test('refuses what makes no sense', async () => {
    await expect(found(large, { level: 'LOUD' })).rejects.toThrow(RangeError);
    await expect(found(large, { since: '1' as unknown as number })).rejects.toThrow(TypeError);
    await expect(found(large, { format: 'nonsense' as 'hdfs' })).rejects.toThrow(TypeError);
    await expect(found(large, { index: 1 as unknown as boolean })).rejects.toThrow(TypeError);
  });
});

describe('logStats', () => {
  test('counts the same with a time index, also the lines that it passes over', async () => {
    const indexDirectory = mkdtempSync(join(directory, 'index-'));
    const counted = async (options: LogStatsOptions) =>
      logStats(large, { runtime, since: START + 15 * HOUR, until: START + 16 * HOUR, ...options });
    const all = await counted({ index: false });
    expect(all.entries).toBeGreaterThan(1000);
    expect(all.lines).toBeGreaterThan(10 * all.entries);
    for (let i = 0; i < 2; i++) expect(await counted({ indexDirectory })).toEqual(all);
    const none = await counted({ since: START - HOUR, until: START, indexDirectory });
    expect(none).toMatchObject({ entries: 0, lines: all.lines, bytes: all.bytes });
  });
});

describe('tail', () => {
  const lines = [
    '090302 000001 1 INFO a.B: one',
    '090302 000002 1 ERROR a.C: two',
    '\tat d.e(F.java:2)',
    '090302 000003 1 INFO a.B: x',
  ];

  test('shows those of the last lines that are asked for, and says how far it is', async () => {
    const path = write('tail.log', `${lines.join('\n')}\n`);
    const texts = async (options: Parameters<typeof tail>[1]): Promise<string[]> => {
      const shown: string[] = [];
      for await (const { text } of tail(path, { runtime, ...options })) shown.push(text);
      return shown;
    };
    expect(await texts({ level: 'WARN' })).toEqual(lines.slice(1, 3));
    expect(await texts({ component: 'a.B', lines: 3 })).toEqual(lines.slice(3));
    expect(await texts({ since: Date.UTC(2009, 2, 2, 0, 0, 3) })).toEqual(lines.slice(3));
    let done = 0;
    await texts({ onProgress: (_, bytes) => (done = bytes) });
    expect(done).toBe(lines.join('\n').length + 1);
    const newYear = write('year.log', 'Dec 31 23:59:59 h su[1]: a\nJan  1 00:00:00 h su[1]: b\n');
    const since: string[] = [];
    const options = { runtime, assumeYear: 2023, since: Date.UTC(2024, 0, 1) };
    for await (const { text } of tail(newYear, options)) since.push(text);
    expect(since).toEqual(['Jan  1 00:00:00 h su[1]: b']);
    await expect(texts({ level: 'LOUD' })).rejects.toThrow(RangeError);
  });
});

describe('where no format is known', () => {
  test('it is told that nothing can be chosen, once a file, and only to who chooses', async () => {
    const path = write('free.txt', 'some text\nof no format\nat all\n');
    const empty = write('empty.txt', '');
    const notes: string[] = [];
    const onNote = (note: string): void => void notes.push(note);
    const expected = `${path}: its lines are of no known format, so none is chosen by time, level or component`;
    const all = { runtime, onNote };
    const calls = [
      async (options: object) => logStats([path, empty], { ...all, ...options }),
      async (options: object) => {
        for await (const _ of parseLog([path, empty], { ...all, ...options }));
      },
      async (options: object) => {
        for await (const _ of grep([path, empty], { pattern: 'e', ...all, ...options }));
      },
      async (options: object) => {
        for await (const _ of tail([path, empty], { ...all, ...options }));
      },
    ];
    for (const call of calls) {
      await call({});
      expect(notes).toEqual([]);
      await call({ level: 'WARN' });
      expect(notes.splice(0)).toEqual([expected]);
      await call({ since: 5 });
      expect(notes.splice(0)).toEqual([expected]);
    }
    await calls[0]?.({ level: '=OTHER' });
    await calls[0]?.({ format: { pattern: '<Level> <Content>' }, since: 3 });
    expect(notes.splice(0)).toEqual([
      `${path}: lines of this format have no time, so none is chosen by it`,
      `${empty}: lines of this format have no time, so none is chosen by it`,
    ]);
    await calls[0]?.({ format: 'plain', level: 'WARN' });
    expect(notes[0]).toBe(
      `${path}: lines of the format plain have no time, level or component to be chosen by`,
    );
  });

  test('it is told that lines have no level, which syslog may leave out, to who chooses by it', async () => {
    const bare = write('bare.log', 'Feb 28 10:00:00 host su[1]: one\nFeb 28 10:00:01 host su[1]: two\n');
    const full = write(
      'full.log',
      '<11>Feb 28 10:00:00 host su[1]: one\n<14>Feb 28 10:00:01 host su[1]: two\n',
    );
    const notes: string[] = [];
    const all = { runtime, onNote: (note: string): void => void notes.push(note) };
    const expected = `${bare}: none of its first lines has a level; those that have none are chosen by =OTHER alone`;
    for (const level of ['WARN', '=ERROR,INFO']) {
      expect((await logStats([bare, full], { ...all, level })).entries).toBe(level === 'WARN' ? 1 : 2);
      expect(notes.splice(0)).toEqual([expected]);
      for await (const { text } of tail([bare, full], { ...all, level })) expect(text).toMatch(/^</);
      expect(notes.splice(0)).toEqual([expected]);
    }
    expect((await logStats([bare, full], { ...all, level: '=OTHER' })).entries).toBe(2);
    expect((await logStats([bare, full], { ...all, since: 0 })).entries).toBe(4);
    expect(notes).toEqual([]);
  });

  test('29 February is a date of the year that is assumed, also where the format is found out', async () => {
    const path = write('leap.log', 'Feb 29 10:00:00 host su[1]: one\nFeb 29 10:00:01 host su[1]: two\n');
    const times = async (assumeYear: number): Promise<(string | undefined)[]> => {
      const found: (string | undefined)[] = [];
      for await (const { iso } of parseLog(path, { runtime, assumeYear })) found.push(iso);
      return found;
    };
    expect(await times(2024)).toEqual(['2024-02-29T10:00:00.000Z', '2024-02-29T10:00:01.000Z']);
  });
});

describe('a file that changes while it is read', () => {
  const line = (i: number): string => `line ${'x'.repeat(200)} ${i}\n`;
  const text = Array.from({ length: 8000 }, (_, i) => line(i)).join('');

  test('is read as far as it went when it was opened', async () => {
    const path = write('grows.log', text);
    let lines = 0;
    for await (const batch of columns(path, { runtime, format: 'plain' })) {
      if (lines === 0) appendFileSync(path, 'one more\n'.repeat(1000));
      lines += batch.count;
    }
    expect(lines).toBe(8000);
  });

  test('is an error where it became shorter, and so is one that was replaced by a shorter one in place', async () => {
    const path = write('shrinks.log', text);
    const read = async (): Promise<void> => {
      let isFirst = true;
      for await (const _ of columns(path, { runtime, format: 'plain' })) {
        if (isFirst) truncateSync(path, 1000);
        isFirst = false;
      }
    };
    await expect(read()).rejects.toMatchObject({
      code: 'IO',
      file: path,
      message: expect.stringContaining('became shorter'),
    });
    const failures: string[] = [];
    write('shrinks.log', text);
    let isCut = false;
    const onProgress = (): void => {
      if (!isCut) truncateSync(path, 1000);
      isCut = true;
    };
    const stats = await logStats([path, write('other.log', line(1))], {
      runtime,
      onProgress,
      onFailure: ({ code }) => failures.push(code),
    });
    // What was counted before stays: all of a small file is read at once.
    expect(isCut).toBe(true);
    expect(stats.lines).toBeGreaterThan(0);
    expect(failures.every((code) => code === 'IO')).toBe(true);
  });

  test('is read to its end where another took its name', async () => {
    const path = write('replaced.log', text);
    let lines = 0;
    for await (const batch of columns(path, { runtime, format: 'plain' })) {
      if (lines === 0) {
        renameSync(path, `${path}.1`);
        writeFileSync(path, 'another\n');
      }
      lines += batch.count;
    }
    expect(lines).toBe(8000);
  });
});

test('a line that is too long is an entry, cut off, also where it is the last one or the only one', async () => {
  const long = 'x'.repeat(3 << 20);
  const paths = [write('long.txt', long), write('end.txt', `short\n${long}`), write('plain.txt', 'short\n')];
  const found: [string, number, boolean][] = [];
  for await (const { file, message, isCut } of parseLog(paths, { runtime }))
    found.push([file, message.length, isCut]);
  expect(found).toEqual([
    [paths[0], 2 << 20, true],
    [paths[1], 5, false],
    [paths[1], 2 << 20, true],
    [paths[2], 5, false],
  ]);
});

test.skipIf(!existsSync('/proc/self/status'))(
  'what the system makes up as it is read has its text',
  async () => {
    expect(statSync('/proc/self/status').size).toBe(0);
    const lines = await found('/proc/self/status', { pattern: '^Name:' });
    expect(lines.map(({ line }) => line)).toEqual([1]);
    expect((await logStats('/proc/self/status', { runtime })).lines).toBeGreaterThan(10);
  },
);
