/**
 * The benches, run at toy size: that they work, that they report what docs/PERFORMANCE.md says, and in the
 * form that other programs read. How fast anything is, is not a matter of tests.
 */

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Row } from '../../bench/rows.ts';
import type { Result } from '../../bench/suite.ts';
import { ROOT } from '../kit/sources.ts';

const names = [
  'crc32c',
  'kernels',
  'append',
  'read',
  'recover',
  'ingest',
  'peers',
  'logs',
  'tree',
  'compaction',
  'stores',
];

function bench(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, ['--import', 'tsx', 'bench/run.ts', ...args], {
    cwd: ROOT,
    encoding: 'utf8',
    maxBuffer: 64 << 20,
  });
}

let directory: string;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'varve-bench-test-'));
});

afterAll(() => {
  rmSync(directory, { recursive: true, force: true });
});

/** What has to be true of any row, whatever was measured. */
function expectRow(row: Row): void {
  expect(row.id).toMatch(/^[a-z0-9]+\/\S+ vs \S+$/);
  expect(row.unit).toMatch(/^\S+$/);
  expect(row.versus).not.toBe('');
  expect(row.target ?? '>= 1').toMatch(/^(?:>=|<=) \d+(?:\.\d+)?$/);
  expect(row.samples).toHaveLength(row.runs);
  for (const value of [...row.samples, ...row.versusSamples]) expect(value).toBeGreaterThan(0);
  // A toy run judges nothing.
  expect(row.ok).toBeNull();
  if (row.skipped === null) {
    expect(row.runs).toBeGreaterThan(0);
    expect(row.versusSamples).toHaveLength(row.runs);
    expect(row.ratio).toBeCloseTo(row.value! / row.versusValue!, 9);
    expect(row.spread!.min).toBeLessThanOrEqual(row.spread!.max);
  } else {
    expect(row.skipped).not.toBe('');
    expect(row.ratio).toBeNull();
    expect(row.versusValue).toBeNull();
  }
}

describe('a tiny run', () => {
  test.each(names)('%s reports the rows that are documented, and leaves nothing behind', (name) => {
    const out = join(directory, 'out', `${name}.json`);
    const ran = bench(name, '--tiny', '--json', '--out', out, '--dir', directory);
    expect(ran.stderr).not.toMatch(/error/i);
    expect(ran.status).toBe(0);
    const result = JSON.parse(ran.stdout) as Result;
    expect(JSON.parse(readFileSync(out, 'utf8'))).toEqual(result);
    expect(result.bench).toBe(name);
    expect(result.tiny).toBe(true);
    expect(result.env.node).toBe(process.version);
    expect(result.env.cores).toBeGreaterThan(0);
    if (process.platform === 'linux') expect(result.othersShare).toBeGreaterThanOrEqual(0);
    expect(result.othersShare ?? 0).toBeLessThanOrEqual(1);
    for (const row of result.rows) expectRow(row);
    // Something was compared, or at least measured where only a peer is missing.
    expect(result.rows.some((row) => row.runs > 0)).toBe(true);
    for (const { skipped } of result.rows) expect(skipped ?? 'a tiny run').toContain('a tiny run');

    const page = readFileSync(join(ROOT, 'docs/PERFORMANCE.md'), 'utf8');
    const rows = page.slice(page.indexOf('## What the rows mean'), page.indexOf('## The last run'));
    const documented = [...rows.matchAll(/^\| `([^`]+)` \|/gm)].map((match) => match[1]!);
    const reported = result.rows.map((row) => row.id);
    expect(reported).toEqual(documented.filter((id) => id.startsWith(`${name}/`)));
    expect(readdirSync(directory).filter((entry) => entry.startsWith('varve-bench-'))).toEqual([]);
  });

  test('prints a table where no JSON is asked for', () => {
    const ran = bench('crc32c', '--tiny', '--dir', directory);
    expect(ran.status).toBe(0);
    const lines = ran.stdout.split('\n');
    expect(lines[0]).toMatch(/^crc32c: /);
    expect(lines.find((line) => line.startsWith('crc32c/64B'))).toMatch(/GB\/s .*>= 3 +skipped: /);
  });
});

test.each([
  [[], 'the name of a bench is missing'],
  [['no-such'], 'there is no bench no-such'],
  [['append', '--no-such'], 'no-such'],
])('the command line %j is a mistake that is told', (args, message) => {
  const ran = bench(...args);
  expect(ran.status).toBe(2);
  expect(ran.stdout).toBe('');
  expect(ran.stderr).toContain(message);
  expect(ran.stderr).toContain('usage:');
});
