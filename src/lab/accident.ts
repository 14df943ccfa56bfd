/**
 * The proof that the figures mean what they say: each policy runs on a disk that loses its power again and
 * again. It is the crash-testing file system of `varve/testing`, with an fdatasync that takes its time; a
 * cut leaves nothing but what had been synced, or some state between that and all that was written. What
 * was acknowledged before the cut and is not there after it is lost, and must not be older than promised.
 *
 * @module
 */

import type { Cancel, Clock } from '../clock.ts';
import { Log } from '../log/log.ts';
import type { Memory } from '../memory/memory.ts';
import { CrashVfs } from '../testing/crash.ts';
import { createFaultVfs } from '../testing/fault.ts';
import type { CrashPlan } from '../testing/plan.ts';
import type { Vfs } from '../vfs/vfs.ts';
import { Latencies } from './latencies.ts';
import { runLoad } from './loads.ts';
import { type PolicyStrategy, promisedLossMs } from './matrix.ts';

/** What power cuts took from one policy. */
export interface Accident {
  readonly strategy: string;
  /** How old what is lost may be; null where nothing is promised. */
  readonly promisedLossMs: number | null;
  /** What a promise cannot take in: the longest fdatasync of the run, and how late timers fired. */
  readonly slackMs: number;
  /** Moments at which the power was cut, and states of the disk that were looked at. */
  readonly cuts: number;
  readonly states: number;
  /** Records acknowledged before the last cut. */
  readonly acknowledged: number;
  /** The worst of all states: acknowledged records that were gone, and for how long the oldest had been. */
  readonly lostRecords: number;
  readonly lostMs: number;
  /** Whether no more was lost than promised. */
  readonly isKept: boolean;
}

export interface AccidentOptions {
  readonly memory: Memory;
  readonly clock: Clock;
  readonly durationMs: number;
  /** How often the power is cut in that time. */
  readonly cuts: number;
  readonly random: () => number;
  readonly signal: AbortSignal;
}

const RECORDS_PER_SECOND = 3000;
const RECORD_BYTES = 100;
/** As a disk takes. */
const SYNC_MS = 2;
/** Beside the worst state: those that chance leaves. */
const DRAWN_STATES = 2;
const DIRECTORY = '/accident';
const TICK_MS = 1;

/** How late timers fire, at worst: the event loop's own part in every delay. */
class Lateness {
  maxMs = 0;
  readonly #clock: Clock;
  #cancel: Cancel = () => undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#wait();
  }

  stop(): void {
    this.#cancel();
  }

  #wait(): void {
    const dueMs = this.#clock.monotonic() + TICK_MS;
    this.#cancel = this.#clock.after(TICK_MS, () => {
      this.maxMs = Math.max(this.maxMs, this.#clock.monotonic() - dueMs);
      this.#wait();
    });
  }
}

/** When each record was acknowledged, by offset; acknowledgements come in the order of offsets. */
class Acknowledged {
  #times = new Float64Array(1024);
  count = 0;

  note(offset: number, nowMs: number): void {
    if (offset >= this.#times.length) {
      const times = new Float64Array(Math.max(offset + 1, this.#times.length * 2));
      times.set(this.#times);
      this.#times = times;
    }
    this.#times[offset] = nowMs;
    this.count = Math.max(this.count, offset + 1);
  }

  at(offset: number): number {
    return this.#times[offset] as number;
  }
}

/**
 * Cuts the power under one policy. A strategy with O_DSYNC is run without: what that flag does is the
 * operating system's promise, which no file system of our own can put to the test.
 */
export async function causeAccidents(strategy: PolicyStrategy, options: AccidentOptions): Promise<Accident> {
  const { clock, memory, random, signal } = options;
  const machine = new CrashVfs();
  await machine.mkdir(DIRECTORY);
  await machine.syncDir('/');
  const pause = (): Promise<void> => new Promise((resolve) => void clock.after(SYNC_MS, resolve, true));
  const vfs = createFaultVfs(machine, [{ operation: 'datasync', delay: pause }]);
  const log = await openLog(vfs, memory, clock, strategy);
  const acknowledged = new Acknowledged();
  const lateness = new Lateness(clock);
  const endMs = clock.monotonic() + options.durationMs;

  const value = Buffer.alloc(RECORD_BYTES, 'varve ');
  const send = async (): Promise<void> => acknowledged.note(await log.append({ value }), clock.monotonic());
  const load = { kind: 'open', ratePerSecond: RECORDS_PER_SECOND } as const;
  const { durationMs } = options;
  const running = runLoad(load, { clock, durationMs, random, send, latencies: new Latencies(), signal });
  running.catch(() => undefined);

  let states = 0;
  let cuts = 0;
  let worst = { records: 0, ms: 0 };
  try {
    while (clock.monotonic() < endMs && !signal.aborted) {
      const waitMs = (2 * random() * options.durationMs) / (options.cuts + 1);
      await new Promise<void>((resolve) => void clock.after(waitMs, resolve, true));
      // From here to the survey nothing else happens: this is the moment of the cut.
      const atMs = clock.monotonic();
      const count = acknowledged.count;
      const plans = drawPlans(machine, random);
      const disks = plans.map((plan) => machine.preview(plan));
      cuts++;
      for (const disk of disks) {
        states++;
        const kept = await countKept(disk, memory, clock, strategy);
        if (kept >= count) continue;
        worst = {
          records: Math.max(worst.records, count - kept),
          ms: Math.max(worst.ms, atMs - acknowledged.at(kept)),
        };
      }
    }
  } finally {
    lateness.stop();
    await Promise.allSettled([running]);
    await log.close();
  }
  await running;
  signal.throwIfAborted();
  const promise = promisedLossMs({ ...strategy, dsync: false });
  const slackMs = log.metrics().syncLatencyMs.max + lateness.maxMs + TICK_MS;
  return {
    strategy: strategy.id,
    promisedLossMs: Number.isFinite(promise) ? promise : null,
    slackMs,
    cuts,
    states,
    acknowledged: acknowledged.count,
    lostRecords: worst.records,
    lostMs: worst.ms,
    isKept: isKept(promise, worst, slackMs),
  };
}

/**
 * Whether a loss is within a promise.
 *
 * @param promiseMs how old what is lost may be; where that is 0, nothing may be lost, however young
 */
export function isKept(promiseMs: number, lost: { records: number; ms: number }, slackMs: number): boolean {
  return promiseMs === 0 ? lost.records === 0 : lost.ms <= promiseMs + slackMs;
}

function openLog(vfs: Vfs, memory: Memory, clock: Clock, strategy: PolicyStrategy): Promise<Log> {
  const parts = { name: 'accident', directory: DIRECTORY, memory, vfs, clock, readOnly: false };
  return Log.open(parts, {
    sync: strategy.sync,
    preallocate: strategy.preallocate,
    segmentBytes: 1024 * 1024,
  });
}

/** The state in which nothing survived but what was synced, and some that chance draws. */
function drawPlans(machine: CrashVfs, random: () => number): CrashPlan[] {
  const worst: CrashPlan = { choices: machine.crashChoices().map(() => 0) };
  const drawn = Array.from({ length: DRAWN_STATES }, () => ({ seed: Math.floor(random() * 2 ** 31) }));
  return [worst, ...drawn];
}

/** How many records the machine that woke up has. */
async function countKept(
  disk: CrashVfs,
  memory: Memory,
  clock: Clock,
  strategy: PolicyStrategy,
): Promise<number> {
  const log = await openLog(disk, memory, clock, strategy);
  try {
    return log.nextOffset;
  } finally {
    await log.close();
  }
}
