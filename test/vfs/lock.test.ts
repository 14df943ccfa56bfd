import { type ChildProcess, execFileSync, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { systemError } from '../../src/vfs/checks.ts';
import { nodeVfs } from '../../src/vfs/node.ts';
import { compileProgram, type Program } from '../kit/compile.ts';
import type { Answer, Command } from '../kit/lock-program.ts';

let program: Program;
let directory: string;
let children: ChildProcess[];

beforeAll(() => {
  program = compileProgram('test/kit/lock-program.ts');
});
afterAll(() => program.dispose());

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'varve-lock-'));
  children = [];
});
afterEach(async () => {
  vi.restoreAllMocks();
  await Promise.all(children.map(end));
  rmSync(directory, { recursive: true, force: true });
});

async function answerOf(child: ChildProcess): Promise<Answer> {
  const [message] = (await once(child, 'message')) as [Answer];
  return message;
}

function ask(child: ChildProcess, command: Command): Promise<Answer> {
  const answer = answerOf(child);
  child.send(command);
  return answer;
}

async function start(): Promise<ChildProcess> {
  const child = fork(program.path, [], { execArgv: [], env: {} });
  children.push(child);
  expect(await answerOf(child)).toEqual({ is: 'ready' });
  return child;
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
}

/** Takes and releases the lock here, which fails unless it is free. */
async function expectFree(path: string): Promise<void> {
  const lock = await nodeVfs.lock(path);
  await lock.release();
}

async function expectLocked(path: string, pid: number | undefined): Promise<void> {
  await expect(nodeVfs.lock(path)).rejects.toMatchObject({ code: 'LOCKED', pid });
}

const claims = (): string[] => readdirSync(join(directory, 'LOCK'));

describe('the lock between processes', () => {
  test('a second process is refused with the pid of the first, both ways', async () => {
    const child = await start();
    expect(await ask(child, { do: 'take', directory })).toEqual({ is: 'taken' });
    await expectLocked(directory, child.pid);
    expect(await ask(child, { do: 'release' })).toEqual({ is: 'released' });
    const lock = await nodeVfs.lock(directory);
    expect(await ask(child, { do: 'take', directory })).toEqual({
      is: 'refused',
      code: 'LOCKED',
      pid: process.pid,
    });
    await lock.release();
    expect(claims()).toEqual([]);
  });

  test('an owner that is killed leaves it free at once', async () => {
    for (let round = 0; round < 5; round++) {
      const child = await start();
      expect(await ask(child, { do: 'take', directory })).toEqual({ is: 'taken' });
      await end(child);
      expect(claims().length).toBe(1);
      await expectFree(directory);
      expect(claims()).toEqual([]);
    }
  });

  test.skipIf(process.platform === 'win32')('an owner that is stopped still holds it', async () => {
    const child = await start();
    await ask(child, { do: 'take', directory });
    child.kill('SIGSTOP');
    for (let attempt = 0; attempt < 3; attempt++) await expectLocked(directory, child.pid);
    child.kill('SIGCONT');
    expect(await ask(child, { do: 'release' })).toEqual({ is: 'released' });
    await expectFree(directory);
  });

  test('of eight processes that find the lock of a dead owner, exactly one gets it', async () => {
    let owner = await start();
    await ask(owner, { do: 'take', directory });
    const rivals = await Promise.all(Array.from({ length: 8 }, start));
    for (let round = 0; round < 8; round++) {
      await end(owner);
      const running = rivals.filter((rival) => rival !== owner);
      const answers = await Promise.all(running.map((rival) => ask(rival, { do: 'take', directory })));
      const winners = running.filter((_, i) => answers[i]?.is === 'taken');
      expect(winners.length).toBe(1);
      const losers = answers.filter((answer) => answer.is !== 'taken');
      expect(new Set(losers.map((answer) => answer.is === 'refused' && answer.code))).toEqual(
        new Set(losers.length === 0 ? [] : ['LOCKED']),
      );
      owner = winners[0] as ChildProcess;
      rivals.splice(rivals.indexOf(owner), 1);
    }
  });

  test('processes that take it in turns are never inside together', async () => {
    const rivals = await Promise.all(Array.from({ length: 4 }, start));
    const answers = await Promise.all(
      rivals.map((rival) => ask(rival, { do: 'contend', directory, rounds: 25 })),
    );
    for (const answer of answers) {
      expect(answer).toMatchObject({ is: 'contended', rounds: 25, intruders: 0 });
    }
    await expectFree(directory);
    expect(claims()).toEqual([]);
  });

  test('a lock does not keep its process alive, and ends with it', async () => {
    const options = { encoding: 'utf8', env: {}, timeout: 20_000 } as const;
    const output = execFileSync(process.execPath, [program.path, directory], options);
    expect(output).toBe('taken\n');
    await expectFree(directory);
  });
});

