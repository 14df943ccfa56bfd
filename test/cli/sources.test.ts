import { expect, test } from 'vitest';
import { logNameOf } from '../../src/cli/sources.ts';
import { checkLogName } from '../../src/log/names.ts';

test.each([
  ['HDFS_2k.log', 'HDFS_2k'],
  ['some/where/app.txt', 'app'],
  ['C:\\logs\\app.LOG', 'app'],
  ['access.log.1', 'access.log.1'],
  ['my log (old).log', 'my-log-old'],
  ['.hidden', 'hidden'],
  ['..', 'log'],
  ['日本.log', 'log'],
  ['-', 'stdin'],
  [`${'x'.repeat(300)}.log`, 'x'.repeat(200)],
])('the lines of %s go to the log %s', (path, name) => {
  expect(logNameOf(path)).toBe(name);
  expect(checkLogName(name)).toBe(name);
});
