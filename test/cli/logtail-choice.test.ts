import { appendFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { startVarve, temporaryDirectory, varve } from './command.ts';

const line = (second: number, level: string, component: string, text: string): string =>
  `2024-05-06 07:08:${String(second).padStart(2, '0')},000 ${level} [main] ${component}: ${text}\n`;

const TEXT: string =
  line(1, 'ERROR', 'a.Early', 'before the lines that are looked at') +
  line(2, 'INFO', 'a.One', 'one') +
  line(3, 'ERROR', 'a.Two', 'two') +
  '\tat a.Two.run(Two.java:7)\n' +
  line(4, 'WARN', 'b.Three', 'three') +
  line(5, 'INFO', 'a.Four', 'four');

function file(text: string): string {
  const path = join(temporaryDirectory(), 'app.log');
  writeFileSync(path, text);
  return path;
}

test('of the last lines those of a level, a time or a component are shown, stack traces with their entry', async () => {
  const path = file(TEXT);
  const shown = async (...args: string[]): Promise<string[]> => {
    const { code, stdout, stderr } = await varve(['logtail', '-n', '5', ...args, path]);
    expect(stderr).toBe('');
    expect(code).toBe(0);
    return stdout.split('\n').filter((text) => text !== '');
  };
  expect(await shown('--level', 'WARN')).toEqual([
    expect.stringContaining(': two'),
    '\tat a.Two.run(Two.java:7)',
    expect.stringContaining(': three'),
  ]);
  expect(await shown('--component', 'a.*', '--level', '=INFO')).toEqual([
    expect.stringContaining(': one'),
    expect.stringContaining(': four'),
  ]);
  expect(await shown('--since', '2024-05-06T07:08:04Z')).toEqual([
    expect.stringContaining(': three'),
    expect.stringContaining(': four'),
  ]);
  expect(await shown('--until', '2000-01-01')).toEqual([]);
});

test('a last line without its end is shown too, and a line longer than what is looked at is whole', async () => {
  const long = line(6, 'ERROR', 'a.Long', 'x'.repeat(600_000));
  const dropped = line(7, 'INFO', 'a.Long', 'y'.repeat(600_000));
  const last = line(8, 'ERROR', 'a.Last', 'end').trimEnd();
  const { stdout } = await varve(['logtail', '--level', 'ERROR', file(long + dropped + last)]);
  expect(stdout).toBe(long + last);
});

test('what is appended is chosen from line by line, also where it comes in pieces', async () => {
  const path = file(TEXT);
  const child = startVarve(['logtail', '-n', '0', '-f', '--level', 'ERROR', path]);
  let shown = '';
  child.stdout?.on('data', (piece: Buffer) => {
    shown += piece.toString();
  });
  const first = line(10, 'ERROR', 'c.Ten', 'ten');
  const other = line(11, 'INFO', 'c.Eleven', 'eleven');
  const third = line(12, 'ERROR', 'c.Twelve', 'twelve');
  // It is not known when it begins to follow: lines are appended until one of them is seen.
  await vi.waitFor(
    () => {
      appendFileSync(path, first);
      expect(shown).toContain('ten');
    },
    { timeout: 20_000, interval: 300 },
  );
  appendFileSync(path, other + third.slice(0, 40));
  appendFileSync(path, third.slice(40));
  await vi.waitFor(() => expect(shown).toContain(third), { timeout: 20_000, interval: 50 });
  expect(shown).not.toContain('eleven');
  child.kill('SIGINT');
});

test('any number of files can be chosen from', async () => {
  const directory = temporaryDirectory();
  const paths = Array.from({ length: 60 }, (_, i) => join(directory, `${i}.log`));
  for (const path of paths) writeFileSync(path, TEXT);
  const child = startVarve(['logtail', '-q', '-f', '--level', '=WARN', ...paths]);
  let shown = '';
  child.stdout?.on('data', (piece: Buffer) => {
    shown += piece.toString();
  });
  await vi.waitFor(() => expect(shown.match(/: three/g)).toHaveLength(60), { timeout: 20_000, interval: 50 });
  child.kill('SIGINT');
});

test('an option that makes no sense is told', async () => {
  const { code, stderr } = await varve(['logtail', '--level', 'LOUD', file(TEXT)]);
  expect(code).toBe(2);
  expect(stderr).toContain('LOUD');
});
