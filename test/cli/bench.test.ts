import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { LabResult } from '../../src/lab/result.ts';
import { resultOf, SPEEDS } from '../lab/results.ts';
import { temporaryDirectory, varve } from './command.ts';

describe('varve bench fsync', () => {
  test('prints figures, power cuts and a recommendation, and saves them', { timeout: 60_000 }, async () => {
    const directory = temporaryDirectory();
    const [out, report] = [join(directory, 'a.json'), join(directory, 'a.html')];
    const disk = join(directory, 'disk', 'deep');
    const sizes = [
      '--record-bytes',
      '64',
      '--clients',
      '2,2',
      '--rates',
      '200',
      '--repeats',
      '2',
      '--seconds',
      '1',
    ];
    const policies = [
      '--policy',
      'always+Preallocate+poll',
      '--policy',
      'interval:10ms',
      '--max-loss',
      '10ms',
    ];
    const stores = ['--stores', 'log,kv'];
    const { code, stdout, stderr } = await varve([
      'bench',
      'fsync',
      '--dir',
      disk,
      ...sizes,
      ...policies,
      ...stores,
      '--out',
      out,
      '--report',
      report,
    ]);
    expect(stderr).toBe('');
    expect(code).toBe(0);
    expect(stdout).toContain('2 clients, records of 64 B');
    expect(stdout).toContain('disk: write + fdatasync');
    expect(stdout).toContain('What power cuts really took');
    expect(stdout).toMatch(/Recommended.*10 ms/);
    expect(stdout).toContain("from 'varve'");
    expect(readdirSync(disk)).toEqual([]);
    const result = JSON.parse(readFileSync(out, 'utf8')) as LabResult;
    expect(result.cells.map(({ strategy }) => strategy.id)).toEqual([
      'disk: write + fdatasync',
      'disk: write',
      'always+poll+preallocate',
      'interval:10ms',
      'kv interval:10ms',
      'always+poll+preallocate',
      'interval:10ms',
      'kv interval:10ms',
    ]);
    expect(result.command).toContain(
      '--policy always+poll+preallocate --policy interval:10ms --stores log,kv',
    );
    expect(readFileSync(report, 'utf8')).toContain('</html>');
    expect(readdirSync(directory).sort()).toEqual(['a.html', 'a.json', 'disk']);
  });

  test('says which option is wrong', async () => {
    const wrong = [
      [['--clients', '0'], /--clients.*1 or more/],
      [['--record-bytes', '1g'], /--record-bytes.*from 1 to/],
      [['--policy', 'sometimes'], /--policy.*always/],
      [['--policy', 'never+poll'], /--policy.*\+poll is for always and adaptive/],
      [['--policy', 'always+magic'], /--policy.*always/],
      [['--stores', 'heap'], /--stores.*log, tree, kv, events/],
      [['--policy', 'always+preallocate', '--stores', 'tree'], /not preallocated/],
      [['--p99', 'fast'], /--p99.*duration/],
      [['--seconds', '-1'], /--seconds/],
      [['--for-clients', '3'], /--for-clients 3 is not among/],
      [['--clients', '100', '--record-bytes', '16m'], /all clients together/],
      [['--out', '/nowhere/a.json'], /nowhere/],
      [['--report', tmpdir()], /is a directory/],
      [['--json', '--csv'], /exclude each other/],
      [['--repeats', '1000000'], /at least, not 110 s/],
      [['--policy', 'interval:1h'], /at least, not 110 s/],
      [['--rates', '1'], /at least, not 110 s/],
    ] as const;
    for (const [args, message] of wrong) {
      const { code, stderr } = await varve(['bench', 'fsync', ...args]);
      expect(code).toBe(2);
      expect(stderr).toMatch(message);
    }
  });
});

describe('varve bench compare', () => {
  function save(directory: string, name: string, result: unknown): string {
    const path = join(directory, name);
    writeFileSync(path, JSON.stringify(result));
    return path;
  }

  test('tells what became worse, and exits with 1', async () => {
    const directory = temporaryDirectory();
    const before = save(directory, 'a.json', resultOf());
    const after = save(directory, 'b.json', resultOf({ ...SPEEDS, always: [2000, 0.5] }));
    const worse = await varve(['bench', 'compare', before, after]);
    expect(worse.code).toBe(1);
    expect(worse.stdout).toMatch(/always \| 100 B \| 1 client +records\/s +4,\d+ +2,\d+ +×0\.50/);
    expect(worse.stdout).not.toContain('never');
    const same = await varve(['bench', 'compare', before, before]);
    expect(same.code).toBe(0);
    expect(same.stdout).toContain('0 better, 0 worse');
  });

  test('refuses what is no result', async () => {
    const directory = temporaryDirectory();
    const before = save(directory, 'a.json', resultOf());
    const { code, stderr } = await varve([
      'bench',
      'compare',
      before,
      save(directory, 'b.json', { cells: 1 }),
    ]);
    expect(code).toBe(2);
    expect(stderr).toContain('b.json is not a result');
    const missing = await varve(['bench', 'compare', before, join(directory, 'none.json')]);
    expect(missing.code).toBe(2);
    expect(missing.stderr).toContain('none.json');
  });
});
