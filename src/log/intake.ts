/**
 * Takes records in: gives each its offset, gathers them into batches and the batches into groups. It
 * knows nothing of the disk or of who waits.
 *
 * @module
 */

import type { Clock } from '../clock.ts';
import type { Memory } from '../memory/memory.ts';
import type { Slab } from '../memory/slabs.ts';
import { BatchBuilder, createMeasured, type Measured, measure } from '../record/builder.ts';
import { MAX_TIMESTAMP_POSITION, readInt64 } from '../record/format.ts';
import type { RecordInput } from '../record/record.ts';
import type { FramedBatch } from './foreign.ts';
import { Group } from './group.ts';
import type { ResolvedLogOptions } from './options.ts';

const OWNER = 'write buffer';
/** Records that share one look at the clock, within one turn. */
const STAMP_USES_MAX = 64;

/** Whether a record can be taken: yes, not before the filling group is handed over, or not without memory. */
export type Admission = 'yes' | 'full' | 'no memory';

export class Intake {
  /** The next offset to be given out. */
  nextOffset: number;
  /** The group that records go to. */
  filling: Group | undefined;
  /** Groups that wait for the disk, in the order of their offsets. */
  queue: Group[] = [];
  readonly #memory: Memory;
  readonly #clock: Clock;
  readonly #options: ResolvedLogOptions;
  readonly #builder: BatchBuilder;
  readonly #ordinaryMax: number;
  readonly #needsKeys: boolean;
  readonly #measured: Measured = createMeasured();
  /** A double from the start, so that it is never boxed. */
  #stamp: number = Number.NaN;
  #stampUses = STAMP_USES_MAX;

  constructor(memory: Memory, clock: Clock, options: ResolvedLogOptions, nextOffset: number) {
    this.nextOffset = nextOffset;
    this.#memory = memory;
    this.#clock = clock;
    this.#options = options;
    this.#needsKeys = options.cleanup !== 'delete';
    this.#ordinaryMax = Math.min(options.batchBytes, options.maxRecordBytes);
    this.#builder = new BatchBuilder(memory, options.batchBytes);
  }

