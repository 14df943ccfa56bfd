import { expect, test } from 'vitest';
import { detectFormat, logNameOf } from '../../src/cli/sources.ts';
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

const HDFS =
  '081109 203615 148 INFO dfs.DataNode$PacketResponder: PacketResponder 1 for block blk_1 terminating\n';

test.each([
  ['lines of HDFS', HDFS.repeat(20), 'hdfs'],
  ['one line of HDFS without its end', HDFS.trimEnd(), 'hdfs'],
  ['lines of HDFS with stack traces between them', `${HDFS}\tat java.lang.Thread.run\n`.repeat(20), 'hdfs'],
  ['mostly other lines', `${HDFS}a\nb\n`.repeat(20), 'lines'],
  ['JSON', '{"level":30}\n'.repeat(10), 'lines'],
  ['nothing', '', 'lines'],
  ['empty lines', '\n\n\n', 'lines'],
  ['bytes that are no text', '\xff\x00\xfe', 'lines'],
])('%s are taken for what they are', (_, text, format) => {
  expect(detectFormat(Buffer.from(text, 'latin1'))).toBe(format);
});
