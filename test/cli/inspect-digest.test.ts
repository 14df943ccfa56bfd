/** What `varve inspect` shows of a digest. */

import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { encodeDigest } from '../../src/log/digest.ts';
import { Memory } from '../../src/memory/memory.ts';
import { varve } from './command.ts';

const SEGMENT = Buffer.from('the bytes of a segment');
const NAME = '00000000000000000100';
let directory: string;
let path: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'varve-inspect-'));
  path = join(directory, `${NAME}.digest`);
});
afterAll(() => rm(directory, { recursive: true }));

test('inspect shows a digest, and whether its segment is what it was', async () => {
  const digest = createHash('sha256').update(SEGMENT).digest();
  const noted = { algorithm: 'sha256', baseOffset: 100, bytes: SEGMENT.length, digest } as const;
  const bytes = encodeDigest(Memory.create(8 << 20), noted);
  await writeFile(path, bytes);
  const alone = await varve(['inspect', path]);
  expect(alone.code).toBe(0);
  expect(alone.stdout).toContain('its segment does not lie beside it');
  await writeFile(join(directory, `${NAME}.log`), SEGMENT);
  const same = await varve(['inspect', path]);
  expect(same.code).toBe(0);
  expect(same.stdout).toContain(`sha256 of the 22 B from offset 100 on: ${digest.toString('hex')}`);
  expect(same.stdout).toContain('its segment is what it was');
  await writeFile(join(directory, `${NAME}.log`), 'the bytes of a Segment');
  const other = await varve(['inspect', path, '--json']);
  expect(other.code).toBe(1);
  expect(JSON.parse(other.stdout) as unknown).toEqual({
    kind: 'digest',
    ...noted,
    digest: digest.toString('hex'),
    segment: 'other',
  });
  bytes[20] = 7;
  await writeFile(path, bytes);
  const damaged = await varve(['inspect', path]);
  expect(damaged.code).toBe(1);
  expect(damaged.stdout).toContain('damaged at position 0');
});
