import { Readable } from 'node:stream';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { type TailLine, type TailOptions, tail } from '../../src/logfile/tail.ts';
import { createRuntime } from '../../src/runtime.ts';
import { createFaultVfs } from '../../src/testing/fault.ts';
import type { TextInput } from '../../src/text/inputs.ts';
import { createMemoryVfs } from '../../src/vfs/memory.ts';
import type { Vfs } from '../../src/vfs/vfs.ts';
import { writeFile } from '../kit/ingesting.ts';

const runtime = createRuntime({ threads: 1 });
let vfs: Vfs;

beforeEach(async () => {
  vfs = createMemoryVfs();
  await writeFile(vfs, 'a', 'one\ntwo\r\nthree');
});

afterAll(async () => {
  await runtime.close();
  expect(runtime.memory.slabs.inUse()).toEqual([]);
});

async function texts(source: TextInput, options: TailOptions = {}): Promise<string[]> {
  const found: string[] = [];
  for await (const { name, text } of tail(source, { runtime, vfs, ...options }))
    found.push(`${name}: ${text}`);
  return found;
}

async function append(path: string, text: string): Promise<void> {
  const file = await vfs.open(path, 'write');
  await file.write(Buffer.from(text), await file.size());
  await file.close();
}

describe('tail', () => {
  test('yields the last lines, or those from a line on', async () => {
    expect(await texts('a', { lines: 2 })).toEqual(['a: two', 'a: three']);
    expect(await texts('a', { fromLine: 3 })).toEqual(['a: three']);
    expect(await texts('a', { lines: 0 })).toEqual([]);
    expect(await texts(['a', 'a'], { lines: 1 })).toEqual(['a: three', 'a: three']);
    expect(await texts(Readable.from(['x\ny\nz', '\nü\n']), { lines: 2 })).toEqual([
      'the stream: z',
      'the stream: ü',
    ]);
  });

  test('finds the last lines without reading the others', async () => {
    await writeFile(vfs, 'large', `${'x'.repeat(99)}\n`.repeat(100_000));
    const watched = createFaultVfs(vfs, []);
    expect(await texts('large', { vfs: watched, lines: 5 })).toHaveLength(5);
    const reads = watched.trace.filter(({ op }) => op === 'read');
    expect(reads.reduce((sum, { bytes = 0 }) => sum + bytes, 0)).toBeLessThan(300_000);
    expect(watched.openFiles).toBe(0);
  });

  test('follows: what is appended, half lines when they end, and a file that comes later', async () => {
    const controller = new AbortController();
    const { signal } = controller;
    const lines = tail(['a', 'b'], { runtime, vfs, lines: 2, follow: true, intervalMs: 1, signal });
    const next = async (): Promise<TailLine> => (await lines.next()).value as TailLine;
    expect(await next()).toEqual({ name: 'a', text: 'two' });
    const first = next();
    await append('a', '+\nfo');
    expect(await first).toEqual({ name: 'a', text: 'three+' });
    const second = next();
    await append('a', 'ur\n');
    expect(await second).toEqual({ name: 'a', text: 'four' });
    const third = next();
    await writeFile(vfs, 'b', 'x\n');
    expect(await third).toEqual({ name: 'b', text: 'x' });
    // Replaced: the old one's half line is a line.
    await append('a', 'half');
    await vfs.rename('a', 'a.1');
    await writeFile(vfs, 'a', 'new\n');
    expect(await next()).toEqual({ name: 'a', text: 'half' });
    expect(await next()).toEqual({ name: 'a', text: 'new' });
    const last = next();
    controller.abort(new Error('enough'));
    await expect(last).rejects.toThrow('enough');
    expect((vfs as unknown as { openFiles: number }).openFiles).toBe(0);
  });

  test('tells what cannot be read, and refuses what makes no sense', async () => {
    const failures: unknown[] = [];
    expect(await texts(['none', 'a'], { lines: 1, onFailure: (error) => failures.push(error) })).toEqual([
      'a: three',
    ]);
    expect(failures).toMatchObject([{ code: 'NOT_FOUND', file: 'none' }]);
    await expect(texts('none')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(texts('a', { lines: -1 })).rejects.toThrow(RangeError);
    await expect(texts('a', { lines: 1, fromLine: 1 })).rejects.toThrow(RangeError);
    await expect(texts('a', { follow: 1 as unknown as boolean })).rejects.toThrow(TypeError);
  });
});
