import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { finished, startVarve, temporaryDirectory, varve } from './command.ts';

const QUICK = ['--bytes', '2MiB', '--seconds', '0.05'];

describe('varve demo', () => {
  test('makes a file, ingests it, asks it questions, tries every policy, and leaves nothing behind', async () => {
    const temporary = temporaryDirectory();
    const { code, stdout, stderr } = await varve(['demo', ...QUICK], { env: { TMPDIR: temporary } });
    expect(stderr).toBe('');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^2 MiB in /m);
    expect(stdout).toMatch(/^format +hdfs$/m);
    expect(stdout).toMatch(/^levels +INFO [\d,]+ \(9\d(?:\.\d)? %\), WARN /m);
    expect(stdout).toMatch(/^ {2}0903\d\d \d{6} \d+ \w+ /m);
    expect(stdout).toMatch(/^[\d,]+ records? of [\d,]+ in /m);
    expect(stdout).toMatch(/^p50 .*, p99 .*; [\d,]+ a second$/m);
    for (const policy of ['always', 'adaptive', 'batch']) {
      expect(stdout).toMatch(new RegExp(`^${policy} +synced +[\\d,.]+ +\\d.*B$`, 'm'));
    }
    for (const policy of ['interval', 'never']) {
      expect(stdout).toMatch(new RegExp(`^${policy} +written +[\\d,.]+ +\\d.*B$`, 'm'));
    }
    expect(stdout).toContain('its files are gone again');
    expect(readdirSync(temporary)).toEqual([]);
  });

  test('uses the file that it is given, and keeps its data where it is told', async () => {
    const directory = join(temporaryDirectory(), 'kept');
    const file = join(temporaryDirectory(), 'notes.txt');
    writeFileSync(file, 'one\ntwo\nthree\n');
    const { code, stdout, stderr } = await varve(['demo', file, '--dir', directory, ...QUICK]);
    expect(stderr).toBe('');
    expect(stdout).toMatch(/^format +plain$/m);
    expect(stdout).toContain(`its files are in ${directory}`);
    expect(code).toBe(0);
    const read = await varve(['read', join(directory, 'data'), 'notes']);
    expect(read.stdout).toBe('one\ntwo\nthree\n');
    // A second time it goes on with what is there.
    expect((await varve(['demo', file, '--dir', directory, ...QUICK])).code).toBe(0);
  });

  test('an empty file is no reason to fail', async () => {
    const file = join(temporaryDirectory(), 'empty.log');
    writeFileSync(file, '');
    const { code, stderr } = await varve(['demo', file, ...QUICK]);
    expect(stderr).toBe('');
    expect(code).toBe(0);
  });

  test('interrupted, it takes its files away', async () => {
    const temporary = temporaryDirectory();
    const child = startVarve(['demo', '--bytes', '2MiB', '--seconds', '20'], { env: { TMPDIR: temporary } });
    const done = finished(child);
    await new Promise<void>((resolve) => {
      let seen = '';
      child.stdout?.on('data', (piece: Buffer) => {
        seen += piece.toString();
        if (seen.includes('records/s       p50')) resolve();
      });
    });
    expect(readdirSync(temporary)).toHaveLength(1);
    child.kill('SIGINT');
    const { code, stderr } = await done;
    expect(stderr).toBe('');
    expect(code).toBe(130);
    expect(readdirSync(temporary)).toEqual([]);
  });

  test('a file that is not there is one sentence', async () => {
    const { code, stdout, stderr } = await varve(['demo', '/no/such/file']);
    expect(stdout).toBe('');
    expect(stderr).toBe('varve: cannot open /no/such/file: no such file or directory (NOT_FOUND)\n');
    expect(code).toBe(2);
  });

  test('a directory that is something else is left alone', async () => {
    const directory = temporaryDirectory();
    mkdirSync(join(directory, 'data', 'photos'), { recursive: true });
    const { code, stderr } = await varve(['demo', '--dir', directory, ...QUICK]);
    expect(stderr).toMatch(/^varve: [^\n]*not a varve database[^\n]*\n$/);
    expect(code).toBe(2);
    expect(readdirSync(join(directory, 'data'))).toContain('photos');
  });
});
