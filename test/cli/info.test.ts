import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { open } from '../../src/open.ts';
import { batchBytes } from '../kit/batch-bytes.ts';
import { jsonLines, temporaryDirectory, varve } from './command.ts';

const START_MS = 1_226_262_975_000;
const LEVELS = ['INFO', 'INFO', 'WARN', 'INFO', 'ERROR'];

/** Two logs: one with levels and several segments, one with a single record. */
async function makeDatabase(): Promise<string> {
  const directory = join(temporaryDirectory(), 'data');
  const database = await open(directory);
  const events = await database.log('events', {
    segmentBytes: 4096,
    sync: { mode: 'never' },
    batchBytes: 256,
  });
  for (let i = 0; i < 100; i++) {
    await events.append({
      value: `an event with some text in it, number ${i}`,
      // The first is not the oldest.
      timestamp: START_MS + (i === 1 ? -500 : i * 500),
      headers: [
        { key: 'pid', value: String(i) },
        { key: 'level', value: LEVELS[i % 5] ?? '' },
      ],
    });
  }
  const single = await database.log('single');
  await single.append({ value: 'only', timestamp: START_MS });
  await database.close();
  return directory;
}

function cellsOf(text: string): string[][] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.trim().split(/ {2,}/));
}

describe('varve info of a database', () => {
  test('has a line for each log', async () => {
    const { code, stdout, stderr } = await varve(['info', await makeDatabase()]);
    expect(stderr).toBe('');
    expect(code).toBe(0);
    const [titles, events, single] = cellsOf(stdout);
    expect(titles?.slice(0, 4)).toEqual(['log', 'records', 'offsets', 'first time']);
    expect(events?.slice(0, 6)).toEqual([
      'events',
      '100',
      '0 to 99',
      '2008-11-09T20:36:15.000Z',
      '2008-11-09T20:37:04.500Z',
      '2.02',
    ]);
    expect(single?.slice(0, 3)).toEqual(['single', '1', '0 to 0']);
  });

  test('gives the same as JSON', async () => {
    const directory = await makeDatabase();
    const { stdout } = await varve(['info', directory, '--json']);
    const [answer] = jsonLines(stdout) as [{ directory: string; logs: Record<string, unknown>[] }];
    expect(answer.directory).toBe(directory);
    expect(answer.logs).toHaveLength(2);
    expect(answer.logs[0]).toMatchObject({
      name: 'events',
      partition: 0,
      firstOffset: 0,
      nextOffset: 100,
      records: 100,
      from: '2008-11-09T20:36:15.000Z',
      to: '2008-11-09T20:37:04.500Z',
    });
    expect(answer.logs[0]?.['segments']).toBeGreaterThan(1);
  });

  test('says when there are no logs', async () => {
    const directory = join(temporaryDirectory(), 'data');
    await (await open(directory)).close();
    const { code, stdout } = await varve(['info', directory]);
    expect(stdout).toBe(`${directory} has no logs\n`);
    expect(code).toBe(0);
  });

  test('shows a log without records', async () => {
    const directory = join(temporaryDirectory(), 'data');
    const database = await open(directory);
    await database.log('empty');
    await database.close();
    expect(cellsOf((await varve(['info', directory])).stdout)[1]?.slice(0, 3)).toEqual(['empty', '0', '-']);
    const { code, stdout } = await varve(['info', directory, 'empty']);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^records +0$/m);
    const [details] = jsonLines((await varve(['info', directory, 'empty', '--json'])).stdout);
    expect(details).toMatchObject({ records: 0, from: null, to: null, eventsPerSecond: null, levels: {} });
  });
});

describe('varve info of a log', () => {
  test('counts levels and finds the oldest and the newest time', async () => {
    const { code, stdout, stderr } = await varve(['info', await makeDatabase(), 'events']);
    expect(stderr).toBe('');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^records +100, offsets 0 to 99$/m);
    expect(stdout).toMatch(/^time +2008-11-09T20:36:14.500Z to 2008-11-09T20:37:04.500Z \(50 s\)$/m);
    expect(stdout).toMatch(/^events\/s +2 on average$/m);
    expect(stdout).toMatch(/^levels +INFO 60 \(60 %\), WARN 20 \(20 %\), ERROR 20 \(20 %\)$/m);
    expect(stdout).toMatch(/^ +0 +\d+ .* sealed$/m);
    expect(stdout).toMatch(/ active$/m);
  });

  test('gives the same as JSON', async () => {
    const { stdout } = await varve(['info', await makeDatabase(), 'events', '--json']);
    const [answer] = jsonLines(stdout);
    expect(answer).toMatchObject({
      name: 'events',
      records: 100,
      unreadRecords: 0,
      from: '2008-11-09T20:36:14.500Z',
      to: '2008-11-09T20:37:04.500Z',
      eventsPerSecond: 2,
      levels: { INFO: 60, WARN: 20, ERROR: 20 },
    });
    expect((answer as { segments: unknown[] }).segments.length).toBeGreaterThan(1);
  });

  test('says how many records are in batches that it cannot read', async () => {
    const directory = join(temporaryDirectory(), 'data');
    const database = await open(directory);
    const folder = (await database.log('foreign')).directory;
    await database.close();
    for (const name of readdirSync(folder)) rmSync(join(folder, name), { recursive: true });
    const plain = batchBytes({
      records: [{ offsetDelta: 0, value: Buffer.from('plain') }],
      baseTimestamp: BigInt(START_MS),
      maxTimestamp: BigInt(START_MS),
    });
    const compressed = batchBytes({
      baseOffset: 1n,
      attributes: 7,
      records: new Uint8Array(100),
      recordCount: 7,
      lastDelta: 6,
      baseTimestamp: BigInt(START_MS + 1000),
      maxTimestamp: BigInt(START_MS + 2000),
    });
    writeFileSync(join(folder, '00000000000000000000.log'), Buffer.concat([plain, compressed]));
    const { code, stdout } = await varve(['info', directory, 'foreign']);
    expect(stdout).toMatch(/^records +8, offsets 0 to 7$/m);
    expect(stdout).toMatch(/^time +2008-11-09T20:36:15.000Z to 2008-11-09T20:36:17.000Z/m);
    expect(stdout).toMatch(/^unread +7 records in compressed batches$/m);
    expect(code).toBe(0);
    const read = await varve(['read', directory, 'foreign']);
    expect(read.stdout).toBe('plain\n');
    expect(read.stderr).toMatch(/^varve: [^\n]*compressed[^\n]*\(UNSUPPORTED\)\n$/);
    expect(read.code).toBe(2);
  });

  test('fails where there is no such log', async () => {
    const directory = await makeDatabase();
    const { code, stderr } = await varve(['info', directory, 'evnts']);
    expect(stderr).toBe(
      `varve: there is no log "evnts" in ${directory}; it has events, single (NOT_FOUND)\n`,
    );
    expect(code).toBe(2);
  });
});
