/**
 * The laboratory: what each durability strategy costs on the disk below a directory.
 *
 *     matrix --> rounds: every cell once, in an order drawn anew each time --> medians, spreads, shares --> result
 *
 * All cells are measured in every round, so that a machine that grows slower or faster does so for all of
 * them; the first round is shorter, warms everything up and is not counted.
 *
 * @module
 */

import type { Clock } from '../clock.ts';
import { resolveSyncPolicy } from '../log/sync-policy.ts';
import { seededRandom, shuffled } from '../random.ts';
import { createRuntime, type Runtime } from '../runtime.ts';
import { nodeVfs } from '../vfs/node.ts';
import { joinPath } from '../vfs/vfs.ts';
import { type Accident, causeAccidents } from './accident.ts';
import { describeEnvironment, type Environment, findMount, warningsOf } from './environment.ts';
import { removeFolder } from './folder.ts';
import { type Cell, cellKey, layOut, type MatrixOptions, type PolicyStrategy } from './matrix.ts';
import { measure, type Sample } from './measure.ts';
import { type CellResult, type LabResult, RESULT_FORMAT, summarize, withShares } from './result.ts';

export interface LabOptions extends MatrixOptions {
  /** Where to measure; made if it is missing. What is written goes to a folder in it that is removed again. */
  readonly directory: string;
  /** About how long all of it may take. */
  readonly budgetMs: number;
  /** How often each cell is measured. */
  readonly repeats: number;
  /** Draws payloads, arrivals and the order of the cells. */
  readonly seed: number;
  /** Whether the power is cut as well, on a disk in memory. */
  readonly accidents: boolean;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Called when a step begins: how many of how many are done. */
  readonly onProgress: (done: number, total: number) => void;
  /** Recorded in the result. */
  readonly varve: string;
  readonly command: string;
}

/** What the folders of runs are called, in the directory that is measured. */
const FOLDER = 'varve-lab-';
/** What can be on its way at the same time, within the memory of a log. */
const LAB_RECORD_BYTES_MAX: number = 16 * 1024 * 1024;
const IN_FLIGHT_BYTES_MAX: number = 64 * 1024 * 1024;

/** No measurement is shorter: it would be the noise of the machine and nothing else. */
const SAMPLE_MS_MIN = 60;
/** A policy that syncs now and then is watched for so many of its periods, at least. */
const PERIODS_MIN = 2.5;
/** Records that are to arrive in an open load, at least: of fewer there is nothing to say. */
const ARRIVALS_MIN = 30;
/** Opening, syncing and removing a log, beside the time in which it is measured. */
const OVERHEAD_MS = 25;
/** The round that warms up, in parts of one that counts. */
const WARM_UP_SHARE = 0.25;
/** The share of the time that goes into accidents, and how long those of one policy take at least and at most. */
const ACCIDENT_SHARE = 0.1;
const ACCIDENT_MS_MIN = 150;
const ACCIDENT_MS_MAX = 3000;
const CUTS = 12;

/** No disk makes anything durable in less: it would have to be done before the light is back from the next city. */
const CREDIBLE_SYNC_MS = 0.02;
/** Repeats of the bare disk that differ by more than this make every comparison doubtful. */
const CALM_SPREAD = 0.35;

/**
 * Runs the laboratory.
 *
 * @throws RangeError where so many clients with records of that size would not fit into the memory
 * @throws VarveError where the directory cannot be written to; the signal's reason where it was aborted
 */
