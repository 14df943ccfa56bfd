import { afterAll, describe, expect, test } from 'vitest';
import { SLACK_BYTES } from '../../src/memory/layout.ts';
import { Memory } from '../../src/memory/memory.ts';
import { type LineRange, readRange } from '../../src/scan/ranges.ts';
import { createMemoryVfs } from '../../src/vfs/memory.ts';
import type { VfsFile } from '../../src/vfs/vfs.ts';
import { writeFile } from '../kit/ingesting.ts';
import { createRandom } from '../kit/random.ts';

const memory = Memory.create(8 << 20);
const slab = memory.slabs.allocate(1 << 20, 'test');

afterAll(() => slab.release());

async function fileOf(content: string): Promise<VfsFile> {
  const vfs = createMemoryVfs();
  await writeFile(vfs, 'file', content);
  return vfs.open('file', 'read');
}

interface Shown {
  lines: string[];
  positions: number[];
  cut: string[];
}

/** The lines of a range, with room for lines of so many bytes. */
function linesOf(file: VfsFile, range: LineRange, lineBytesMax = 1 << 19): Shown {
  const room = { address: slab.address, bytes: lineBytesMax + SLACK_BYTES };
  const shown: Shown = { lines: [], positions: [], cut: [] };
  readRange(memory, room, file, range, ({ address, bytes, position, last, isCut }) => {
    const text = memory.buffer(address, bytes).toString('latin1');
    const lines = text.split('\n');
    const rest = lines.pop() as string;
    // What is behind the last line feed is a line only where that is said.
    expect(rest === '' || last).toBe(true);
    if (rest !== '') lines.push(rest);
    if (isCut) shown.cut.push(lines.at(-1) as string);
    let at = position;
    for (const line of lines) {
      shown.positions.push(at);
      at += line.length + 1;
    }
    shown.lines.push(...lines);
    return true;
  });
  return shown;
}

describe('the lines of a range', () => {
  test('are those that begin in it', async () => {
    const file = await fileOf('one\ntwo\nthree');
    const range = { start: 0, end: 13 };
    expect(linesOf(file, { ...range, from: 0, to: 13 }).lines).toEqual(['one', 'two', 'three']);
    expect(linesOf(file, { ...range, from: 0, to: 1 }).lines).toEqual(['one']);
    expect(linesOf(file, { ...range, from: 1, to: 4 }).lines).toEqual([]);
    expect(linesOf(file, { ...range, from: 4, to: 5 })).toMatchObject({ lines: ['two'], positions: [4] });
    expect(linesOf(file, { ...range, from: 5, to: 9 }).lines).toEqual(['three']);
    expect(linesOf(file, { ...range, from: 9, to: 13 }).lines).toEqual([]);
    expect(linesOf(file, { start: 4, end: 8, from: 4, to: 8 }).lines).toEqual(['two']);
    expect(linesOf(file, { start: 0, end: 0, from: 0, to: 0 }).lines).toEqual([]);
  });

  test('are each there once, however the file is cut', async () => {
    const random = createRandom(70);
    for (let i = 0; i < 60; i++) {
      let content = '';
      while (content.length < random.pick([10, 3000, 100_000])) {
        content += 'x'.repeat(random.pick([0, 1, 50, 5000, 70_000]));
        if (random.chance(0.95)) content += '\n';
      }
      const file = await fileOf(content);
      const lines = content.split('\n');
      if (lines.at(-1) === '') lines.pop();
      const found: Shown = { lines: [], positions: [], cut: [] };
      for (let from = 0; from < content.length; ) {
        const to = Math.min(content.length, from + random.pick([1, 100, 4096, 60_000, 300_000]));
        const part = linesOf(file, { start: 0, end: content.length, from, to });
        found.lines.push(...part.lines);
        found.positions.push(...part.positions);
        from = to;
      }
      expect(found.lines).toEqual(lines);
      let at = 0;
      for (const [number, position] of found.positions.entries()) {
        expect(position).toBe(at);
        at += (lines[number] as string).length + 1;
      }
    }
  });

  test('are cut off where they are too long, and the rest is passed over', async () => {
    const long = 'a'.repeat(30_000);
    const content = `one\n${long}\ntwo\n${long}`;
    const file = await fileOf(content);
    const whole = { start: 0, end: content.length };
    const short = long.slice(0, 10_000);
    const all = linesOf(file, { ...whole, from: 0, to: content.length }, 10_000);
    expect(all).toMatchObject({ lines: ['one', short, 'two', short], cut: [short, short] });
    // A range in the middle of a long line has nothing of it.
    expect(linesOf(file, { ...whole, from: 15_000, to: 25_000 }, 10_000).lines).toEqual([]);
    expect(linesOf(file, { ...whole, from: 15_000, to: 30_009 }, 10_000).lines).toEqual(['two']);
    expect(linesOf(file, { ...whole, from: 0, to: 100 }, 30_000)).toMatchObject({ cut: [long] });
    expect(linesOf(file, { ...whole, from: 0, to: 100 }, 30_001)).toMatchObject({ cut: [] });
  });

  test('end where nobody wants more', async () => {
    const file = await fileOf(`${'x'.repeat(999)}\n`.repeat(1000));
    let windows = 0;
    const range = { start: 0, end: 1_000_000, from: 0, to: 1_000_000 };
    readRange(memory, { address: slab.address, bytes: 300_000 }, file, range, () => ++windows < 2);
    expect(windows).toBe(2);
  });

  test('of a file that lost its end are an error', async () => {
    const file = await fileOf('one\ntwo\n');
    expect(() => linesOf(file, { start: 0, end: 100, from: 0, to: 100 })).toThrow(
      'file became shorter while it was read: it had 100 bytes and ends after 8',
    );
  });
});
