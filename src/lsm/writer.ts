/**
 * The way of a write: into the write-ahead log, and into the memtables of its trees. Its offset in the log is
 * its sequence number. It is in the memtables at once, but nobody sees it before it has reached the level that
 * its writer has asked for, or that of the log.
 *
 *     encoded operations -> room in the memtables? -> log.enqueue -> one kernel call into all memtables
 *
 * Where something is in the way (memtables that wait to be written to tables, memory, the log's buffer), writers
 * wait in line. They are slowed down before they have to stop.
 *
 * @module
 */

import { assert } from '../assert.ts';
import type { Clock } from '../clock.ts';
import { isVarveError, type VarveError } from '../errors.ts';
import { SLAB_BYTES_MIN } from '../limits.ts';
import type { Log } from '../log/log.ts';
import type { Durability } from '../log/sync-policy.ts';
import { SLACK_BYTES } from '../memory/layout.ts';
import {
  TARGET_BYTES,
  TARGET_FROM_SEQUENCE,
  TARGET_MEMTABLE,
  TARGET_NEED_BYTES,
  TARGET_NEED_CELLS,
  TARGET_NEED_RANGES,
  TARGET_TREE,
} from '../memory/lsm-layout.ts';
import type { Memory } from '../memory/memory.ts';
import type { Slab } from '../memory/slabs.ts';
import type { MemtableArea } from './memtable.ts';
import { brokenOperations } from './operations.ts';
import { Queue } from './queue.ts';
import { noMemoryForWrites, type Relief, type StallCounts } from './stalls.ts';
import type { TreeCore } from './tree-core.ts';

/** Frozen memtables of one tree at which its writers stop. */
const FROZEN_MAX = 3;
/** Tables that wait to be merged at which writers are slowed down, and at which they stop. */
const SLOW_TABLES = 12;
const STOP_TABLES = 24;
/** What one batch waits for while writers are slowed down. */
const SLOW_DELAY_MS = 1;
/** Memtables may have so much of the memory; the rest is for caches, and for writing them to tables. */
const MEMTABLE_SHARE = 0.4;
/** The place for batches is kept where it is no larger. */
const STAGE_BYTES_KEPT = 1024 * 1024;
const OWNER = 'tree writer';

interface Waiting {
  bytes: Buffer;
  level: Durability | undefined;
  resolve: (sequence: number | Promise<number>) => void;
  reject: (error: unknown) => void;
}

/** What is in the way of a write. */
type Obstacle = 'flush' | 'memory' | 'log';

export class TreeWriter {
  readonly stalls: StallCounts = { slowed: 0, stopped: 0, stoppedMs: 0 };
  readonly #area: MemtableArea;
  readonly #memory: Memory;
  readonly #clock: Clock;
  readonly #wal: Log;
  readonly #relief: Relief;
  /** What a write waits for that asks for nothing else. */
  readonly #ownLevel: Durability;
  /** In the order of their targets. */
  readonly #trees: TreeCore[] = [];
  #targets: Slab;
  #stage: Slab;
  /** The sequence number that the next batch gets, unless a write fails. */
  #next: number;
  /** What is older has been acknowledged to somebody. */
  #acknowledged = 0;
  readonly #line: Queue<Waiting> = new Queue();
  /** Who is to be told when the line is empty. */
  #onEmpty: (() => void)[] = [];
  #isPumping = false;
  #refusal: VarveError | undefined;
  /** Failed writes of the log that somebody was told of: it says so once more to whoever comes next. */
  readonly #told: WeakSet<object> = new WeakSet();

  /** @throws VarveError `NO_MEMORY` */
  constructor(area: MemtableArea, clock: Clock, wal: Log, ownLevel: Durability, relief: Relief) {
    const { memory } = area;
    this.#ownLevel = ownLevel;
    this.#area = area;
    this.#memory = memory;
    this.#clock = clock;
    this.#wal = wal;
    this.#relief = relief;
    this.#next = wal.nextOffset;
    this.#targets = memory.slabs.allocate(SLAB_BYTES_MIN, OWNER);
    try {
      this.#stage = memory.slabs.allocate(SLAB_BYTES_MIN, OWNER);
    } catch (error) {
      this.#targets.release();
      throw error;
    }
  }

