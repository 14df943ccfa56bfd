/** `varve query` and `varve histogram`, as their users run them. */

import type { ChildProcess } from 'node:child_process';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import { open } from '../../src/open.ts';
import { finished, jsonLines, startVarve, temporaryDirectory, varve } from './command.ts';

async function makeStore(): Promise<string> {
  const directory = join(temporaryDirectory(), 'db');
  const database = await open(directory);
  const events = await database.events('app');
  await events.writeMany([
    {
      timestamp: 1_700_000_003_000,
      level: 'ERROR',
      component: 'db',
      version: '2',
      message: 'lost',
      metadata: { n: 1 },
    },
    { timestamp: 1_700_000_001_000, message: 'up' },
    { timestamp: 1_700_000_002_000, nanoseconds: 5, level: 'WARN', component: 'http', message: 'slow' },
  ]);
  await database.close();
  return directory;
}

test('prints entries that are asked for, in the order of their time', async () => {
  const directory = await makeStore();
  const all = await varve(['query', directory, 'app']);
  expect(all).toEqual({
    code: 0,
    signal: null,
    stderr: '',
    stdout:
      '2023-11-14T22:13:21.000Z INFO   up\n' +
      '2023-11-14T22:13:22.000000005Z WARN   http: slow\n' +
      '2023-11-14T22:13:23.000Z ERROR  db@2: lost {"n":1}\n',
  });
  const args = ['--level', 'WARN', '--until', '2023-11-14T22:13:23Z', '--json'];
  const some = await varve(['query', directory, 'app', ...args]);
  expect(jsonLines(some.stdout)).toEqual([
    {
      time: '2023-11-14T22:13:22.000000005Z',
      timestamp: 1_700_000_002_000,
      nanoseconds: 5,
      level: 'WARN',
      component: 'http',
      message: 'slow',
    },
  ]);
  const missing = await varve(['query', directory, 'nothing']);
  expect([missing.code, missing.stderr]).toEqual([
    2,
    `varve: there is no store of log entries "nothing" in ${directory}; it has app (NOT_FOUND)\n`,
  ]);
});

test('draws entries over time, for a terminal and as SVG', async () => {
  const directory = await makeStore();
  const file = join(directory, '..', 'chart.svg');
  const { code, stdout } = await varve(['histogram', directory, 'app', '--buckets', '3', '--svg', file]);
  expect(code).toBe(0);
  expect(stdout).toContain('from 2023-11-14T22:13:21.000Z on, a column is 667 ms\n');
  expect(stdout).toMatch(/3 entries: .*ERROR 1 \(33\.3 %\)/);
  const svg = readFileSync(file, 'utf8');
  expect(svg.match(/<rect class="ERROR"/g)).toHaveLength(2);
  expect(svg).toContain('app: 3 entries');
  const json = await varve(['histogram', directory, 'app', '--buckets', '2', '--json', '--level', 'WARN']);
  expect(jsonLines(json.stdout)).toEqual([
    {
      start: '2023-11-14T22:13:22.000Z',
      startMs: 1_700_000_002_000,
      widthMs: 501,
      counts: [1, 1],
      levels: { WARN: [1, 0], ERROR: [0, 1] },
    },
  ]);
});

test('ingests log files of any format into a store', async () => {
  const directory = temporaryDirectory();
  const database = join(directory, 'db');
  const hdfs =
    '081109 203615 148 INFO dfs.Node: one\n081109 203614 149 WARN dfs.Name: two\n\tat a.b(C.java:1)\nnoise\n';
  const first = await varve(['ingest', '-', '--into', database, '--events', 'app', '--format', 'hdfs'], {
    input: hdfs,
  });
  expect([first.code, first.stderr]).toEqual([0, '']);
  expect(first.stdout).toMatch(/entries +3\n/);
  const json = '{"time":"2008-11-09T20:36:14.5Z","level":"error","msg":"three","user":7}\n';
  const second = await varve(
    ['ingest', '-', '--into', database, '--events', 'app', '--format', 'json', '--json'],
    {
      input: json,
    },
  );
  expect(jsonLines(second.stdout)).toMatchObject([
    { events: 'app', files: [{ entries: 1, levels: { ERROR: 1 } }] },
  ]);
  const read = await varve(['query', database, 'app', '--json']);
  expect(jsonLines(read.stdout)).toMatchObject([
    {
      time: '2008-11-09T20:36:14.000Z',
      level: 'WARN',
      component: 'dfs.Name',
      message: 'two\n\tat a.b(C.java:1)',
      metadata: { pid: '149' },
    },
    { time: '2008-11-09T20:36:14.000Z', level: 'OTHER', message: 'noise' },
    { time: '2008-11-09T20:36:14.500Z', level: 'ERROR', message: 'three' },
    { time: '2008-11-09T20:36:15.000Z', level: 'INFO', component: 'dfs.Node', message: 'one' },
  ]);
  const both = await varve(['ingest', '-', '--into', database, '--events', 'a', '--log', 'b'], { input: '' });
  expect(both.code).toBe(2);
});

