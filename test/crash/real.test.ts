/**
 * On the real system: a disk that is full, a limit on the size of files, system calls that fail, a file
 * system that takes no writes. Where a machine cannot be made to do that, a test says why it is left out.
 */

import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Log } from '../../src/log/log.ts';
import type { LogOptions } from '../../src/log/options.ts';
import { type Database, open } from '../../src/open.ts';
import { createRuntime, type Runtime } from '../../src/runtime.ts';
import { type Outcome, valueOf } from '../kit/append-program.ts';
import { compileProgram, type Program } from '../kit/compile.ts';
import { SmallDisk, whyNoSmallDisk, whyNoStrace } from '../kit/mounts.ts';

const noSmallDisk = whyNoSmallDisk();
const noStrace = whyNoStrace();
const noShell = process.platform === 'win32' ? 'there is no ulimit on Windows' : undefined;
const noPermissions =
  process.platform === 'win32' ? 'permissions on Windows are not those of POSIX' : undefined;
const NOBODY = 65_534;

let program: Program;
let root: string;
let runtime: Runtime;
let disks: SmallDisk[];

beforeAll(() => {
  program = compileProgram('test/kit/append-program.ts');
});
afterAll(() => program.dispose());

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'varve-real-'));
  runtime = createRuntime({ memoryBytes: 32 << 20, threads: 1 });
  disks = [];
});
afterEach(async () => {
  for (const disk of disks) disk.dispose();
  rmSync(root, { recursive: true, force: true });
  expect(runtime.memory.slabs.inUse()).toEqual([]);
  await runtime.close();
});

function smallDisk(size: string): SmallDisk {
  const disk = new SmallDisk(size);
  disks.push(disk);
  return disk;
}

async function withLog<T>(
  directory: string,
  options: LogOptions,
  use: (log: Log, database: Database) => Promise<T>,
  readOnly = false,
): Promise<T> {
  const database = await open(directory, { runtime, readOnly });
  try {
    return await use(await database.log('events', options), database);
  } finally {
    await database.close();
  }
}

/** Appends numbered records, `inFlight` at a time, until one is refused. Returns who got which offset, and why. */
async function appendUntilRefused(
  log: Log,
  inFlight: number,
): Promise<{ acknowledged: [number, number][]; code: string }> {
  const acknowledged: [number, number][] = [];
  for (let number = 0; number < 1e6; number += inFlight) {
    const numbers = Array.from({ length: inFlight }, (_, i) => number + i);
    const settled = await Promise.allSettled(numbers.map((one) => log.append({ value: valueOf(one) })));
    let code: string | undefined;
    for (const [i, result] of settled.entries()) {
      if (result.status === 'fulfilled') acknowledged.push([result.value, number + i]);
      else code ??= (result.reason as { code: string }).code;
    }
    if (code !== undefined) return { acknowledged, code };
  }
  throw new Error('the disk is not full yet');
}

/** Every acknowledged record is there, under its offset, and whatever else is there was appended. */
async function expectThere(log: Log, acknowledged: readonly [number, number][]): Promise<void> {
  const values: string[] = [];
  for await (const { offset, value } of log.read()) {
    expect(offset).toBe(values.length);
    values.push(String(value));
  }
  expect(values.length).toBe(log.nextOffset);
  expect(acknowledged.filter(([offset, number]) => values[offset] !== valueOf(number))).toEqual([]);
  const numbers = values.map((value) => Number(/^record (\d+) /.exec(value)?.[1]));
  expect(values.filter((value, i) => value !== valueOf(numbers[i] as number))).toEqual([]);
  expect(new Set(numbers).size).toBe(numbers.length);
}

