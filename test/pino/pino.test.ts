/** `varve/pino`: what was logged is in the store, however the process ends. */

import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as fc from 'fast-check';
import { type DestinationStream, pino } from 'pino';
import { expect, onTestFinished, test } from 'vitest';
import { EventEncoder } from '../../src/events/encoder.ts';
import { eventFromBytes } from '../../src/events/entry.ts';
import { decodeOperations } from '../../src/lsm/operations.ts';
import { open } from '../../src/open.ts';
import { entryOfLine } from '../../src/pino/line.ts';
import { LineScanner } from '../../src/pino/line-bytes.ts';
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

test.each(['exit', 'transport-exit', 'transport', 'transport-killed'])(
  'has every line of a process that ends in this way: %s',
  async (how) => {
    const directory = join(temporaryDirectory(), 'db');
    const { code, stderr } = await ended(start(directory, how, 2000));
    expect([code, stderr]).toEqual([0, '']);
    expect(await logged(directory)).toEqual(numbered(2000));
  },
);

test.each(['throw', 'transport-throw'])(
  'has every line of a process that an exception ends: %s',
  async (how) => {
    const directory = join(temporaryDirectory(), 'db');
    const { code, stderr } = await ended(start(directory, how, 500));
    expect(code).toBe(1);
    expect(stderr).toContain('not caught');
    expect(await logged(directory)).toEqual(numbered(500));
  },
);

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
  expect(entryOfLine('{"time":"no time"}')).toEqual({
    level: 'OTHER',
    message: '',
    metadata: { time: 'no time' },
  });
  // Nothing that a line has is lost.
  expect(entryOfLine('{"level":"audit","time":-5,"name":{"first":"Ada"},"message":"m"}')).toEqual({
    level: 'OTHER',
    message: 'm',
    metadata: { level: 'audit', time: -5, name: { first: 'Ada' } },
  });
  expect(entryOfLine('{"level":30,"name":7,"component":"c","msg":"x","message":"y"}')).toEqual({
    level: 'INFO',
    component: 'c',
    message: 'x',
    metadata: { name: 7, message: 'y' },
  });
  expect(entryOfLine('{broken')).toEqual({ message: '{broken' });
});

test.each([
  ['1700000000', 1_700_000_000_000, 0],
  ['1700000000.25', 1_700_000_000_250, 0],
  ['1700000000123', 1_700_000_000_123, 0],
  ['1700000000123456', 1_700_000_000_123, 456_000],
  ['1700000000123456789', 1_700_000_000_123, 0],
  ['"2023-11-14T22:13:20.123456789Z"', 1_700_000_000_123, 456_789],
  ['"2023-11-14T23:13:20.1234+01:00"', 1_700_000_000_123, 400_000],
])('reads a time by what it looks like: %s', (time, timestamp, nanoseconds) => {
  const entry = entryOfLine(`{"level":30,"time":${time},"msg":"x"}`);
  expect([entry.timestamp, entry.nanoseconds ?? 0, entry.metadata]).toEqual([
    timestamp,
    nanoseconds,
    undefined,
  ]);
});

/** What the store would have of a line, taken apart as bytes; undefined where that is left to others. */
function scanned(line: string): unknown {
  const bytes = Buffer.from(`#${line}#`);
  const scanner = new LineScanner();
  if (!scanner.scan(bytes, 1, bytes.length - 1)) return undefined;
  const encoder = new EventEncoder(1 << 20);
  encoder.addBytes(1, scanner.entry, 0, 0);
  return decoded(encoder);
}

function decoded({ operations }: EventEncoder): unknown {
  const [operation] = [...decodeOperations(operations.bytes, 0)];
  return eventFromBytes(Buffer.concat([operation?.key as Buffer, operation?.second as Buffer])).toJSON();
}

const value: fc.Arbitrary<unknown> = fc.oneof(
  { weight: 3, arbitrary: fc.jsonValue({ maxDepth: 3 }) },
  fc.constantFrom('web', 'a"b', '\u0000', 'ü', ''),
  fc.constantFrom(0, -0.5, 1e21, 30, 12.25),
);
const fields = fc.array(
  fc.tuple(
    fc.constantFrom(
      'pid',
      'user',
      'name',
      'component',
      'version',
      'message',
      'msg',
      'a b',
      'ü',
      '__proto__',
      'time',
    ),
    value,
  ),
  { maxLength: 5 },
);

test('makes of a line in memory what it makes of its text', () => {
  let fast = 0;
  const isSame = (line: string): void => {
    const found = scanned(line);
    if (found === undefined) return;
    fast++;
    const encoder = new EventEncoder(1 << 20);
    encoder.add(1, entryOfLine(line), 0, 0, 0);
    expect(found).toEqual(decoded(encoder));
  };
  fc.assert(
    fc.property(
      fields,
      fc.integer({ min: 0, max: 2000 }),
      fc.string(),
      fc.nat(),
      (more, level, msg, place) => {
        const parts = more.map(([name, one]) => `${JSON.stringify(name)}:${JSON.stringify(one)}`);
        const line = `{${[`"level":${level}`, `"time":${1_700_000_000_000 + level}`, ...parts, `"msg":${JSON.stringify(msg)}`].join(',')}}`;
        isSame(line);
        // A character changed: it is no JSON any more, or other JSON.
        const at = place % line.length;
        const other = '"\\{}[],:0e.'.charAt(place % 13);
        const broken = line.slice(0, at) + other + line.slice(at + 1);
        isSame(broken);
        isSame(line.slice(0, at));
      },
    ),
    { numRuns: 2000, seed: 11 },
  );
  expect(fast).toBeGreaterThan(300);
});

test('a line that is too long is cut, and nobody who logs fails for it', async () => {
  const directory = join(temporaryDirectory(), 'db');
  await using stream = await destination({ directory, name: 'app' });
  const logger = pino({ base: { name: 'web' } }, stream as DestinationStream);
  logger.info({ huge: 'x'.repeat(12e6) }, 'huge');
  logger.warn('y'.repeat(3e6));
  logger.info('behind');
  await new Promise<void>((resolve) => stream.flush(() => resolve()));
  const [huge, long, behind] = [...stream.events.readSync()].map((entry) => entry.toJSON());
  expect(huge).toMatchObject({
    message: 'huge',
    component: 'web',
    metadata: { cutFromBytes: expect.any(Number) },
  });
  expect(long).toMatchObject({ level: 'WARN', message: expect.stringMatching(/^y{60000,}$/) });
  expect(behind).toMatchObject({ message: 'behind' });
  expect(behind).not.toHaveProperty('metadata');
  for (const wrong of [null, 5, Buffer.from('x')])
    expect(() => stream.write(wrong as never)).toThrow(TypeError);
});
