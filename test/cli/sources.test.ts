import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { logNameOf } from '../../src/cli/sources.ts';
import { checkLogName } from '../../src/log/names.ts';
import { MAIN, temporaryDirectory } from './command.ts';

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

describe.skipIf(process.platform !== 'linux')(
  'standard input that cannot be read is refused (seen on Linux)',
  () => {
    test.each([
      ['a directory', '< /', /cannot read standard input: illegal operation on a directory/],
      ['one that was closed', '<&-', /cannot read standard input: bad file descriptor/],
    ])('%s', (_, redirection, message) => {
      const into = temporaryDirectory();
      const command = `"$0" "$1" ingest --into "$2/db" - ${redirection}`;
      const { status, stderr } = spawnSync('sh', ['-c', command, process.execPath, MAIN, into], {
        encoding: 'utf8',
      });
      expect(stderr).toMatch(message);
      expect(status).toBe(2);
      expect(readdirSync(into)).toEqual([]);
    });
  },
);
