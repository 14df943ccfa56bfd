/**
 * Lives a workload of trees and stores, stops the machine at its moments, and looks at what it wakes up with.
 *
 * @module
 */

import { WallClock } from '../kit/clock.ts';
import { createStage, until } from './laboratory.ts';
import { Moments, type State } from './moments.ts';
import { openStores } from './open-stores.ts';
import { reasonOf } from './rounds.ts';
import { StoreExaminer } from './store-examine.ts';
import { type Owed, StoreModel } from './store-model.ts';
import { StoreSession } from './store-session.ts';
import type { StoreWorkload } from './store-steps.ts';

export interface StoreCrashOptions {
  seed: number;
  /** How many states are looked at for each moment. */
  states: number;
  /** Of so many moments, one is looked at; each unless told. */
  every?: number;
  /** Of so many states, one is stopped while it recovers, too. */
  nestEvery: number;
  /** Stops there, as `performance.now()` has it. */
  untilMs?: number | undefined;
}

export interface StoreCrashResult {
  moments: number;
  states: number;
  failures: string[];
}

const FAILURES_MAX = 5;

interface Bounds {
  owed: Owed;
  copies: readonly number[];
}

export async function storeCrashSweep(
  workload: StoreWorkload,
  { seed, states, every = 1, nestEvery, untilMs = Infinity }: StoreCrashOptions,
): Promise<StoreCrashResult> {
  const { options, steps } = workload;
  const result: StoreCrashResult = { moments: 0, states: 0, failures: [] };
  const stage = createStage(new WallClock());
  const model = new StoreModel();
  const copies: number[] = [];
  const bounds = (): Bounds => ({
    owed: { tick: model.tick, level: 'synced', isPrefix: true },
    copies: [...copies],
  });
  const moments = new Moments<Bounds>({ states, seed, bounds, every });
  const session = new StoreSession({
    stage,
    vfs: moments.watch(),
    model,
    options,
    seed,
    onPromise: () => moments.take('after a promise'),
    onCheckpoint: (from) => copies.push(from),
  });
  await session.open();
  await session.take(steps);
  await session.close();
  for (const { step, error } of session.failures) result.failures.push(`${step}: ${error.stack}`);
  moments.take('at the end');
  result.moments = moments.count;
  const examiner = new StoreExaminer({ stage, model, options });

  async function examine({ vfs, bounds: known, label }: State<Bounds>): Promise<void> {
    result.states++;
    try {
      await examiner.examine(vfs, known.owed, known.copies);
    } catch (error) {
      result.failures.push(`${label}\n${reasonOf(error)}`);
    }
  }
  /** Stops it again while it recovers. */
  async function nest({ vfs, bounds: known, label }: State<Bounds>, number: number): Promise<void> {
    const inside = new Moments<Bounds>({ states: 1, seed: seed + number, bounds: () => known, every: 3 });
    const woken = inside.watch(vfs);
    const recovered = openStores(stage, woken, options).then(({ database }) => database.close());
    await until(stage, 'recovering', recovered);
    for (const state of inside.states)
      await examine({ ...state, label: `${label}, and then ${state.label}` });
  }
  for (const [number, state] of moments.states.entries()) {
    const isNested = number % nestEvery === nestEvery - 1;
    const again = isNested ? { ...state, vfs: state.vfs.preview({ choices: [] }) } : undefined;
    await examine(state);
    if (again !== undefined && result.failures.length === 0) await nest(again, number);
    if (result.failures.length >= FAILURES_MAX || performance.now() >= untilMs) break;
  }
  return result;
}