describe('the lock and its paths', () => {
  test.skipIf(process.platform === 'win32')('two paths to one directory are one lock', async () => {
    const link = join(directory, 'link');
    mkdirSync(join(directory, 'data'));
    symlinkSync(join(directory, 'data'), link);
    const lock = await nodeVfs.lock(link);
    await expectLocked(join(directory, 'data'), process.pid);
    await lock.release();
    const child = await start();
    await ask(child, { do: 'take', directory: join(directory, 'data') });
    await expectLocked(link, child.pid);
  });

  test('a relative path means the same directory after the process moved elsewhere', async () => {
    const before = process.cwd();
    process.chdir(directory);
    try {
      const lock = await nodeVfs.lock('.');
      process.chdir(before);
      await expectLocked(directory, process.pid);
      await lock.release();
    } finally {
      process.chdir(before);
    }
    expect(claims()).toEqual([]);
  });

  test('a path that is too long for a socket is locked all the same', async () => {
    const deep = join(directory, 'a'.repeat(120), 'b'.repeat(120));
    mkdirSync(deep, { recursive: true });
    const child = await start();
    expect(await ask(child, { do: 'take', directory: deep })).toEqual({ is: 'taken' });
    await expectLocked(deep, child.pid);
    await end(child);
    const lock = await nodeVfs.lock(deep);
    await expectLocked(deep, process.pid);
    await lock.release();
    expect(readdirSync(join(deep, 'LOCK'))).toEqual([]);
  });

  test('the file that a process in the middle of taking it left behind is cleared away', async () => {
    await expectFree(directory);
    const name = '77-00112233445566770000.tmp';
    const path = join(directory, 'LOCK', name);
    writeFileSync(path, '');
    await expectFree(directory);
    expect(claims()).toEqual([name]); // Its owner may still be about to listen.
    utimesSync(path, 1, 1);
    await expectFree(directory);
    expect(claims()).toEqual([]);
  });

  test('a claim that is removed before it can be seen is made again', async () => {
    const listen = vi.spyOn(net.Server.prototype, 'listen');
    let refusals = 2;
    listen.mockImplementation(function refuse(this: net.Server, ...args: unknown[]) {
      if (refusals-- === 0) listen.mockRestore();
      else queueMicrotask(() => this.emit('error', systemError('ENOENT', 'chmod', directory)));
      return refusals < 0 ? this.listen(...(args as [net.ListenOptions, () => void])) : this;
    });
    await expectFree(directory);
    expect(refusals).toBe(-1);
  });

  test('names in the directory of claims that are not ours are left alone', async () => {
    await expectFree(directory);
    writeFileSync(join(directory, 'LOCK', 'notes.txt'), 'hello');
    await expectFree(directory);
    expect(claims()).toEqual(['notes.txt']);
  });

  test.skipIf(process.platform !== 'linux')('a file system that takes no writes says READ_ONLY', async () => {
    await expect(nodeVfs.lock('/sys')).rejects.toMatchObject({ code: 'READ_ONLY', file: '/sys' });
  });
});

describe('the lock where there are no sockets', () => {
  beforeEach(() => {
    vi.spyOn(net.Server.prototype, 'listen').mockImplementation(function refuse(this: net.Server) {
      queueMicrotask(() => this.emit('error', systemError('EOPNOTSUPP', 'listen', directory)));
      return this;
    });
  });

  test('holds against this process and others, and is given back', async () => {
    const lock = await nodeVfs.lock(directory);
    expect(claims()).toEqual([expect.stringMatching(new RegExp(`^${process.pid}-.*\\.pid$`))]);
    await expectLocked(directory, process.pid);
    const child = await start();
    expect(await ask(child, { do: 'take', directory })).toEqual({
      is: 'refused',
      code: 'LOCKED',
      pid: process.pid,
    });
    await lock.release();
    expect(claims()).toEqual([]);
    expect(await ask(child, { do: 'take', directory })).toEqual({ is: 'taken' });
  });

  test('an owner that uses a socket is respected', async () => {
    const child = await start();
    await ask(child, { do: 'take', directory });
    await expectLocked(directory, child.pid);
    await end(child);
    await expectFree(directory);
  });
});
