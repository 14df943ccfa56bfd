/** Each workload with some of its failures; `npm run test:long -- --campaign fault` tries them all. */

import { describe, expect, test } from 'vitest';
import { FAULT_KINDS, faultSweep } from '../long/fault-sweep.ts';
import { WORKLOADS } from '../long/workloads.ts';

const EVERY = 3;
const workloads = WORKLOADS.map((workload, seed) => ({ ...workload, seed }));

describe('a disk that fails', () => {
  test.each(workloads)('takes nothing that was promised, and says so ($name)', async (workload) => {
    const options = { seed: workload.seed, kinds: FAULT_KINDS, isComplete: false, every: EVERY };
    const { faults, failures, told } = await faultSweep(workload, options);
    expect(failures.join('\n')).toBe('');
    expect(faults).toBeGreaterThan(8);
    expect([...told.keys()]).toContain('NO_SPACE');
  });
});
