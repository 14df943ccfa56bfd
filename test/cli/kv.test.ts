import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { open } from '../../src/open.ts';
import { ROOT } from '../kit/sources.ts';
import { MAIN, temporaryDirectory, varve } from './command.ts';

test.skipIf(process.platform === 'win32')(
  'varve kv does what its table says, each action in a process of its own (needs a shell)',
  { timeout: 120_000 },
  () => {
    const ran = spawnSync('sh', [join(ROOT, 'test/cli/kv-table.sh'), join(temporaryDirectory(), 'db')], {
      encoding: 'utf8',
      env: { ...process.env, NO_COLOR: '1', VARVE: `${process.execPath} ${MAIN}` },
    });
    expect(ran.stdout).toBe('');
    expect(ran.stderr).toBe('');
    expect(ran.status).toBe(0);
  },
);

test('a second writer is told who has the lock, and readers read what was written meanwhile', async () => {
  const directory = join(temporaryDirectory(), 'db');
  const database = await open(directory);
  try {
    const store = await database.kv('default', { values: 'utf8' });
    await store.set('a', 'one');
    const refused = await varve(['kv', directory, 'set', 'a', 'two']);
    expect(refused.code).toBe(2);
    expect(refused.stderr).toContain(String(process.pid));
    expect(refused.stderr).toContain('LOCKED');
    const read = await varve(['kv', directory, 'get', 'a']);
    expect(read).toMatchObject({ code: 0, stdout: 'one\n', stderr: '' });
  } finally {
    await database.close();
  }
});

test('a mistake in an import changes nothing, and says which line it is in', async () => {
  const directory = join(temporaryDirectory(), 'db');
  const input = '{"key":"a","value":"1"}\n\n{"key":"b"}\n';
  const ran = await varve(['kv', directory, 'import', '-'], { input });
  expect(ran.code).toBe(2);
  expect(ran.stderr).toContain('line 3: it must have one of value and valueBase64');
  expect((await varve(['kv', directory, 'export'])).stdout).toBe('');
});

test('prints values as they are, but for what a terminal would make something else of', async () => {
  const directory = join(temporaryDirectory(), 'db');
  const database = await open(directory);
  const store = await database.kv('default', { values: 'utf8' });
  const values: [string, string][] = [
    ['a', '{"name":"Ada","path":"C:\\x"}'],
    ['b', 'two\nlines\tand \u001b[31mred\u202e'],
    ['c', 'ü'.repeat(80)],
  ];
  await store.setMany(values);
  await database.close();
  const { stdout } = await varve(['kv', directory, 'store']);
  expect(
    stdout
      .split('\n')
      .slice(1)
      .map((line) => line.replace(/^\w +never +/, '')),
  ).toEqual([
    '{"name":"Ada","path":"C:\\x"}',
    'two\\nlines\\tand \\u001b[31mred\\u202e',
    `${'ü'.repeat(57)}...`,
    '',
  ]);
  const wrong = await varve(['kv', directory, 'get', 'a', '--values', 'json']);
  expect([wrong.code, wrong.stderr]).toEqual([
    2,
    'varve: the values of the store default are utf8, not json\n',
  ]);
});
