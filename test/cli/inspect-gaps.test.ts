/** What `varve inspect` shows of a gaps file. */

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { encodeGaps } from '../../src/log/gaps.ts';
import { Memory } from '../../src/memory/memory.ts';
import { varve } from './command.ts';

let directory: string;
let path: string;
const GAPS = [
  { baseOffset: 0, start: 100, end: 260, firstOffset: 3, lastOffset: 5 },
  { baseOffset: 40, start: 900, end: 900, firstOffset: 50, lastOffset: 50 },
];

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'varve-inspect-'));
  path = join(directory, 'gaps');
});
afterAll(() => rm(directory, { recursive: true }));

test('inspect shows the known losses of a log', async () => {
  const bytes = encodeGaps(Memory.create(8 << 20), GAPS);
  await writeFile(path, bytes);
  const shown = await varve(['inspect', path]);
  expect(shown.code).toBe(0);
  expect(shown.stdout).toMatch(/^ *0 +100 +260 +3 +5$/m);
  expect(shown.stdout).toContain('2 gaps, 4 offsets lost; the checksum is right');
  const json = (await varve(['inspect', path, '--json'])).stdout.trim().split('\n');
  expect(json.map((line) => JSON.parse(line) as unknown)).toEqual([
    ...GAPS.map((gap) => ({ kind: 'gap', ...gap })),
    { kind: 'summary', file: path, gaps: 2, lost: 4, damages: 0 },
  ]);
  bytes[20] = 7;
  await writeFile(path, bytes);
  const damaged = await varve(['inspect', path]);
  expect(damaged.code).toBe(1);
  expect(damaged.stdout).toContain('damaged at position 0');
});
