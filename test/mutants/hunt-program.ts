/**
 * Runs the short cut of one campaign on the engine that it lies beside, until it finds something. Prints
 * what that is and ends with 3; ends with 0 where there is nothing.
 *
 *     node --import tsx test/mutants/hunt-program.ts crash
 *
 * @module
 */

import { createRandom } from '../kit/random.ts';
import { crashSweep } from '../long/crash-sweep.ts';
import { FAULT_KINDS, faultSweep } from '../long/fault-sweep.ts';
import { rot } from '../long/rot.ts';
import { changesOf, changesOfFile, describeChange, straddlesOf } from '../long/rot-changes.ts';
import { createRepairedSite, rotRepaired } from '../long/rot-repaired.ts';
import { createSite } from '../long/rot-site.ts';
import { reasonOf } from '../long/rounds.ts';
import { simulate } from '../long/simulation.ts';
import { storeCrashSweep } from '../long/store-crash.ts';
import { storeFaultSweep } from '../long/store-fault.ts';
import { simulateStores } from '../long/store-simulation.ts';
import { STORE_WORKLOADS } from '../long/store-steps.ts';
import { createTreeSite, rotFiles, rotTree } from '../long/tree-rot.ts';
import { WORKLOADS } from '../long/workloads.ts';
import type { HUNTS } from './mutant.ts';

const SEED = 1;
const CHANGES_EVERY = 17;
const SIMULATIONS = 30;
const TREE_SIMULATIONS = 80;
const LIVES = 8;
/** Of each file of trees, so many bytes are changed. */
const PLACES = 12;
const FOUND = 3;

const hunts: Record<(typeof HUNTS)[number], () => AsyncGenerator<string>> = {
  async *crash() {
    for (const workload of WORKLOADS) {
      const options = { seed: SEED, states: 2, nestEvery: 60, nestedStates: 2 };
      const { failures } = await crashSweep(workload, options);
      yield* failures.map((failure) => `${workload.name}, ${failure}`);
    }
  },
  async *fault() {
    for (const workload of WORKLOADS) {
      const { failures } = await faultSweep(workload, { seed: SEED, kinds: FAULT_KINDS, isComplete: false });
      yield* failures.map((failure) => `${workload.name}, ${failure}`);
    }
  },
  async *rot() {
    for (const isClosed of [true, false]) {
      const site = await createSite(SEED, isClosed);
      const changes = [...changesOf(site, (position) => [position % 8])].filter(
        (_, i) => i % CHANGES_EVERY === 0,
      );
      const repaired = await createRepairedSite(SEED, isClosed);
      const ofGaps = [...changesOfFile(repaired, repaired.gapsFile)].filter(
        (_, i) => i % CHANGES_EVERY === 0,
      );
      for (const change of ofGaps) {
        if ((await rotRepaired(repaired, change, 'tolerateCorruptedTail')) === 'harmless')
          yield `${describeChange(change)}: nobody has noticed`;
      }
      for (const change of [...changes, ...straddlesOf(site)]) {
        try {
          await rot(site, change);
        } catch (error) {
          yield `${describeChange(change)}: ${reasonOf(error)}`;
        }
      }
    }
  },
  async *simulation() {
    for (let seed = 0; seed < SIMULATIONS; seed++) {
      try {
        await simulate(seed, LIVES);
      } catch (error) {
        yield `seed ${seed}: ${reasonOf(error)}`;
      }
    }
  },
  async *'tree-crash'() {
    for (const workload of STORE_WORKLOADS) {
      const options = { seed: SEED, states: 2, every: 5, nestEvery: 40 };
      const { failures } = await storeCrashSweep(workload, options);
      yield* failures.map((failure) => `${workload.name}, ${failure}`);
    }
  },
  async *'tree-fault'() {
    for (const workload of STORE_WORKLOADS) {
      const { failures } = await storeFaultSweep(workload, { seed: SEED, every: 7, isComplete: false });
      yield* failures.map((failure) => `${workload.name}, ${failure}`);
    }
  },
  async *'tree-simulation'() {
    for (let seed = 0; seed < TREE_SIMULATIONS; seed++) {
      try {
        await simulateStores(seed, LIVES);
      } catch (error) {
        yield `seed ${seed}: ${reasonOf(error)}`;
      }
    }
  },
  async *'tree-rot'() {
    const site = await createTreeSite(SEED);
    const random = createRandom(SEED);
    for (const path of rotFiles(site)) {
      const { length } = site.files.get(path) as Buffer;
      for (let i = 0; i < PLACES; i++) {
        const outcome = await rotTree(site, path, random.int(0, length - 1), 1 << random.int(0, 7));
        if (outcome !== 'told' && outcome !== 'harmless') yield outcome;
      }
    }
  },
};

async function hunt(name: (typeof HUNTS)[number]): Promise<string | undefined> {
  try {
    for await (const finding of hunts[name]()) return finding;
  } catch (error) {
    // A workload that a sound engine gets through is a finding too where it does not.
    return reasonOf(error);
  }
  return undefined;
}

const found = await hunt(process.argv[2] as (typeof HUNTS)[number]);
if (found !== undefined) process.stdout.write(`${found}\n`);
process.exit(found === undefined ? 0 : FOUND);