describe('a disk that is full', () => {
  const cases: [string, LogOptions][] = [
    ['always', { sync: { mode: 'always' } }],
    ['batch', { sync: { mode: 'batch', maxDelayMs: 1 } }],
    ['adaptive', { sync: { mode: 'adaptive' } }],
    ['interval', { sync: { mode: 'interval', intervalMs: 5 } }],
    ['never', { sync: { mode: 'never' } }],
    ['always, with space made ahead', { preallocate: true }],
  ];

  test.each(cases)(
    'refuses with NO_SPACE, loses nothing, and goes on when there is room (%s)',
    async (_, more) => {
      const options: LogOptions = { segmentBytes: 256 * 1024, ...more };
      const { path } = smallDisk('4m');
      writeFileSync(join(path, 'ballast'), Buffer.alloc(1 << 20));
      const directory = join(path, 'data');
      const acknowledged: [number, number][] = [];
      await withLog(directory, options, async (log) => {
        const until = await appendUntilRefused(log, 50);
        acknowledged.push(...until.acknowledged);
        expect(until.code).toBe('NO_SPACE');
        expect(acknowledged.length).toBeGreaterThan(1000);
        await expectThere(log, acknowledged);
        // It is still full: this is refused too, and takes nothing away.
        await expect(log.append({ value: valueOf(7_000_000).repeat(20) })).rejects.toMatchObject({
          code: 'NO_SPACE',
        });
        await expectThere(log, acknowledged);

        rmSync(join(path, 'ballast'));
        for (let number = 2_000_000; number < 2_000_100; number++) {
          acknowledged.push([await log.append({ value: valueOf(number) }), number]);
        }
        await expectThere(log, acknowledged);
      });
      await withLog(directory, options, async (log, database) => {
        expect(log.recovery).toMatchObject({ wasClean: true, damage: [] });
        await expectThere(log, acknowledged);
        expect(await database.verify()).toMatchObject({ isClean: true });
      });
    },
  );

  test('can be closed, read, and opened again when there is room', async () => {
    const options: LogOptions = { segmentBytes: 256 * 1024 };
    const { path } = smallDisk('2m');
    const directory = join(path, 'data');
    writeFileSync(join(path, 'ballast'), Buffer.alloc(512 * 1024));
    const database = await open(directory, { runtime });
    const { acknowledged } = await appendUntilRefused(await database.log('events', options), 20);
    fill(join(path, 'more'));
    // Whether there is room for the mark of a clean close is luck; it is not needed.
    await database.close().catch((error: unknown) => expect(error).toMatchObject({ code: 'NO_SPACE' }));

    await withLog(directory, {}, (log) => expectThere(log, acknowledged), true);
    const refused = await withLog(directory, options, async () => undefined).catch((error: unknown) => error);
    if (refused !== undefined) expect(refused).toMatchObject({ code: 'NO_SPACE' });

    rmSync(join(path, 'ballast'));
    await withLog(directory, options, async (log, again) => {
      await expectThere(log, acknowledged);
      expect(await log.append({ value: valueOf(3_000_000) })).toBeGreaterThanOrEqual(acknowledged.length);
      expect(await again.verify()).toMatchObject({ isClean: true });
    });
  });

  /** Writes until nothing more fits. */
  function fill(path: string): void {
    try {
      for (let i = 0; ; i++) writeFileSync(`${path}-${i}`, Buffer.alloc(4096));
    } catch (error) {
      expect(error).toMatchObject({ code: 'ENOSPC' });
    }
  }

  beforeEach((context) => context.skip(noSmallDisk !== undefined, noSmallDisk));
});

interface Run {
  program?: string;
  args: string[];
  env?: NodeJS.ProcessEnv;
}

/** Runs the program that appends, under another one. */
function runAppending(under: Run, count: number, options: LogOptions): Outcome {
  const { status, stdout, stderr } = spawnSync(
    under.program ?? process.execPath,
    [...under.args, program.path, join(root, 'data'), String(count), JSON.stringify(options)],
    { encoding: 'utf8', env: { PATH: process.env['PATH'], ...under.env } },
  );
  expect(stderr).toBe('');
  expect(status).toBe(0);
  return JSON.parse(stdout) as Outcome;
}

describe('a limit on the size of files', () => {
  beforeEach((context) => context.skip(noShell !== undefined, noShell));

  test('refuses with NO_SPACE in the middle of a write, and loses nothing', async () => {
    // 128 units of 512 bytes, or of 1,024 where the shell counts so; segments would be larger than both.
    const limit = ['-c', 'ulimit -f 128; exec "$@"', 'sh', process.execPath];
    const { acknowledged, refused, readable } = runAppending({ program: '/bin/sh', args: limit }, 5000, {});
    expect(acknowledged.length).toBeGreaterThan(100);
    expect(refused.length).toBeGreaterThan(0);
    expect(new Set(refused.map(([, code]) => code))).toEqual(new Set(['NO_SPACE']));
    expect(readable).toBe(acknowledged.length);
    await withLog(join(root, 'data'), {}, async (log, database) => {
      expect(log.nextOffset).toBe(acknowledged.length);
      await expectThere(log, acknowledged);
      expect(await database.verify()).toMatchObject({ isClean: true });
    });
  });
});