/** What a process prints, line by line as it comes. */
function linesOf(child: ChildProcess): AsyncIterator<string> {
  return createInterface({ input: child.stdout as Readable })[Symbol.asyncIterator]();
}

test('follows a store that another process writes to, until it is interrupted', async () => {
  const directory = await makeStore();
  const database = await open(directory);
  try {
    const events = await database.events('app');
    const args = [
      'query',
      directory,
      'app',
      '--follow',
      '--json',
      '--level',
      'WARN',
      '--since',
      '2023-11-14T22:13:23Z',
    ];
    const child = startVarve(args);
    const end = finished(child);
    const lines = linesOf(child);
    const next = async (): Promise<unknown> => JSON.parse((await lines.next()).value) as unknown;
    expect(await next()).toMatchObject({ message: 'lost' });
    await events.writeMany([
      { message: 'not asked for', timestamp: 1_700_000_009_000 },
      { message: 'too early', level: 'WARN', timestamp: 1_700_000_000_000 },
      { message: 'later', level: 'WARN', timestamp: 1_700_000_009_000 },
    ]);
    expect(await next()).toMatchObject({ message: 'later' });
    // By way of the journal and the store: once.
    const handover = await events.handover();
    handover.take([{ message: 'handed over', level: 'ERROR', timestamp: 1_700_000_005_000 }]);
    await handover.flush();
    await events.write({ message: 'last', level: 'FATAL' });
    expect(await next()).toMatchObject({ message: 'handed over' });
    expect(await next()).toMatchObject({ message: 'last' });
    child.kill('SIGINT');
    expect(await end).toMatchObject({ code: 130, stderr: '' });
    const second = startVarve(args);
    const secondEnd = finished(second);
    await linesOf(second).next();
    second.stdout?.destroy();
    // It notices when it has something to say.
    const writing = (async () => {
      while (second.exitCode === null) {
        await events.write({ message: 'nobody reads', level: 'FATAL' });
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    })();
    expect(await secondEnd).toMatchObject({ code: 0, stderr: '' });
    await writing;
  } finally {
    await database.close();
  }
  const wrong = await varve(['query', directory, 'app', '--follow', '--reverse']);
  expect([wrong.code, wrong.stderr]).toEqual([2, 'varve: --follow goes forward, --reverse backward\n']);
});

test('verifies trees and journals, and reads what only a journal has', async () => {
  const directory = await makeStore();
  const copy = `${directory}-copy`;
  const database = await open(directory);
  const handover = await (await database.events('app')).handover();
  for (const [i, message] of ['first', 'second', 'third'].entries())
    handover.take([{ message, timestamp: 1_700_000_001_500 + i * 1000 }]);
  // Before the next turn, nothing but the journal has them.
  cpSync(directory, copy, { recursive: true, filter: (path) => !path.includes('LOCK') });
  await database.close();
  expect((await varve(['verify', copy])).code).toBe(0);
  const read = async (): Promise<unknown[]> =>
    jsonLines((await varve(['query', copy, 'app', '--json'])).stdout).map(({ message }) => message);
  expect(await read()).toEqual(['up', 'first', 'slow', 'second', 'lost', 'third']);
  const journal = join(copy, 'trees', 'events.app', 'journal-0');
  const bytes = readFileSync(journal);
  writeFileSync(journal, bytes.fill(0, bytes.indexOf('second'), bytes.indexOf('second') + 2));
  expect(await read()).toEqual(['up', 'first', 'slow', 'lost', 'third']);
  const { code, stdout } = await varve(['verify', copy]);
  expect(code).toBe(1);
  expect(stdout).toContain(`${journal} is damaged at position`);
  const again = await open(copy);
  expect((await again.events('app')).recovery).toMatchObject({
    entries: 2,
    damage: [{ file: journal, records: 1 }],
  });
  await again.close();
  expect((await varve(['verify', copy])).code).toBe(0);
});
