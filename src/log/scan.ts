/**
 * Walks the batches of a part of a segment file, a window at a time: every batch is checked by the
 * kernels, where it lies. While one window is being looked at, the next two are being read: with one, the disk would
 * wait for this thread after each, and this thread for another to wake up.
 *
 *     slab:  +------------------+-------------------------------------------+-------+
 *            |   room for what  |  window: read from the file in one piece  | slack |
 *            |    was cut off   |                                           |       |
 *            +------------------+-------------------------------------------+-------+
 *                    <-- carry -|
 *
 * A batch that the end of a window cuts off is copied in front of the next window. One that is larger
 * than that room is read again, whole, into a slab of its own.
 *
 * @module
 */

import { READ_WINDOW_BYTES } from '../limits.ts';
import {
  BATCH_BYTES_MAX,
  ROW_BYTES,
  SCAN_STATUS_ADDRESS,
  SCAN_STATUS_BYTES,
  SCAN_STATUS_NEED,
  SCAN_STATUS_STOP,
  SCAN_STOP_END,
  SCAN_STOP_INCOMPLETE,
  SLACK_BYTES,
} from '../memory/layout.ts';
import type { Memory } from '../memory/memory.ts';
import type { Slab } from '../memory/slabs.ts';
import type { VfsFile } from '../vfs/vfs.ts';

const ROWS_MAX = 256;
const FIRST_SLAB_BYTES = 64 * 1024;
/** Up to this size a read on the calling thread is cheaper than a trip to another. */
const SYNC_READ_BYTES = 64 * 1024;
/** What a thread that may be blocked reads at once: so much is in its cache still when it is looked at. */
const BLOCKING_SLAB_BYTES = 256 * 1024;

/**
 * How a scan reads: small windows first; large ones ahead, for one who will read all; or on the calling thread,
 * which may be blocked.
 */
export type ScanPace = 'small first' | 'ahead' | 'blocking';

/** How many windows are read ahead. */
const AHEAD_MAX = 2;
/** Of the memory so much may be in use, with the second of them not yet counted. */
const SPARE_SHARE = 7 / 8;

/** Why a scan came to its end. */
export type ScanStop = 'end' | 'incomplete' | 'invalid';

interface Window {
  slab: Slab;
  /** File position of the first byte behind the room for the carry. */
  position: number;
  /** How many bytes were read. */
  bytes: number;
}

/** A window that is being read. */
interface Reading {
  readonly window: Promise<Window>;
  /** Where it ends in the file, if it can be read whole. */
  readonly end: number;
}

/** Where a window's bytes begin in its slab. */
function dataAddress(slab: Slab): number {
  return slab.address + slab.bytes / 8;
}

function windowBytes(slab: Slab): number {
  return slab.bytes - slab.bytes / 8 - SLACK_BYTES;
}

export class BatchScan {
  /** Address of the first of the rows that the last `next` returned. */
  readonly rows: number;
  /** Why `next` returned 0. */
  stop: ScanStop = 'end';
  readonly #memory: Memory;
  readonly #file: VfsFile;
  readonly #limit: number;
  readonly #status: number;
  readonly #rowSlab: Slab;
  #current: Window | undefined;
  /** Windows that are being read, in the order of the file. */
  #ahead: Reading[] = [];
  /** What of the current window is still to be looked at. */
  #address = 0;
  #end = 0;
  #readPosition: number;
  #large: Window | undefined;
  #isReadAhead: boolean;
  readonly #isBlocking: boolean;

