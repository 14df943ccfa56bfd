import * as fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { CrashVfs } from '../../src/testing/crash.ts';
import type { VfsFile } from '../../src/vfs/vfs.ts';
import { contentsIn, filled, readAll, runs } from '../kit/disk-states.ts';

let vfs: CrashVfs;
let file: VfsFile;

/** A file `/a` that is on the disk with its name, and holds `bytes` ones. */
async function start(bytes: number): Promise<void> {
  vfs = new CrashVfs();
  file = await vfs.open('/a', 'create');
  if (bytes > 0) await file.write(filled(bytes, 1), 0);
  await file.datasync();
  await vfs.syncDir('/');
}

beforeEach(() => start(1024));

test('a write keeps the bytes that it was given, though their Buffer is used again', async () => {
  const buffer = Buffer.from(new SharedArrayBuffer(512)).fill(2);
  await file.write(buffer, 0);
  buffer.fill(3);
  expect(await contentsIn(vfs, '/a')).toEqual(['1x1024', '2x512 1x512']);
});

describe('what a sync covers', () => {
  test('survives every crash', async () => {
    expect(vfs.crashChoices()).toEqual([]);
    expect(await contentsIn(vfs, '/a')).toEqual(['1x1024']);
    await file.truncate(100);
    await file.write(filled(10, 2), 2000);
    await file.datasync();
    expect(await contentsIn(vfs, '/a')).toEqual(['1x100 0x1900 2x10']);
  });

  test('is what was over when it began: a write in flight is not in it', async () => {
    const write = file.write(filled(512, 2), 0);
    const sync = file.datasync();
    await Promise.all([write, sync]);
    expect(await contentsIn(vfs, '/a')).toEqual(['1x1024', '2x512 1x512']);
    await file.datasync();
    expect(await contentsIn(vfs, '/a')).toEqual(['2x512 1x512']);
  });

  test('is nothing until it is over', async () => {
    await file.write(filled(512, 2), 0);
    const sync = file.datasync();
    expect(await contentsIn(vfs, '/a')).toEqual(['1x1024', '2x512 1x512']);
    await sync;
  });

  test('is nothing when it came from writeSync and no sync followed', async () => {
    file.writeSync(filled(512, 2), 0);
    expect(await contentsIn(vfs, '/a')).toEqual(['1x1024', '2x512 1x512']);
    await file.datasync();
    expect(await contentsIn(vfs, '/a')).toEqual(['2x512 1x512']);
  });

  test('is the bytes of a file, whichever handle wrote or synced them', async () => {
    const other = await vfs.open('/a', 'write');
    await other.write(filled(512, 2), 0);
    await file.datasync();
    expect(await contentsIn(vfs, '/a')).toEqual(['2x512 1x512']);
  });
});

describe('a write that was not synced', () => {
  test('over old bytes is there sector by sector, or not: dropped, kept, torn', async () => {
    await file.write(filled(1024, 2), 0);
    expect(await contentsIn(vfs, '/a')).toEqual(['1x1024', '1x512 2x512', '2x1024', '2x512 1x512']);
  });

  test('at the end is lost, kept, torn, without its bytes or without its length', async () => {
    await file.write(filled(1024, 2), 1024);
    expect(await contentsIn(vfs, '/a')).toEqual([
      '1x1024', // Nothing came, or the bytes came and the length did not.
      '1x1024 0x1024', // The length came and the bytes did not.
      '1x1024 0x512', // … a part of the length.
      '1x1024 0x512 2x512', // The bytes came in the wrong order.
      '1x1024 2x1024', // Everything came.
      '1x1024 2x512', // It is torn.
      '1x1024 2x512 0x512',
    ]);
  });

  test('may be there while an earlier one is lost', async () => {
    await file.write(filled(512, 2), 0);
    await file.write(filled(512, 3), 512);
    expect(await contentsIn(vfs, '/a')).toContain('1x512 3x512');
  });

  test('is never there without an earlier one in the same sector', async () => {
    await file.write(filled(100, 2), 0);
    await file.write(filled(100, 3), 100);
    expect(await contentsIn(vfs, '/a')).toEqual(['1x1024', '2x100 1x924', '2x100 3x100 1x824']);
  });

  test('is torn at 4-KiB borders where the disk writes so much at once', async () => {
    await start(8192);
    await file.write(filled(8192, 2), 0);
    expect(await contentsIn(vfs, '/a', 4096)).toEqual(['1x4096 2x4096', '1x8192', '2x4096 1x4096', '2x8192']);
  });

  test('does not need the caller to leave its bytes alone', async () => {
    const source = filled(512, 2);
    await file.write(source, 0);
    source.fill(9);
    expect(await contentsIn(vfs, '/a')).toEqual(['1x1024', '2x512 1x512']);
  });
});

