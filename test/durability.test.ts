/** The page of promises names tests: they are there, and so is each that keeps a bug from coming back. */

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ROOT } from './kit/sources.ts';

const PAGE = readFileSync(join(ROOT, 'docs/DURABILITY.md'), 'utf8');
const USUAL_FILE = 'test/log/found-by-sweeps.test.ts';

const named = [...PAGE.matchAll(/`(test\/[^`]+)`/g)].map(([, path]) => path as string);

/** The rows of the table of bugs: the test of each, and its file. */
const rows = PAGE.slice(PAGE.indexOf('| bug |'))
  .split('\n')
  .filter((line) => line.startsWith('| ') && !line.startsWith('| bug'))
  .map((line) => line.split(' | ').at(-1)?.replace(/ \|$/, '') as string)
  .map((cell) => {
    const [, title, file = USUAL_FILE] = /^(.*?)(?: \(`(.*)`\))?$/.exec(cell) ?? [];
    return { title: title as string, file };
  });

describe('the page of promises', () => {
  test('names tests that are there', () => {
    const missing = named.filter(
      (path) => !existsSync(join(ROOT, path.replace(/\*.*$/, '').replace(/[^/]*$/, ''))),
    );
    const files = named.filter((path) => !path.includes('*') && path.endsWith('.ts'));
    expect(named.length).toBeGreaterThan(20);
    expect([...missing, ...files.filter((path) => !existsSync(join(ROOT, path)))]).toEqual([]);
  });

  test.each(rows)('has a test for each bug that was found: $title', ({ title, file }) => {
    const source = readFileSync(join(ROOT, file), 'utf8');
    expect(source.includes(title), `it is in ${file}`).toBe(true);
  });
});