export async function runLab(options: LabOptions): Promise<LabResult> {
  const { clock, signal } = options;
  checkSizes(options);
  const startMs = clock.monotonic();
  const date = new Date(clock.now()).toISOString();
  await nodeVfs.mkdir(options.directory);
  const environment = await describeEnvironment(options.directory);
  const others = (await nodeVfs.readdir(options.directory)).filter((name) => name.startsWith(FOLDER));
  const folder = joinPath(
    options.directory,
    `${FOLDER}${process.pid}-${Math.floor(clock.now()).toString(36)}`,
  );
  await nodeVfs.mkdir(folder);
  let run: Run | undefined;
  try {
    const device = (await findMount(folder))?.device ?? 'unknown';
    run = new Run(folder, device, options);
    const cells = await run.measureAll();
    const accidents = options.accidents ? await run.causeAll() : [];
    signal.throwIfAborted();
    return {
      format: RESULT_FORMAT,
      varve: options.varve,
      date,
      command: options.command,
      directory: options.directory,
      seed: options.seed,
      repeats: options.repeats,
      sampleMs: run.sampleMs,
      seconds: (clock.monotonic() - startMs) / 1000,
      environment,
      warnings: [
        ...warningsOf(environment),
        ...othersWarning(others),
        ...doubts(environment, cells, accidents),
      ],
      cells,
      accidents,
    };
  } finally {
    await run?.close();
    await removeFolder(nodeVfs, folder);
  }
}

function checkSizes({ clients, recordBytes }: MatrixOptions): void {
  const bytes = Math.max(...clients) * Math.max(...recordBytes);
  if (bytes > IN_FLIGHT_BYTES_MAX || Math.max(...recordBytes) > LAB_RECORD_BYTES_MAX) {
    throw new RangeError(
      `records may have at most ${LAB_RECORD_BYTES_MAX} bytes, and those of all clients together ${IN_FLIGHT_BYTES_MAX}`,
    );
  }
}

class Run {
  readonly sampleMs: number;
  readonly #folder: string;
  readonly #device: string;
  readonly #options: LabOptions;
  readonly #cells: readonly Cell[];
  readonly #random: () => number;
  readonly #runtime: Runtime;
  readonly #steps: number;
  #done = 0;