describe('a length that was not synced', () => {
  test('may be the old one after a cut, with the old bytes or with zeros in the sector of the cut', async () => {
    await file.truncate(600);
    expect(await contentsIn(vfs, '/a')).toEqual(['1x1024', '1x600', '1x600 0x424']);
  });

  test('does not bring back what was cut off, where the cut reached the disk', async () => {
    await file.truncate(0);
    await file.write(filled(512, 2), 512);
    const found = await contentsIn(vfs, '/a');
    expect(found).toEqual(['', '0x1024', '0x512 2x512', '1x1024', '1x512 0x512', '1x512 2x512']);
  });

  test('shows nothing behind a cut that reached the disk, whether or not a write before it did', async () => {
    await file.write(filled(1024, 2), 0);
    await file.truncate(100);
    await file.truncate(1000);
    const found = await contentsIn(vfs, '/a');
    expect(found.filter((content) => content.startsWith('1x100 ') || content.endsWith('x900'))).toEqual([
      '1x100 0x900',
      '2x100 0x900',
    ]);
    expect(found.filter((content) => !content.includes('x900') && !content.includes(' '))).toEqual([
      '1x100',
      '1x1024',
      '2x100',
      '2x1024',
    ]);
  });

  test('may be the old one, with what was behind the cut, while the new bytes are there', async () => {
    await file.truncate(512);
    await file.write(filled(100, 2), 512);
    await file.truncate(500);
    await file.write(filled(50, 3), 500);
    const found = await contentsIn(vfs, '/a');
    expect(found).toContain('1x1024');
    expect(found).toContain('1x500 3x12 1x512');
    for (const content of found) expect(content).not.toMatch(/^1x512 2x100 1/);
  });

  test('grows with zeros', async () => {
    await file.truncate(2000);
    expect(await contentsIn(vfs, '/a')).toEqual(['1x1024', '1x1024 0x976']);
  });
});

describe('any mix of writes, cuts and syncs', () => {
  const position = fc.integer({ min: 0, max: 4000 });
  const step = fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        kind: fc.constant('write'),
        position,
        bytes: fc.integer({ min: 1, max: 1500 }),
      }),
    },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('truncate'), position, bytes: fc.constant(0) }) },
    {
      weight: 1,
      arbitrary: fc.record({ kind: fc.constant('sync'), position: fc.constant(0), bytes: fc.constant(0) }),
    },
  );

  /** The sector at `at`, with zeros behind the end of the file. */
  function sector(content: Uint8Array, at: number, sectorBytes: number): string {
    const bytes = new Uint8Array(sectorBytes);
    bytes.set(content.subarray(at, at + sectorBytes));
    return runs(bytes);
  }

  test('wakes up with sectors and a length that the file had since its last sync', async () => {
    const property = fc.asyncProperty(
      fc.array(step, { maxLength: 12 }),
      fc.constantFrom(512, 4096),
      fc.array(fc.integer(), { minLength: 8, maxLength: 8 }),
      async (steps, sectorBytes, seeds) => {
        await start(700);
        let since = [await readAll(vfs, '/a')];
        const cuts = steps.filter(({ kind }) => kind === 'truncate').map(({ position: at }) => at);
        for (const [i, { kind, position: at, bytes }] of steps.entries()) {
          if (kind === 'write') await file.write(filled(bytes, i + 2), at);
          else if (kind === 'truncate') await file.truncate(at);
          else await file.datasync();
          const now = await readAll(vfs, '/a');
          since = kind === 'sync' ? [now] : [...since, now];
        }
        for (const seed of seeds) {
          const woken = await readAll(vfs.preview({ seed, sectorBytes }), '/a');
          const isBorder = woken.length % sectorBytes === 0;
          expect(isBorder || since.some(({ length }) => length === woken.length)).toBe(true);
          expect(woken.length).toBeLessThanOrEqual(Math.max(...since.map(({ length }) => length)));
          expect(woken.length).toBeGreaterThanOrEqual(Math.min(...since.map(({ length }) => length)));
          for (let at = 0; at < woken.length; at += sectorBytes) {
            // Of a cut that reached the disk without the writes before it, zeros are seen behind it.
            const ends = [woken.length, ...cuts.map((cut) => Math.min(cut, woken.length))];
            const legal = ends.flatMap((end) =>
              since.map((content) => sector(content.subarray(0, end), at, sectorBytes)),
            );
            expect(legal).toContain(sector(woken, at, sectorBytes));
          }
        }
      },
    );
    await fc.assert(property, { numRuns: 300, seed: 1 });
  });

  test('can wake up with everything, and with nothing since the last sync', async () => {
    const property = fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
      await start(700);
      let synced = await readAll(vfs, '/a');
      for (const [i, { kind, position: at, bytes }] of steps.entries()) {
        if (kind === 'write') await file.write(filled(bytes, i + 2), at);
        else if (kind === 'truncate') await file.truncate(at);
        else {
          await file.datasync();
          synced = await readAll(vfs, '/a');
        }
      }
      const now = runs(await readAll(vfs, '/a'));
      expect(runs(await readAll(vfs.preview({ seed: 1, keep: 1 }), '/a'))).toBe(now);
      expect(runs(await readAll(vfs.preview({ choices: [] }), '/a'))).toBe(runs(synced));
    });
    await fc.assert(property, { numRuns: 200, seed: 2 });
  });
});
