/** Each workload once, stopped at every moment; `npm run test:long -- --campaign crash` looks at more states. */

import { describe, expect, test } from 'vitest';
import { crashSweep } from '../long/crash-sweep.ts';
import { WORKLOADS } from '../long/workloads.ts';

const SEED = 1;

describe('a machine that loses its power', () => {
  test.each(WORKLOADS)('has all that was promised when it wakes up ($name)', async (workload) => {
    const result = await crashSweep(workload, { seed: SEED, states: 2, nestEvery: 60, nestedStates: 2 });
    expect(result.failures.join('\n')).toBe('');
    expect(result.states).toBeGreaterThan(result.moments);
    expect(result.moments).toBeGreaterThan(30);
  });
});
