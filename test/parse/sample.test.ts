import { createHash } from 'node:crypto';

import { describe, expect, it } from 'vitest';

import { generateHdfsSample, type SampleOptions } from '../../src/parse/sample.ts';
import { linesOf, recordsOf } from '../kit/batches.ts';

const MIB = 1 << 20;

function sample(options: SampleOptions): string {
  return Buffer.concat([...generateHdfsSample(options)]).toString('latin1');
}

function digest(options: SampleOptions): string {
  const hash = createHash('sha256');
  for (const piece of generateHdfsSample(options)) hash.update(piece);
  return hash.digest('hex').slice(0, 16);
}

describe('generateHdfsSample', () => {
  it('makes the same file from the same seed, and another from another', () => {
    const first = digest({ bytes: 3 * MIB });
    expect(digest({ bytes: 3 * MIB })).toBe(first);
    expect(digest({ bytes: 3 * MIB, seed: 1 })).toBe(first);
    expect(digest({ bytes: 3 * MIB, seed: 2 })).not.toBe(first);
    // On every machine and every version of Node.
    expect(first).toBe('38bdf1b64a1de460');
  });

  it('begins the same file, however much of it is made', () => {
    const long = sample({ lines: 30_000 });
    for (const lines of [0, 1, 100, 20_000]) expect(long.startsWith(sample({ lines }))).toBe(true);
    expect(sample({ bytes: 100_000 })).toBe(long.slice(0, sample({ bytes: 100_000 }).length));
  });

  it('makes as many lines as are asked for, each with its end', () => {
    for (const lines of [0, 1, 7, 20_000]) {
      const text = sample({ lines });
      expect(linesOf(text)).toHaveLength(lines);
      expect(lines === 0 || text.endsWith('\n')).toBe(true);
    }
  });

  it('makes the whole lines that fit into the bytes that are asked for', () => {
    for (const bytes of [0, 10, 1000, MIB, 2 * MIB + 7]) {
      const { length } = sample({ bytes });
      expect(length).toBeLessThanOrEqual(bytes);
      expect(length).toBeGreaterThan(bytes - 512);
    }
    expect(linesOf(sample({ bytes: 10_000, lines: 3 }))).toHaveLength(3);
    expect(sample({ bytes: 1000, lines: 1e6 }).length).toBeLessThanOrEqual(1000);
  });

  it("yields pieces of a MiB and more, which are the caller's own", () => {
    const pieces = [...generateHdfsSample({ bytes: 5 * MIB })];
    expect(pieces.length).toBeGreaterThan(3);
    for (const piece of pieces.slice(0, -1)) expect(piece.length).toBeGreaterThanOrEqual(MIB);
    expect(new Set(pieces.map(({ buffer }) => buffer)).size).toBe(pieces.length);
  });

  it('makes lines of the format, about as long and as alarming as those of the real thing', () => {
    const text = sample({ lines: 60_000 });
    const records = recordsOf(text, 'hdfs');
    expect(records.every(({ headers }) => 'level' in headers)).toBe(true);
    const share = (level: string): number =>
      records.filter(({ headers }) => headers['level'] === level).length / records.length;
    expect(share('INFO')).toBeCloseTo(0.97, 2);
    expect(share('WARN')).toBeCloseTo(0.029, 2);
    expect(share('ERROR')).toBeGreaterThan(0.0003);
    expect(share('ERROR')).toBeLessThan(0.003);
    expect(text.length / records.length).toBeGreaterThan(110);
    expect(text.length / records.length).toBeLessThan(160);
    expect(new Set(records.map(({ headers }) => headers['component'])).size).toBeGreaterThan(6);
    expect(/[^\x20-\x7e\n]/.test(text)).toBe(false);
  });

  it('goes through the days second by second, at the rate that is asked for', () => {
    const startMs = Date.UTC(2012, 1, 28, 20, 0, 0);
    const records = recordsOf(sample({ lines: 90_000, startMs, linesPerSecond: 1 }), 'hdfs');
    const times = records.map(({ timestamp }) => timestamp);
    expect(times[0]).toBeGreaterThanOrEqual(startMs);
    expect(times[0]).toBeLessThan(startMs + 60_000);
    expect(times.every((time, i) => i === 0 || time >= (times[i - 1] ?? 0))).toBe(true);
    const days = new Set(times.map((time) => new Date(time).toISOString().slice(0, 10)));
    expect([...days]).toEqual(['2012-02-28', '2012-02-29']);
    const night = times.filter((time) => new Date(time).getUTCHours() === 23).length;
    const morning = times.filter((time) => new Date(time).getUTCHours() === 8).length;
    expect(morning).toBeGreaterThan(night);
  });

  it('speaks of a block in a handful of lines, close together', () => {
    const lines = linesOf(sample({ lines: 100_000 }));
    const seen = new Map<string, number[]>();
    for (const [i, line] of lines.entries()) {
      const block = /blk_-?\d+/.exec(line)?.[0] ?? '';
      seen.set(block, [...(seen.get(block) ?? []), i]);
    }
    const often = [...seen.values()].filter(({ length }) => length > 5).length;
    expect(often / seen.size).toBeGreaterThan(0.5);
    const widest = Math.max(...[...seen.values()].map((at) => (at.at(-1) ?? 0) - (at[0] ?? 0)));
    expect(widest).toBeLessThan(60_000);
  });

  it('refuses options that make no sense', () => {
    const bad = [{}, { lines: -1 }, { lines: 1.5 }, { bytes: -1 }, { lines: 1, seed: 2 ** 40 }];
    const more = [
      { lines: 1, startMs: -1 },
      { lines: 1, linesPerSecond: 0 },
      { lines: 1, sed: 1 },
    ];
    for (const options of [...bad, ...more]) {
      expect(() => generateHdfsSample(options as SampleOptions)).toThrow(
        /must be|must be given|has no option/,
      );
    }
  });
});