  constructor(folder: string, device: string, options: LabOptions) {
    this.#folder = folder;
    this.#device = device;
    this.#options = options;
    this.#runtime = createRuntime({ clock: options.clock });
    this.#cells = layOut(options);
    this.#random = seededRandom(options.seed);
    const share = options.accidents ? 1 - ACCIDENT_SHARE : 1;
    const rounds = options.repeats + WARM_UP_SHARE;
    this.sampleMs = sampleMsOf(this.#cells, (options.budgetMs * share) / rounds);
    const accidents = options.accidents ? this.#policies().length : 0;
    this.#steps = this.#cells.length * (options.repeats + 1) + accidents;
  }

  async measureAll(): Promise<CellResult[]> {
    const samples = new Map<string, Sample[]>(this.#cells.map((cell) => [cellKey(cell), []]));
    for (let round = 0; round <= this.#options.repeats; round++) {
      const isWarmUp = round === 0;
      for (const cell of shuffled(this.#cells, this.#random)) {
        const key = cellKey(cell);
        this.#step();
        const wholeMs = Math.max(this.sampleMs, leastMsOf(cell));
        const durationMs = isWarmUp ? Math.ceil(this.sampleMs * WARM_UP_SHARE) : wholeMs;
        const { clock, signal } = this.#options;
        const sample = await measure(cell, {
          directory: this.#folder,
          device: this.#device,
          runtime: this.#runtime,
          clock,
          durationMs,
          random: this.#random,
          signal,
        });
        if (!isWarmUp) samples.get(key)?.push(sample);
      }
    }
    return withShares(this.#cells.map((cell) => summarize(cell, samples.get(cellKey(cell)) ?? [])));
  }

  async causeAll(): Promise<Accident[]> {
    const policies = this.#policies();
    const { budgetMs, clock, signal } = this.#options;
    const eachMs = (budgetMs * ACCIDENT_SHARE) / Math.max(1, policies.length);
    const durationMs = Math.min(ACCIDENT_MS_MAX, Math.max(ACCIDENT_MS_MIN, eachMs));
    const accidents: Accident[] = [];
    for (const strategy of policies) {
      this.#step();
      accidents.push(
        await causeAccidents(strategy, {
          memory: this.#runtime.memory,
          clock,
          durationMs,
          cuts: CUTS,
          random: this.#random,
          signal,
        }),
      );
    }
    return accidents;
  }

  /**
   * The strategies of which a file system of our own can tell something; what a tree loses its write-ahead log
   * loses, which is a log.
   */
  #policies(): PolicyStrategy[] {
    return this.#options.strategies.filter(({ dsync, store }) => !dsync && store === 'log');
  }

  /** Ends what runs beside this thread. */
  async close(): Promise<void> {
    await this.#runtime.close();
  }

  #step(): void {
    this.#options.onProgress(this.#done++, this.#steps);
  }
}

/** How long a cell has to be measured to see what comes and goes with it. */
function leastMsOf({ strategy, load }: Cell): number {
  const arrivalsMs = load.kind === 'open' ? (ARRIVALS_MIN * 1000) / load.ratePerSecond : 0;
  if (strategy.kind === 'bare') return arrivalsMs;
  const policy = resolveSyncPolicy(strategy.sync);
  const periodMs = policy.mode === 'interval' ? policy.intervalMs : 0;
  return Math.max(arrivalsMs, periodMs * PERIODS_MIN);
}

/** How long a run takes at least, in milliseconds, however little time it is given. */
export function leastRunMs(options: MatrixOptions & Pick<LabOptions, 'repeats' | 'accidents'>): number {
  const cells = layOut(options);
  const roundMs = cells.reduce((sum, cell) => sum + Math.max(SAMPLE_MS_MIN, leastMsOf(cell)), 0);
  const accidentsMs = options.accidents ? options.strategies.length * ACCIDENT_MS_MIN : 0;
  return roundMs * options.repeats + accidentsMs;
}

/**
 * How long each measurement may last, where those that need longer get it.
 *
 * @param roundMs the time for all cells together
 */
function sampleMsOf(cells: readonly Cell[], roundMs: number): number {
  const least = cells.map((cell) => leastMsOf(cell) + OVERHEAD_MS);
  least.sort((a, b) => b - a);
  let leftMs = roundMs;
  let leftCells = cells.length;
  for (const ms of least) {
    if (ms <= leftMs / leftCells) break;
    leftMs -= ms;
    leftCells--;
  }
  return Math.max(SAMPLE_MS_MIN, Math.floor(leftMs / Math.max(1, leftCells)) - OVERHEAD_MS);
}

/** Folders that were there already: another run writes beside this one, or was killed before it could clean up. */
function othersWarning(names: readonly string[]): string[] {
  if (names.length === 0) return [];
  return [
    `There is ${names.join(', ')} in the directory: of a run at the same time, which disturbs this one, or of one that was killed; then remove it.`,
  ];
}

/** What the figures themselves say against them. */
function doubts(
  { fileSystem }: Environment,
  cells: readonly CellResult[],
  accidents: readonly Accident[],
): string[] {
  const warnings: string[] = [];
  const bare = cells.filter(({ strategy, level }) => strategy.kind === 'bare' && level === 'synced');
  const fastest = Math.min(...bare.map(({ latencyMs }) => latencyMs.p50));
  if (fastest < CREDIBLE_SYNC_MS) {
    const us = (fastest * 1000).toFixed(1);
    warnings.push(
      `write and fdatasync together took ${us} µs, which no disk can do: ${fileSystem} or the disk below it does not wait until the bytes are safe.`,
    );
  }
  const restless = bare.filter(({ spread }) => spread > CALM_SPREAD);
  if (restless.length > 0) {
    const worst = Math.max(...restless.map(({ spread }) => spread));
    warnings.push(
      `The bare disk itself differed by up to ${Math.round(worst * 100)} % between repeats: the machine or its disk was busy with something else, and differences below that mean little.`,
    );
  }
  for (const { strategy, isKept, lostMs } of accidents) {
    if (isKept) continue;
    warnings.push(
      `${strategy} lost more than it promises when the power was cut: records that had been acknowledged for ${lostMs.toFixed(1)} ms.`,
    );
  }
  return warnings;
}
