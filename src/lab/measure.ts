/**
 * One measurement of one cell of the matrix: a new log or tree, or a bare file, under a load for a moment.
 *
 * What was written is synced before the next measurement begins, outside of the time that counts, so that
 * none pays for what another left to the operating system.
 *
 * @module
 */

import type { Clock } from '../clock.ts';
import type { Runtime } from '../runtime.ts';
import { BareFile } from '../vfs/bare.ts';
import { nodeVfs } from '../vfs/node.ts';
import { joinPath } from '../vfs/vfs.ts';
import { removeFolder } from './folder.ts';
import { Latencies } from './latencies.ts';
import { runLoad } from './loads.ts';
import { type BareStrategy, type Cell, levelOf, type PolicyStrategy } from './matrix.ts';
import { readWrittenBytes } from './proc.ts';
import { NO_RISK, type Risk, RiskMeter } from './risk.ts';
import { openSubject } from './subject.ts';

/** What one measurement gave. */
export interface Sample {
  readonly records: number;
  readonly elapsedMs: number;
  readonly latencies: Latencies;
  /** Calls of fdatasync; with O_DSYNC every write is one. */
  readonly syncs: number;
  /** Bytes of batches and indexes, by bytes of payload; of a tree, those of its write-ahead log. */
  readonly writeAmplification: number;
  /**
   * Bytes that reached the disk, by bytes of payload: what other programs wrote meanwhile is in it. Undefined
   * where the system does not say.
   */
  readonly diskAmplification: number | undefined;
  readonly risk: Risk;
  /** Share of one processor that this process used, its threads included: above 1 where it used several. */
  readonly cpu: number;
  readonly isSaturated: boolean;
}

export interface MeasureOptions {
  /** A directory of the laboratory's own. */
  readonly directory: string;
  /** The device that it is on, as `major:minor`. */
  readonly device: string;
  readonly runtime: Runtime;
  readonly clock: Clock;
  readonly durationMs: number;
  readonly random: () => number;
  readonly signal: AbortSignal;
}

/** How many different payloads there are; a power of two. */
const PAYLOADS = 64;
const MICROSECONDS = 1000;
/** Measures a cell once. */
export async function measure(cell: Cell, options: MeasureOptions): Promise<Sample> {
  const { strategy } = cell;
  options.signal.throwIfAborted();
  const sample =
    strategy.kind === 'bare'
      ? await measureBare(strategy, cell, options)
      : await measurePolicy(strategy, cell, options);
  options.signal.throwIfAborted();
  return sample;
}

/** Payloads that do not repeat soon and cannot be compressed. */
function payloads(recordBytes: number, random: () => number): Buffer[] {
  return Array.from({ length: PAYLOADS }, () => {
    const payload = Buffer.allocUnsafe(recordBytes);
    for (let i = 0; i < recordBytes; i++) payload[i] = random() * 256;
    return payload;
  });
}

/** What a program uses while something runs. */
class Usage {
  readonly #clock: Clock;
  readonly #startMs: number;
  readonly #cpu: NodeJS.CpuUsage = process.cpuUsage();

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#startMs = clock.monotonic();
  }

  /** Share of one processor since. */
  cpu(): number {
    const { user, system } = process.cpuUsage(this.#cpu);
    return (user + system) / MICROSECONDS / (this.#clock.monotonic() - this.#startMs);
  }
}

async function measurePolicy(
  strategy: PolicyStrategy,
  { recordBytes, load }: Cell,
  options: MeasureOptions,
): Promise<Sample> {
  const { runtime, clock, random, signal, durationMs } = options;
  const directory = joinPath(options.directory, 'subject');
  await nodeVfs.mkdir(directory);
  const subject = await openSubject(strategy, { directory, runtime, recordBytes, random });
  const { log } = subject;
  try {
    const values = payloads(recordBytes, random);
    let next = 0;
    const send = (): Promise<unknown> => subject.send(values[next++ & (PAYLOADS - 1)] as Buffer);
    await send();
    const before = log.metrics();
    const diskBefore = await readWrittenBytes(options.device);
    const latencies = new Latencies();
    const usage = new Usage(clock);
    const meter = levelOf(strategy) === 'written' ? new RiskMeter(log, clock, recordBytes) : undefined;
    const result = await runLoad(load, { clock, durationMs, random, send, latencies, signal });
    const risk = meter?.stop() ?? NO_RISK;
    const cpu = usage.cpu();
    const after = log.metrics();
    await log.sync();
    const diskAfter = await readWrittenBytes(options.device);
    const payloadBytes = result.records * recordBytes;
    const batchBytes = after.appendedBytes - before.appendedBytes;
    return {
      ...result,
      latencies,
      syncs: strategy.dsync ? after.writes - before.writes : after.syncs - before.syncs,
      writeAmplification: (batchBytes + log.info().indexBytes) / payloadBytes,
      diskAmplification: difference(diskBefore, diskAfter, payloadBytes),
      risk,
      cpu,
    };
  } finally {
    await subject.close();
    await removeFolder(nodeVfs, directory);
  }
}

async function measureBare(
  strategy: BareStrategy,
  { recordBytes, load }: Cell,
  options: MeasureOptions,
): Promise<Sample> {
  const { clock, random } = options;
  const path = joinPath(options.directory, 'bare');
  const clients = load.kind === 'closed' ? load.clients : 1;
  const values = payloads(recordBytes, random);
  const block = Buffer.concat(Array.from({ length: clients }, (_, i) => values[i % PAYLOADS] as Buffer));
  const latencies = new Latencies();
  const file = new BareFile(path);
  try {
    file.write(block, 0, true);
    const diskBefore = await readWrittenBytes(options.device);
    const usage = new Usage(clock);
    const startMs = clock.monotonic();
    const endMs = startMs + options.durationMs;
    let blocks = 0;
    for (let beforeMs = startMs; beforeMs < endMs; ) {
      file.write(block, ++blocks * block.length, strategy.isSynced);
      const nowMs = clock.monotonic();
      latencies.record(nowMs - beforeMs);
      beforeMs = nowMs;
    }
    const elapsedMs = clock.monotonic() - startMs;
    const cpu = usage.cpu();
    file.sync();
    const diskAfter = await readWrittenBytes(options.device);
    return {
      records: blocks * clients,
      elapsedMs,
      latencies,
      syncs: strategy.isSynced ? blocks : 0,
      writeAmplification: 1,
      diskAmplification: difference(diskBefore, diskAfter, blocks * block.length),
      risk: NO_RISK,
      cpu,
      isSaturated: false,
    };
  } finally {
    file.close();
    await nodeVfs.remove(path);
  }
}

function difference(
  before: number | undefined,
  after: number | undefined,
  payloadBytes: number,
): number | undefined {
  if (before === undefined || after === undefined || payloadBytes === 0) return undefined;
  return (after - before) / payloadBytes;
}
