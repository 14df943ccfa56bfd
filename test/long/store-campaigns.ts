/**
 * The campaigns over trees and the stores on them, as `npm run test:long` knows them.
 *
 * @module
 */

import { createRandom } from '../kit/random.ts';
import type { Campaign } from './campaign.ts';
import { campaignOf } from './rounds.ts';
import { storeCrashSweep } from './store-crash.ts';
import { storeFaultSweep } from './store-fault.ts';
import { simulateStores } from './store-simulation.ts';
import { drawStoreOptions, drawStoreSteps, STORE_WORKLOADS, type StoreWorkload } from './store-steps.ts';

import { fuzzEdits, fuzzOperations, fuzzTables, type TreeFuzzCounts } from './tree-fuzz.ts';

const LIVES = 8;

/** Each of the workloads in turn, and between two of them one that nobody has thought of. */
function workloadOf(seed: number): StoreWorkload {
  if (seed % 2 === 0) return STORE_WORKLOADS[(seed >> 1) % STORE_WORKLOADS.length] as StoreWorkload;
  const random = createRandom(seed);
  const options = drawStoreOptions(random);
  return { name: `drawn from ${seed}`, options, steps: drawStoreSteps(random, random.int(5, 15)) };
}

const FUZZ: TreeFuzzCounts = { tables: 200, operations: 3000, edits: 1000 };

/** What decodes tables, the manifest and the write-ahead log, with input that nobody has written. */
export const treeFuzz: Campaign = campaignOf('tree-fuzz', 30, async (seed) => {
  await fuzzTables(seed, FUZZ);
  fuzzOperations(seed, FUZZ);
  await fuzzEdits(seed, FUZZ);
  return { failures: [], done: { ...FUZZ } };
});

const named = (name: string, failures: readonly string[]): string[] =>
  failures.map((failure) => `workload ${name}, ${failure}`);

/** Stops the machine at the moments of a workload. */
export const treeCrash: Campaign = campaignOf(
  'tree-crash',
  2 * STORE_WORKLOADS.length,
  async (seed, untilMs) => {
    const workload = workloadOf(seed);
    const options = { seed, states: 6, nestEvery: 40, untilMs };
    const { moments, states, failures } = await storeCrashSweep(workload, options);
    return {
      failures: named(workload.name, failures),
      done: { moments, 'states after a power cut': states },
    };
  },
);

/** Fails the calls of a workload to the disk, in every way. */
export const treeFault: Campaign = campaignOf(
  'tree-fault',
  2 * STORE_WORKLOADS.length,
  async (seed, untilMs) => {
    const workload = workloadOf(seed);
    const { faults, failures } = await storeFaultSweep(workload, { seed, isComplete: true, untilMs });
    return { failures: named(workload.name, failures), done: { 'faults injected': faults } };
  },
);

/** Trees and stores, at random. */
export const treeSimulation: Campaign = campaignOf('tree-simulation', 200, async (seed) => {
  const { lives, steps, faults, writes } = await simulateStores(seed, LIVES);
  return { failures: [], done: { lives, steps, faults, writes } };
});
