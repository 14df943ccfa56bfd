import { spawn, spawnSync } from 'node:child_process';
import { appendFileSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, test, vi } from 'vitest';
import { finished, startVarve, temporaryDirectory, varve } from './command.ts';

const whyNoGnuTail = spawnSync('tail', ['--version'], { encoding: 'utf8' }).stdout?.includes('GNU coreutils')
  ? undefined
  : 'GNU tail is what the answers are compared with, and is not here';

const lines = (from: number, to: number): string =>
  Array.from({ length: to - from + 1 }, (_, i) => `line ${from + i}\n`).join('');

function files(): string {
  const directory = temporaryDirectory();
  writeFileSync(join(directory, 'long'), lines(1, 100_000));
  writeFileSync(join(directory, 'short'), 'one\ntwo\r\n\nfour');
  writeFileSync(join(directory, 'empty'), '');
  writeFileSync(join(directory, 'feeds'), '\n\n\n');
  writeFileSync(join(directory, 'wide'), `${'x'.repeat(600_000)}\n${'y'.repeat(600_000)}\nend\n`);
  return directory;
}

const TABLE: string[][] = [
  ['long'],
  ['-n', '0', 'long'],
  ['-n', '1', 'long'],
  ['-n30000', 'long'],
  ['-n', '99999', 'long'],
  ['-n', '1000000', 'long'],
  ['-n', '+99990', 'long'],
  ['-n', '+1', 'short'],
  ['-n', '+0', 'short'],
  ['-n', '+5', 'short'],
  ['-n', '2', 'short'],
  ['-n', '1', 'short'],
  ['-n', '2', 'feeds'],
  ['-n', '2', 'wide'],
  ['-n', '3', 'wide'],
  ['empty'],
  ['-n', '1', 'short', 'empty', 'long', 'short'],
  ['-q', '-n', '1', 'short', 'long'],
  ['-v', 'empty'],
  ['-3', 'long'],
  ['-n', '1k', 'long'],
  ['-c', '0', 'long'],
  ['-c', '7', 'short'],
  ['-c', '100', 'short', 'empty'],
  ['-c1K', 'long'],
  ['-c', '2kB', 'long'],
  ['-c', '+900000', 'long'],
  ['-c', '+0', 'short'],
  ['-c', '+100', 'short'],
  ['-n1', '-c', '3', 'short'],
  ['-c3', '-n', '1', 'short'],
  ['-qc', '2', 'short', 'long'],
];

describe.skipIf(whyNoGnuTail !== undefined)('logtail answers as GNU tail does', () => {
  test('on a table of options', { timeout: 60_000 }, async () => {
    const cwd = files();
    const differences: unknown[] = [];
    const compare = async (args: string[]): Promise<void> => {
      const expected = spawnSync('tail', args, { cwd, encoding: 'utf8', maxBuffer: 1 << 26 });
      const { code, stdout } = await finished(startVarve(['logtail', ...args], { cwd }));
      if (stdout !== expected.stdout || code !== 0)
        differences.push({ args, stdout, expected: expected.stdout });
    };
    for (let i = 0; i < TABLE.length; i += 2) await Promise.all(TABLE.slice(i, i + 2).map(compare));
    expect(differences).toEqual([]);
  });
});

