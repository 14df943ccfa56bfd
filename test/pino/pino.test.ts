/** `varve/pino`: what was logged is in the store, however the process ends. */

import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type DestinationStream, pino } from 'pino';
import { expect, onTestFinished, test } from 'vitest';
import { open } from '../../src/open.ts';
import { entryOfLine } from '../../src/pino/line.ts';
import { destination, transport } from '../../src/pino/pino.ts';
import { temporaryDirectory } from '../cli/command.ts';

const PROGRAM = fileURLToPath(new URL('./log-program.ts', import.meta.url));

function start(directory: string, how: string, count: number): ChildProcess {
  const child = spawn(process.execPath, ['--import', 'tsx', PROGRAM, directory, how, String(count)], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  onTestFinished(() => {
    child.kill('SIGKILL');
  });
  return child;
}

function ended(child: ChildProcess): Promise<{ code: number | null; stderr: string }> {
  let stderr = '';
  child.stderr?.on('data', (piece: Buffer) => {
    stderr += String(piece);
  });
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, stderr })));
}

/** The messages that the store has. */
async function logged(directory: string): Promise<string[]> {
  // Who only looks sees what only the journal has, too.
  const messages = [];
  for (const readOnly of [true, false]) {
    await using database = await open(directory, { readOnly });
    const events = await database.events('app');
    messages.push([...events.readSync()].map(({ message }) => message));
  }
  const [before, after] = messages as [string[], string[]];
  expect(before).toEqual(after);
  return after;
}

const numbered = (count: number): string[] => Array.from({ length: count }, (_, i) => `line ${i}`);

test.each(['exit', 'transport-exit', 'transport'])(
  'has every line of a process that ends in this way: %s',
  async (how) => {
    const directory = join(temporaryDirectory(), 'db');
    const { code, stderr } = await ended(start(directory, how, 2000));
    expect([code, stderr]).toEqual([0, '']);
    expect(await logged(directory)).toEqual(numbered(2000));
  },
);

test('has every line of a process that an exception ends', async () => {
  const directory = join(temporaryDirectory(), 'db');
  const { code, stderr } = await ended(start(directory, 'throw', 500));
  expect(code).toBe(1);
  expect(stderr).toContain('not caught');
  expect(await logged(directory)).toEqual(numbered(500));
});

test('has every line that was logged before the process was killed, once', async () => {
  const directory = join(temporaryDirectory(), 'db');
  let before = 0;
  for (let round = 0; round < 2; round++) {
    const child = start(directory, 'until-killed', 0);
    let said = '';
    const end = ended(child);
    await new Promise<void>((resolve, reject) => {
      child.stdout?.on('data', (piece: Buffer) => {
        said += String(piece);
        if (said.length > 5000) resolve();
      });
      child.on('close', () => reject(new Error('it ended too early')));
    });
    child.kill('SIGKILL');
    await end;
    const last = Number(said.slice(0, said.lastIndexOf('\n')).split('\n').at(-1));
    const messages = (await logged(directory)).slice(before);
    expect(messages.length).toBeGreaterThan(last);
    expect(messages).toEqual(numbered(messages.length));
    before += messages.length;
  }
});

test('takes what a logger on this thread gives it, and lets it be read', async () => {
  const directory = join(temporaryDirectory(), 'db');
  const stream = await destination({ directory, name: 'app' });
  const logger = pino({ name: 'web', base: { pid: 5 }, level: 'trace' }, stream as DestinationStream);
  logger.trace('a');
  logger.warn({ user: { id: 7 }, version: '1.0' }, 'b %s', 'c');
  logger.child({ component: 'db' }).error(new Error('broken'));
  await new Promise<void>((resolve) => stream.flush(() => resolve()));
  const entries = [...stream.events.readSync()].map((entry) => entry.toJSON());
  expect(entries).toMatchObject([
    { level: 'TRACE', component: 'web', message: 'a', metadata: { pid: 5 } },
    { level: 'WARN', component: 'web', version: '1.0', message: 'b c', metadata: { user: { id: 7 } } },
    { level: 'ERROR', component: 'db', message: 'broken', metadata: { name: 'web', err: { type: 'Error' } } },
  ]);
  await stream.close();
  await stream.close();
  expect(() => stream.write('{}\n')).toThrow(/closed/);
});

test('a transport takes lines in any pieces', async () => {
  const directory = join(temporaryDirectory(), 'db');
  const stream = await transport({ directory, name: 'app' });
  for (const piece of [
    '{"level":30,"ms',
    'g":"one"}\n{"level":40,"msg":"t',
    'wo"}\nno JSON\n\n{"level":50,"msg":"end"}',
  ])
    stream.write(piece);
  await new Promise<void>((resolve) => stream.end(resolve));
  await new Promise<void>((resolve) => (stream.closed ? resolve() : stream.on('close', resolve)));
  expect(await logged(directory)).toEqual(['one', 'two', 'no JSON', 'end']);
  await expect(transport({ directory, nam: 'app' } as never)).rejects.toThrow(/nam/);
});

test('makes entries of lines of any shape', () => {
  expect(entryOfLine('{"level":"warn","time":"2023-11-14T22:13:20.000Z","msg":"x"}')).toEqual({
    level: 'WARN',
    timestamp: 1_700_000_000_000,
    message: 'x',
  });
  expect(entryOfLine('{"level":35,"time":1700000000000.25,"msg":{"a":1},"version":2,"component":3}')).toEqual(
    {
      level: 'INFO',
      timestamp: 1_700_000_000_000,
      nanoseconds: 250_000,
      message: '{"a":1}',
      metadata: { version: 2, component: 3 },
    },
  );
  expect(entryOfLine('{"time":"no time"}')).toEqual({ level: 'OTHER', message: '' });
  expect(entryOfLine('{broken')).toEqual({ message: '{broken' });
});
