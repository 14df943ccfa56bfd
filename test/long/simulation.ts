/**
 * The whole engine through many lives: a log that is used at random, on a disk that fails and delays, in a
 * machine that stops, until the log is opened again, and so on. One seed is one run, to the last byte.
 *
 * @module
 */

import { isVarveError } from '../../src/errors.ts';
import type { LogOptions } from '../../src/log/options.ts';
import {
  CrashVfs,
  createFaultVfs,
  type FaultRule,
  type FaultVfs,
  type OperationName,
} from '../../src/testing/testing.ts';
import { createRandom, type Random } from '../kit/random.ts';
import { Contents } from './contents.ts';
import { drawOptions, drawSteps } from './draw.ts';
import { Examiner } from './examine.ts';
import { checkMemory, createStage, type Stage } from './laboratory.ts';
import { type Bounds, Oracle } from './oracle.ts';
import { loosened, Session } from './session.ts';
import { describeStep, type Step } from './steps.ts';

/**
 * How a life ends. A process that is killed leaves to the next one all that it has written, of which a power
 * cut can still take what was not synced.
 */
const ENDS = ['close', 'close', 'kill', 'power', 'power'] as const;
type End = (typeof ENDS)[number];

export interface SimulationResult {
  lives: number;
  steps: number;
  faults: number;
  records: number;
}

const ERRORS = ['EIO', 'ENOSPC', 'EMFILE', 'EINTR', 'EROFS'];
const DELAYED: readonly OperationName[] = [
  'read',
  'write',
  'datasync',
  'syncDir',
  'rename',
  'open',
  'truncate',
];

/** What goes wrong in a life; the first rule that matches is followed. */
function drawRules(random: Random, { clock }: Stage): FaultRule[] {
  const rules: FaultRule[] = [];
  if (random.chance(0.5)) {
    const fault: FaultRule = { at: Math.floor(2 ** (random.next() * 9)), error: random.pick(ERRORS) };
    if (random.chance(0.3)) fault.late = true;
    else if (random.chance(0.5)) fault.afterBytes = random.int(0, 2000);
    rules.push(fault);
  }
  if (random.chance(0.5)) {
    const longestMs = random.pick([0, 1, 5, 30]);
    const delay = (): Promise<void> =>
      new Promise((resolve) => {
        if (longestMs === 0) clock.nextTurn(resolve);
        else clock.after(random.next() * longestMs, resolve);
      });
    rules.push({ operation: random.chance(0.5) ? DELAYED : random.pick(DELAYED), delay });
  }
  return rules;
}

/** What may be found by the next process, and what on a machine that has lost its power meanwhile. */
interface Legacy {
  written: Bounds;
  synced: Bounds;
}

/** What all lives have in common. */
interface World {
  random: Random;
  stage: Stage;
  contents: Contents;
  oracle: Oracle;
}

/** One life of a log, from one process or machine to the next. */
class Life {
  readonly #world: World;
  readonly #log: LogOptions;
  readonly #end: End;
  /** What was left to this one, and in the end what it leaves to the next. */
  #legacy: Legacy;
  readonly #isFaulty: boolean;
  readonly #vfs: FaultVfs;
  readonly #session: Session;
  /** What callers knew when it ended, and of how many failures; what comes after that reaches nobody. */
  #known: { oracle: Oracle; failures: number } | undefined;

