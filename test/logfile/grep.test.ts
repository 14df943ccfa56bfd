import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type GrepLine, type GrepOptions, grep } from '../../src/logfile/grep.ts';
import { createRuntime, type Runtime } from '../../src/runtime.ts';
import { createFaultVfs } from '../../src/testing/fault.ts';
import type { TextInput } from '../../src/text/inputs.ts';
import { createMemoryVfs } from '../../src/vfs/memory.ts';
import type { Vfs } from '../../src/vfs/vfs.ts';
import { writeFile } from '../kit/ingesting.ts';

let runtime: Runtime;
let vfs: Vfs;

beforeAll(async () => {
  runtime = createRuntime({ threads: 1 });
  vfs = createMemoryVfs();
  await vfs.mkdir('logs');
  await writeFile(vfs, 'logs/app.log', Buffer.from('one Größe\r\ntwo\nthree Größe und Größe\nfour'));
  await writeFile(vfs, 'logs/app.log.1', gzipSync('zero Größe\n'));
});

afterAll(async () => {
  await runtime.close();
  expect(runtime.memory.slabs.inUse()).toEqual([]);
});

async function found(source: TextInput, options: Partial<GrepOptions>): Promise<GrepLine[]> {
  const lines: GrepLine[] = [];
  const all: GrepOptions = { runtime, vfs, pattern: 'Größe', ...options };
  for await (const line of grep(source, all)) lines.push(line);
  return lines;
}

describe('grep', () => {
  test('yields the lines of all files, with where they are and where they match', async () => {
    expect(await found('logs', {})).toEqual([
      {
        name: 'logs/app.log.1',
        line: 1,
        position: 0,
        text: 'zero Größe',
        matches: [{ start: 5, end: 10 }],
        isContext: false,
        isCut: false,
      },
      {
        name: 'logs/app.log',
        line: 1,
        position: 0,
        text: 'one Größe',
        matches: [{ start: 4, end: 9 }],
        isContext: false,
        isCut: false,
      },
      {
        name: 'logs/app.log',
        line: 3,
        position: 17,
        text: 'three Größe und Größe',
        matches: [
          { start: 6, end: 11 },
          { start: 16, end: 21 },
        ],
        isContext: false,
        isCut: false,
      },
    ]);
  });

  test('takes a RegExp, texts, streams and limits', async () => {
    const texts = async (source: TextInput, options: Partial<GrepOptions>): Promise<string[]> =>
      (await found(source, options)).map(
        ({ line, text, isContext }) => `${line}${isContext ? '-' : ':'}${text}`,
      );
    expect(await texts(Readable.from(['a\nB\n', 'c\nb']), { pattern: /b/i })).toEqual(['2:B', '4:b']);
    expect(await texts('logs/app.log', { pattern: ['tw', 'our'], fixed: true })).toEqual(['2:two', '4:four']);
    expect(await texts('logs/app.log', { pattern: 'o', limit: 1, after: 1 })).toEqual([
      '1:one Größe',
      '2-two',
    ]);
    expect(await texts('logs/app.log', { invert: true, pattern: 'o$' })).toHaveLength(3);
    expect(await texts('logs/app.log', { rotated: true, pattern: 'z|w', whole: 'part' })).toEqual([
      '1:zero Größe',
      '2:two',
    ]);
  });

  test('numbers lines across windows, however much lies between', async () => {
    const many = `${'x'.repeat(99)}\n`.repeat(50_000);
    await writeFile(vfs, 'many', `${many}needle\n${many}needle\n`);
    const lines = await found('many', { pattern: 'needle', before: 1 });
    expect(lines.map(({ line, position }) => [line, position])).toEqual([
      [50_000, 4_999_900],
      [50_001, 5_000_000],
      [100_001, 9_999_907],
      [100_002, 10_000_007],
    ]);
  });

  test('goes on with the others where one cannot be read and somebody is told', async () => {
    const faulty = createFaultVfs(vfs, [{ operation: 'read', path: /app\.log\.1$/, error: 'EIO' }]);
    const failures: unknown[] = [];
    const lines = await found(['logs', 'none'], { vfs: faulty, onFailure: (error) => failures.push(error) });
    expect(lines).toHaveLength(2);
    expect(failures).toMatchObject([{ code: 'NOT_FOUND' }, { code: 'IO', file: 'logs/app.log.1' }]);
    expect(faulty.openFiles).toBe(0);
    await expect(found(['logs', 'none'], {})).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  test('ends when it is aborted, also while it waits for a stream', async () => {
    const controller = new AbortController();
    const stream = new Readable({ read: () => undefined });
    stream.push('Größe\n');
    const lines = grep(stream, { runtime, pattern: 'Größe', signal: controller.signal });
    expect((await lines.next()).value).toMatchObject({ text: 'Größe' });
    const next = lines.next();
    controller.abort(new Error('enough'));
    await expect(next).rejects.toThrow('enough');
  });

  test.each<[Partial<Record<keyof GrepOptions, unknown>>, string]>([
    [{ pattern: 5 }, 'TypeError'],
    [{ pattern: [] }, 'RangeError'],
    [{ pattern: '(' }, 'RangeError'],
    [{ before: -1 }, 'RangeError'],
    [{ whole: 'all' }, 'TypeError'],
    [{ encoding: 'ebcdic' }, 'TypeError'],
    [{ runtime: {} }, 'TypeError'],
  ])('refuses %j', async (options, name) => {
    await expect(found('logs', options as Partial<GrepOptions>)).rejects.toMatchObject({ name });
    await expect(found(7 as unknown as string, {})).rejects.toThrow(TypeError);
  });
});
