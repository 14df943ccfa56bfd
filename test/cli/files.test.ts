/** What commands write to: files, links, pipes and devices; and what they print of what strangers have written. */

import { spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { open } from '../../src/open.ts';
import { finished, startVarve, temporaryDirectory, varve } from './command.ts';

const LINE = '{"key":"a","value":"one"}\n';
let directory = '';
let database = '';

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'varve-files-'));
  database = join(directory, 'db');
  const db = await open(database);
  await (await db.kv('default', { values: 'utf8' })).set('a', 'one');
  const strange = await db.kv('strange', { values: 'utf8' });
  await strange.set('k\x1b[31mred\nnl', '{"q":"\\d"}\x9b\u202e');
  const bytes = await db.kv('bytes');
  await bytes.set(Uint8Array.of(0xff, 0x41), Uint8Array.of(1, 2, 0xff));
  await bytes.set('t', 'text', { expiresAt: 4_000_000_000_000 });
  const events = await db.events('e');
  await events.write({ component: 'c\x1b[2J', message: 'm\x1b[2J\r\0 a\n\tb', metadata: { x: '\x7f' } });
  await db.close();
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

describe.skipIf(process.platform === 'win32')('a file that a command writes (needs POSIX)', () => {
  test('is resolved where it is a link, keeps its mode, and leaves nothing beside it', async () => {
    const place = temporaryDirectory();
    writeFileSync(join(place, 'real'), 'old');
    chmodSync(join(place, 'real'), 0o600);
    symlinkSync('real', join(place, 'link'));
    symlinkSync('none', join(place, 'dangling'));
    expect(await varve(['kv', database, 'export', join(place, 'link')])).toMatchObject({
      code: 0,
      stdout: '',
    });
    expect(await varve(['kv', database, 'export', join(place, 'dangling')])).toMatchObject({ code: 0 });
    expect(lstatSync(join(place, 'link')).isSymbolicLink()).toBe(true);
    expect(lstatSync(join(place, 'dangling')).isSymbolicLink()).toBe(true);
    expect(readFileSync(join(place, 'real'), 'utf8')).toBe(LINE);
    expect(readFileSync(join(place, 'none'), 'utf8')).toBe(LINE);
    expect(statSync(join(place, 'real')).mode & 0o777).toBe(0o600);
    expect(readdirSync(place).sort()).toEqual(['dangling', 'link', 'none', 'real']);
  });

  test('is written straight to where it is a pipe or a device, which stays one', async () => {
    const place = temporaryDirectory();
    const pipe = join(place, 'pipe');
    expect(spawnSync('sh', ['-c', 'mkfifo "$0"', pipe]).status).toBe(0);
    const reader = finished(spawn('cat', [pipe]));
    expect(await varve(['kv', database, 'export', pipe])).toMatchObject({ code: 0 });
    expect((await reader).stdout).toBe(LINE);
    expect(lstatSync(pipe).isFIFO()).toBe(true);
    expect(await varve(['kv', database, 'export', '/dev/stdout'])).toMatchObject({ code: 0, stdout: LINE });
    const chart = await varve(['histogram', database, 'e', '--svg', '/dev/stdout']);
    expect(chart).toMatchObject({ code: 0, stderr: '' });
    expect(chart.stdout).toContain('<svg');
    const output = join(place, 'output');
    await finished(startVarve(['kv', database, 'export', '/dev/stdout'], { outputFile: output }));
    expect(readFileSync(output, 'utf8')).toBe(LINE);
    expect(readdirSync(place).sort()).toEqual(['output', 'pipe']);
  });

  test('is as it was where the device is full', async () => {
    const full = await varve(['kv', database, 'export', '/dev/full']);
    expect(full).toMatchObject({ code: 2 });
    expect(full.stderr).toContain('NO_SPACE');
    expect(lstatSync('/dev/full').isCharacterDevice()).toBe(true);
  });
});

describe('what strangers have written', () => {
  test('is printed without anything that a terminal obeys', async () => {
    const store = await varve(['kv', database, 'store', '--store', 'strange']);
    expect(store.stdout.split('\n')[1]).toBe('k\\u001b[31mred\\nnl       never  {"q":"\\d"}\\u009b\\u202e');
    const scan = await varve(['kv', database, 'scan', 'k', '--store', 'strange', '--json']);
    expect(JSON.parse(scan.stdout)).toEqual({ key: 'k\x1b[31mred\nnl', value: '{"q":"\\d"}\x9b\u202e' });
    const query = await varve(['query', database, 'e']);
    expect(query.stdout.slice(query.stdout.indexOf('INFO'))).toBe(
      'INFO   c\\u001b[2J: m\\u001b[2J\\r\\u0000 a\n\tb {"x":"\\u007f"}\n',
    );
  });

  test('is the same for programs as what export writes, keys and values that are bytes too', async () => {
    const scan = await varve(['kv', database, 'scan', '', '--store', 'bytes', '--json']);
    expect(scan.stdout).toBe((await varve(['kv', database, 'export', '--store', 'bytes'])).stdout);
    const copy = join(temporaryDirectory(), 'copy');
    const into = ['--store', 'bytes', '--values', 'bytes'];
    expect(await varve(['kv', copy, 'import', '-', ...into], { input: scan.stdout })).toMatchObject({
      code: 0,
    });
    expect((await varve(['kv', copy, 'export', '--store', 'bytes'])).stdout).toBe(scan.stdout);
    const table = await varve(['kv', copy, 'store', '--store', 'bytes']);
    expect(table.stdout).toContain('\\xffA');
    expect(table.stdout).toContain('\\u0001\\u0002\\xff');
  });
});

test('an import that is no UTF-8 is refused with its line, and so are other values than a store has', async () => {
  const copy = join(temporaryDirectory(), 'copy');
  const good = Buffer.from('{"key":"a","value":"1"}\n'.repeat(20_000));
  const bad = Buffer.from('{"key":"bad\xff","value":"1"}\n', 'latin1');
  const ran = await varve(['kv', copy, 'import', '-'], { input: Buffer.concat([good, bad, good]) });
  expect(ran).toMatchObject({ code: 2, stdout: '' });
  expect(ran.stderr).toContain('line 20001: it is no UTF-8');
  expect((await varve(['kv', copy, 'export'])).stdout).toBe('');
  const other = await varve(['kv', copy, 'set', 'j', '{"a":', '--values', 'json']);
  expect(other).toMatchObject({
    code: 2,
    stderr: 'varve: the values of the store default are utf8, not json\n',
  });
  expect((await varve(['kv', copy, 'get', 'j', '--values', 'json'])).code).toBe(2);
});