  constructor(world: World, disk: CrashVfs, log: LogOptions, end: End, legacy: Legacy) {
    const { random, stage, contents, oracle } = world;
    this.#world = world;
    this.#log = log;
    this.#end = end;
    this.#legacy = legacy;
    const rules = drawRules(random, stage);
    this.#isFaulty = rules.some(({ error }) => error !== undefined);
    if (end === 'kill') {
      const at = Math.floor(2 ** (random.next() * 9));
      rules.unshift({
        error: 'EIO',
        path: () => {
          if (this.#vfs.operations > at) this.over();
          return this.#known !== undefined;
        },
      });
    }
    this.#vfs = createFaultVfs(disk, rules);
    this.#session = new Session({ stage, vfs: this.#vfs, oracle, contents, log });
  }

  get faults(): number {
    return this.#vfs.injected;
  }

  /** Notes what callers know now, which is when it ends. */
  over(): void {
    if (this.#known !== undefined) return;
    this.#known = { oracle: this.#world.oracle.copy(), failures: this.#session.failures.length };
    this.#leave();
  }

  #leave(): void {
    const session = this.#session;
    const levels = session.wasOpen
      ? { written: session.bounds('written'), synced: session.bounds('synced') }
      : this.#legacy;
    const synced = loosened(levels.synced, this.#log);
    this.#legacy = { synced, written: this.#end === 'power' ? synced : loosened(levels.written, this.#log) };
  }

  /** Takes the steps. Returns what may be found then. */
  async live(steps: readonly Step[], onStep: (step: Step) => void): Promise<Legacy> {
    const session = this.#session;
    try {
      await session.open(this.#legacy.written);
      for (const step of steps) {
        onStep(step);
        await session.take([step]);
      }
    } catch (error) {
      if (!isVarveError(error)) throw error;
    }
    if (this.#end !== 'close') this.over();
    await session.close();
    if (this.#known !== undefined) this.#world.oracle.restore(this.#known.oracle);
    else this.#leave();
    this.#check();
    return this.#legacy;
  }

  #check(): void {
    const { failures } = this.#session;
    for (const [i, { step, error }] of failures.entries()) {
      const canFail = this.#isFaulty || (this.#known !== undefined && i >= this.#known.failures);
      if (!canFail || error.code === 'CORRUPT')
        throw new Error(`${step}: ${error.message}`, { cause: error });
    }
    if (this.#vfs.openFiles > 0) throw new Error(`${this.#vfs.openFiles} files are still open`);
    checkMemory(this.#world.stage);
  }
}

/** One run of the engine. */
class Simulation implements World {
  readonly random: Random;
  readonly stage: Stage = createStage();
  readonly contents: Contents;
  readonly oracle: Oracle = new Oracle();
  readonly result: SimulationResult = { lives: 0, steps: 0, faults: 0, records: 0 };
  /** What was done, for whoever looks into a failure. */
  readonly history: string[] = [];
  #life: Life | undefined;
  /** The machine stops at its operation with this number. */
  #stopAt = Infinity;

  constructor(seed: number) {
    this.random = createRandom(seed);
    this.contents = new Contents(seed, (_, bytes) => bytes);
  }

  async run(lives: number): Promise<void> {
    const { random, stage, contents, oracle, result } = this;
    const options = drawOptions(random);
    const onOperation = (index: number): void => {
      if (index < this.#stopAt) return;
      this.#life?.over();
      throw new Error('the power is cut');
    };
    let disk = new CrashVfs({ onOperation });
    let legacy: Legacy = { written: oracle.bounds('written'), synced: oracle.bounds('synced') };
    for (let life = 0; life < lives; life++) {
      // The log may be opened with other options than before.
      const log = random.chance(0.2) ? drawOptions(random) : options;
      const end = random.pick(ENDS);
      const steps = drawSteps(random, random.int(1, 30));
      this.history.push(`life ${life}, until ${end}: ${JSON.stringify(log)}`);
      this.#stopAt = end === 'power' ? disk.operations + Math.floor(2 ** (random.next() * 10)) : Infinity;
      this.#life = new Life(this, disk, log, end, legacy);
      legacy = await this.#life.live(steps, (step) => {
        result.steps++;
        this.history.push(describeStep(step));
      });
      this.#stopAt = Infinity;
      if (end === 'power') disk = disk.crash({ seed: random.int(0, 1e9) }, { onOperation });
      result.lives++;
      result.faults += this.#life.faults;
      result.records = oracle.attempted;
      const examiner = new Examiner({ stage, contents, oracle, log }, life);
      await examiner.examine(disk.preview({ seed: 1, keep: 1, sectorBytes: 512 }), legacy.written);
      await examiner.examine(disk.preview({ seed: random.int(0, 1e9) }), legacy.synced);
    }
  }
}

/**
 * Runs the engine through some lives.
 *
 * @throws Error that says what was broken, and what had been done
 */
export async function simulate(seed: number, lives: number): Promise<SimulationResult> {
  const simulation = new Simulation(seed);
  try {
    await simulation.run(lives);
    return simulation.result;
  } catch (error) {
    const reason = error instanceof Error ? (error.stack ?? error.message) : String(error);
    throw new Error(`${reason}\n${simulation.history.slice(-60).join('\n')}`, { cause: error });
  }
}
