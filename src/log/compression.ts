/**
 * How a log compresses its batches: the step between the filling of a group and its write.
 *
 * A group is compressed as a whole, when its turn to be flushed has come, so order and group commit stay as
 * they are. What is small is done at once; more goes in parts to worker threads, which see the same memory,
 * and this thread helps where it would only wait. The next group fills meanwhile.
 *
 * @module
 */

import { assert } from '../assert.ts';
import type { Clock } from '../clock.ts';
import type { Codec, CodecName } from '../codec/codec.ts';
import { codecs } from '../codec/registry.ts';
import { type ErrorCode, isVarveError } from '../errors.ts';
import type { Memory } from '../memory/memory.ts';
import { compressBatchesNow } from '../record/compression.ts';
import type { ResolvedCompression } from './compression-options.ts';
import type { Group } from './group.ts';
import type { LogMetrics } from './metrics.ts';
import type { LogWork } from './work.ts';

/** How many bytes are compressed on this thread: what takes less time than a trip to another, and back. */
const HERE_BYTES_MAX: Readonly<Record<CodecName, number>> = {
  gzip: 8 * 1024,
  snappy: 64 * 1024,
  lz4: 64 * 1024,
  zstd: 32 * 1024,
};
/** What a thread is given at once: worth a trip, and little enough that two of them end at about the same time. */
const PART_BYTES: number = 192 * 1024;

/** What a pool says of a task that it has not begun. */
const REFUSALS: readonly ErrorCode[] = ['BACKPRESSURE', 'NO_MEMORY', 'CLOSED'];

/** Batches of a group that are compressed in one go. */
interface Part {
  address: number;
  bytes: number;
  sizes: number[];
  /** Their sizes afterwards. */
  stored: number[] | undefined;
}

export interface GroupCompressorOptions {
  memory: Memory;
  clock: Clock;
  codec: CodecName;
  level: number | undefined;
  work: LogWork;
  metrics: LogMetrics;
  /** Whether somebody can do nothing but wait for room. */
  isWaitedFor: () => boolean;
}

/** Compresses the groups of a log, one after the other. */
export class GroupCompressor {
  readonly #parts: GroupCompressorOptions;
  /** Parts of the group in hand that nobody has begun. */
  #waiting: Part[] = [];
  #helping: Promise<void> | undefined;

  constructor(parts: GroupCompressorOptions) {
    this.#parts = parts;
  }

  /**
   * Compresses the batches of a group, where they lie.
   *
   * @throws VarveError where a worker thread ended under it; what is left of the group must not be written
   */
  async compress(group: Group): Promise<void> {
    const { codec: name, metrics } = this.#parts;
    const plainBytes = group.bytes;
    const codec = codecs.loaded(name);
    assert(codec !== undefined, 'a log loads its codec when it is opened');
    if (plainBytes > HERE_BYTES_MAX[name]) this.#join(group, await this.#compressMuch(group, codec));
    else this.#join(group, this.#compressAll(partsOf(group, 1), codec));
    metrics.compressed(plainBytes, group.bytes);
  }

  /**
   * Helps, as long as somebody waits for it: who filled the next group, and has to wait for room, has nothing
   * to do meanwhile.
   */
  help(): void {
    const codec = codecs.loaded(this.#parts.codec);
    if (this.#waiting.length === 0 || this.#helping !== undefined || codec === undefined) return;
    this.#helping = this.#helpOut(codec).finally(() => {
      this.#helping = undefined;
    });
  }

  /** With threads that have nothing to do, and some help; without any here, but letting others have their turn. */
  async #compressMuch(group: Group, codec: Codec): Promise<Part[]> {
    const { work, codec: name } = this.#parts;
    const idle = work.idleThreads();
    const partBytes = idle === 0 ? HERE_BYTES_MAX[name] : PART_BYTES;
    const parts = partsOf(group, Math.ceil(group.bytes / partBytes));
    this.#waiting = [...parts];
    if (idle === 0) {
      await this.#helpOut(codec, () => true);
      return parts;
    }
    const threads = Array.from({ length: Math.min(idle, parts.length) }, () => this.#workElsewhere(codec));
    if (this.#parts.isWaitedFor()) this.help();
    // All of them have to be at their end, also where one fails: they write to the memory of the group.
    const settled = await Promise.allSettled(threads);
    await this.#helping;
    for (const result of settled) if (result.status === 'rejected') throw result.reason;
    return parts;
  }

  /** Has another thread compress one part after the other. */
  async #workElsewhere(codec: Codec): Promise<void> {
    for (let part = this.#waiting.shift(); part !== undefined; part = this.#waiting.shift()) {
      try {
        await this.#compressElsewhere(part, codec);
      } catch (error) {
        this.#waiting = [];
        throw error;
      }
    }
  }

  /** Compresses parts on this thread, one in a turn of the event loop. */
  async #helpOut(codec: Codec, goesOn = this.#parts.isWaitedFor): Promise<void> {
    while (goesOn()) {
      const part = this.#waiting.pop();
      if (part === undefined) return;
      this.#compressHere(part, codec);
      await new Promise<void>((resolve) => this.#parts.clock.nextTurn(resolve));
    }
  }

  async #compressElsewhere(part: Part, codec: Codec): Promise<void> {
    const { work, level, codec: name } = this.#parts;
    const { address, sizes } = part;
    try {
      part.stored = await work.compressBatches({ address, sizes, codec: name, level });
    } catch (error) {
      // It was not begun: there are too many tasks, or there is no memory for it.
      if (!isVarveError(error) || !REFUSALS.includes(error.code)) throw error;
      this.#compressHere(part, codec);
    }
  }

  #compressAll(parts: Part[], codec: Codec): Part[] {
    for (const part of parts) this.#compressHere(part, codec);
    return parts;
  }

  #compressHere(part: Part, codec: Codec): void {
    const { memory, level } = this.#parts;
    const { address, sizes } = part;
    part.stored = compressBatchesNow(memory, { address, sizes, codec: codec.name, level }, codec);
  }

  /** Moves the parts together. */
  #join(group: Group, parts: readonly Part[]): void {
    let to = group.address;
    for (const { address, stored = [] } of parts) {
      const bytes = stored.reduce((sum, size) => sum + size, 0);
      if (to !== address) this.#parts.memory.u8.copyWithin(to, address, address + bytes);
      to += bytes;
    }
    group.resize(parts.flatMap(({ stored = [] }) => stored));
  }
}

/** Makes what compresses the groups of a log; undefined where they stay as they are. */
export function createCompressor(
  { memory, clock, work, metrics }: Pick<GroupCompressorOptions, 'memory' | 'clock' | 'work' | 'metrics'>,
  { codec, level, when }: ResolvedCompression,
  isWaitedFor: () => boolean,
): GroupCompressor | undefined {
  if (codec === 'none' || when === 'seal') return undefined;
  return new GroupCompressor({ memory, clock, codec, level, work, metrics, isWaitedFor });
}

/** Cuts a group into parts of about the same size: so many at most, and one at least. */
function partsOf(group: Group, count: number): Part[] {
  const share = group.bytes / Math.max(1, count);
  const parts: Part[] = [];
  for (const { address, size } of group.batches) {
    let last = parts.at(-1);
    if (last === undefined || last.bytes >= share) {
      last = { address, bytes: 0, sizes: [], stored: undefined };
      parts.push(last);
    }
    last.bytes += size;
    last.sizes.push(size);
  }
  return parts;
}
