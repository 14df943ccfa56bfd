import { describe, expect, it } from 'vitest';

import { Memory } from '../../src/memory/memory.ts';
import {
  firstTime,
  guessFormat,
  lastTime,
  PROBE_WORK_BYTES,
  type Reading,
  type Text,
} from '../../src/parse/probe.ts';
import { linesOf, recordsOf } from '../kit/batches.ts';
import { damagedLine, goodLine } from '../kit/hdfs-lines.ts';
import { createRandom } from '../kit/random.ts';

const memory = Memory.create(16 << 20);
const slab = memory.slabs.allocate(4 << 20, 'test');
const { address: work } = memory.slabs.allocate(PROBE_WORK_BYTES, 'test');

const HDFS: Reading = { format: 'hdfs', options: {} };
const PLAIN: Reading = { format: 'plain', options: {} };

function put(content: string): Text {
  memory.u8.set(Buffer.from(content, 'latin1'), slab.address);
  return { address: slab.address, bytes: content.length };
}

const random = createRandom(40);
const good = (count: number): string[] => Array.from({ length: count }, () => goodLine(random));
const bad = (count: number): string[] => new Array<string>(count).fill('nothing of the kind');
const trace = (count: number): string[] => new Array<string>(count).fill('    at Some.where(File.java:12)');
const timeOf = (line: string): number | undefined => recordsOf(line, 'hdfs')[0]?.timestamp;

describe('guessFormat', () => {
  it('knows a format by its first lines, and says how many of them are of it', () => {
    expect(guessFormat(memory, work, put(good(50).join('\n')))).toEqual({ format: 'hdfs', confidence: 1 });
    const mixed = [...good(60), ...bad(40)].join('\n');
    expect(guessFormat(memory, work, put(mixed))).toEqual({ format: 'hdfs', confidence: 0.6 });
  });

  it('counts no lines of stack traces', () => {
    const mixed = [...trace(2), ...good(6), ...trace(30), ...bad(2)].join('\n');
    expect(guessFormat(memory, work, put(mixed))).toEqual({ format: 'hdfs', confidence: 0.75 });
    expect(guessFormat(memory, work, put(trace(10).join('\n'))).format).toBe('plain');
  });

  it('looks at no more than 64 KiB, and at a longer line as far as it goes', () => {
    const line = `${goodLine(random)} ${'x'.repeat(100_000)}`;
    expect(guessFormat(memory, work, put(`${line}\nno`))).toEqual({ format: 'hdfs', confidence: 1 });
    expect(guessFormat(memory, work, put(`${'no\n'.repeat(2)}${line}`)).format).toBe('plain');
  });

  it('takes for plain lines what is mostly no format', () => {
    for (const content of [[...good(1), ...bad(1)].join('\n'), bad(10).join('\n'), '', '\n\n\n']) {
      expect(guessFormat(memory, work, put(content)).format).toBe('plain');
    }
  });
});

describe('firstTime and lastTime', () => {
  it('find the time of the first and of the last line that has one', () => {
    const lines = good(2);
    for (const [before, between, after] of [
      [0, 0, 0],
      [1, 5, 1],
      [500, 20, 3],
      [3, 1, 500],
      [200, 5000, 20_000],
    ] as const) {
      const content = [...bad(before), lines[0], ...bad(between), lines[1], ...bad(after)].join('\n');
      expect(firstTime(memory, work, HDFS, put(content))).toBe(timeOf(lines[0] ?? ''));
      expect(lastTime(memory, work, HDFS, put(content))).toBe(timeOf(lines[1] ?? ''));
      expect(lastTime(memory, work, HDFS, put(`${content}\n`))).toBe(timeOf(lines[1] ?? ''));
    }
  });

  it('are undefined where no line has a time', () => {
    for (const content of ['', 'no', bad(5000).join('\n')]) {
      expect(firstTime(memory, work, HDFS, put(content))).toBeUndefined();
      expect(lastTime(memory, work, HDFS, put(content))).toBeUndefined();
    }
    const content = good(3).join('\n');
    expect(firstTime(memory, work, PLAIN, put(content))).toBeUndefined();
    expect(lastTime(memory, work, PLAIN, put(content))).toBeUndefined();
  });

  it('look at whole lines only: the end of a line is none', () => {
    const inside = goodLine(random);
    const content = [
      goodLine(random),
      `${'x'.repeat(10_000)}${inside}${'y'.repeat(4096 - inside.length)}`,
    ].join('\n');
    expect(lastTime(memory, work, HDFS, put(content))).toBe(timeOf(linesOf(content)[0] ?? ''));
  });

  it('agree with the records that random lines become', () => {
    for (let i = 0; i < 100; i++) {
      const lines = Array.from({ length: random.int(1, 300) }, () =>
        random.chance(0.02) ? goodLine(random) : damagedLine(random),
      );
      const content = lines.join('\n');
      const times = recordsOf(content, 'hdfs', -1)
        .filter(({ headers }) => Object.keys(headers).length > 0)
        .map(({ timestamp }) => timestamp);
      expect(firstTime(memory, work, HDFS, put(content))).toBe(times[0]);
      expect(lastTime(memory, work, HDFS, put(content))).toBe(times.at(-1));
    }
  });
});
