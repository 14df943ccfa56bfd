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

/** What one power cut took, in the worst of its states. */
export interface Cut {
  /** When it was, from the beginning of the run. */
  readonly atMs: number;
  readonly lostRecords: number;
  /** For how long the oldest of them had been acknowledged. */
  readonly lostMs: number;
  /**
   * What no promise can take in: of the time between the acknowledgement of the oldest record that was lost and the
   * cut, how much an fdatasync was under way, and by how much timers of this process fired late.
   */
  readonly syncMs: number;
  readonly lateMs: number;
}

/** What power cuts took from one policy. */
export interface Accident {
  readonly strategy: string;
  /** How old what is lost may be; null where nothing is promised. */
  readonly promisedLossMs: number | null;
  /** The cut that came closest to the promise, or went furthest beyond it. */
  readonly closest: Cut;
  readonly each: readonly Cut[];
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

/** Things that take their time, hardly ever more than one at once, and when they did. */
class Durations {
  readonly #clock: Clock;
  readonly #spans: { readonly startMs: number; endMs: number }[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Notes that something begins, or should have. Returns what is to be called when it is over. */
  begin(startMs: number): () => void {
    const span = { startMs, endMs: Number.POSITIVE_INFINITY };
    this.#spans.push(span);
    return () => {
      span.endMs = this.#clock.monotonic();
    };
  }

  /**
   * How much of the time between two moments they took.
   *
   * @param leastMs those that are shorter do not count
   */
  within(fromMs: number, toMs: number, leastMs: number): number {
    let sumMs = 0;
    for (const { startMs, endMs } of this.#spans) {
      const ms = Math.min(endMs, toMs) - Math.max(startMs, fromMs);
      if (ms > 0 && endMs - startMs >= leastMs) sumMs += ms;
    }
    return sumMs;
  }
}

/** How late timers fire: the event loop's own part in every delay. */
class Lateness extends Durations {
  readonly #cancel: () => void;

  constructor(clock: Clock) {
    super(clock);
    let cancel: Cancel = () => undefined;
    const wait = (): void => {
      const end = this.begin(clock.monotonic() + TICK_MS);
      cancel = clock.after(TICK_MS, () => {
        end();
        wait();
      });
    };
    wait();
    this.#cancel = () => cancel();
  }

  stop(): void {
    this.#cancel();
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
  const syncs = new Durations(clock);
  const slowly = async (): Promise<void> => {
    const end = syncs.begin(clock.monotonic());
    await new Promise<void>((resolve) => void clock.after(SYNC_MS, resolve, true));
    end();
  };
  const vfs = createFaultVfs(machine, [{ operation: 'datasync', delay: slowly }]);
  const log = await openLog(vfs, memory, clock, strategy);
  const acknowledged = new Acknowledged();
  const lateness = new Lateness(clock);
  const startMs = clock.monotonic();
  const endMs = startMs + options.durationMs;

  const value = Buffer.alloc(RECORD_BYTES, 'varve ');
  const send = async (): Promise<void> => acknowledged.note(await log.append({ value }), clock.monotonic());
  const load = { kind: 'open', ratePerSecond: RECORDS_PER_SECOND } as const;
  const { durationMs } = options;
  const running = runLoad(load, { clock, durationMs, random, send, latencies: new Latencies(), signal });
  running.catch(() => undefined);

  let states = 0;
  const each: Cut[] = [];
  try {
    while (clock.monotonic() < endMs && !signal.aborted) {
      const waitMs = (2 * random() * options.durationMs) / (options.cuts + 1);
      await new Promise<void>((resolve) => void clock.after(waitMs, resolve, true));
      // From here to the last preview nothing else happens: this is the moment of the cut.
      const atMs = clock.monotonic();
      const count = acknowledged.count;
      const disks = drawPlans(machine, random).map((plan) => machine.preview(plan));
      let kept = count;
      for (const disk of disks) {
        states++;
        kept = Math.min(kept, await countKept(disk, memory, clock, strategy));
      }
      const sinceMs = kept < count ? acknowledged.at(kept) : atMs;
      each.push({
        atMs: atMs - startMs,
        lostRecords: count - kept,
        lostMs: atMs - sinceMs,
        syncMs: syncs.within(sinceMs, atMs, 0),
        lateMs: lateness.within(sinceMs, atMs, TICK_MS),
      });
    }
  } finally {
    lateness.stop();
    await Promise.allSettled([running]);
    await log.close();
  }
  await running;
  signal.throwIfAborted();
  return summarize(strategy, each, states, acknowledged.count);
}

function summarize(
  strategy: PolicyStrategy,
  each: readonly Cut[],
  states: number,
  acknowledged: number,
): Accident {
  const promise = promisedLossMs({ ...strategy, dsync: false });
  const beyond = ({ lostMs, syncMs, lateMs }: Cut): number => lostMs - syncMs - lateMs;
  const closest = each.reduce((one, other) => (beyond(other) > beyond(one) ? other : one), each[0] as Cut);
  return {
    strategy: strategy.id,
    promisedLossMs: Number.isFinite(promise) ? promise : null,
    closest,
    each,
    cuts: each.length,
    states,
    acknowledged,
    lostRecords: Math.max(...each.map(({ lostRecords }) => lostRecords)),
    lostMs: Math.max(...each.map(({ lostMs }) => lostMs)),
    isKept: each.every((cut) => isKept(promise, cut)),
  };
}

/** Timers have whole milliseconds, and the two ends of what they wait for have fractions. */
const ROUNDING_MS = 2;

/**
 * Whether what a cut took is within a promise.
 *
 * @param promiseMs how old what is lost may be; where that is 0, nothing may be lost, however young
 */
export function isKept(
  promiseMs: number,
  { lostRecords, lostMs, syncMs, lateMs }: Omit<Cut, 'atMs'>,
): boolean {
  return promiseMs === 0 ? lostRecords === 0 : lostMs <= promiseMs + syncMs + lateMs + ROUNDING_MS;
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
