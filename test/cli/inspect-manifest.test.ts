/** What `varve inspect` shows of the manifest of a database. */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { createRuntime, open } from '../../src/index.ts';
import { varve } from './command.ts';

const directory = await mkdtemp(join(tmpdir(), 'varve-inspect-manifest-'));
afterAll(() => rm(directory, { recursive: true }));

test('inspect shows the trees, and their tables by level', async () => {
  const runtime = createRuntime({ memoryBytes: 32 << 20, threads: 1 });
  const db = await open(directory, { runtime });
  const users = await db.tree('users', { strategy: { kind: 'tiered' } });
  await db.tree('empty');
  await users.put('a1', 'x');
  await users.put('b2', 'y');
  await users.delete('a1');
  await users.compact();
  await users.put(Buffer.from([0, 255]), 'z');
  await users.flush();
  await db.close();
  await runtime.close();
  const path = join(directory, 'manifest');
  const shown = await varve(['inspect', path]);
  expect(shown.stderr).toBe('');
  expect(shown.code).toBe(0);
  expect(shown.stdout).toContain(
    'users  tree 1, tiered, compression none; in tables up to sequence number 4',
  );
  expect(shown.stdout).toMatch(/^ *0 +\d+ .* 0x00ff 0x00ff$/m);
  expect(shown.stdout).toMatch(/^ *6 +\d+ .* "b2" "b2"$/m);
  expect(shown.stdout).toContain('2 trees, 2 tables');
  const lines = (await varve(['inspect', path, '--json'])).stdout.trim().split('\n');
  const json = lines.map((line) => JSON.parse(line) as { kind: string; name?: string; level?: number });
  expect(json.map(({ kind }) => kind)).toEqual(['tree', 'table', 'table', 'tree', 'summary']);
  expect(json[2]).toMatchObject({ level: 6, entries: 1, tree: 1 });
});
