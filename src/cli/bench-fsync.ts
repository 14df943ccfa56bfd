/**
 * `varve bench fsync`: what each durability strategy costs on the disk below a directory, and which of them
 * to take.
 *
 * @module
 */

import type { Accident } from '../lab/accident.ts';
import { leastRunMs, runLab } from '../lab/lab.ts';
import {
  defaultStrategies,
  loadName,
  type PolicyStrategy,
  policyStrategy,
  type Store,
} from '../lab/matrix.ts';
import { type Recommendation, recommend } from '../lab/recommend.ts';
import { renderCsv } from '../lab/report/csv.ts';
import { renderHtml } from '../lab/report/html.ts';
import type { CellResult, LabResult } from '../lab/result.ts';
import { HAS_DSYNC } from '../vfs/dsync.ts';
import type { Context, ExitCode } from './context.ts';
import { checkOutput, writeWholeFile } from './files.ts';
import { formatBytes, formatCount, formatDuration, formatShare } from './format.ts';
import type { Progress } from './progress.ts';
import { type Column, renderTable } from './table.ts';

export interface BenchFsyncCommandOptions {
  dir: string;
  policy?: PolicyStrategy[];
  stores?: Store[];
  recordBytes: number[];
  clients: number[];
  rates: number[];
  seconds: number;
  repeats: number;
  seed: number;
  cuts: boolean;
  maxLoss: number;
  p99?: number;
  forClients?: number;
  json?: boolean;
  csv?: boolean;
  out?: string;
  report?: string;
}

/** What is measured unless it is said. */
const STORES_DEFAULT: readonly Store[] = ['log', 'tree'];
/** How much longer than it was told a run may take. */
const OVERRUN_MAX = 2;

/** What was typed, to be repeated: without what says only where the result goes. */
function commandOf(options: BenchFsyncCommandOptions): string {
  const parts = [
    'varve bench fsync',
    `--dir ${quoted(options.dir)}`,
    `--record-bytes ${options.recordBytes.join(',')}`,
    `--clients ${options.clients.join(',')}`,
    ...(options.rates.length > 0 ? [`--rates ${options.rates.join(',')}`] : []),
    ...unique(options.policy ?? []).map(({ id }) => `--policy ${quoted(id)}`),
    ...(options.stores === undefined ? [] : [`--stores ${options.stores.join(',')}`]),
    `--seconds ${options.seconds}`,
    `--repeats ${options.repeats}`,
    `--seed ${options.seed}`,
    ...(options.cuts ? [] : ['--no-cuts']),
  ];
  return parts.join(' ');
}

