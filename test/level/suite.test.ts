/** abstract-level's own suite, all of it, over `varve/level`: also on sublevels. */

import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { ROOT } from '../kit/sources.ts';

test("varve/level passes every test of abstract-level's suite", { timeout: 240_000 }, () => {
  const ran = spawnSync(process.execPath, ['--import', 'tsx', 'test/level/suite-program.ts'], {
    cwd: ROOT,
    encoding: 'utf8',
    maxBuffer: 64 << 20,
    timeout: 220_000,
  });
  const failures = ran.stdout.split('\n').flatMap((line, i, lines) =>
    // What went wrong is told in the lines behind.
    line.startsWith('not ok') ? [lines.slice(i, i + 12).join('\n')] : [],
  );
  expect(failures.slice(0, 5).join('\n')).toBe('');
  expect(ran.stderr).not.toMatch(/error/i);
  expect(ran.status).toBe(0);
  const count = (what: string): number =>
    Number(new RegExp(`^# ${what} +(\\d+)$`, 'm').exec(ran.stdout)?.[1]);
  expect(count('tests')).toBeGreaterThan(5000);
  expect(count('pass')).toBe(count('tests'));
  // Nothing was left out because of what the database says it cannot do.
  for (const title of ['getSync()', 'snapshot', 'sublevel', 'seek()', 'createIfMissing', 'has()', 'prewrite'])
    expect(ran.stdout).toMatch(new RegExp(`^# .*${title.replaceAll(/[()]/g, '\\$&')}`, 'm'));
  expect(ran.stdout).not.toMatch(/^# SKIP/m);
});
