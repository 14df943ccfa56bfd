/** `varve query` and `varve histogram`, as their users run them. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { open } from '../../src/open.ts';
import { jsonLines, temporaryDirectory, varve } from './command.ts';

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
