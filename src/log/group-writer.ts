/**
 * Gives groups to the operating system: rolls where it is time, sets what the batches' checksums leave
 * open, writes, and notes in the indexes what was written.
 *
 * @module
 */

import type { Clock } from '../clock.ts';
import { VarveError } from '../errors.ts';
import type { Memory } from '../memory/memory.ts';
import { patchBatch } from '../record/format.ts';
import type { Group, GroupBatch } from './group.ts';
import type { LogMetrics } from './metrics.ts';
import type { ResolvedLogOptions } from './options.ts';
import type { Segment } from './segment.ts';
import type { Segments } from './segments.ts';
import { syncsEachWrite } from './sync-policy.ts';
import type { End, Syncer } from './syncer.ts';

/** Up to this size a write on this thread is cheaper than a trip to another. */
const SYNC_WRITE_BYTES = 64 * 1024;
/** How much of that in one turn of the event loop: a loop of awaits must not starve timers and sockets. */
const SYNC_WRITES_A_TURN = 64;
/**
 * A file that grows with each write has a new length to be synced each time, and often a new block, for which the
 * file system writes its journal. So small writes that are synced one by one go over zeros that were written before.
 */
const ZEROED_BYTES = 64 * 1024;
const ZEROED_FOR_BYTES = 16 * 1024;
const ZEROS = new Uint8Array(ZEROED_BYTES);

export interface GroupWriterOptions {
  memory: Memory;
  clock: Clock;
  options: ResolvedLogOptions;
  /** Makes the file longer ahead of small writes that are synced. */
  growsAhead: boolean;
  metrics: LogMetrics;
  segments: Segments;
  syncer: Syncer;
}

export class GroupWriter {
  /** What is written. */
  readonly written: End;
  readonly #parts: GroupWriterOptions;
  #syncWrites = 0;

  constructor(parts: GroupWriterOptions, start: End) {
    this.#parts = parts;
    this.written = { ...start };
  }

  /** Writes a group. If it fails, a part of it may be written; `cutBack` removes what is torn. */
  async write(group: Group): Promise<void> {
    const { segments } = this.#parts;
    if (group.mustRoll && segments.active.bytes > 0) await segments.roll(group.firstOffset);
    for (let from = 0; from < group.batches.length; ) from = await this.#writeRun(group, from);
  }

  /** Removes what a failed write left behind the last whole one. */
  async cutBack(): Promise<void> {
    const { active } = this.#parts.segments;
    await active.file?.truncate(active.bytes);
    active.zeroedBytes = 0;
  }

  /** Writes as many batches as belong into the active segment. Returns the index of the next one. */
  async #writeRun(group: Group, from: number): Promise<number> {
    const { segments, options, metrics, clock, syncer, memory } = this.#parts;
    const { batches } = group;
    const first = batches[from] as GroupBatch;
    const segment = segments.mustRoll(first.size) ? await segments.roll(first.baseOffset) : segments.active;
    let bytes = 0;
    let to = from;
    for (; to < batches.length; to++) {
      const { size } = batches[to] as GroupBatch;
      if (to > from && segment.bytes + bytes + size > options.segmentBytes) break;
      bytes += size;
    }
    segment.index?.reserve(to - from);
    for (let i = from; i < to; i++) {
      const { address, baseOffset } = batches[i] as GroupBatch;
      patchBatch(memory.data, address, baseOffset, segment.syncedPosition);
    }
    const startMs = clock.monotonic();
    if (this.#isAwaited(group)) this.#growAhead(segment, bytes);
    await this.#writeBytes(segment, first.address, bytes);
    for (let i = from; i < to; i++) {
      const { size, lastOffset, maxTimestamp } = batches[i] as GroupBatch;
      segment.observe(segment.bytes, size, lastOffset, maxTimestamp);
    }
    const records = segment.nextOffset - first.baseOffset;
    metrics.wrote(clock.monotonic() - startMs, to - from, records, bytes);
    this.written.offset = segment.nextOffset;
    this.written.bytes += bytes;
    const isWhole = to === batches.length;
    syncer.wrote(segment, records, this.written, isWhole ? group.synced : undefined);
    return to;
  }

  /** Whether a write is synced at once, into a file that was not filled ahead. */
  #isAwaited(group: Group): boolean {
    const { growsAhead, options } = this.#parts;
    return growsAhead && !options.preallocate && (group.isSyncDemanded || syncsEachWrite(options.sync));
  }

  /** Makes room for many small writes at once. Where there is none, they have to do without. */
  #growAhead(segment: Segment, bytes: number): void {
    if (bytes > ZEROED_FOR_BYTES || segment.bytes + bytes <= segment.zeroedBytes) return;
    const from = Math.max(segment.bytes, segment.zeroedBytes);
    const count = Math.min(ZEROED_BYTES, this.#parts.options.segmentBytes - from);
    if (count <= 0) return;
    try {
      segment.file?.writeSync(ZEROS.subarray(0, count), from);
      segment.zeroedBytes = from + count;
    } catch {
      segment.zeroedBytes = Infinity;
    }
  }

  #writeBytes(segment: Segment, address: number, bytes: number): Promise<void> | undefined {
    const { file } = segment;
    if (file === undefined) throw new VarveError('CLOSED', `${segment.path} is closed`);
    const view = this.#parts.memory.buffer(address, bytes);
    if (bytes > SYNC_WRITE_BYTES || this.#syncWrites >= SYNC_WRITES_A_TURN)
      return file.write(view, segment.bytes);
    if (this.#syncWrites++ === 0) {
      this.#parts.clock.nextTurn(() => {
        this.#syncWrites = 0;
      });
    }
    file.writeSync(view, segment.bytes);
    return undefined;
  }
}
