/**
 * Stops a machine again and again without disturbing it: at each moment that matters, takes some of the
 * states that it could wake up in.
 *
 * Moments are before each call that changes the disk, since in between nothing new can be lost, and right
 * after each promise, since that is when most is owed.
 *
 * @module
 */

import type { Operation, OperationName } from '../../src/testing/testing.ts';
import { type CrashPlan, CrashVfs } from '../../src/testing/testing.ts';
import type { Bounds as LogBounds } from './oracle.ts';

/** A machine that has woken up. */
export interface State<Bounds = LogBounds> {
  vfs: CrashVfs;
  bounds: Bounds;
  /** When it stopped and what it kept: enough to see it again. */
  label: string;
}

export interface MomentsOptions<Bounds = LogBounds> {
  /** How many states are taken at a moment; where there are no more, all of them. */
  states: number;
  seed: number;
  /** Of so many moments, one is taken; each unless told. */
  every?: number;
  /** What may be found if the power was cut now. */
  bounds: () => Bounds;
}

const CHANGING: ReadonlySet<OperationName> = new Set([
  'write',
  'datasync',
  'truncate',
  'mkdir',
  'rename',
  'remove',
  'removeDir',
  'syncDir',
]);

export class Moments<Bounds = LogBounds> {
  readonly states: State<Bounds>[] = [];
  /** How many moments there were. */
  count = 0;
  /** How many of them had all their states taken. */
  exhausted = 0;
  readonly #options: MomentsOptions<Bounds>;
  #vfs: CrashVfs | undefined;
  #seed: number;

  constructor(options: MomentsOptions<Bounds>) {
    this.#options = options;
    this.#seed = options.seed;
  }

  /** A machine that is watched: an empty one, or what another one woke up as. */
  watch(from?: CrashVfs): CrashVfs {
    const onOperation = (index: number, { op, path }: Operation): void => {
      if (CHANGING.has(op)) this.take(`before operation ${index} (${op} ${path})`);
    };
    this.#vfs =
      from === undefined ? new CrashVfs({ onOperation }) : from.preview({ choices: [] }, { onOperation });
    return this.#vfs;
  }

  /** Takes states now. */
  take(label: string): void {
    const vfs = this.#vfs;
    if (vfs === undefined) return;
    this.count++;
    const { every = 1 } = this.#options;
    if ((this.count + this.#options.seed) % every !== 0) return;
    const bounds = this.#options.bounds();
    for (const plan of this.#plans(vfs)) {
      this.states.push({ vfs: vfs.preview(plan), bounds, label: `${label}, ${JSON.stringify(plan)}` });
    }
  }

  *#plans(vfs: CrashVfs): Generator<CrashPlan> {
    const { states } = this.#options;
    let count = 1;
    for (const { options } of vfs.crashChoices()) count *= options;
    if (count <= states) {
      this.exhausted++;
      yield* vfs.enumerateCrashes(states);
      return;
    }
    yield { choices: [] };
    for (let i = 1; i < states; i++) yield { seed: this.#seed++ };
  }
}