/** Runs the program while strace makes system calls fail: the nth of its thread, of which there are two. */
function runFailing(injections: string[], count: number, options: LogOptions): Outcome {
  const calls = injections.map((injection) => injection.replace(/:.*/, ''));
  const expressions = [`trace=${calls.join()}`, ...injections.map((injection) => `inject=${injection}`)];
  const args = ['-f', '-qq', '-o', join(root, 'trace'), ...expressions.flatMap((one) => ['-e', one])];
  // One thread for files, so that calls have an order, and calls that strace sees.
  const env = { UV_THREADPOOL_SIZE: '1', UV_USE_IO_URING: '0' };
  return runAppending({ program: 'strace', args: [...args, process.execPath], env }, count, options);
}

describe('a system call that fails', () => {
  beforeEach(async (context) => {
    context.skip(noStrace !== undefined, noStrace);
    // What follows counts the calls of appends, not those that make a database.
    await withLog(join(root, 'data'), {}, async () => undefined);
  });

  async function expectRecovered({ acknowledged }: Outcome): Promise<void> {
    await withLog(join(root, 'data'), {}, async (log, database) => {
      expect(log.recovery.damage).toEqual([]);
      await expectThere(log, acknowledged);
      expect(await database.verify()).toMatchObject({ isClean: true });
    });
  }

  test.each([1, 2, 30])(
    'fdatasync (number %i) poisons the log, and what was acknowledged survives',
    async (nth) => {
      const outcome = runFailing([`fdatasync:error=EIO:when=${nth}`], 100, {});
      const { opening, acknowledged, refused, readable, closing } = outcome;
      expect(opening).toBe(undefined);
      expect(acknowledged.length).toBe(nth - 1);
      // Later calls would succeed, but none is made.
      expect(refused.map(([, code]) => code)).toEqual(Array.from({ length: 5 }, () => 'POISONED'));
      expect(readable).toBe(nth - 1);
      expect(closing).toBe('POISONED');
      await expectRecovered(outcome);
    },
  );

  test('fdatasync, in the background, poisons the log as well', async () => {
    const outcome = runFailing(['fdatasync:error=EIO:when=1'], 1e6, {
      sync: { mode: 'interval', intervalMs: 5 },
    });
    expect(outcome.refused.map(([, code]) => code)).toEqual(Array.from({ length: 5 }, () => 'POISONED'));
    // What was being written when the news came was refused, and may be there all the same.
    expect(outcome.readable - outcome.acknowledged.length).toBeOneOf([0, 1]);
    expect(outcome.closing).toBe('POISONED');
    await expectRecovered(outcome);
  });

  test('fsync of the directory, when a segment is rolled, poisons the log', async () => {
    // The first ones make the directories of the database durable.
    const outcome = runFailing(['fsync:error=EIO:when=8+'], 1000, { segmentBytes: 16 * 1024 });
    expect(outcome.acknowledged.length).toBeGreaterThan(10);
    expect(outcome.acknowledged.length).toBeLessThan(1000);
    expect(outcome.refused.map(([, code]) => code)).toContain('POISONED');
    await expectRecovered(outcome);
  });

  test.each([
    ['ENOSPC', 'NO_SPACE'],
    ['EDQUOT', 'NO_SPACE'],
    ['EIO', 'IO'],
  ])('a write that fails with %s is refused with %s, and the next one is not', async (error, code) => {
    const outcome = runFailing([`pwrite64:error=${error}:when=3+4`], 20, {});
    expect(outcome.refused.length).toBeGreaterThan(2);
    expect(new Set(outcome.refused.map(([, refusal]) => refusal))).toEqual(new Set([code]));
    expect(outcome.acknowledged.length + outcome.refused.length).toBe(20);
    expect(outcome.acknowledged.map(([offset]) => offset)).toEqual(outcome.acknowledged.map((_, i) => i));
    expect(outcome.readable).toBe(outcome.acknowledged.length);
    expect(outcome.closing).toBe(undefined);
    await expectRecovered(outcome);
  });

  test('a write whose remains cannot be cut off poisons the log', async () => {
    const outcome = runFailing(['pwrite64:error=EIO:when=3', 'ftruncate:error=EIO:when=1'], 20, {});
    expect(outcome.acknowledged.length).toBe(2);
    expect(outcome.refused.map(([, code]) => code)).toEqual(Array.from({ length: 5 }, () => 'POISONED'));
    expect(outcome.closing).toBe('POISONED');
    await expectRecovered(outcome);
  });

  test('fdatasync, while it is recovered, refuses to open, and the next one opens', async () => {
    const directory = join(root, 'data');
    const other = join(root, 'other');
    await withLog(directory, {}, async (log) => {
      for (let number = 0; number < 10; number++) await log.append({ value: valueOf(number) });
      cpSync(directory, other, { recursive: true, filter: (path) => !path.includes('LOCK') });
    });
    rmSync(directory, { recursive: true });
    cpSync(other, directory, { recursive: true });
    const outcome = runFailing(['fdatasync:error=EIO:when=1'], 10, {});
    expect(outcome).toEqual({ opening: 'IO', acknowledged: [], refused: [], readable: 0 });
    await withLog(directory, {}, async (log) => {
      expect(log.nextOffset).toBe(10);
    });
  });
});

