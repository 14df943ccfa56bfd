/** The tables of docs/PERFORMANCE.md, written from results into a document of the test's own. */

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { describeEnvironment } from '../../bench/environment.ts';
import { measuredRow, skippedRow } from '../../bench/rows.ts';
import type { Result } from '../../bench/suite.ts';
import { ROOT } from '../kit/sources.ts';

const marks = ['<!-- results: written by npm run bench:doc -->', '<!-- end of results -->'];

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'varve-doc-test-'));
});

afterEach(() => {
  rmSync(directory, { recursive: true });
});

function write(document: string, ...files: string[]): ReturnType<typeof spawnSync> {
  const script = ['--import', 'tsx', 'bench/write-performance-doc.ts'];
  return spawnSync(process.execPath, [...script, '--into', document, ...files], {
    cwd: ROOT,
    encoding: 'utf8',
  });
}

function writeResult(overrides: Partial<Result>): string {
  const spec = { id: 'append/a vs b', unit: 'records/s', versus: 'b', target: '>= 3' } as const;
  const result: Result = {
    bench: 'append',
    title: 'appending',
    command: 'npm run bench -- append',
    tiny: false,
    seconds: 1,
    othersShare: 0.375,
    env: describeEnvironment(directory),
    rows: [
      measuredRow(spec, { samples: [10], versusSamples: [5] }, true),
      skippedRow({ ...spec, id: 'append/c vs d', target: null }, 'no d here'),
    ],
    ...overrides,
  };
  const file = join(directory, `${result.bench}.json`);
  writeFileSync(file, JSON.stringify(result));
  return file;
}

test('the tables replace what is between the marks, and nothing else', () => {
  const document = join(directory, 'doc.md');
  writeFileSync(document, `before\n${marks[0]}\nold\n${marks[1]}\nafter\n`);
  const read = writeResult({ bench: 'read' });
  const ran = write(document, read, writeResult({}));
  expect(ran.status).toBe(0);
  const text = readFileSync(document, 'utf8');
  expect(text.startsWith(`before\n${marks[0]}\n`)).toBe(true);
  expect(text.endsWith(`${marks[1]}\nafter\n`)).toBe(true);
  expect(text).not.toContain('old');
  expect(text).toContain(
    '| `append/a vs b` | 10 records/s | b | 5 records/s | 2.00× (2.00–2.00) | ≥ 3 | **missed** |',
  );
  expect(text).toContain('| `append/c vs d` | - | b | - | - |  | skipped: no d here |');
  expect(text).toMatch(/^Other programs used 38 % of the \d+ cores meanwhile\.$/m);
  // In the order of the benches, whatever the order of the files.
  expect(text.indexOf('### append')).toBeLessThan(text.indexOf('### read'));
  // Writing the same again changes nothing.
  expect(write(document, read, join(directory, 'append.json')).status).toBe(0);
  expect(readFileSync(document, 'utf8')).toBe(text);
});

test('a tiny run is no result', () => {
  const document = join(directory, 'doc.md');
  writeFileSync(document, `${marks[0]}\n${marks[1]}\n`);
  const ran = write(document, writeResult({ tiny: true }));
  expect(ran.status).toBe(1);
  expect(ran.stderr).toContain('there is no result');
});

test('a document without the marks is left alone', () => {
  const document = join(directory, 'doc.md');
  writeFileSync(document, 'mine\n');
  const ran = write(document, writeResult({}));
  expect(ran.status).toBe(1);
  expect(ran.stderr).toContain('lacks the marks');
  expect(readFileSync(document, 'utf8')).toBe('mine\n');
});
