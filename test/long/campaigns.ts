/**
 * The campaigns that live in memory, as `npm run test:long` knows them.
 *
 * @module
 */

import { RECOVERY_MODES, type RecoveryMode } from '../../src/log/options.ts';
import { CODECS_HERE, type CodecHere } from '../kit/codecs.ts';
import { createRandom } from '../kit/random.ts';
import type { Campaign } from './campaign.ts';
import { crashSweep } from './crash-sweep.ts';
import { drawOptions, drawSteps } from './draw.ts';
import { FAULT_KINDS, faultSweep } from './fault-sweep.ts';
import { type FuzzCounts, fuzzBatches, fuzzIndexes, fuzzLog, fuzzMetadata } from './fuzz.ts';
import { type Outcome, rot } from './rot.ts';
import {
  type Change,
  changesOf,
  changesOfFile,
  describeChange,
  drawSmash,
  straddlesOf,
} from './rot-changes.ts';
import { createRepairedSite, rotRepaired } from './rot-repaired.ts';
import { createCompressedSite, createSite } from './rot-site.ts';
import { campaignOf, reasonOf } from './rounds.ts';
import { simulate } from './simulation.ts';
import { createTreeSite, rotFiles, rotTree } from './tree-rot.ts';
import { WORKLOADS, type Workload } from './workloads.ts';

const LIVES = 12;
const SMASHES = 500;

/** Each of the workloads in turn, and between two of them one that nobody has thought of. */
function workloadOf(seed: number): Workload {
  const written = WORKLOADS[(seed >> 1) % WORKLOADS.length] as Workload;
  if (seed % 2 === 0) return written;
  const random = createRandom(seed);
  return {
    name: `drawn from ${seed}`,
    options: drawOptions(random),
    steps: drawSteps(random, random.int(5, 25)),
  };
}

const named = (name: string, failures: readonly string[]): string[] =>
  failures.map((failure) => `workload ${name}, ${failure}`);

/** Stops the machine at every moment of a workload. */
export const crash: Campaign = campaignOf('crash', 2 * WORKLOADS.length, async (seed, untilMs) => {
  const workload = workloadOf(seed);
  const options = { seed, states: 12, nestEvery: 40, nestedStates: 4, isThorough: true, untilMs };
  const { moments, states, exhausted, failures } = await crashSweep(workload, options);
  const done = { moments, 'of them with all their states': exhausted, 'states after a power cut': states };
  return { failures: named(workload.name, failures), done };
});

/** Changes every byte of the tables, the manifest and the write-ahead log of trees. */
export const treeRotting: Campaign = campaignOf('tree-rot', 1, async (seed, untilMs) => {
  const site = await createTreeSite(seed);
  const random = createRandom(seed);
  const failures: string[] = [];
  const done = { told: 0, harmless: 0 };
  try {
    const places = rotFiles(site).flatMap((path) => {
      const { length } = site.files.get(path) as Buffer;
      return Array.from({ length }, (_, position) => ({ path, position, order: random.next() }));
    });
    // In no order, so that a short run sees something of each file.
    for (const { path, position } of places.sort((a, b) => a.order - b.order)) {
      if (untilMs !== undefined && performance.now() > untilMs) break;
      const outcome = await rotTree(site, path, position, 1 << random.int(0, 7));
      if (outcome === 'told' || outcome === 'harmless') done[outcome]++;
      else failures.push(outcome);
    }
  } finally {
    await site.runtime.close();
  }
  return { failures, done };
});

/** Fails every call of a workload to the disk, in every way. */
export const fault: Campaign = campaignOf('fault', 2 * WORKLOADS.length, async (seed, untilMs) => {
  const workload = workloadOf(seed);
  const options = { seed, kinds: FAULT_KINDS, isComplete: true, untilMs };
  const { faults, failures } = await faultSweep(workload, options);
  return { failures: named(workload.name, failures), done: { 'faults injected': faults } };
});

/** A database, what may become of it, and how that is tried. */
interface Decay {
  name: string;
  changes: readonly Change[];
  rot: (change: Change, mode: RecoveryMode) => Promise<Outcome>;
}

/** Every byte, every length and every name of a small database; and of what a repaired one knows of its losses. */
async function decaysOf(seed: number): Promise<Decay[]> {
  const site = await createSite(seed, seed % 2 === 0);
  const repaired = await createRepairedSite(seed, seed % 2 === 0);
  const random = createRandom(seed);
  const changes = [...changesOf(site, () => [random.int(0, 7)]), ...straddlesOf(site)];
  for (let i = 0; i < SMASHES; i++) changes.push(drawSmash(site, random));
  return [
    {
      name: repaired.name,
      changes: [...changesOfFile(repaired, repaired.gapsFile)],
      async rot(change, mode) {
        const outcome = await rotRepaired(repaired, change, mode);
        if (outcome === 'harmless') throw new Error('nobody has noticed');
        return outcome;
      },
    },
    { name: site.name, changes, rot: (change, mode) => rot(site, change, mode) },
  ];
}

/** Changes one thing of a small database after the other. */
export const rotting: Campaign = campaignOf('rot', 8, async (seed, untilMs = Infinity) => {
  const mode = RECOVERY_MODES[(seed >> 1) % RECOVERY_MODES.length] as RecoveryMode;
  const failures: string[] = [];
  const done: Record<string, number> = {};
  for (const { name, changes, rot: decay } of await decaysOf(seed)) {
    for (const change of changes) {
      if (performance.now() >= untilMs || failures.length > 10) break;
      let outcome = 'changes';
      try {
        outcome = await decay(change, mode);
      } catch (error) {
        failures.push(`${mode}, ${name}, ${describeChange(change)}: ${reasonOf(error)}`);
      }
      done[outcome] = (done[outcome] ?? 0) + 1;
    }
  }
  return { failures, done };
});

/** The whole engine, at random. */
export const simulation: Campaign = campaignOf('simulation', 300, async (seed) => {
  const { lives, steps, faults, records } = await simulate(seed, LIVES);
  return { failures: [], done: { lives, steps, faults, records } };
});

const FUZZ: FuzzCounts = { decoded: 20_000, scanned: 3000, searched: 5000, metadata: 500, logs: 50 };

/** Every decoder, with input that nobody has written. */
export const fuzz: Campaign = campaignOf('fuzz', 20, async (seed) => {
  fuzzBatches(seed, FUZZ);
  fuzzIndexes(seed, FUZZ);
  const site = await createSite(seed, seed % 2 === 0);
  fuzzMetadata(site.stage.runtime.memory, seed, FUZZ);
  const random = createRandom(seed);
  for (let i = 0; i < FUZZ.logs; i++) await fuzzLog(site, random);
  const { name, codec } = CODECS_HERE[seed % CODECS_HERE.length] as CodecHere;
  const compressed = codec === undefined ? site : await createCompressedSite(name);
  for (let i = 0; i < FUZZ.logs; i++) await fuzzLog(compressed, random);
  const { decoded, scanned, searched, metadata, logs } = FUZZ;
  return {
    failures: [],
    done: { 'batches decoded': decoded, scanned, searched, 'small files': 2 * metadata, logs },
  };
});
