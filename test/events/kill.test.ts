/** What was acknowledged is there after kills, in the order of its time, and once. */

import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { open } from '../../src/open.ts';
import { temporaryDirectory } from '../cli/command.ts';

const PROGRAM = fileURLToPath(new URL('./kill-program.ts', import.meta.url));
const COUNT = 10_000;
const STEP = 7919;

/** Writes on from an entry, and is killed when it says that so many are there. @returns how many it said */
function write(directory: string, from: number, until: number): Promise<number> {
  const args = [directory, from, COUNT, STEP].map(String);
  const child = spawn(process.execPath, ['--import', 'tsx', PROGRAM, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => {
    child.kill('SIGKILL');
  });
  let said = from;
  let rest = '';
  child.stdout.on('data', (piece: Buffer) => {
    const lines = (rest + String(piece)).split('\n');
    rest = lines.pop() ?? '';
    said = Number(lines.at(-1) ?? said);
    if (said >= until) child.kill('SIGKILL');
  });
  return new Promise((resolve) => child.on('close', () => resolve(said)));
}

test('10,000 entries out of order, with kills between, are read back in order', async () => {
  const directory = join(temporaryDirectory(), 'db');
  let there = 0;
  for (const until of [1500, 5000, COUNT + 1]) {
    const said = await write(directory, there, until);
    await using database = await open(directory);
    const events = await database.events('app');
    const read = [...events.readSync()];
    // A batch that was not acknowledged may be there all the same: as a whole.
    expect(read.length).toBeGreaterThanOrEqual(said);
    expect(read.length % 50).toBe(0);
    expect(new Set(read.map(({ message }) => message)).size).toBe(read.length);
    const times = read.map(({ timestamp }) => timestamp);
    expect(times).toEqual([...times].sort((a, b) => a - b));
    there = read.length;
  }
  expect(there).toBe(COUNT);
});
