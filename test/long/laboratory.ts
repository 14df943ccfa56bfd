/**
 * What all runs of a process share: one memory, whose slabs are filled with rubbish when they are given back,
 * so that whoever still uses one is found out; and time that stands still.
 *
 * @module
 */

import { CODEC_NAMES, codecs } from '../../src/codec/registry.ts';
import { Memory } from '../../src/memory/memory.ts';
import { Slab } from '../../src/memory/slabs.ts';
import { Pool } from '../../src/pool/pool.ts';
import { loadTask } from '../../src/pool/tasks.ts';
import { Runtime } from '../../src/runtime.ts';
import { settle, VirtualClock } from '../kit/clock.ts';

const MEMORY_BYTES = 64 << 20;
const RUBBISH = 0xdb;
/** How much time may pass before something that does not end counts as hanging. */
const PATIENCE_MS = 120_000;
/** Of a large slab only its ends are filled: that is enough to be noticed. */
const FILLED_BYTES_MAX = 1024;

export interface Stage {
  runtime: Runtime;
  clock: VirtualClock;
}

const TASKS = [
  'sortCells',
  'writeRun',
  'mergeTables',
  'compressBatches',
  'digestFile',
  'mapSegment',
  'rewriteSegments',
] as const;

let shared: { memory: Memory; pool: Pool } | undefined;

function fillReleasedSlabs(memory: Memory): void {
  const release = Slab.prototype.release;
  Slab.prototype.release = function (this: Slab, isQuiet?: boolean): void {
    const bytes = Math.min(this.bytes, FILLED_BYTES_MAX);
    memory.u8.fill(RUBBISH, this.address, this.address + bytes);
    memory.u8.fill(RUBBISH, this.address + this.bytes - bytes, this.address + this.bytes);
    release.call(this, isQuiet);
  };
}

/** A runtime whose clock begins anew. */
export function createStage(clock: VirtualClock = new VirtualClock()): Stage {
  if (shared === undefined) {
    const memory = Memory.create(MEMORY_BYTES);
    fillReleasedSlabs(memory);
    shared = { memory, pool: new Pool(memory, { threads: 0 }) };
  }
  return { runtime: new Runtime(shared.memory, clock, shared.pool), clock };
}

/**
 * Looks for memory that was not given back.
 *
 * @throws Error with its owners
 */
export function checkMemory({ runtime }: Stage): void {
  const inUse = runtime.memory.slabs.inUse();
  if (inUse.length === 0) return;
  abandonMemory();
  throw new Error(
    `memory was not given back: ${inUse.map(({ owner, bytes }) => `${owner} (${bytes})`).join()}`,
  );
}

/** Gives the next stage another memory: what a run that failed still holds must not make those behind it fail. */
export function abandonMemory(): void {
  shared = undefined;
}

let loading: Promise<unknown> | undefined;

/** Loads the code of tasks and the codecs: that takes real time, which does not pass for those who wait here. */
export async function loadCode(): Promise<void> {
  loading ??= Promise.allSettled([...TASKS.map(loadTask), ...CODEC_NAMES.map((name) => codecs.load(name))]);
  await loading;
}

/**
 * Waits for something that may need time to pass.
 *
 * @param what it is, for the case that it never ends
 */
export async function until<T>({ clock }: Stage, what: string, promise: Promise<T>): Promise<T> {
  let isOver = false;
  const over = (): void => {
    isOver = true;
  };
  // Before anything else: it may fail while code is loaded.
  promise.then(over, over);
  await loadCode();
  await settle(3);
  for (let ms = 0, pauseMs = 1; !isOver; ms += pauseMs, pauseMs = Math.min(pauseMs * 2, 1000)) {
    if (ms > PATIENCE_MS) throw new Error(`${what}: it never ends`);
    await clock.advance(pauseMs);
  }
  return await promise;
}
