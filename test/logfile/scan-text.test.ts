import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ScanOptions, scanText, type TextScan } from '../../src/logfile/scan-text.ts';
import { createRuntime, type Runtime } from '../../src/runtime.ts';
import { GREP, type GrepResult, type GrepSpec } from '../../src/scan/grep.ts';
import { openFile } from '../../src/text/file-source.ts';
import type { TextSource } from '../../src/text/source.ts';
import { openStream } from '../../src/text/stream-source.ts';
import { nodeVfs } from '../../src/vfs/node.ts';
import type { Vfs } from '../../src/vfs/vfs.ts';

const LINE = `${'0123456789'.repeat(12)}\n`;
const BYTES = 64 * 2 ** 20;
const LINES = Math.floor(BYTES / LINE.length);

let directory: string;
let path: string;
let runtime: Runtime;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'varve-scan-'));
  path = join(directory, 'file');
  const content = Buffer.alloc(LINES * LINE.length, LINE);
  // Every thousandth line has what is looked for.
  for (let line = 0; line < LINES; line += 1000) content.write('NEEDLE', line * LINE.length + (line % 110));
  writeFileSync(path, content);
  // Time stands still for the first look and then goes fast, so that threads pay at once.
  let nowMs = 0;
  runtime = createRuntime({
    threads: 2,
    clock: {
      now: () => 0,
      monotonic: () => (nowMs += 1000),
      after: () => () => undefined,
      nextTurn: (callback) => void setImmediate(callback),
    },
  });
});

afterAll(async () => {
  await runtime.close();
  expect(runtime.memory.slabs.inUse()).toEqual([]);
  rmSync(directory, { recursive: true });
});

const SCAN: TextScan<GrepSpec, GrepResult> = {
  task: 'grep',
  kind: GREP,
  spec: {
    patterns: ['NEEDLE'],
    fixed: true,
    ignoreCase: false,
    whole: 'part',
    invert: false,
    countOnly: true,
    rows: false,
    places: false,
    before: 0,
    after: 0,
    limit: Number.POSITIVE_INFINITY,
  },
  bytesPerMs: 4_000_000,
  bytesOf: () => 16,
};

async function total(source: TextSource, scan = SCAN, options: ScanOptions = {}): Promise<[number, number]> {
  let found = 0;
  let end = 0;
  try {
    for await (const { result, bytes } of scanText(runtime, source, scan, options)) {
      found += result.found;
      expect(bytes).toBeGreaterThanOrEqual(end);
      end = bytes;
    }
  } finally {
    await source.close();
  }
  return [found, end];
}

const open = (vfs: Vfs = nodeVfs): Promise<TextSource> => openFile(vfs, path, { clock: runtime.clock });
const expected = [Math.ceil(LINES / 1000), LINES * LINE.length];

describe('a text is scanned', () => {
  test('by several threads, with the results in order', async () => {
    const before = runtime.pool.metrics().completed;
    const progress: number[] = [];
    expect(await total(await open(), SCAN, { onProgress: (bytes) => progress.push(bytes) })).toEqual(
      expected,
    );
    expect(runtime.pool.metrics().completed).toBeGreaterThan(before);
    expect(progress).toEqual([...progress].sort((a, b) => a - b));
    expect(progress.at(-1)).toBe(expected[1]);
  });

  test('by one thread, where its lines must be seen in order', async () => {
    const before = runtime.pool.metrics().completed;
    expect(await total(await open(), { ...SCAN, inOrder: true })).toEqual(expected);
    expect(runtime.pool.metrics().completed).toBe(before);
  });

  test('from a stream', async () => {
    const pieces = Readable.from([Buffer.from(LINE), 'NEEDLE', '\n', 'two\nNEE', 'DLE']);
    const source = openStream(pieces, { clock: runtime.clock });
    expect(await total(source)).toEqual([2, LINE.length + 17]);
  });

  test('until it is aborted', async () => {
    const controller = new AbortController();
    const onProgress = (): void => controller.abort(new Error('enough'));
    const scan = total(await open(), SCAN, { signal: controller.signal, onProgress });
    await expect(scan).rejects.toThrow('enough');
  });

  test('until nobody wants more, and then nothing runs any longer', async () => {
    const source = await open();
    for await (const { bytes } of scanText(runtime, source, SCAN)) if (bytes > 2 ** 22) break;
    expect(runtime.pool.metrics().running).toBe(0);
    await source.close();
  });

  test('until it cannot be read: what a worker says is the error', async () => {
    const source = await open();
    const plain = source.plain === undefined ? undefined : { ...source.plain, end: BYTES * 2 };
    const longer: TextSource = {
      title: path,
      plain,
      isOver: false,
      read: (target) => source.read(target),
      close: () => source.close(),
    };
    await expect(total(longer)).rejects.toMatchObject({ code: 'IO', message: /became shorter/ });
    expect(runtime.pool.metrics().running).toBe(0);
  });
});