/** A database with 500 records, once closed and once as a crash would leave it. */
async function makeDatabases(path: string): Promise<{ closed: string; crashed: string }> {
  const closed = join(path, 'closed');
  const crashed = join(path, 'crashed');
  await withLog(closed, { segmentBytes: 16 * 1024, sync: { mode: 'never' } }, async (log) => {
    for (let number = 0; number < 500; number++) await log.append({ value: valueOf(number) });
    await log.sync();
    cpSync(closed, crashed, { recursive: true, filter: (from) => !from.includes('LOCK') });
  });
  return { closed, crashed };
}

/** Whoever wants to write is refused; whoever reads can, whether the database was closed or not. */
async function expectReadable({ closed, crashed }: { closed: string; crashed: string }): Promise<void> {
  for (const directory of [closed, crashed]) {
    await expect(open(directory, { runtime })).rejects.toMatchObject({ code: 'READ_ONLY' });
    await withLog(
      directory,
      {},
      async (log, database) => {
        expect(log.nextOffset).toBe(500);
        await expectThere(log, []);
        expect(String((await log.get(123)).value)).toBe(valueOf(123));
        expect(() => log.enqueue({ value: 'x' })).toThrow(expect.objectContaining({ code: 'READ_ONLY' }));
        expect(await database.verify()).toMatchObject({ isClean: true });
      },
      true,
    );
  }
}

describe('where nothing can be written', () => {
  test('a file system that is mounted read-only can be read', async (context) => {
    context.skip(noSmallDisk !== undefined, noSmallDisk);
    const disk = smallDisk('8m');
    const databases = await makeDatabases(disk.path);
    disk.remount('ro');
    await expectReadable(databases);
    await expect(open(join(disk.path, 'new'), { runtime })).rejects.toMatchObject({ code: 'READ_ONLY' });
    disk.remount('rw');
    await withLog(databases.crashed, {}, async (log) => {
      expect(await log.append({ value: 'x' })).toBe(500);
    });
  });

  test('a directory of somebody else can be read', async (context) => {
    context.skip(noPermissions !== undefined, noPermissions);
    const databases = await makeDatabases(root);
    await asSomebodyElse(() => expectReadable(databases));
  });

  /** Does something as one who may not write below the root of this test. */
  async function asSomebodyElse(action: () => Promise<void>): Promise<void> {
    const isRoot = process.geteuid?.() === 0;
    chmodSync(root, 0o755);
    const directories = ['closed', 'crashed'].flatMap((name) => [
      name,
      `${name}/logs`,
      `${name}/logs/events-0`,
    ]);
    if (!isRoot) for (const directory of directories) chmodSync(join(root, directory), 0o555);
    if (isRoot) process.seteuid?.(NOBODY);
    try {
      await action();
    } finally {
      if (isRoot) process.seteuid?.(0);
      else for (const directory of directories) chmodSync(join(root, directory), 0o755);
    }
  }
});
