/**
 * A little of each campaign over trees and the stores on them; `npm run test:long -- --campaign tree-crash`,
 * `tree-fault` and `tree-simulation` do more.
 */

import { describe, expect, test } from 'vitest';
import { storeCrashSweep } from '../long/store-crash.ts';
import { storeFaultSweep } from '../long/store-fault.ts';
import { simulateStores } from '../long/store-simulation.ts';
import { STORE_WORKLOADS } from '../long/store-steps.ts';
import { fuzzEdits, fuzzOperations, fuzzTables } from '../long/tree-fuzz.ts';

const workloads = STORE_WORKLOADS.map((workload, seed) => ({ ...workload, seed }));

describe('trees, keys and log entries', () => {
  test.each(workloads)('are there after the power was cut ($name)', async ({ seed, ...workload }) => {
    const options = { seed, states: 2, every: 67, nestEvery: 6 };
    const { states, failures } = await storeCrashSweep(workload, options);
    expect(failures.join('\n')).toBe('');
    expect(states).toBeGreaterThan(1);
  });

  test.each(workloads)('are there after the disk failed ($name)', async ({ seed, ...workload }) => {
    const { faults, failures } = await storeFaultSweep(workload, { seed, every: 89, isComplete: false });
    expect(failures.join('\n')).toBe('');
    expect(faults).toBeGreaterThan(0);
  });

  test.each([0, 1, 2])('keep their promises through many lives (seed %i)', async (seed) => {
    const { lives } = await simulateStores(seed, 5);
    expect(lives).toBe(5);
  });

  test('are decoded, or refused, whatever their bytes are', async () => {
    await expect(fuzzTables(1, { tables: 30 })).resolves.toBeUndefined();
    expect(() => fuzzOperations(1, { operations: 300 })).not.toThrow();
    await expect(fuzzEdits(1, { edits: 100 })).resolves.toBeUndefined();
  });

  test('repeat a run from its seed', async () => {
    expect(await simulateStores(7, 3)).toEqual(await simulateStores(7, 3));
  });
});
