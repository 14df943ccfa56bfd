/** Files that users name: replaced as a whole, where links lead to, and with who may read them. */

import { spawnSync } from 'node:child_process';
import {
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { writeWholeFile } from '../../src/cli/files.ts';
import { checkWritable } from '../../src/vfs/output-file.ts';
import { temporaryDirectory } from '../cli/command.ts';

const text = 'new';

test('a file is replaced where a link leads to, and keeps its mode', async () => {
  const directory = temporaryDirectory();
  const [file, link] = [join(directory, 'file'), join(directory, 'link')];
  writeFileSync(file, 'old and longer', { mode: 0o600 });
  symlinkSync('file', link);
  await checkWritable(link);
  await writeWholeFile(link, text);
  expect(lstatSync(link).isSymbolicLink()).toBe(true);
  expect(readFileSync(file, 'utf8')).toBe('new');
  expect(statSync(file).mode & 0o777).toBe(0o600);
  await writeWholeFile(join(directory, 'fresh'), text);
  expect(readdirSync(directory).sort()).toEqual(['file', 'fresh', 'link']);
});

test.skipIf(process.platform === 'win32')('into a pipe it goes as it is', async () => {
  const pipe = join(temporaryDirectory(), 'pipe');
  spawnSync('sh', ['-c', 'mkfifo "$1"', 'sh', pipe]);
  const [, read] = await Promise.all([
    writeWholeFile(pipe, text),
    import('node:fs/promises').then(({ readFile }) => readFile(pipe, 'utf8')),
  ]);
  expect(read).toBe(text);
  expect(lstatSync(pipe).isFIFO()).toBe(true);
});

test('what cannot be written is said, and leaves nothing behind', async () => {
  const directory = temporaryDirectory();
  mkdirSync(join(directory, 'folder'));
  for (const write of [checkWritable, (path: string) => writeWholeFile(path, text)]) {
    await expect(write(join(directory, 'folder'))).rejects.toMatchObject({ code: 'IO' });
    await expect(write(join(directory, 'missing', 'file'))).rejects.toMatchObject({ code: 'NOT_FOUND' });
  }
  expect(readdirSync(directory)).toEqual(['folder']);
});
