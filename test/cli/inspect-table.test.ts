import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { KIND_DELETE } from '../../src/memory/lsm-layout.ts';
import { plainEntries, TableKit } from '../kit/tables.ts';
import { jsonLines, temporaryDirectory, varve } from './command.ts';

/** Writes a table of 100 entries as a file; returns its path. */
async function tableFile(): Promise<string> {
  const kit = new TableKit();
  const deletion = { key: Buffer.from([0, 1]), value: Buffer.alloc(0), sequence: 500, kind: KIND_DELETE };
  const rangeTombstones = [{ start: Buffer.from('x'), end: Buffer.from('y'), sequence: 600 }];
  const file = await kit.write([...plainEntries(100), deletion], { rangeTombstones });
  const path = kit.path(file?.number ?? -1);
  const open = await kit.vfs.open(path, 'read');
  const bytes = Buffer.alloc(await open.size());
  await open.read(bytes, 0);
  await open.close();
  const directory = join(temporaryDirectory(), 'trees');
  mkdirSync(directory, { recursive: true });
  const copy = join(directory, '0000000001.table');
  writeFileSync(copy, bytes);
  return copy;
}

describe('varve inspect of a table', () => {
  test('shows its parts and what it says of itself', async () => {
    const path = await tableFile();
    const { code, stdout, stderr } = await varve(['inspect', path]);
    expect(stderr).toBe('');
    expect(code).toBe(0);
    expect(stdout).toMatch(/part +first block +blocks +filter at/);
    expect(stdout).toMatch(/entries +101\n/);
    expect(stdout).toMatch(/of these deletions +1\n/);
    expect(stdout).toMatch(/smallest key +0x0001\n/);
    expect(stdout).toMatch(/largest key +y, not included\n/);
    expect(stdout).toMatch(/sequence numbers +0 to 600\n/);
    expect(stdout).toMatch(/3 blocks, 101 entries; every byte is as it was written\n$/);
    const parts = jsonLines((await varve(['inspect', path, '--json'])).stdout);
    expect(parts[0]).toMatchObject({ kind: 'part', part: 0, firstBlock: 0, blocks: 3 });
    expect(parts.at(-1)).toMatchObject({ kind: 'summary', blocks: 3, entries: 101, damages: 0 });
  });

  test('says where it is damaged, and which keys that may concern', async () => {
    const path = await tableFile();
    const bytes = readFileSync(path);
    bytes[5000] = (bytes[5000] ?? 0) ^ 1;
    writeFileSync(path, bytes);
    const { code, stdout } = await varve(['inspect', path]);
    expect(code).toBe(1);
    expect(stdout).toMatch(
      /damaged: the block at position \d+ of .* is damaged: its checksum is wrong; keys behind key-0+\d+, up to key-/,
    );
    expect(stdout).toMatch(/2 blocks, \d+ entries; 1 damage\n$/);
    writeFileSync(path, bytes.subarray(0, 100));
    const cut = await varve(['inspect', path, '--json']);
    expect(cut.code).toBe(1);
    expect(jsonLines(cut.stdout)[0]).toMatchObject({ kind: 'damage', position: 36 });
  });
});
