/**
 * Runs the short cut of one campaign on the engine that it lies beside, until it finds something. Prints
 * what that is and ends with 3; ends with 0 where there is nothing.
 *
 *     node --import tsx test/mutants/hunt-program.ts crash
 *
 * @module
 */

import { crashSweep } from '../long/crash-sweep.ts';
import { FAULT_KINDS, faultSweep } from '../long/fault-sweep.ts';
import { rot } from '../long/rot.ts';
import { changesOf, describeChange, straddlesOf } from '../long/rot-changes.ts';
import { createSite } from '../long/rot-site.ts';
import { reasonOf } from '../long/rounds.ts';
import { simulate } from '../long/simulation.ts';
import { WORKLOADS } from '../long/workloads.ts';
import type { HuntName } from './mutants.ts';

const SEED = 1;
const CHANGES_EVERY = 17;
const SIMULATIONS = 30;
const LIVES = 8;
const FOUND = 3;

const hunts: Record<HuntName, () => AsyncGenerator<string>> = {
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
};

async function hunt(name: HuntName): Promise<string | undefined> {
  try {
    for await (const finding of hunts[name]()) return finding;
  } catch (error) {
    // A workload that a sound engine gets through is a finding too where it does not.
    return reasonOf(error);
  }
  return undefined;
}

const found = await hunt(process.argv[2] as HuntName);
if (found !== undefined) process.stdout.write(`${found}\n`);
process.exit(found === undefined ? 0 : FOUND);
