/** `varve stats`, as its users run it. */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { renderChart } from '../../src/cli/chart.ts';
import { generateHdfsSample } from '../../src/parse/sample.ts';
import { temporaryDirectory, varve } from './command.ts';

const LOG = [
  '081109 203615 148 INFO dfs.Node: block blk_1 is done',
  '081109 203616 148 INFO dfs.Node: block blk_2 is done',
  '081109 204616 148 WARN dfs.Name: slow',
  '\tat a.b(C.java:1)',
  'n\x1bise',
].join('\n');

describe('varve stats', () => {
  test('says what is in a file', async () => {
    const path = join(temporaryDirectory(), 'a.log');
    writeFileSync(path, LOG);
    const { code, stdout, stderr } = await varve(['stats', path]);
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toContain('format     hdfs (75 % of the first lines)');
    expect(stdout).toMatch(/^lines {6}5 in 167 B$/m);
    expect(stdout).toMatch(/^continued {2}1$/m);
    expect(stdout).toContain(`  ${path}:5: n\\x1bise\n`);
    expect(stdout).toContain('2008-11-09T20:36:15.000Z to 2008-11-09T20:46:16.000Z (10 min 1 s)');
    expect(stdout).toMatch(/^ +2 {2}66\.7 % {2}INFO {4}█+$/m);
    expect(stdout).toMatch(/^ +2 {2}66\.7 % {2}block <\*> is done$/m);
    expect(stdout).toMatch(/^9 min 59 s {2}2008-11-09T20:36:17.000Z {2}2008-11-09T20:46:16.000Z$/m);
  });

  test('answers as JSON, of what was chosen, from standard input', async () => {
    const args = ['stats', '-', '--format', 'hdfs', '--level', 'WARN', '--json'];
    const { code, stdout } = await varve(args, { input: LOG });
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      from: '2008-11-09T20:46:16.000Z',
      to: '2008-11-09T20:46:16.000Z',
      lines: 5,
      entries: 1,
      continuations: 1,
      failed: 1,
      levels: [{ text: 'WARN', count: 1, share: 1, shareError: 0 }],
      templates: [{ text: 'slow', count: 1 }],
    });
  });

  test('goes on behind a file that cannot be read, and leaves with 2', async () => {
    const directory = temporaryDirectory();
    writeFileSync(join(directory, 'a.log'), LOG);
    const { code, stdout, stderr } = await varve([
      'stats',
      join(directory, 'none'),
      join(directory, '*.log'),
      '--json',
    ]);
    expect(code).toBe(2);
    expect(stderr).toMatch(/^varve: .*none.*NOT_FOUND\)\n$/);
    expect(JSON.parse(stdout)).toMatchObject({ lines: 5 });
  });

  test('takes a sample, and says what it is worth', async () => {
    const path = join(temporaryDirectory(), 'big.log');
    writeFileSync(path, Buffer.concat([...generateHdfsSample({ bytes: 4 << 20 })]));
    const { code, stdout } = await varve(['stats', '--sample', '2%', '--seed', '4', path]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^sample {5}2.93 % of the bytes, 30 of 1,024 blocks; ± is 95 % confidence$/m);
    expect(stdout).toMatch(/^lines {6}3\d,\d{3} ± \d+ in 4 MiB$/m);
    expect(stdout).toMatch(/^ *entries +share +± +level$/m);
  });

  test.each([
    [['--level', 'LOUD'], 'LOUD'],
    [['--sample', '0'], '--sample'],
    [['--zone', 'Nowhere/Land'], 'Nowhere/Land'],
    [['--format', 'morse'], 'morse'],
  ])('does nothing where %j is wrong', async (args, what) => {
    const { code, stdout, stderr } = await varve(['stats', ...args, '-'], { input: LOG });
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toContain(what);
  });
});

test('a chart shows whatever is there at all', () => {
  expect(renderChart([0, 1, 500, 1000, 0], 2)).toBe('1,000 ┤   █\n    0 ┼ ▁██\n');
});
