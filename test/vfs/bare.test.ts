/** The file of the laboratory that is written with blocking calls: what it does when they fail. */

import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { isVarveError } from '../../src/errors.ts';
import { BareFile } from '../../src/vfs/bare.ts';
import { SmallDisk, whyNoSmallDisk } from '../kit/mounts.ts';

function newPath(): string {
  const directory = mkdtempSync(join(tmpdir(), 'varve-bare-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  return join(directory, 'bare');
}

test('writes what it is given where it is told, durable or not', () => {
  const path = newPath();
  const file = new BareFile(path);
  file.write(Buffer.from('abc'), 0, true);
  file.write(Buffer.from('xyz'), 3, false);
  file.sync();
  file.close();
  expect(readFileSync(path, 'utf8')).toBe('abcxyz');
});

test('a name that is taken, or has no directory, is an error of ours', () => {
  const path = newPath();
  new BareFile(path).close();
  const codes = [path, join(path, 'below')].map((bad) => {
    try {
      new BareFile(bad).close();
      return 'made';
    } catch (error) {
      return isVarveError(error) ? error.file : error;
    }
  });
  expect(codes).toEqual([path, join(path, 'below')]);
});

const whyNot = whyNoSmallDisk();

test.skipIf(whyNot !== undefined)(
  `a write for which there is no room fails as NO_SPACE, and the file is closed all the same${whyNot === undefined ? '' : ` (skipped: ${whyNot})`}`,
  () => {
    const disk = new SmallDisk('1m');
    onTestFinished(() => disk.dispose());
    const path = join(disk.path, 'bare');
    const file = new BareFile(path);
    file.write(Buffer.alloc(512 * 1024, 1), 0, true);
    // A part of it fits: the system takes that, and refuses the rest.
    const failing = (): void => file.write(Buffer.alloc(1024 * 1024, 2), 512 * 1024, true);
    expect(failing).toThrow(expect.objectContaining({ code: 'NO_SPACE', file: path }));
    expect(failing).toThrow(expect.objectContaining({ code: 'NO_SPACE' }));
    expect(statSync(path).size).toBeLessThanOrEqual(1024 * 1024);
    expect(
      readFileSync(path)
        .subarray(0, 512 * 1024)
        .every((byte) => byte === 1),
    ).toBe(true);
    file.close();
  },
);
