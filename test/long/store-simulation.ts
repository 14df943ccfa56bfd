/**
 * Trees and stores at random: many lives on one disk, each ended by closing, by the end of the process, or by that of
 * the power; faults of the disk and delays meanwhile; against the model.
 *
 * @module
 */

import { isVarveError } from '../../src/errors.ts';
import { CrashVfs, createFaultVfs, type FaultRule } from '../../src/testing/testing.ts';
import { WallClock } from '../kit/clock.ts';
import { createRandom, type Random } from '../kit/random.ts';
import { abandonMemory, checkMemory, createStage, type Stage } from './laboratory.ts';
import { reasonOf } from './rounds.ts';
import { StoreExaminer } from './store-examine.ts';
import { StoreModel } from './store-model.ts';
import { StoreSession } from './store-session.ts';
import { describeStoreStep, drawStoreOptions, drawStoreSteps } from './store-steps.ts';

export interface StoreSimulationResult {
  lives: number;
  steps: number;
  faults: number;
  writes: number;
}

const ENDS = ['close', 'kill', 'power'] as const;
const EVERYTHING = { seed: 1, keep: 1, sectorBytes: 512 };
const OPERATIONS_LOG2 = 9;
/** How many calls making or opening a database takes, about: few lives end in the middle of that. */
const OPENING = 150;

/** The rules of a life: delays of some calls, and now and then a fault. */
function drawRules(random: Random, { clock }: Stage): FaultRule[] {
  const rules: FaultRule[] = [];
  if (random.chance(0.4)) {
    const delayMs = random.int(1, 40);
    rules.push({
      operation: random.pick(['datasync', 'write', 'syncDir']),
      skip: random.int(0, 10),
      times: random.int(1, 5),
      delay: () => new Promise((resolve) => void clock.after(delayMs, resolve)),
    });
  }
  if (random.chance(0.4)) {
    rules.unshift({
      at: Math.floor(2 ** (random.next() * OPERATIONS_LOG2)) + 10,
      error: random.pick(['EIO', 'ENOSPC', 'EMFILE']),
      ...(random.chance(0.3) && { late: true }),
    });
  }
  return rules;
}

/**
 * Runs trees and stores through some lives.
 *
 * @throws Error that says what was broken, and what had been done
 */
export async function simulateStores(seed: number, lives: number): Promise<StoreSimulationResult> {
  const history: string[] = [];
  try {
    return await simulate(seed, lives, history);
  } catch (error) {
    abandonMemory();
    throw new Error(`${reasonOf(error)}\n${history.slice(-60).join('\n')}`, { cause: error });
  }
}

async function simulate(seed: number, lives: number, history: string[]): Promise<StoreSimulationResult> {
  const random = createRandom(seed);
  const stage = createStage(new WallClock());
  const model = new StoreModel();
  const result: StoreSimulationResult = { lives: 0, steps: 0, faults: 0, writes: 0 };
  let disk = new CrashVfs();
  for (let life = 0; life < lives; life++) {
    const options = drawStoreOptions(random);
    const end = random.pick(ENDS);
    const steps = drawStoreSteps(random, random.int(3, 25));
    const rules = drawRules(random, stage);
    const isFaulty = rules.some(({ error }) => error !== undefined);
    history.push(
      `life ${life}, until ${end}: ${JSON.stringify(options)}${isFaulty ? ' on a disk that fails' : ''}`,
    );
    const stopAt =
      end === 'close'
        ? Infinity
        : (random.chance(0.2) ? 0 : OPENING) + Math.floor(2 ** (random.next() * OPERATIONS_LOG2));
    let failuresBefore = Infinity;
    const onOperation = (index: number): void => {
      if (index < stopAt) return;
      failuresBefore = Math.min(failuresBefore, session.failures.length);
      throw new Error('it has ended');
    };
    disk = disk.preview(EVERYTHING, { onOperation });
    const vfs = createFaultVfs(disk, rules);
    const session: StoreSession = new StoreSession({ stage, vfs, model, options, seed: seed + life });
    try {
      await session.open();
      for (const step of steps) {
        result.steps++;
        history.push(describeStoreStep(step));
        // There is one of an earlier life.
        if (step.do !== 'checkpoint') await session.take([step]);
      }
    } catch (error) {
      if (!isVarveError(error)) throw error;
    }
    await session.close();
    rules.length = 0;
    for (const [i, { step, error }] of session.failures.entries()) {
      // Who waits in line when a database is closed is told so.
      const canFail = isFaulty || i >= failuresBefore || error.code === 'CLOSED';
      if (!canFail || error.code === 'CORRUPT')
        throw new Error(`${step}: ${error.message}`, { cause: error });
    }
    if (vfs.openFiles > 0) throw new Error(`${vfs.openFiles} files are still open`);
    checkMemory(stage);
    result.lives++;
    result.faults += vfs.injected;
    result.writes = model.nextId;
    const level = end === 'power' ? 'synced' : 'written';
    const plan = end === 'power' ? { seed: random.int(0, 1e9) } : EVERYTHING;
    // What is told while that is looked at has been told, so the next life begins there.
    disk = disk.preview(plan);
    const examiner = new StoreExaminer({ stage, model, options, livesOn: false });
    const owed = { tick: model.tick, level, isPrefix: !isFaulty } as const;
    model.settle(await examiner.examine(disk, owed));
  }
  return result;
}
