import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ROOT } from '../kit/sources.ts';
import { MUTANTS } from './mutants.ts';

describe('a mutant', () => {
  test.each(MUTANTS)('can be made of the source as it is: $name', ({ changes }) => {
    for (const { file, from, to } of changes) {
      const source = readFileSync(join(ROOT, file), 'utf8');
      expect(source.split(from).length - 1, `occurrences in ${file}`).toBe(1);
      expect(to).not.toBe(from);
    }
  });

  test('has a name of its own, and there are at least twelve', () => {
    const names = new Set(MUTANTS.map(({ name }) => name));
    expect(names.size).toBe(MUTANTS.length);
    expect(names.size).toBeGreaterThanOrEqual(12);
  });
});