  /** What is older than this sequence number may be seen. */
  get visible(): number {
    return Math.max(this.#wal.visibleOffset, this.#acknowledged);
  }

  /** Takes operations on a tree from now on. */
  add(tree: TreeCore): void {
    const index = this.#trees.length;
    if ((index + 1) * TARGET_BYTES > this.#targets.bytes) this.#growTargets();
    this.#trees.push(tree);
    const { i32, f64 } = this.#memory;
    const target = this.#targets.address + index * TARGET_BYTES;
    i32[(target + TARGET_TREE) >> 2] = tree.id;
    f64[(target + TARGET_FROM_SEQUENCE) >> 3] = tree.flushed;
    this.#retarget(index, tree);
  }

  /**
   * Writes a batch.
   *
   * @param bytes encoded operations, at least one, of trees that were added. They are not needed any more when
   * this returns
   * @returns its sequence number, once it has reached the level
   */
  write(bytes: Buffer, level: Durability | undefined): Promise<number> {
    try {
      this.#check();
      if (this.#line.length > 0 || this.#isSlow()) return this.#park(bytes, level);
      const sequence = this.#accept(bytes);
      return typeof sequence === 'string' ? this.#park(bytes, level) : this.reach(sequence, level);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * Takes a record of the log again, when a database is opened. Room in memtables is for the caller to see to.
   *
   * @param address of the encoded operations
   * @returns false where the tree that `full` is told of has to be flushed first
   */
  replay(address: number, length: number, sequence: number, full: (tree: TreeCore) => void): boolean {
    const { kernels, f64 } = this.#memory;
    const { address: targets } = this.#targets;
    const count = kernels.measureOperations(address, length, targets, this.#trees.length);
    if (count < 0) throw brokenOperations(sequence);
    for (const [index, tree] of this.#trees.entries()) {
      // The same number that the kernel goes by, so that it never writes where no room was made.
      if (
        this.#need(index, TARGET_NEED_CELLS) === 0 ||
        sequence < (f64[(targets + index * TARGET_BYTES + TARGET_FROM_SEQUENCE) >> 3] as number)
      )
        continue;
      if (tree.isFull(this.#need(index, TARGET_NEED_BYTES)) || !this.#hasRoom(index, tree)) {
        full(tree);
        return false;
      }
    }
    kernels.applyOperations(address, length, sequence, targets, this.#trees.length);
    return true;
  }

  /** Whether writes wait in line: they are in no memtable yet. */
  get hasLine(): boolean {
    return this.#line.length > 0;
  }

  /** Resolves when no write waits in line. It never rejects. */
  lineEmptied(): Promise<void> {
    if (!this.hasLine) return Promise.resolve();
    return new Promise((resolve) => this.#onEmpty.push(resolve));
  }

  /** Freezes the active memtable of a tree; false where it is empty. */
  rotate(tree: TreeCore): boolean {
    if (tree.active.isEmpty) return false;
    tree.rotate();
    this.#retarget(this.#trees.indexOf(tree), tree);
    this.#relief.kick();
    return true;
  }

  /** Freezes the largest of the active memtables; undefined where all are empty. */
  rotateLargest(): TreeCore | undefined {
    const largest = this.#trees.reduce((a, b) => (b.active.bytes > a.active.bytes ? b : a));
    return this.rotate(largest) ? largest : undefined;
  }

  /** Something has changed: whoever waits may look again. */
  wake(): void {
    if (this.#line.length > 0) void this.#pump();
  }

  /** Forgets what the log has not taken after all. */
  forgetFailed(): void {
    const next = this.#wal.nextOffset;
    if (next >= this.#next) return;
    for (const tree of this.#trees) tree.forget(next);
    this.#next = next;
  }

  /** Refuses everything from now on; who waits is told. */
  refuse(error: VarveError): void {
    this.#refusal ??= error;
    for (let first = this.#line.shift(); first !== undefined; first = this.#line.shift())
      first.reject(this.#refusal);
    for (const resolve of this.#onEmpty.splice(0)) resolve();
  }

  /** Whether somebody was told of a failure of the log. */
  wasTold(error: unknown): boolean {
    return typeof error === 'object' && error !== null && this.#told.has(error);
  }

  release(): void {
    this.#targets.release();
    this.#stage.release();
  }

  #check(): void {
    if (this.#refusal !== undefined) throw this.#refusal;
  }

  /** Takes a batch, or says what is in the way. */
  #accept(bytes: Buffer): number | Obstacle {
    const { kernels } = this.#memory;
    if (this.#isOverBudget() || !this.#stageBytes(bytes)) return 'memory';
    const { address } = this.#stage;
    const targets = this.#targets.address;
    const trees = this.#trees;
    const count = kernels.measureOperations(address, bytes.length, targets, trees.length);
    assert(count > 0, 'what is written are operations');
    for (let index = 0; index < trees.length; index++) {
      if (this.#need(index, TARGET_NEED_CELLS) === 0) continue;
      const tree = trees[index] as TreeCore;
      if (tree.isFull(this.#need(index, TARGET_NEED_BYTES))) {
        if (tree.frozen.length >= FROZEN_MAX) return 'flush';
        this.rotate(tree);
      }
      if (!this.#hasRoom(index, tree)) return 'memory';
    }
    const sequence = this.#enqueue(bytes);
    if (sequence === undefined) return 'log';
    if (sequence < this.#next) this.#forget(sequence);
    this.#next = sequence + 1;
    kernels.applyOperations(address, bytes.length, sequence, targets, trees.length);
    if (this.#stage.bytes > STAGE_BYTES_KEPT) this.#dropStage();
    return sequence;
  }

  #hasRoom(index: number, tree: TreeCore): boolean {
    const { active } = tree;
    const { address } = active;
    const hasRoom = active.reserve(
      this.#need(index, TARGET_NEED_BYTES),
      this.#need(index, TARGET_NEED_CELLS),
      this.#need(index, TARGET_NEED_RANGES),
    );
    if (active.address !== address) this.#retarget(index, tree);
    return hasRoom;
  }

  #need(index: number, field: number): number {
    return this.#memory.i32[(this.#targets.address + index * TARGET_BYTES + field) >> 2] as number;
  }

  /** Offsets are given out again: a write has failed, and nobody has seen it. */
  #forget(sequence: number): void {
    for (const tree of this.#trees) tree.forget(sequence);
  }

  /** Hands a batch to the log; undefined where its buffer is full. */
  #enqueue(bytes: Buffer): number | undefined {
    const record = { value: bytes };
    for (;;) {
      try {
        return this.#wal.enqueue(record);
      } catch (error) {
        if (isVarveError(error, 'BACKPRESSURE')) return undefined;
        // It was the failure of others, who know of it.
        if (!this.wasTold(error)) throw error;
        this.#told.delete(error as object);
      }
    }
  }

  /**
   * Waits until a batch has reached a level.
   *
   * @param level that of the write-ahead log unless given
   * @param generation of the log when the batch was accepted: others that had its number before may be lost
   * @returns its sequence number
   * @throws VarveError why it was lost
   */
  async reach(
    sequence: number,
    level: Durability | undefined,
    generation: number = this.#wal.generation,
  ): Promise<number> {
    const wal = this.#wal;
    if (level === 'accepted') return sequence;
    try {
      await wal.reached(sequence, level ?? this.#ownLevel, generation);
    } catch (error) {
      if (typeof error === 'object' && error !== null) this.#told.add(error);
      throw error;
    }
    if (sequence >= this.#acknowledged) this.#acknowledged = sequence + 1;
    return sequence;
  }

  /** Whether the next thing that happens may be that writers have to stop. */
  #isSlow(): boolean {
    const { failure } = this.#relief;
    if (failure === undefined && this.#trees.some(({ frozen }) => frozen.length >= FROZEN_MAX)) return true;
    if (!this.#relief.isCompacting) return false;
    for (const { backlog } of this.#trees) if (backlog >= SLOW_TABLES) return true;
    return false;
  }

  #isStopped(): boolean {
    if (!this.#relief.isCompacting) return false;
    return this.#trees.some(({ backlog }) => backlog >= STOP_TABLES);
  }

  #park(bytes: Buffer, level: Durability | undefined): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#line.push({ bytes: Buffer.from(bytes), level, resolve, reject });
      void this.#pump();
    });
  }

  /** Lets in who waits, one after the other. It never rejects. */
  async #pump(): Promise<void> {
    if (this.#isPumping) return;
    this.#isPumping = true;
    for (let first = this.#line.first; first !== undefined; first = this.#line.first) {
      try {
        await this.#admit(first);
      } catch (error) {
        if (this.#line.first === first) this.#line.shift();
        first.reject(error);
      }
    }
    this.#isPumping = false;
    for (const resolve of this.#onEmpty.splice(0)) resolve();
  }

  /** Lets in the first in line; leaves it there where it has to look again. */
  async #admit(first: Waiting): Promise<void> {
    if (this.#isStopped()) {
      await this.#wait('flush');
      return;
    }
    if (this.#isSlow()) {
      this.stalls.slowed++;
      await new Promise<void>((resolve) => this.#clock.after(SLOW_DELAY_MS, resolve, true));
      if (this.#line.first !== first) return;
    }
    this.#check();
    const accepted = this.#accept(first.bytes);
    if (typeof accepted === 'string') {
      await this.#wait(accepted);
      return;
    }
    this.#line.shift();
    first.resolve(this.reach(accepted, first.level));
  }

  /** Waits until something has changed about an obstacle. */
  async #wait(obstacle: Obstacle): Promise<void> {
    const beganMs = this.#clock.monotonic();
    this.stalls.stopped++;
    if (obstacle === 'log') {
      await this.#wal.ready().catch((error: unknown) => {
        if (!this.wasTold(error)) throw error;
      });
    } else {
      const { failure } = this.#relief;
      if (failure !== undefined) throw failure.code === 'NO_MEMORY' ? this.#noMemory(failure) : failure;
      if (obstacle === 'memory') this.#relieve();
      await this.#relief.changed();
    }
    this.stalls.stoppedMs += this.#clock.monotonic() - beganMs;
  }

  /** Sees to it that memory comes back. */
  #relieve(): void {
    const isOnItsWay = this.#trees.some(({ frozen }) => frozen.length > 0);
    if (isOnItsWay) return;
    if (this.rotateLargest() === undefined) throw this.#noMemory();
  }

  #noMemory(cause?: VarveError): VarveError {
    return noMemoryForWrites(this.#area, this.#trees, this.#relief.iterators, cause);
  }

  /** Whether memtables have as much memory as they may, also those that are kept by iterators alone. */
  #isOverBudget(): boolean {
    return this.#area.heldBytes > this.#memory.slabs.budgetBytes * MEMTABLE_SHARE;
  }

  /** Gives back what a large batch has needed. */
  #dropStage(): void {
    const smaller = this.#memory.slabs.tryAllocate(SLAB_BYTES_MIN, OWNER);
    if (smaller === undefined) return;
    this.#stage.release();
    this.#stage = smaller;
  }

  /** Copies a batch into the shared memory; false where there is none. */
  #stageBytes(bytes: Buffer): boolean {
    const { i32, u8, slabs } = this.#memory;
    const needed = bytes.length + SLACK_BYTES;
    if (needed > this.#stage.bytes) {
      const larger = slabs.tryAllocate(needed, OWNER);
      if (larger === undefined) return false;
      this.#stage.release();
      this.#stage = larger;
    }
    const to = this.#stage.address;
    if (bytes.length > WORDS_MAX || (bytes.byteOffset & 3) !== 0) {
      u8.set(bytes, to);
      return true;
    }
    const words = new Int32Array(bytes.buffer, bytes.byteOffset, (bytes.length + 3) >> 2);
    for (let i = 0, at = to >> 2; i < words.length; i++) i32[at++] = words[i] as number;
    return true;
  }

  #retarget(index: number, { active }: TreeCore): void {
    this.#memory.i32[(this.#targets.address + index * TARGET_BYTES + TARGET_MEMTABLE) >> 2] = active.address;
  }

  #growTargets(): void {
    const { slabs, u8 } = this.#memory;
    const larger = slabs.allocate(this.#targets.bytes * 2, OWNER);
    const { address, bytes } = this.#targets;
    u8.copyWithin(larger.address, address, address + bytes);
    this.#targets.release();
    this.#targets = larger;
  }
}

/** Up to this size, copying words in a loop is cheaper than a call of the engine. */
const WORDS_MAX = 512;
