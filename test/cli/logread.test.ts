/** `varve logread`, as its users run it. */

import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { generateHdfsSample } from '../../src/parse/sample.ts';
import { jsonLines, temporaryDirectory, varve } from './command.ts';

const LOG = [
  '081109 203615 148 INFO dfs.Node: one\r\n',
  '081109 203616 149 WARN dfs.Name: two\n',
  '\tat a.b(C.java:1)\n',
  '\tat d.e(F.java:2)\n',
  'noise\n',
  '081109 203617 150 ERROR dfs.Node: three',
];

async function print(args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await varve(['logread', '-', '--format', 'hdfs', ...args], {
    input: LOG.join(''),
  });
  expect([code, stderr]).toEqual([0, '']);
  return stdout;
}

test('prints lines as they are, all of them or those that are asked for', async () => {
  expect(await print([])).toBe(`${LOG.join('')}\n`);
  expect(await print(['--level', 'WARN'])).toBe(`${LOG.slice(1).join('')}\n`);
  expect(await print(['--level', '=WARN'])).toBe(LOG.slice(1, 5).join(''));
  expect(await print(['--component', 'dfs.No*'])).toBe(`${LOG[0]}${LOG[5]}\n`);
  expect(await print(['--since', '2008-11-09T20:36:16Z', '--until', '2008-11-09T20:36:17Z'])).toBe(
    LOG.slice(1, 5).join(''),
  );
  expect(await print(['--since', '2008-11-09T21:36:16Z', '--zone', '-01:00'])).toBe(
    `${LOG.slice(1).join('')}\n`,
  );
});

test('prints at most so many entries, with all the lines that belong to them', async () => {
  expect(await print(['--limit', '0'])).toBe('');
  expect(await print(['--limit', '1'])).toBe(LOG[0]);
  expect(await print(['--limit', '2'])).toBe(LOG.slice(0, 4).join(''));
  expect(await print(['--limit', '1', '--level', 'ERROR'])).toBe(`${LOG[5]}\n`);
  expect(jsonLines(await print(['--limit', '2', '--json']))).toHaveLength(2);
});

test('prints entries as JSON, or some of their fields', async () => {
  const entries = jsonLines(await print(['--json']));
  expect(entries).toHaveLength(4);
  expect(entries[1]).toEqual({
    time: '2008-11-09T20:36:16.000Z',
    timestamp: 1226262976000,
    level: 'WARN',
    component: 'dfs.Name',
    pid: '149',
    message: 'two\n\tat a.b(C.java:1)\n\tat d.e(F.java:2)',
    file: '(standard input)',
    line: 2,
    position: 38,
    format: 'hdfs',
  });
  expect(entries[2]).toMatchObject({ message: 'noise', isParsed: false, line: 5 });
  expect(await print(['--fields', 'level,pid,message', '--limit', '2'])).toBe(
    'INFO\t148\tone\nWARN\t149\ttwo\\x0a\\x09at a.b(C.java:1)\\x0a\\x09at d.e(F.java:2)\n',
  );
  const fifth = ['--fields', 'line,pid', '--json', '--level', '=WARN', '--limit', '2'];
  expect(jsonLines(await print(fifth))[1]).toEqual({ line: 5, pid: null });
});

test('reads formats of one own, of several files, and goes on behind one that is missing', async () => {
  const directory = temporaryDirectory();
  writeFileSync(join(directory, 'a.log'), '2024-02-29T10:00:00.123456Z|error|disk|no space\n');
  writeFileSync(join(directory, 'b.log'), '2024-02-29T11:00:00.5Z|info|disk|ok\n');
  const pattern = ['--pattern', '<Time>|<Level>|<Component>|<Content>', '--time-pattern', 'iso8601'];
  const files = [join(directory, '*.log'), join(directory, 'none.log')];
  const { code, stdout, stderr } = await varve([
    'logread',
    ...files,
    ...pattern,
    '--fields',
    'time,level,message',
  ]);
  expect(code).toBe(2);
  expect(stderr).toMatch(/none\.log \(NOT_FOUND\)\n$/);
  expect(stdout).toBe('2024-02-29T10:00:00.123456Z\tERROR\tno space\n2024-02-29T11:00:00.500Z\tINFO\tok\n');
});

test('keeps a time index of a large file, unless it is told not to', async () => {
  const directory = temporaryDirectory();
  const elsewhere = join(directory, 'indexes');
  mkdirSync(elsewhere);
  const path = join(directory, 'large.log');
  writeFileSync(path, Buffer.concat([...generateHdfsSample({ bytes: 9 << 20 })]));
  const range = ['--since', '2009-03-02T05:40:00Z', '--until', '2009-03-02T05:40:05Z'];
  const answers: string[] = [];
  for (const more of [['--no-index'], ['--index-dir', elsewhere], [], []]) {
    const { code, stdout } = await varve(['logread', path, ...range, ...more]);
    expect(code).toBe(0);
    answers.push(stdout);
    if (more[0] !== undefined) expect(existsSync(join(directory, '.large.log.varve-index'))).toBe(false);
  }
  expect(answers[0]?.split('\n').length).toBeGreaterThan(20);
  expect(new Set(answers).size).toBe(1);
  expect(existsSync(join(directory, '.large.log.varve-index'))).toBe(true);
  expect(readdirSync(elsewhere)).toHaveLength(1);
});

test('tells of fields that no line of a format has, and prints the others', async () => {
  const args = ['logread', '-', '--format', 'hdfs', '--fields', 'level,nope,pid', '--limit', '1'];
  const { code, stdout, stderr } = await varve(args, { input: LOG.join('') });
  expect({ code, stdout }).toEqual({ code: 2, stdout: 'INFO\t\t148\n' });
  expect(stderr).toMatch(
    /^varve: \(standard input\): lines of the format hdfs have no field nope; they have time, /,
  );
  const json = await varve(['logread', '-', '--fields', 'nope,a,constructor,__proto__'], {
    input: '{"msg":"x","a":"b"}\n',
  });
  expect(json).toMatchObject({ code: 0, stdout: '\tb\t\t\n', stderr: '' });
});

test('keeps the digits of integers of JSON that are beyond those of a number', async () => {
  const line =
    '{"msg":"12345678901234567890","id":12345678901234567890,"low":-9007199254740993,"ok":9007199254740991,"real":1.5}';
  const { stdout } = await varve(['logread', '-', '--json'], { input: `${line}\n` });
  expect(jsonLines(stdout)[0]).toMatchObject({
    message: '12345678901234567890',
    fields: { id: '12345678901234567890', low: '-9007199254740993', ok: 9007199254740991, real: 1.5 },
  });
});

test('says where entries cannot be chosen, since no format was found out', async () => {
  for (const command of ['logread', 'loggrep', 'logtail', 'stats']) {
    const args = [...(command === 'loggrep' ? ['e'] : []), '-', '--level', 'WARN'];
    const { stderr } = await varve([command, ...args], { input: 'some text\n' });
    expect([command, stderr]).toEqual([
      command,
      'varve: (standard input): its lines are of no known format, so none is chosen by time, level or component\n',
    ]);
  }
});