describe('logtail', () => {
  test('reads standard input and compressed files to their end', async () => {
    const path = join(temporaryDirectory(), 'a.gz');
    writeFileSync(path, gzipSync(lines(1, 50_000)));
    const options = { input: lines(1, 50_000) };
    expect((await varve(['logtail', '-n', '3', path])).stdout).toBe(lines(49_998, 50_000));
    expect((await varve(['logtail', '-n', '20000'], options)).stdout).toBe(lines(30_001, 50_000));
    expect((await varve(['logtail', '-n', '+49999'], options)).stdout).toBe(lines(49_999, 50_000));
    expect((await varve(['logtail'], { input: 'a\nb' })).stdout).toBe('a\nb');
    expect((await varve(['logtail', '-c', '5', path])).stdout).toBe('0000\n');
    expect((await varve(['logtail', '-c', '+300000', path])).stdout).toBe(lines(1, 50_000).slice(299_999));
  });

  test('goes on with the others where one is not there', async () => {
    const cwd = files();
    const { code, stdout, stderr } = await finished(startVarve(['logtail', '-n1', 'none', 'short'], { cwd }));
    expect({ code, stdout, stderr }).toEqual({
      code: 2,
      // As of tail: that it is the only one that is there does not take its header away.
      stdout: '==> short <==\nfour',
      stderr: 'varve: there is no file none (NOT_FOUND)\n',
    });
    expect(await varve(['logtail', '-n', 'many', 'x'])).toMatchObject({ code: 2 });
  });

  test('ends with the process that it is told, after what that has written', async () => {
    const path = join(temporaryDirectory(), 'app.log');
    writeFileSync(path, 'a\n');
    const writer = spawn(process.execPath, ['-e', 'process.stdin.resume()']);
    const tail = startVarve(['logtail', '-F', '-s', '0.02', '--retry', '--pid', String(writer.pid), path]);
    const output = finished(tail);
    appendFileSync(path, 'b\n');
    writer.stdin.end();
    expect(await output).toMatchObject({ code: 0, stdout: 'a\nb\n' });
    expect(await varve(['logtail', '-s', 'soon', path])).toMatchObject({ code: 2 });
    expect(await varve(['logtail', '-c', 'all', path])).toMatchObject({ code: 2 });
  });

  test('follows a file through appending, truncation, rotation and removal', {
    timeout: 60_000,
  }, async () => {
    const directory = temporaryDirectory();
    const path = join(directory, 'app.log');
    writeFileSync(path, lines(1, 20));
    const child = startVarve(['logtail', '-f', '-n', '2', path]);
    let stdout = '';
    let stderr = '';
    child.stdout?.on('data', (piece: Buffer) => (stdout += piece.toString()));
    child.stderr?.on('data', (piece: Buffer) => (stderr += piece.toString()));
    const shows = async (text: string): Promise<void> => {
      await vi.waitFor(() => expect(stdout).toBe(text), { timeout: 20_000, interval: 20 });
    };
    let expected = lines(19, 20);
    await shows(expected);
    appendFileSync(path, 'half a ');
    await shows((expected += 'half a '));
    appendFileSync(path, 'line\n');
    await shows((expected += 'line\n'));
    // Cut off: all of it is new.
    truncateSync(path, 0);
    appendFileSync(path, 'a\n');
    await shows((expected += 'a\n'));
    // Renamed and written to once more, then made anew.
    renameSync(path, `${path}.1`);
    appendFileSync(`${path}.1`, 'late\n');
    writeFileSync(path, 'b\n');
    await shows((expected += 'late\nb\n'));
    // Removed, and made anew after that was seen.
    rmSync(path);
    await vi.waitFor(() => expect(stderr).toContain('is no longer there'), { timeout: 20_000, interval: 20 });
    writeFileSync(path, 'c\n');
    await shows((expected += 'c\n'));
    expect(stderr).toMatch(
      /was cut off\n.*was replaced; the new file is followed\n.*no longer there\n.*has appeared\n/,
    );
    const end = finished(child);
    child.kill('SIGINT');
    expect((await end).code).toBe(130);
  });

  test('waits for a file that is not there yet, and says which file it is', { timeout: 60_000 }, async () => {
    const cwd = temporaryDirectory();
    writeFileSync(join(cwd, 'a'), 'a1\n');
    const child = startVarve(['logtail', '-f', 'a', 'b'], { cwd });
    let stdout = '';
    child.stdout?.on('data', (piece: Buffer) => (stdout += piece.toString()));
    const shows = async (text: string): Promise<void> => {
      await vi.waitFor(() => expect(stdout).toBe(text), { timeout: 20_000, interval: 20 });
    };
    await shows('==> a <==\na1\n');
    writeFileSync(join(cwd, 'b'), 'b1\n');
    await shows('==> a <==\na1\n\n==> b <==\nb1\n');
    appendFileSync(join(cwd, 'b'), 'b2\n');
    await shows('==> a <==\na1\n\n==> b <==\nb1\nb2\n');
    appendFileSync(join(cwd, 'a'), 'a2\n');
    await shows('==> a <==\na1\n\n==> b <==\nb1\nb2\n\n==> a <==\na2\n');
  });
});
