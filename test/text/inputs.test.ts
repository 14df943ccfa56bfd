import { describe, expect, test } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { createFaultVfs } from '../../src/testing/fault.ts';
import { expandInputs, type InputOptions } from '../../src/text/inputs.ts';
import { createMemoryVfs } from '../../src/vfs/memory.ts';
import type { Vfs } from '../../src/vfs/vfs.ts';
import { writeFile } from '../kit/ingesting.ts';

async function disk(...paths: string[]): Promise<Vfs> {
  const vfs = createMemoryVfs();
  for (const path of paths) {
    if (path.includes('/')) await vfs.mkdir(path.slice(0, path.lastIndexOf('/')));
    await writeFile(vfs, path, `in ${path}\n`);
  }
  return vfs;
}

async function names(vfs: Vfs, patterns: string[], options: InputOptions = {}): Promise<string[]> {
  const { inputs, failures } = await expandInputs(vfs, patterns, options);
  expect(failures).toEqual([]);
  return inputs.map(({ name }) => name);
}

const ROTATED = ['d/app.log.10.gz', 'd/app.log.2.gz', 'd/app.log.1', 'd/app.log'];

describe('what is to be read', () => {
  test('files that are named stay in that order', async () => {
    const vfs = await disk('b', 'a', 'c.log.1');
    expect(await names(vfs, ['b', 'c.log.1', 'a', 'b'])).toEqual(['b', 'c.log.1', 'a', 'b']);
  });

  test('a directory is the files in it, rotated ones by time, without hidden ones', async () => {
    const vfs = await disk(...ROTATED, 'd/.hidden', 'd/e/below.log', 'd/aaa');
    expect(await names(vfs, ['d'])).toEqual(['d/aaa', ...ROTATED]);
    expect(await names(vfs, ['d/'])).toEqual(['d/aaa', ...ROTATED]);
    expect(await names(vfs, ['d'], { recursive: true })).toEqual(['d/aaa', ...ROTATED, 'd/e/below.log']);
  });

  test('a pattern is what it finds', async () => {
    const vfs = await disk(...ROTATED, 'd/.app.log', 'e/app.log', 'e/f/app.log', 'e/f/x.txt');
    expect(await names(vfs, ['d/app.log*'])).toEqual(ROTATED);
    expect(await names(vfs, ['*/app.log'])).toEqual(['d/app.log', 'e/app.log']);
    expect(await names(vfs, ['**/*.{log,txt}'])).toEqual([
      'd/app.log',
      'e/app.log',
      'e/f/app.log',
      'e/f/x.txt',
    ]);
    expect(await names(vfs, ['/d/.*'])).toEqual(['/d/.app.log']);
  });

  test('a file that has the name of a pattern is that file', async () => {
    const vfs = await disk('a[1].log', 'a1.log');
    expect(await names(vfs, ['a[1].log'])).toEqual(['a[1].log']);
  });

  test('a file may stand for its rotated set', async () => {
    const vfs = await disk(...ROTATED, 'd/other.log', 'app.log', 'app.log.1');
    expect(await names(vfs, ['d/app.log'], { rotated: true })).toEqual(ROTATED);
    expect(await names(vfs, ['d/app.log', 'd/app.log.1', 'app.log.1'], { rotated: true })).toEqual([
      ...ROTATED,
      'app.log.1',
      'app.log',
    ]);
  });

  test('what is not there does not keep the others from being read', async () => {
    const vfs = await disk('a', 'b');
    const { inputs, failures } = await expandInputs(vfs, ['a', 'none', '*.none', 'b']);
    expect(inputs.map(({ name }) => name)).toEqual(['a', 'b']);
    expect(failures).toMatchObject([
      { code: 'NOT_FOUND', file: 'none', message: 'there is no file none' },
      { code: 'NOT_FOUND', file: '*.none', message: 'no file matches *.none' },
    ]);
  });

  test('a directory that cannot be listed does not keep those beside it from being read', async () => {
    const inner = await disk('d/a/x', 'd/b/y', 'd/z');
    const vfs = createFaultVfs(inner, [{ operation: 'readdir', path: /a$/, error: 'EACCES' }]);
    const { inputs, failures } = await expandInputs(vfs, ['d'], { recursive: true });
    expect(inputs.map(({ name }) => name)).toEqual(['d/z', 'd/b/y']);
    expect(failures).toMatchObject([{ code: 'READ_ONLY', file: 'd/a' }]);
  });

  test('standard input is read once, and only where there is one', async () => {
    const vfs = await disk('a');
    const standardInput = async function* (): AsyncGenerator<Uint8Array> {
      yield Buffer.from('x\n');
    };
    expect(await names(vfs, ['a', '-'], { standardInput })).toEqual(['a', '(standard input)']);
    await expect(expandInputs(vfs, ['-', '-'], { standardInput })).rejects.toThrow(RangeError);
    expect((await expandInputs(vfs, ['-'])).failures).toHaveLength(1);
  });

  test('an input says how many bytes it has, and opens', async () => {
    const vfs = await disk('a');
    const { inputs } = await expandInputs(vfs, ['a']);
    expect(inputs).toMatchObject([{ name: 'a', path: 'a', bytes: 5 }]);
    const source = await inputs[0]?.open({ clock: systemClock });
    expect(source?.plain).toMatchObject({ start: 0, end: 5 });
    await source?.close();
  });
});
