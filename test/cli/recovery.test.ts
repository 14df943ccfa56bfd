/** `--recovery` of the commands that read: what each mode makes of damage, and that none changes anything. */

import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { RecoveryMode } from '../../src/log/options.ts';
import { open } from '../../src/open.ts';
import { temporaryDirectory, varve } from './command.ts';

const BATCH_RECORDS = 5;

/** A database with a log of six batches, the third of which is damaged. */
async function makeDamaged(): Promise<string> {
  const directory = join(temporaryDirectory(), 'data');
  const database = await open(directory);
  const log = await database.log('events');
  for (let from = 0; from < 6 * BATCH_RECORDS; from += BATCH_RECORDS) {
    await log.appendMany(Array.from({ length: BATCH_RECORDS }, (_, i) => ({ value: `value ${from + i}` })));
  }
  await database.close();
  const folder = join(directory, 'logs', 'events-0');
  const path = join(folder, readdirSync(folder).find((name) => name.endsWith('.log')) as string);
  const bytes = readFileSync(path);
  const position = bytes.indexOf('value 12');
  bytes[position] = (bytes[position] as number) ^ 1;
  writeFileSync(path, bytes);
  return directory;
}

function treeOf(directory: string): Record<string, string> {
  const files = readdirSync(directory, { recursive: true, withFileTypes: true }).filter((entry) =>
    entry.isFile(),
  );
  return Object.fromEntries(
    files.map(({ parentPath, name }) => [name, readFileSync(join(parentPath, name), 'base64')]),
  );
}

const lines = (...ranges: [from: number, to: number][]): string =>
  ranges.flatMap(([from, to]) => Array.from({ length: to - from }, (_, i) => `value ${from + i}\n`)).join('');

const cases: [RecoveryMode | undefined, string, number][] = [
  [undefined, lines([0, 10]), 2],
  ['tolerateCorruptedTail', lines([0, 10]), 2],
  ['absoluteConsistency', '', 2],
  ['pointInTime', lines([0, 10]), 0],
  ['skipAnyCorrupted', lines([0, 10], [15, 30]), 0],
];

describe.each(cases)('--recovery %s', (mode, printed, code) => {
  const option = mode === undefined ? [] : ['--recovery', mode];

  test('of varve read prints what that mode can read, says what is damaged, and changes nothing', async () => {
    const directory = await makeDamaged();
    const before = treeOf(directory);
    const done = await varve(['read', directory, 'events', ...option]);
    expect(done.stdout).toBe(printed);
    expect(done.code).toBe(code);
    expect(done.stderr).toMatch(/^varve: [^\n]*\.log[^\n]*\n$/);
    expect(done.stderr).toContain('10 to 14');
    expect(treeOf(directory)).toEqual(before);
  });

  test('of varve info counts what that mode can read', async () => {
    const directory = await makeDamaged();
    const {
      stdout,
      stderr,
      code: infoCode,
    } = await varve(['info', directory, 'events', '--json', ...option]);
    expect(infoCode).toBe(code);
    expect(stderr).toContain('10 to 14');
    const records = printed.split('\n').length - 1;
    if (code === 0) expect(JSON.parse(stdout)).toMatchObject({ records });
    else expect(stdout).toBe('');
  });
});

test('varve info of a whole database takes --recovery too', async () => {
  const directory = await makeDamaged();
  expect((await varve(['info', directory, '--recovery', 'absoluteConsistency'])).code).toBe(2);
  const { stdout, stderr, code } = await varve(['info', directory, '--json', '--recovery', 'pointInTime']);
  expect(code).toBe(0);
  expect(stderr).toContain('10 to 14');
  expect(JSON.parse(stdout)).toMatchObject({ logs: [{ name: 'events', nextOffset: 10 }] });
});
