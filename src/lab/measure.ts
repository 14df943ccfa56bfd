/**
 * One measurement of one cell of the matrix: a new log, or a bare file, under a load for a moment.
 *
 * What was written is synced before the next measurement begins, outside of the time that counts, so that
 * none pays for what another left to the operating system.
 *
 * @module
 */

import type { Clock } from '../clock.ts';
import { RECORD_BYTES_DEFAULT, SEGMENT_BYTES_DEFAULT } from '../limits.ts';
import { Log } from '../log/log.ts';
import { SPARE_FILE } from '../log/names.ts';
import type { Memory } from '../memory/memory.ts';
import { BareFile } from '../vfs/bare.ts';
import { dsyncVfs } from '../vfs/dsync.ts';
import { nodeVfs } from '../vfs/node.ts';
import { joinPath, type Vfs } from '../vfs/vfs.ts';
import { removeFolder } from './folder.ts';
import { Latencies } from './latencies.ts';
import { runLoad } from './loads.ts';
import { type BareStrategy, type Cell, levelOf, type PolicyStrategy } from './matrix.ts';
import { readWrittenBytes } from './proc.ts';
import { NO_RISK, type Risk, RiskMeter } from './risk.ts';

/** What one measurement gave. */
export interface Sample {
  readonly records: number;
  readonly elapsedMs: number;
  readonly latencies: Latencies;
  /** Calls of fdatasync; with O_DSYNC every write is one. */
  readonly syncs: number;
  /** Bytes of batches and indexes, by bytes of payload. */
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
  readonly memory: Memory;
  readonly clock: Clock;
  readonly durationMs: number;
  readonly random: () => number;
  readonly signal: AbortSignal;
}

/** How many different payloads there are; a power of two. */
const PAYLOADS = 64;
const MICROSECONDS = 1000;
/**
 * Segments that are filled ahead of their use: small, so that filling the first is soon done, before the time
 * that counts; filling those behind it belongs to the price.
 */
export const PREALLOCATED_BYTES: number = 8 * 1024 * 1024;

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
  const { memory, clock, random, signal, durationMs } = options;
  const directory = joinPath(options.directory, 'log');
  const vfs: Vfs = strategy.dsync ? dsyncVfs : nodeVfs;
  await vfs.mkdir(directory);
  const parts = { name: 'lab', directory, memory, vfs, clock, readOnly: false };
  const { sync, preallocate } = strategy;
  const log = await Log.open(parts, {
    sync,
    preallocate,
    maxRecordBytes: Math.max(recordBytes, RECORD_BYTES_DEFAULT),
    segmentBytes: preallocate ? PREALLOCATED_BYTES : SEGMENT_BYTES_DEFAULT,
  });
  try {
    if (preallocate) await whenPrepared(directory, clock);
    const values = payloads(recordBytes, random);
    let next = 0;
    const send = (): Promise<number> => log.append({ value: values[next++ & (PAYLOADS - 1)] });
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
    await log.close();
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

/** Waits until the segment that is filled ahead of its use is whole and durable. */
async function whenPrepared(directory: string, clock: Clock): Promise<void> {
  const path = joinPath(directory, SPARE_FILE);
  for (;;) {
    const bytes = (await nodeVfs.stat(path))?.bytes ?? 0;
    if (bytes === PREALLOCATED_BYTES) break;
    await new Promise<void>((resolve) => void clock.after(1, resolve, true));
  }
  const file = await nodeVfs.open(path, 'write');
  try {
    await file.datasync();
  } finally {
    await file.close();
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