  /**
   * @param position where in the file a batch begins
   * @param limit where the bytes to be looked at end
   * @param pace how it reads; true and false stand for `ahead` and `small first`
   * @throws VarveError `NO_MEMORY`
   */
  constructor(
    memory: Memory,
    file: VfsFile,
    position: number,
    limit: number,
    pace: ScanPace | boolean = 'small first',
  ) {
    this.#memory = memory;
    this.#file = file;
    this.#limit = limit;
    this.#readPosition = position;
    this.#isReadAhead = pace === true || pace === 'ahead';
    this.#isBlocking = pace === 'blocking';
    this.#rowSlab = memory.slabs.allocate(ROWS_MAX * ROW_BYTES + SCAN_STATUS_BYTES, 'scan rows');
    this.rows = this.#rowSlab.address;
    this.#status = this.rows + ROWS_MAX * ROW_BYTES;
  }

  /** The file position of an address that a row gives. */
  positionOf(address: number): number {
    const window = this.#large ?? this.#current;
    if (window === undefined) return this.#readPosition;
    return window.position + (address - dataAddress(window.slab));
  }

  /** Where the next batch begins, or would begin. */
  get position(): number {
    return this.#current === undefined && this.#large === undefined
      ? this.#readPosition
      : this.positionOf(this.#address);
  }

  /**
   * Finds the next batches. What was found before is gone then.
   *
   * @returns how many rows there are, or 0 at the end: `stop` says why, `position` where
   */
  async next(): Promise<number> {
    for (;;) {
      if (this.#address === this.#end && !(await this.#advance(0))) {
        this.stop = 'end';
        return 0;
      }
      const { i32, kernels } = this.#memory;
      const count = kernels.scanBatches(
        this.#address,
        this.#end - this.#address,
        this.rows,
        ROWS_MAX,
        this.#status,
      );
      const stop = i32[(this.#status + SCAN_STATUS_STOP) >> 2] as number;
      this.#address = i32[(this.#status + SCAN_STATUS_ADDRESS) >> 2] as number;
      if (count > 0) return count;
      if (stop === SCAN_STOP_END) continue;
      if (stop !== SCAN_STOP_INCOMPLETE) {
        this.stop = 'invalid';
        return 0;
      }
      if (!(await this.#advance(i32[(this.#status + SCAN_STATUS_NEED) >> 2] as number))) {
        this.stop = 'incomplete';
        return 0;
      }
    }
  }

  /** Gives the memory back. */
  async close(): Promise<void> {
    this.#dropLarge();
    await this.#dropAhead();
    this.#current?.slab.release();
    this.#current = undefined;
    this.#rowSlab.release();
  }

  /**
   * Brings in more bytes behind what is still to be looked at.
   *
   * @param need size of the batch that was cut off; 0 where nothing is known
   * @returns false where the file has no more
   */
  async #advance(need: number): Promise<boolean> {
    const carry = this.#end - this.#address;
    const position = this.position;
    if (position + Math.max(need, carry + 1) > this.#limit || need > BATCH_BYTES_MAX) return false;
    const window = this.#current;
    if (
      this.#large !== undefined ||
      (window !== undefined && carry > window.slab.bytes / 8) ||
      need > READ_WINDOW_BYTES / 2
    ) {
      return this.#restart(position, need);
    }
    const reading =
      this.#ahead.shift() ?? this.#read(this.#readPosition, this.#allocateFor(this.#readPosition));
    const next = await reading.window;
    if (next.bytes === 0) {
      next.slab.release();
      await this.#dropAhead();
      return false;
    }
    if (carry > next.slab.bytes / 8) {
      next.slab.release();
      return this.#restart(position, need);
    }
    const start = dataAddress(next.slab);
    if (carry > 0) this.#memory.u8.copyWithin(start - carry, this.#address, this.#end);
    window?.slab.release();
    this.#current = next;
    this.#address = start - carry;
    this.#end = start + next.bytes;
    this.#readPosition = next.position + next.bytes;
    // One that was cut short has others behind it than were thought of.
    if (reading.end !== this.#readPosition) await this.#dropAhead();
    if (this.#isReadAhead) this.#readAhead();
    this.#isReadAhead = !this.#isBlocking;
    return true;
  }

  /** Starts anew at `position`, with a window that holds at least `need` bytes. */
  async #restart(position: number, need: number): Promise<boolean> {
    await this.#dropAhead();
    const had = this.#end - this.#address;
    this.#dropLarge();
    this.#current?.slab.release();
    this.#current = undefined;
    this.#address = this.#end = 0;
    this.#readPosition = position;
    if (need <= READ_WINDOW_BYTES / 2) {
      const window = await this.#read(position, this.#allocateFor(position, need)).window;
      this.#use(window);
      return window.bytes > had;
    }
    const slab = this.#memory.slabs.allocate(Math.ceil(((need + SLACK_BYTES) * 8) / 7) + 8, 'large batch');
    const window = { slab, position, bytes: 0 };
    this.#large = window;
    window.bytes = await this.#file.read(this.#target(slab, need), position);
    this.#use(window, true);
    return window.bytes === need;
  }

  #allocate(isSmall: boolean, need: number): Slab {
    const { slabs } = this.#memory;
    if (this.#isBlocking && need <= BLOCKING_SLAB_BYTES / 2)
      return slabs.allocate(BLOCKING_SLAB_BYTES, 'scan window');
    const slab = isSmall ? undefined : slabs.tryAllocate(READ_WINDOW_BYTES, 'scan window');
    if (slab !== undefined) return slab;
    return slabs.allocate(need <= FIRST_SLAB_BYTES / 2 ? FIRST_SLAB_BYTES : READ_WINDOW_BYTES, 'scan window');
  }

  #use(window: Window, isLarge = false): void {
    if (!isLarge) this.#current = window;
    this.#address = dataAddress(window.slab);
    this.#end = this.#address + window.bytes;
    this.#readPosition = window.position + window.bytes;
  }

  #dropLarge(): void {
    this.#large?.slab.release();
    this.#large = undefined;
  }

  #target(slab: Slab, bytes: number): Uint8Array {
    const start = dataAddress(slab);
    return this.#memory.u8.subarray(start, start + bytes);
  }

  /** Has windows read behind what is there or on its way; the second only where there is memory to spare. */
  #readAhead(): void {
    for (;;) {
      const position = this.#ahead.at(-1)?.end ?? this.#readPosition;
      if (this.#ahead.length === AHEAD_MAX || position >= this.#limit) return;
      // Without memory, the next window is read when it is its turn.
      const { slabs } = this.#memory;
      if (this.#ahead.length > 0 && slabs.inUseBytes > slabs.budgetBytes * SPARE_SHARE) return;
      const slab = slabs.tryAllocate(READ_WINDOW_BYTES, 'scan window');
      if (slab === undefined) return;
      const reading = this.#read(position, slab);
      reading.window.catch(() => undefined);
      this.#ahead.push(reading);
    }
  }

  /** Gives up what is being read, once it is over. */
  async #dropAhead(): Promise<void> {
    for (const { window } of this.#ahead.splice(0)) (await window.catch(() => undefined))?.slab.release();
  }

  /** A slab for a window; a small one where little is left, or memory is short and `need` bytes fit into it. */
  #allocateFor(position: number, need = 0): Slab {
    const left = this.#limit - position;
    const isSmall = (!this.#isReadAhead || left <= FIRST_SLAB_BYTES / 2) && need <= FIRST_SLAB_BYTES / 2;
    return this.#allocate(isSmall, need);
  }

  #read(position: number, slab: Slab): Reading {
    const bytes = Math.min(this.#limit - position, windowBytes(slab));
    return { window: this.#fill(slab, this.#target(slab, bytes), position), end: position + bytes };
  }

  async #fill(slab: Slab, target: Uint8Array, position: number): Promise<Window> {
    try {
      const bytes =
        this.#isBlocking || target.length <= SYNC_READ_BYTES
          ? this.#file.readSync(target, position)
          : await this.#file.read(target, position);
      return { slab, position, bytes };
    } catch (error) {
      slab.release();
      throw error;
    }
  }
}
