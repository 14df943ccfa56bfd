/**
 * Runs a workload, stops the machine at every moment of it, and looks at what it wakes up with.
 *
 * @module
 */

import { Contents } from './contents.ts';
import { Examiner } from './examine.ts';
import { createStage } from './laboratory.ts';
import { Moments, type State } from './moments.ts';
import { Oracle } from './oracle.ts';
import { loosened, Session } from './session.ts';
import type { Workload } from './workloads.ts';

export interface CrashSweepOptions {
  seed: number;
  /** How many states are looked at for each moment. */
  states: number;
  /** Of so many states, one is stopped while it recovers, too. */
  nestEvery: number;
  /** How many states are looked at for each moment of such a recovery. */
  nestedStates: number;
  isThorough?: boolean;
  /** Stops there, as `performance.now()` has it. */
  untilMs?: number;
}

export interface CrashSweepResult {
  moments: number;
  /** Moments of which all states were looked at. */
  exhausted: number;
  states: number;
  failures: string[];
}

const FAILURES_MAX = 10;

export async function crashSweep(workload: Workload, options: CrashSweepOptions): Promise<CrashSweepResult> {
  const { seed, states, nestEvery, nestedStates, isThorough, untilMs = Infinity } = options;
  const stage = createStage();
  const contents = new Contents(seed, (_, bytes) => bytes);
  const oracle = new Oracle();
  const result: CrashSweepResult = { moments: 0, exhausted: 0, states: 0, failures: [] };
  const log = workload.options;

  const moments = new Moments({ states, seed, bounds: () => session.bounds('synced') });
  const vfs = moments.watch();
  const onPromise = (): void => moments.take('after a promise');
  const session: Session = new Session({ stage, vfs, oracle, contents, log, onPromise });
  await session.open();
  await session.take(workload.steps);
  await session.close();
  for (const { step, error } of session.failures) result.failures.push(`${step}: ${error.message}`);
  moments.take('at the end');
  result.moments += moments.count;
  result.exhausted += moments.exhausted;

  const examiner = new Examiner({ stage, contents, oracle, log, hasOwnIndexes: true });
  async function examine({ vfs: woken, bounds, label }: State): Promise<void> {
    result.states++;
    try {
      await examiner.examine(woken, bounds, isThorough);
    } catch (error) {
      result.failures.push(
        `${label}\n${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
      );
    }
  }
  async function nest({ vfs: woken, bounds, label }: State, number: number): Promise<void> {
    const inside = new Moments({
      states: nestedStates,
      seed: seed + number,
      bounds: () => loosened(bounds, log),
    });
    const again = new Session({ stage, vfs: inside.watch(woken), oracle: oracle.copy(), contents, log });
    await again.open(bounds);
    await again.close();
    for (const state of inside.states)
      await examine({ ...state, label: `${label}, and then ${state.label}` });
  }
  for (const [number, state] of moments.states.entries()) {
    const nested =
      number % nestEvery === nestEvery - 1
        ? { ...state, vfs: state.vfs.preview({ choices: [] }) }
        : undefined;
    await examine(state);
    if (nested !== undefined && result.failures.length === 0) await nest(nested, number);
    if (result.failures.length >= FAILURES_MAX || performance.now() >= untilMs) break;
  }
  return result;
}
