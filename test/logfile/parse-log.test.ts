/** Entries of log files, taken apart. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { columns, type LogEntry, type ParseLogOptions, parseLog } from '../../src/logfile/parse-log.ts';
import { generateHdfsSample } from '../../src/parse/sample.ts';
import { createRuntime, type Runtime } from '../../src/runtime.ts';
import type { TextInput } from '../../src/text/inputs.ts';
import { hasLoghub, loghubPath, loghubRows, loghubTitle } from '../kit/loghub.ts';
import { createRandom } from '../kit/random.ts';

let directory: string;
let runtime: Runtime;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'varve-parse-'));
  runtime = createRuntime({ threads: 1, memoryBytes: 64 << 20 });
});

afterAll(async () => {
  await runtime.close();
  expect(runtime.memory.slabs.inUse()).toEqual([]);
  rmSync(directory, { recursive: true });
});

function file(name: string, content: string | Uint8Array): string {
  const path = join(directory, name);
  writeFileSync(path, content);
  return path;
}

async function read(source: TextInput, options: ParseLogOptions = {}): Promise<LogEntry[]> {
  const entries: LogEntry[] = [];
  for await (const entry of parseLog(source, { runtime, ...options })) entries.push(entry);
  return entries;
}

const LOG = [
  '081109 203615 148 INFO dfs.DataNode$PacketResponder: one',
  '081109 203616 149 WARN dfs.DataNode: zwei: käse',
  '\tat java.lang.Thread.run(Thread.java:662)',
  'Caused by: java.io.IOException: no',
  'a line that does not parse',
  '081109 203617 150 ODD dfs.FSNamesystem: three',
  '',
].join('\r\n');
const AT = Date.UTC(2008, 10, 9, 20, 36, 15);

test('an entry has its fields, its place, and the lines that belong to it', async () => {
  const path = file('a.log', LOG);
  const [one, two, three, four, ...more] = await read(path, { format: 'hdfs' });
  expect(more).toEqual([]);
  expect(one).toMatchObject({
    file: path,
    line: 1,
    position: 0,
    isParsed: true,
    timestamp: AT,
    nanoseconds: 0,
    level: 'INFO',
    levelText: 'INFO',
    component: 'dfs.DataNode$PacketResponder',
    pid: '148',
    message: 'one',
    fields: {},
    raw: '081109 203615 148 INFO dfs.DataNode$PacketResponder: one',
    isCut: false,
  });
  expect(one?.iso).toBe('2008-11-09T20:36:15.000Z');
  expect(two).toMatchObject({
    line: 2,
    position: LOG.indexOf('081109 203616'),
    message: 'zwei: käse\n\tat java.lang.Thread.run(Thread.java:662)\nCaused by: java.io.IOException: no',
    component: 'dfs.DataNode',
  });
  expect(two?.raw.split('\n')).toHaveLength(3);
  expect(three).toMatchObject({ line: 5, isParsed: false, timestamp: undefined, level: undefined });
  expect(three?.message).toBe('a line that does not parse');
  expect(four).toMatchObject({ line: 6, level: 'OTHER', levelText: 'ODD', timestamp: AT + 2000 });
  expect(JSON.parse(JSON.stringify(four))).toEqual({
    time: '2008-11-09T20:36:17.000Z',
    timestamp: AT + 2000,
    level: 'OTHER',
    component: 'dfs.FSNamesystem',
    pid: '150',
    message: 'three',
    file: path,
    line: 6,
    position: Buffer.byteLength(LOG.slice(0, LOG.indexOf('081109 203617'))),
  });
});

describe.skipIf(!hasLoghub)(loghubTitle('the lines of loghub'), () => {
  test('become the entries that others found in them', async () => {
    const rows = loghubRows('HDFS');
    const entries = await read(loghubPath('HDFS'));
    expect(entries.map(({ pid, level, component, message }) => [pid, level, component, message])).toEqual(
      rows.map(({ Pid, Level, Component, Content }) => [Pid, Level, Component, Content]),
    );
    expect(entries.map(({ line }) => line)).toEqual(rows.map(({ LineId }) => Number(LineId)));
  });
});

describe('lines that a seed makes', () => {
  const random = createRandom(99);
  const head = (): string =>
    `081109 20${10 + random.int(0, 49)}${10 + random.int(0, 49)} 1 ${random.pick(['INFO', 'WARN', 'ERROR'])} a.B: `;
  // Entries of all lengths, so that they lie across every border there is.
  const texts = Array.from({ length: 6000 }, () => {
    const lines = [head() + 'x'.repeat(random.int(0, random.pick([10, 200, 4000])))];
    for (let left = random.chance(0.2) ? random.int(1, random.pick([3, 400])) : 0; left > 0; left--) {
      lines.push(`\tat ${'y'.repeat(random.int(1, 40))}`);
    }
    return lines.join('\n');
  });
  const whole = `${texts.join('\n')}\n`;

  test('come back as they are, from files and from streams', async () => {
    const path = file('random.log', whole);
    const entries = await read(path, { format: 'hdfs' });
    expect(entries.length).toBe(texts.length);
    expect(entries.every(({ raw }, i) => raw === texts[i])).toBe(true);
    const lines = texts.map((text) => text.split('\n').length);
    let line = 1;
    expect(entries.every((entry, i) => entry.line === (line += lines[i - 1] ?? 0))).toBe(true);
    expect(entries.every(({ raw, position }) => whole.startsWith(raw, position))).toBe(true);
    const streamed = await read(Readable.from(whole.match(/[^]{1,50000}/g) ?? []), { format: 'hdfs' });
    expect(streamed.map(({ raw, position }) => [raw, position])).toEqual(
      entries.map(({ raw, position }) => [raw, position]),
    );
  });

  test('are filtered entry by entry', async () => {
    const path = file('filtered.log', whole);
    const since = Date.UTC(2008, 10, 9, 20, 30);
    const all = await read(path, { format: 'hdfs' });
    const some = await read(path, { format: 'hdfs', level: 'WARN', since });
    const wanted = all.filter(({ level, timestamp }) => level !== 'INFO' && (timestamp ?? 0) >= since);
    expect(some.map((entry) => entry.toJSON())).toEqual(wanted.map((entry) => entry.toJSON()));
    expect(wanted.length).toBeGreaterThan(100);
  });

  test('make columns of the same', async () => {
    const path = file('columns.log', whole);
    const entries = await read(path, { format: 'hdfs' });
    let next = 0;
    for await (const batch of columns(path, { runtime, format: 'hdfs' })) {
      expect([batch.file, batch.format]).toEqual([path, 'hdfs']);
      for (let i = 0; i < batch.count; i++) {
        if (batch.isContinuation(i)) continue;
        const entry = entries[next++];
        expect(batch.times[i]).toBe(entry?.timestamp);
        expect(batch.levelNames[batch.levels[i] ?? 0]).toBe(entry?.level);
        expect([batch.line(i), batch.component(i)]).toEqual([entry?.line, entry?.component]);
        expect(entry?.message.startsWith(batch.message(i))).toBe(true);
      }
    }
    expect(next).toBe(entries.length);
  });

  test('of a sample are some of them', async () => {
    const path = file('sampled.log', whole);
    const all = new Set((await read(path, { format: 'hdfs' })).map(({ position }) => position));
    const some = await read(path, { format: 'hdfs', sample: 0.05 });
    expect(some.length).toBeGreaterThan(10);
    expect(some.length).toBeLessThan(texts.length / 3);
    expect(some.filter(({ isParsed }) => isParsed).every(({ position }) => all.has(position))).toBe(true);
    expect(some.every(({ line }) => line === undefined)).toBe(true);
  });
});

test('fields of JSON lines are what they stand for', async () => {
  const line =
    '{"time":"2024-02-29T10:00:00.123456Z","level":30,"name":"a\\"b","msg":"one\\ttwo","user":{"id":7},"ok":true}\n';
  const entries = await read(Readable.from([line, '{"time":1709200800000,"level":50,"msg":"é"}\n']));
  expect(entries).toMatchObject([
    { iso: '2024-02-29T10:00:00.123456Z', level: 'INFO', component: 'a"b', message: 'one\ttwo' },
    { timestamp: 1709200800000, level: 'ERROR', message: 'é', fields: {} },
  ]);
  expect(entries[0]?.fields).toEqual({ user: { id: 7 }, ok: true });
});

describe('what is odd', () => {
  test('a line that is too long is cut off, and marked', async () => {
    const text = `081109 203615 1 INFO a.B: ${'é'.repeat(3 << 20)}\n081109 203616 1 INFO a.B: next\n`;
    for (const source of [file('long.log', text), Readable.from([text])]) {
      const [first, second, ...more] = await read(source, { format: 'hdfs' });
      expect(more).toEqual([]);
      expect(first?.isCut).toBe(true);
      expect(Buffer.byteLength(first?.raw ?? '')).toBeLessThan(2.1 * 2 ** 20);
      expect(second).toMatchObject({ message: 'next', isCut: false, line: 2 });
    }
  });

  test('an entry has so many lines at most as memory allows', async () => {
    const lines = `081109 203615 1 INFO a.B: x\n${`\tat ${'z'.repeat(1000)}\n`.repeat(9000)}081109 203615 1 INFO a.B: y\n`;
    const [first, second] = await read(file('trace.log', lines), { format: 'hdfs' });
    expect(first?.isCut).toBe(true);
    expect(first?.raw.length).toBeLessThan(4.1 * 2 ** 20);
    expect(second).toMatchObject({ message: 'y', line: 9002 });
  });

  test('bytes that are no characters are replaced, and nothing moves', async () => {
    const bytes = Buffer.concat([
      Buffer.from('081109 203615 1 INFO a.B: '),
      Buffer.from([0xff, 0xc3, 0x28, 0]),
      Buffer.from(' end\n'),
    ]);
    const [entry] = await read(file('invalid.log', bytes), { format: 'hdfs' });
    expect(entry).toMatchObject({ component: 'a.B', message: '\ufffd\ufffd(\0 end' });
  });

  test('reading ends in the middle, and gives back what it has', async () => {
    const path = file('early.log', Buffer.concat([...generateHdfsSample({ bytes: 4 << 20 })]));
    let count = 0;
    for await (const entry of parseLog(path, { runtime })) {
      expect(entry.isParsed).toBe(true);
      if (++count === 10) break;
    }
    expect(runtime.memory.slabs.inUse()).toEqual([]);
  });

  test('it stops when it is told to, and tells how far it is', async () => {
    const path = file('stopped.log', Buffer.concat([...generateHdfsSample({ bytes: 4 << 20 })]));
    const controller = new AbortController();
    const reason = new Error('enough');
    const seen: number[] = [];
    const reading = read(path, {
      signal: controller.signal,
      onProgress(bytes, total) {
        seen.push(bytes);
        expect(total).toBeGreaterThan(bytes);
        if (seen.length === 3) controller.abort(reason);
      },
    });
    await expect(reading).rejects.toBe(reason);
    expect(seen).toHaveLength(3);
  });

  test('the format is found out, of streams too', async () => {
    const lines = Buffer.concat([...generateHdfsSample({ lines: 300 })]);
    const pieces = [lines.subarray(0, 10), lines.subarray(10, 7000), lines.subarray(7000)];
    const entries = await read(Readable.from(pieces));
    expect(entries).toHaveLength(300);
    expect(entries.every(({ isParsed, level }) => isParsed && level !== undefined)).toBe(true);
    const plain = await read(Readable.from(['just\ntext']));
    expect(plain.map(({ message, timestamp, isParsed }) => [message, timestamp, isParsed])).toEqual([
      ['just', undefined, true],
      ['text', undefined, true],
    ]);
  });

  test.each([
    [{ sample: 2 }, RangeError],
    [{ index: 'yes' }, TypeError],
    [{ indexDirectory: 5 }, TypeError],
    [{ level: 'LOUD' }, RangeError],
    [{ top: 3 }, TypeError],
  ])('the option %j is a mistake that is told', async (options, kind) => {
    await expect(read('x', options as ParseLogOptions)).rejects.toThrow(kind);
  });
});
