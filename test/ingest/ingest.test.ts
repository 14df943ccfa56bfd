import { mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';

import { afterEach, describe, expect, it, onTestFinished } from 'vitest';

import { type IngestOptions, ingestFile } from '../../src/ingest/ingest.ts';
import { generateHdfsSample } from '../../src/parse/sample.ts';
import { WINDOW_WORK_BYTES } from '../../src/parse/window.ts';
import { createRuntime, type Runtime } from '../../src/runtime.ts';
import { linesOf, recordsOf } from '../kit/batches.ts';
import { goodLine, mixedLines } from '../kit/hdfs-lines.ts';
import { type Bench, createBench, recordsIn } from '../kit/ingesting.ts';
import { createRandom } from '../kit/random.ts';

const KIB = 1024;
const MIB = 1024 * KIB;
const runtime: Runtime = createRuntime({ memoryBytes: 128 * MIB, threads: 2 });

async function bench(
  ...args: Parameters<typeof createBench> extends [unknown, ...infer Rest] ? Rest : never
): Promise<Bench> {
  const made = await createBench(runtime, ...args);
  onTestFinished(() => made.close());
  return made;
}

afterEach(() => {
  const owners = runtime.memory.slabs.inUse().map(({ owner }) => owner);
  expect(owners.filter((owner) => owner.startsWith('ingest') || owner.startsWith('task'))).toEqual([]);
});

describe('ingestFile', () => {
  it('makes the records that the lines are, whatever the size of the windows', async () => {
    const content = mixedLines(createRandom(60), 20_000).join('\n');
    const expected = recordsOf(content, 'hdfs');
    const parsed = expected.filter(({ headers }) => 'level' in headers);
    const times = expected.map(({ timestamp }) => timestamp);
    for (const windowBytes of [16 * KIB, 100_000, MIB]) {
      const { ingest, records } = await bench();
      const { elapsedMs, levels, sampleUnparsed, ...counts } = await ingest(content, {
        format: 'hdfs',
        windowBytes,
      });
      expect(counts).toEqual({
        format: 'hdfs',
        bytes: content.length,
        lines: linesOf(content).length,
        records: expected.length,
        unparsed: expected.length - parsed.length,
        joined: linesOf(content).length - expected.length,
        empty: linesOf(content).filter((line) => line === '').length,
        cut: 0,
        firstTimestamp: Math.min(...times),
        lastTimestamp: Math.max(...times),
        firstOffset: 0,
        lastOffset: expected.length - 1,
      });
      expect(elapsedMs).toBeGreaterThan(0);
      expect(Object.values(levels).reduce((sum, n) => sum + n, 0)).toBe(parsed.length);
      const info = parsed.filter(({ headers }) => /^info$/i.test(headers['level'] ?? '')).length;
      expect(levels['INFO']).toBe(info);
      const unparsed = expected.filter(({ headers }) => !('level' in headers)).slice(0, 5);
      expect(sampleUnparsed).toEqual(
        unparsed.map(({ offset, value }) => ({
          line: offset + 1,
          text: Buffer.from(value, 'latin1').toString().slice(0, 200),
        })),
      );
      expect(await records()).toEqual(expected);
    }
  });

  it('finds out what the lines are unless it is told', async () => {
    const hdfs = [...generateHdfsSample({ lines: 50 })].join('');
    const { ingest } = await bench();
    expect((await ingest(hdfs)).format).toBe('hdfs');
    expect((await ingest(`first\n${hdfs}`)).format).toBe('hdfs');
    expect((await ingest('one\ntwo\n')).format).toBe('plain');
    expect((await ingest('')).format).toBe('plain');
    expect((await ingest('', { format: 'hdfs' })).format).toBe('hdfs');
    expect((await ingest(hdfs, { format: 'plain' })).levels).toEqual({});
  });

  it('gives plain lines the time at which they are read', async () => {
    const { ingest, records } = await bench();
    const before = runtime.clock.now();
    const report = await ingest('one\n\nthree', { format: 'plain' });
    const [first, ...others] = await records();
    expect(first?.timestamp).toBeGreaterThanOrEqual(before);
    expect(first?.timestamp).toBeLessThanOrEqual(runtime.clock.now());
    expect(others.every(({ timestamp }) => timestamp === first?.timestamp)).toBe(true);
    expect(report).toMatchObject({ empty: 1, unparsed: 0, firstTimestamp: first?.timestamp });
  });

  it('gives lines without a time that of the last line that has one, also in an earlier window', async () => {
    const at = (second: string): string => `081109 0000${second} 1 INFO c: x`;
    const filler = `no entry ${'x'.repeat(100)}`;
    const lines = ['head', at('10'), at('20'), ...new Array<string>(2000).fill(filler), at('30'), filler];
    const { ingest, records } = await bench();
    await ingest(lines.join('\n'), { format: 'hdfs', windowBytes: 16 * KIB });
    const all = await records();
    expect(all).toEqual(recordsOf(lines.join('\n'), 'hdfs'));
    expect(all[1500]?.timestamp).toBe(Date.UTC(2008, 10, 9, 0, 0, 20));
  });

  it('keeps a stack trace with its entry, wherever a window ends', async () => {
    const random = createRandom(62);
    const trace = (n: number): string[] => Array.from({ length: n }, (_, i) => `\tat a.b.C(C.java:${i})`);
    const lines = Array.from({ length: 3000 }, () => [
      goodLine(random),
      ...trace(random.pick([0, 0, 1, 5, 40])),
    ]).flat();
    const content = lines.join('\r\n');
    const expected = recordsOf(content, 'hdfs');
    expect(expected).toHaveLength(3000);
    for (const windowBytes of [64 * KIB, 100_000, MIB]) {
      const { ingest, records } = await bench();
      const report = await ingest(content, { windowBytes });
      expect(report).toMatchObject({
        lines: lines.length,
        records: 3000,
        joined: lines.length - 3000,
        unparsed: 0,
      });
      expect(await records()).toEqual(expected);
    }
  });

  it('puts times without a year into the year before the file was written', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'varve-ingest-'));
    onTestFinished(() => rmSync(directory, { recursive: true }));
    const path = join(directory, 'syslog');
    const lines = ['Jun 10', 'Dec 31', 'Jan  1', 'Feb 29', 'Jun  1', 'Jun  2', 'Jun  4'];
    writeFileSync(path, lines.map((date) => `${date} 06:00:00 host su: x`).join('\n'));
    const written = new Date('2020-06-01T12:00:00Z');
    utimesSync(path, written, written);
    const { log, records } = await bench();
    const report = await ingestFile(log, path, { runtime, format: 'syslog' });
    expect(report).toMatchObject({ unparsed: 0, records: lines.length });
    const dates = (await records()).map(({ timestamp }) => new Date(timestamp).toISOString().slice(0, 10));
    const before = ['2019-06-10', '2019-12-31', '2020-01-01', '2020-02-29', '2020-06-01', '2020-06-02'];
    expect(dates).toEqual([...before, '2019-06-04']);
    const assumed = await ingestFile(log, path, { runtime, format: 'syslog', assumeYear: 1999 });
    expect(assumed.firstTimestamp).toBe(Date.UTC(1999, 5, 10, 6));
    expect(assumed.lastTimestamp).toBe(Date.UTC(2000, 5, 4, 6));
  });

  it.each([
    ['nothing', '', []],
    ['one line end', '\n', ['']],
    ['one line end of Windows', '\r\n', ['']],
    ['a line without an end', 'a', ['a']],
    ['no end at the end', 'a\nb', ['a', 'b']],
    ['line ends of both kinds', 'a\r\nb\nc\r\n', ['a', 'b', 'c']],
    ['returns that end no line', '\ra\rb\r\r\nc\r', ['\ra\rb\r', 'c\r']],
    ['empty lines', '\n\na\n\n', ['', '', 'a', '']],
    ['NUL bytes', '\0\n\0\0a\0\n\0', ['\0', '\0\0a\0', '\0']],
    ['bytes that are no UTF-8', '\x80\xff\xfe\n\xc3\n', ['\x80\xff\xfe', '\xc3']],
  ])('takes a file of %s', async (_name, content, values) => {
    for (const format of ['plain', 'hdfs'] as const) {
      const { ingest, records } = await bench();
      const report = await ingest(content, { format });
      expect((await records()).map(({ value }) => value)).toEqual(values);
      expect(report).toMatchObject({ lines: values.length, bytes: content.length });
      expect(report.unparsed).toBe(format === 'hdfs' ? values.length : 0);
      expect(report.lastOffset).toBe(values.length - 1);
      expect(report.firstOffset).toBe(values.length === 0 ? -1 : 0);
      if (values.length === 0) expect(report.firstTimestamp).toBeUndefined();
    }
  });

  it('takes lines that are longer than a window, up to the largest record', async () => {
    const random = createRandom(61);
    const lengths = [10, 70_000, 0, 16_383, 16_384, 16_385, 200_000, 5, 299_999, 300_000, 300_000, 1];
    for (const end of ['\n', '\r\n']) {
      const lines = lengths.map((length) =>
        Buffer.from(random.bytes(length))
          .toString('latin1')
          .replaceAll(/[\r\n]/g, 'x'),
      );
      for (const content of [lines.join(end), lines.join(end) + end]) {
        const { ingest, records } = await bench({ maxRecordBytes: 300_000 });
        const report = await ingest(content, { format: 'plain', windowBytes: 16 * KIB });
        expect(report).toMatchObject({ cut: 0, lines: lines.length });
        expect((await records()).map(({ value }) => value)).toEqual(lines);
      }
    }
  });

  it('cuts longer lines, says how many, and goes on behind them', async () => {
    const max = 50_000;
    const lengths = [3, max + 1, 7, max + 2, max + 3, max, 70_000, 1_000_000, 0, 3_000_000, 4];
    for (const end of ['\n', '\r\n']) {
      const lines = lengths.map((length, i) => String.fromCharCode(0x61 + i).repeat(length));
      for (const tail of ['', end, 'z'.repeat(900_000)]) {
        const expected = linesOf(lines.join(end) + tail);
        const { ingest, records } = await bench({ maxRecordBytes: max });
        const report = await ingest(lines.join(end) + tail, { format: 'plain', windowBytes: 16 * KIB });
        expect((await records()).map(({ value }) => value)).toEqual(
          expected.map((line) => line.slice(0, max)),
        );
        expect(report.cut).toBe(expected.filter(({ length }) => length > max).length);
        expect(report.bytes).toBe((lines.join(end) + tail).length);
      }
    }
  });

  it('counts the headers as a part of the record when it cuts', async () => {
    const line = `081109 000010 42 WARN dfs.Node: ${'x'.repeat(5000)}`;
    const { ingest, log } = await bench({ maxRecordBytes: 1000 });
    expect(await ingest(line, { format: 'hdfs' })).toMatchObject({ cut: 1, unparsed: 0 });
    const [record] = await recordsIn(log);
    const headersBytes = 6 + 1 + 4 + 4 + 1 + 2 + 10 + 1 + 8;
    expect(record?.value).toBe(line.slice(0, 1000 - headersBytes));
    expect(record?.headers).toEqual({ level: 'WARN', pid: '42', component: 'dfs.Node' });
  });

  it('goes on where the room for batches ends before the window does', async () => {
    const { ingest, records } = await bench();
    const content = '\n'.repeat(200_000);
    const report = await ingest(content, { format: 'plain' });
    expect(report).toMatchObject({ lines: 200_000, empty: 200_000, bytes: 200_000 });
    expect(await records()).toHaveLength(200_000);
  });

  it('appends behind what is in the log', async () => {
    const { ingest, log, records } = await bench();
    await log.append({ value: 'before', key: null });
    expect(await ingest('a\nb')).toMatchObject({ firstOffset: 1, lastOffset: 2 });
    expect(await ingest('c')).toMatchObject({ firstOffset: 3, lastOffset: 3 });
    expect((await records()).map(({ value }) => value)).toEqual(['before', 'a', 'b', 'c']);
  });

  it('fills batches to the size that the log has, over several segments', async () => {
    const content = Buffer.concat([...generateHdfsSample({ bytes: MIB })]);
    const { ingest, log } = await bench({ batchBytes: 4096, segmentBytes: 256 * KIB });
    await ingest(content);
    const { segments } = log.info();
    expect(segments.length).toBeGreaterThan(4);
    expect(segments.every(({ bytes }) => bytes <= 256 * KIB)).toBe(true);
    const sizes: number[] = [];
    for await (const batch of log.batches()) sizes.push(batch.size);
    const full = sizes.filter((size) => size > 3500 && size < 4096 + 1000).length;
    expect(full / sizes.length).toBeGreaterThan(0.95);
  });

  it('reads the real disk', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'varve-ingest-'));
    onTestFinished(() => rmSync(directory, { recursive: true }));
    const path = join(directory, 'a file');
    const content = mixedLines(createRandom(62), 3000).join('\r\n');
    writeFileSync(path, content, 'latin1');
    const { log, records } = await bench();
    const report = await ingestFile(log, path, { runtime, format: 'hdfs', windowBytes: 32 * KIB });
    expect(report.bytes).toBe(content.length);
    expect(await records()).toEqual(recordsOf(content, 'hdfs'));
  });

  it('reads streams of bytes and of strings, however they are cut', async () => {
    const random = createRandom(63);
    const content = mixedLines(random, 3000).join('\n');
    const bytes = Buffer.from(content, 'latin1');
    function* pieces(): Generator<Buffer> {
      for (let at = 0; at < bytes.length; ) {
        const length = random.pick([0, 1, 7, 1000, 50_000]);
        yield bytes.subarray(at, at + length);
        at += length;
      }
    }
    const first = await bench();
    const report = await ingestFile(first.log, Readable.from(pieces(), { objectMode: false }), {
      runtime,
      windowBytes: 20_000,
    });
    expect(report.bytes).toBe(bytes.length);
    expect(await first.records()).toEqual(recordsOf(content, 'hdfs'));
    const second = await bench();
    await ingestFile(second.log, Readable.from(['größe\n', 'ende']), { runtime });
    const values = (await second.records()).map(({ value }) => Buffer.from(value, 'latin1').toString());
    expect(values).toEqual(['größe', 'ende']);
  });

  it('takes the lines of a slow stream as they come', async () => {
    const { log, records } = await bench();
    const slow = new Readable({ read: () => undefined });
    const ingesting = ingestFile(log, slow, { runtime, format: 'plain' });
    const reached = async (count: number): Promise<void> => {
      while (log.nextOffset < count) await new Promise((resolve) => setTimeout(resolve, 5));
    };
    slow.push('one\ntw');
    await reached(1);
    slow.push('o\nthree\nfo');
    await reached(3);
    expect(log.nextOffset).toBe(3);
    slow.push('ur');
    slow.push(null);
    expect(await ingesting).toMatchObject({ lines: 4, bytes: 18 });
    expect((await records()).map(({ value }) => value)).toEqual(['one', 'two', 'three', 'four']);
  });

  it('says how far it is, without a step back, and to the end', async () => {
    const content = Buffer.concat([...generateHdfsSample({ bytes: MIB })]);
    const steps: number[] = [];
    const { ingest } = await bench();
    await ingest(content, { windowBytes: 64 * KIB, onProgress: (bytes) => steps.push(bytes) });
    expect(steps.length).toBeGreaterThan(15);
    expect(steps).toEqual([...steps].sort((a, b) => a - b));
    expect(steps.at(-1)).toBe(content.length);
  });

  it('takes no more memory for a large file than for a small one', async () => {
    const windowBytes = 64 * KIB;
    const { log } = await bench();
    const before = runtime.memory.slabs.inUseBytes;
    let most = 0;
    await ingestFile(log, Readable.from(generateHdfsSample({ bytes: 24 * MIB })), {
      runtime,
      windowBytes,
      onProgress: () => {
        const mine = runtime.memory.slabs.inUse().filter(({ owner }) => /^(?:ingest|task)/.test(owner));
        most = Math.max(
          most,
          mine.reduce((sum, { bytes }) => sum + bytes, 0),
        );
      },
    });
    // Eight windows with room for their batches, and two tasks.
    expect(most).toBeGreaterThan(0);
    expect(most).toBeLessThanOrEqual(8 * 3 * windowBytes + 2 * 2 * WINDOW_WORK_BYTES + 64 * KIB);
    expect(runtime.memory.slabs.inUseBytes - before).toBeLessThan(8 * MIB);
  });

  it('does the same in the least memory there can be', async () => {
    const small = createRuntime({ memoryBytes: 8 * MIB, threads: 1 });
    onTestFinished(() => small.close());
    const content = mixedLines(createRandom(64), 20_000).join('\n');
    const { ingest, records, close } = await createBench(small);
    onTestFinished(close);
    expect((await ingest(content, { format: 'hdfs' })).lines).toBe(20_000);
    expect(await records()).toEqual(recordsOf(content, 'hdfs'));
  });

  it('starts no thread for a small file', async () => {
    const fresh = createRuntime({ memoryBytes: 32 * MIB, threads: 1 });
    onTestFinished(() => fresh.close());
    const { ingest, records, close } = await createBench(fresh);
    onTestFinished(close);
    const content = mixedLines(createRandom(65), 2000).join('\n');
    await ingest(content, { format: 'hdfs' });
    expect(await records()).toEqual(recordsOf(content, 'hdfs'));
    expect(fresh.pool.metrics().completed).toBe(0);
    await ingest(content, { format: 'hdfs', windowBytes: 16 * KIB });
    expect(fresh.pool.metrics().completed).toBeGreaterThan(5);
  });

  it('refuses options that make no sense, before anything happens', async () => {
    const { log, vfs } = await bench();
    const bad: [object, RegExp][] = [
      [{ format: 'xml' }, /format must be one of hdfs, .*, plain/],
      [{ format: { pattern: '<a' } }, /the < at column 1 is not closed/],
      [{ zone: 'here' }, /zone must be/],
      [{ assumeYear: 0 }, /assumeYear must be a whole number from 1/],
      [{ windowBytes: 1000 }, /windowBytes must be a whole number from 16384/],
      [{ windowBytes: 'large' }, /windowBytes must be a number/],
      [{ formt: 'hdfs' }, /no option formt/],
    ];
    for (const [options, message] of bad) {
      const asked = { runtime, vfs, ...options } as IngestOptions;
      await expect(ingestFile(log, 'no file', asked)).rejects.toThrow(message);
    }
    expect(log.nextOffset).toBe(0);
  });
});