  /** Whether the memory could hold the largest record that the options allow. */
  get canHoldLargest(): boolean {
    const { maxRecordBytes, bufferBytes } = this.#options;
    const group = Math.max(this.#builder.roomFor(maxRecordBytes), bufferBytes);
    return this.#memory.slabs.canHold([group, ...this.#builder.slabsFor(maxRecordBytes)]);
  }

  /** Bytes taken in that are not handed over yet. */
  get pendingBytes(): number {
    let bytes = this.#builder.bytes + (this.filling?.bytes ?? 0);
    for (const group of this.queue) bytes += group.bytes;
    return bytes;
  }

  /**
   * Takes an ordinary record in: bytes, a value or null, no headers, and there is room for it in the batch that was begun.
   * All others take the way of `measure`, `admit` and `accept`.
   *
   * @returns its offset, or -1 where it is no such record
   */
  offer(record: RecordInput): number {
    if (typeof record !== 'object' || record === null) return -1;
    const { key, value, timestamp, headers } = record;
    if (headers !== undefined || timestamp !== undefined || value === undefined) return -1;
    const hasKey = key !== undefined && key !== null;
    const hasValue = value !== null;
    if ((hasKey && !(key instanceof Uint8Array)) || (hasValue && !(value instanceof Uint8Array))) return -1;
    if (!hasKey && this.#needsKeys) return -1;
    const bytes = (hasKey ? key.length : 0) + (hasValue ? value.length : 0);
    if (bytes > this.#ordinaryMax || !this.#builder.hasRoom(bytes)) return -1;
    if (this.#stampUses === STAMP_USES_MAX) this.#renewStamp();
    this.#stampUses++;
    this.#builder.timestamp = this.#stamp;
    this.#builder.addPlain(hasKey ? key : null, hasValue ? value : null);
    return this.nextOffset++;
  }

  /**
   * Looks at a record; `admit` and `accept` are about it.
   *
   * @throws TypeError, RangeError where it is wrong or too large
   */
  measure(record: RecordInput): void {
    measure(record, this.#measured);
    if (this.#needsKeys && this.#measured.key === null) {
      throw new TypeError('a record of a log that is compacted must have a key');
    }
    const { maxRecordBytes } = this.#options;
    if (this.#measured.bytes > maxRecordBytes) {
      throw new RangeError(
        `a record has at most ${maxRecordBytes} bytes (maxRecordBytes), not ${this.#measured.bytes}`,
      );
    }
  }

  /** Makes room for the measured record. */
  admit(): Admission {
    const { bytes } = this.#measured;
    return this.#builder.hasRoom(bytes) ? 'yes' : this.#begin(bytes);
  }

  /** Takes the measured record, for which there is room. Returns its offset. */
  accept(): number {
    const measured = this.#measured;
    if (Number.isNaN(measured.timestamp)) {
      if (this.#stampUses === STAMP_USES_MAX) this.#renewStamp();
      this.#stampUses++;
      measured.timestamp = this.#stamp;
    }
    this.#builder.add(measured);
    return this.nextOffset++;
  }

  /**
   * Takes batches that are framed already, end to end at an address, as a group of their own.
   *
   * @param slab what is given back when they are written; none where the memory is the caller's
   */
  acceptFramed(address: number, batches: readonly FramedBatch[], slab: Slab | undefined): Group {
    this.closeFilling();
    const group = new Group(this.nextOffset, address, slab);
    for (const { size, records, maxTimestamp } of batches) {
      group.add(size, group.nextOffset + records - 1, maxTimestamp);
    }
    this.nextOffset = group.nextOffset;
    this.queue.push(group);
    return group;
  }

  /** Takes in that a new segment is to be begun, as a group without records. Resolves when that is so. */
  acceptRoll(): Promise<void> {
    this.closeFilling();
    const group = new Group(this.nextOffset, 0, undefined);
    group.mustRoll = true;
    this.queue.push(group);
    return new Promise((resolve, reject) => {
      group.written.add({ offset: group.nextOffset, resolve: () => resolve(), reject });
    });
  }

  /** Ends the filling group, so that it waits for the disk. */
  closeFilling(): void {
    this.#closeBatch();
    const group = this.filling;
    this.filling = undefined;
    if (group === undefined) return;
    if (group.batches.length === 0) group.release();
    else this.queue.push(group);
  }

  /** The next group for the disk, if there is any. */
  take(): Group | undefined {
    if (this.queue.length === 0) this.closeFilling();
    return this.queue.shift();
  }

  /**
   * Gives up everything that was taken in, and its offsets.
   *
   * @param nextOffset where offsets go on
   * @returns the groups, whose waiters have to be told
   */
  giveUp(nextOffset: number): Group[] {
    const groups = this.queue;
    if (this.filling !== undefined) groups.push(this.filling);
    this.queue = [];
    this.filling = undefined;
    this.#builder.clear();
    for (const group of groups) group.release();
    this.nextOffset = nextOffset;
    return groups;
  }

  /** Gives the memory back. */
  release(): void {
    // A group that was begun and then had no memory for its first record is empty.
    this.giveUp(this.nextOffset);
  }

  /** Begins a batch for a record of `bytes`. */
  #begin(bytes: number): Admission {
    this.#closeBatch();
    const room = this.#builder.roomFor(bytes);
    if (this.filling !== undefined && this.filling.roomBytes < room) return 'full';
    const isNew = this.filling === undefined;
    this.filling ??= this.#allocateGroup(room);
    const group = this.filling;
    if (group !== undefined && this.#builder.begin(bytes, group.address + group.bytes, group.roomBytes))
      return 'yes';
    // All or nothing: logs that wait for memory must not hold what the others wait for.
    this.#builder.clear(true);
    if (isNew) {
      this.filling?.release(true);
      this.filling = undefined;
    }
    return 'no memory';
  }

  #allocateGroup(room: number): Group | undefined {
    const { slabs } = this.#memory;
    const bytes = Math.max(room, this.#options.bufferBytes);
    // Where memory is short, groups have few records: who waits for them may be who gives memory back.
    const slab = slabs.tryAllocate(bytes, OWNER) ?? slabs.tryAllocate(room, OWNER);
    return slab === undefined ? undefined : new Group(this.nextOffset, slab.address, slab);
  }

  /** Frames what the builder holds, at the end of the filling group. */
  #closeBatch(): void {
    const builder = this.#builder;
    const group = this.filling;
    const { count } = builder;
    if (group === undefined || count === 0) return;
    const address = group.address + group.bytes;
    const size = builder.encode(address, this.nextOffset - count);
    group.add(size, this.nextOffset - 1, readInt64(this.#memory.data, address + MAX_TIMESTAMP_POSITION));
  }

  /** Looks at the clock, for the records of this turn that bring no time. */
  #renewStamp(): void {
    this.#stamp = this.#clock.now();
    this.#stampUses = 0;
    queueMicrotask(() => {
      this.#stampUses = STAMP_USES_MAX;
    });
  }
}
