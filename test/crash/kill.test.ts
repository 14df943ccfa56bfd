import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { killCampaign } from '../long/kill.ts';

/** Another one each day, so that time finds what one run does not; a failure names it. */
const SEED = Math.floor(Date.now() / 86_400_000);

let directory: string;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'varve-kill-'));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

describe('a process that is killed', () => {
  test('leaves every acknowledged record behind, in order, once', { timeout: 120_000 }, async () => {
    const { failures, passed, acknowledged, recovered } = await killCampaign({
      rounds: 10,
      seed: SEED,
      directory,
    });
    expect(failures).toEqual([]);
    expect(passed).toBe(10);
    expect(acknowledged).toBeGreaterThan(100);
    expect(recovered).toBeGreaterThanOrEqual(acknowledged);
  });
});