/** A word as a shell takes it. */
function quoted(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/**
 * The strategies to measure: those that were named, with each store; or all of the matrix.
 *
 * @throws RangeError where none is left
 */
function strategiesOf({ policy, stores }: BenchFsyncCommandOptions): readonly PolicyStrategy[] {
  if (policy === undefined) {
    const strategies = (stores ?? STORES_DEFAULT).flatMap((store) => [...defaultStrategies(store)]);
    return strategies.filter(({ dsync }) => !dsync || HAS_DSYNC);
  }
  const named = unique(policy);
  const strategies = (stores ?? ['log']).flatMap((store) =>
    named
      .filter(({ preallocate }) => store === 'log' || !preallocate)
      .map(({ sync, preallocate, dsync }) => policyStrategy(sync, { store, preallocate, dsync })),
  );
  if (strategies.length === 0) throw new RangeError('a write-ahead log is not preallocated');
  return strategies;
}

function unique(strategies: readonly PolicyStrategy[]): PolicyStrategy[] {
  return strategies.filter(({ id }, i) => strategies.findIndex((other) => other.id === id) === i);
}

export async function benchFsync(
  options: BenchFsyncCommandOptions,
  varve: string,
  context: Context,
): Promise<ExitCode> {
  const { clock, signal, stdout } = context;
  const { forClients, out, report } = options;
  if (forClients !== undefined && !options.clients.includes(forClients)) {
    throw new RangeError(`--for-clients ${forClients} is not among --clients ${options.clients.join(',')}`);
  }
  if (options.json === true && options.csv === true)
    throw new RangeError('--json and --csv exclude each other');
  const strategies = strategiesOf(options);
  checkTime(options, strategies);
  for (const file of [out, report]) if (file !== undefined) await checkOutput(file);
  let bar: Progress | undefined;
  const result = await runLab({
    directory: options.dir,
    strategies,
    recordBytes: options.recordBytes,
    clients: options.clients,
    rates: options.rates,
    budgetMs: options.seconds * 1000,
    repeats: options.repeats,
    seed: options.seed,
    accidents: options.cuts,
    clock,
    signal,
    onProgress(done, total) {
      bar ??= context.progress({ label: 'measure', total, unit: 'measurements' });
      bar.update(done);
    },
    varve,
    command: commandOf(options),
  }).finally(() => bar?.clear());
  if (out !== undefined) await writeWholeFile(out, `${JSON.stringify(result, null, 1)}\n`);
  if (report !== undefined) await writeWholeFile(report, renderHtml(result));
  const advice = recommend(result, {
    maxLossMs: options.maxLoss,
    p99Ms: options.p99,
    clients: forClients,
  });
  if (options.json === true) stdout.json(result);
  else if (options.csv === true) stdout.write(renderCsv(result));
  else print(result, advice, context);
  return result.accidents.every(({ isKept }) => isKept) ? 0 : 1;
}

/** @throws RangeError where a run would take far longer than it was given */
function checkTime(
  { seconds, cuts, ...options }: BenchFsyncCommandOptions,
  strategies: readonly PolicyStrategy[],
): void {
  const leastMs = leastRunMs({ ...options, strategies, accidents: cuts });
  if (leastMs > seconds * 1000 * OVERRUN_MAX) {
    throw new RangeError(
      `this takes ${formatDuration(leastMs)} at least, not ${seconds} s: give it more --seconds, fewer cells or repeats, shorter periods or higher rates`,
    );
  }
}

function print(result: LabResult, advice: Recommendation, context: Context): void {
  const { stdout, colours } = context;
  const { environment } = result;
  stdout.line(
    colours.dim(
      `${result.directory}: ${environment.fileSystem} on ${environment.device}; ${environment.kernel}, Node ${environment.node}; ` +
        `medians of ${result.repeats} times ${result.sampleMs} ms, seed ${result.seed}`,
    ),
  );
  for (const group of groupsOf(result.cells)) {
    const [first] = group;
    if (first === undefined) continue;
    stdout.line(`\n${colours.bold(`${loadName(first.load)}, records of ${formatBytes(first.recordBytes)}`)}`);
    stdout.write(renderTable(COLUMNS, group.map(rowOf), colours.dim));
  }
  if (result.accidents.length > 0) {
    stdout.line(
      `\n${colours.bold('What power cuts really took')}  ${colours.dim('on a disk in memory that loses its power')}`,
    );
    stdout.write(renderTable(ACCIDENT_COLUMNS, result.accidents.map(accidentRow), colours.dim));
  }
  for (const warning of result.warnings) stdout.line(`\n${colours.yellow('Read with care:')} ${warning}`);
  stdout.line(`\n${colours.bold('Recommended')}  ${colours.dim(wishText(advice))}`);
  stdout.line(advice.reason);
  for (const { strategy, reasons } of advice.candidates) {
    if (reasons.length > 0) stdout.line(colours.dim(`  not ${strategy.id}: ${reasons.join(', ')}`));
  }
  if (advice.code !== '') stdout.line(`\n${advice.code.replaceAll(/^/gm, '    ')}`);
}

/** Cells of one load and size, in the order of the matrix. */
function groupsOf(cells: readonly CellResult[]): CellResult[][] {
  const groups = new Map<string, CellResult[]>();
  for (const cell of cells) {
    const key = `${loadName(cell.load)} ${cell.recordBytes}`;
    groups.set(key, [...(groups.get(key) ?? []), cell]);
  }
  return [...groups.values()];
}

const COLUMNS: readonly Column[] = [
  { title: 'strategy' },
  { title: 'records/s', align: 'right' },
  { title: 'spread', align: 'right' },
  { title: 'of disk', align: 'right' },
  { title: 'MB/s', align: 'right' },
  { title: 'p50', align: 'right' },
  { title: 'p99', align: 'right' },
  { title: 'p99.9', align: 'right' },
  { title: 'max', align: 'right' },
  { title: 'syncs/s', align: 'right' },
  { title: 'written', align: 'right' },
  { title: 'on disk', align: 'right' },
  { title: 'at risk, worst', align: 'right' },
  { title: 'mean', align: 'right' },
  { title: 'CPU', align: 'right' },
];

function rowOf(cell: CellResult): string[] {
  const { latencyMs, risk } = cell;
  const isAtRisk = cell.level === 'written' && cell.strategy.kind === 'policy';
  // Without a promise it grows for as long as one looks.
  const isEndless = cell.promisedLossMs === null;
  return [
    `${cell.strategy.id}${cell.isSaturated ? ' (gave up)' : ''}`,
    formatCount(cell.recordsPerSecond),
    `±${Math.round(cell.spread * 50)} %`,
    cell.shareOfDisk === null ? '' : formatShare(cell.shareOfDisk),
    threeDigits(cell.bytesPerSecond / 1e6),
    formatDuration(latencyMs.p50),
    formatDuration(latencyMs.p99),
    formatDuration(latencyMs.p999),
    formatDuration(latencyMs.max),
    formatCount(cell.syncsPerSecond),
    `×${cell.writeAmplification.toFixed(2)}`,
    cell.diskAmplification === null ? '' : `×${threeDigits(cell.diskAmplification)}`,
    isAtRisk ? `${isEndless ? '≥ ' : ''}${formatDuration(risk.msMax)}, ${formatBytes(risk.bytesMax)}` : '',
    isAtRisk ? `${formatDuration(risk.msMean)}, ${formatBytes(risk.bytesMean)}` : '',
    cell.cpu === null ? '' : formatShare(cell.cpu),
  ];
}

function threeDigits(value: number): string {
  return String(Number(value.toPrecision(3)));
}

const ACCIDENT_COLUMNS: readonly Column[] = [
  { title: 'policy' },
  { title: 'may lose' },
  { title: 'lost at worst' },
  { title: 'tried' },
  { title: 'promise' },
];

function accidentRow(accident: Accident): string[] {
  const { lostRecords, lostMs, promisedLossMs, closest } = accident;
  const promise =
    promisedLossMs === null
      ? 'any'
      : promisedLossMs === 0
        ? 'nothing'
        : `${formatDuration(promisedLossMs)} + ${formatDuration(closest.syncMs)} in syncs + ${formatDuration(closest.lateMs)} timer late`;
  return [
    accident.strategy,
    promise,
    lostRecords === 0
      ? 'nothing'
      : `${formatCount(lostRecords)} records, up to ${formatDuration(lostMs)} old`,
    `${accident.cuts} cuts, ${accident.states} states`,
    accident.isKept ? 'kept' : 'BROKEN',
  ];
}

function wishText({ wish }: Recommendation): string {
  const loss =
    wish.maxLossMs === 0 ? 'losing nothing acknowledged' : `losing at most ${formatDuration(wish.maxLossMs)}`;
  const latency = wish.p99Ms === undefined ? '' : `, p99 within ${formatDuration(wish.p99Ms)}`;
  const clients = wish.clients === undefined ? '' : `, ${wish.clients} clients`;
  return `for ${loss}${latency}${clients}`;
}
