/**
 * The tables that a flush or a merge writes: files are made, named in a directory that is synced in the end, and
 * removed again where something fails. A budget of bytes a second slows writing down.
 *
 * @module
 */

import type { Clock } from '../../clock.ts';
import { VarveError } from '../../errors.ts';
import { joinPath } from '../../vfs/vfs.ts';
import { clipFragments, type Fragment } from '../range-tombstones.ts';
import { type TableFile, type TableOrigin, tableFileName } from '../table/table-file.ts';
import type { WorkContext, WorkMemory } from '../table/work.ts';
import { TableWriter, type WriteOptions } from '../table/writer.ts';
import type { DropRule } from './drop-rule.ts';

/** What flushes and merges have in common, as plain values. */
export interface OutputArgs {
  /** Where tables are, and will be. */
  directory: string;
  /** The first number for a table, and how many of them, from there on, are free. */
  firstNumber: number;
  numbers: number;
  options: WriteOptions;
  /** What the tables will say of themselves. */
  origin: TableOrigin;
  /** What is dropped by time. */
  drop?: DropRule | undefined;
  /** Bytes a second that are written at most; 0 for as many as there are. */
  bytesPerSecond?: number;
  /** Address of an i32 that is no longer 0 when the work is to be given up. */
  cancel?: number;
}

/** What a flush or a merge has made. */
export interface OutputResult {
  /** Tables, in order and durable. */
  files: TableFile[];
  /** How many values the rule has dropped. */
  dropped: number;
}

/** What may be written ahead of the budget. */
const BURST_BYTES = 1024 * 1024;

export class TableOutput {
  readonly writer: TableWriter;
  /** Tables that are whole; the last may not be durable yet. */
  readonly files: TableFile[] = [];
  readonly #context: WorkContext;
  readonly #args: OutputArgs;
  readonly #base: number;
  readonly #fragments: readonly Fragment[];
  readonly #startMs: number;
  #written = 0;
  #made: string[] = [];
  #lower: Uint8Array | undefined;
  /** The table before, which is being synced. */
  #syncing: Promise<void> = Promise.resolve();

  /**
   * @param base no sequence number is less
   * @param fragments the deleted ranges that the tables will have, all together
   */
  constructor(
    context: WorkContext,
    work: WorkMemory,
    args: OutputArgs,
    base: number,
    fragments: readonly Fragment[],
  ) {
    this.#context = context;
    this.#args = args;
    this.#base = base;
    this.#fragments = fragments;
    this.#startMs = context.clock.monotonic();
    this.writer = new TableWriter(context.memory, work, args.options, (bytes) => {
      this.#written += bytes;
    });
    this.writer.begin(base);
  }

  /** Whether another table may follow the one that is being written. */
  get mayCut(): boolean {
    return this.files.length + 1 < this.#args.numbers;
  }

  /**
   * Makes sure that what was built has a file to go to, and that the budget is not used up.
   *
   * @returns undefined where there is nothing to wait for
   */
  ready(): Promise<void> | undefined {
    this.#checkCancelled();
    const { bytesPerSecond = 0 } = this.#args;
    const isReady = this.writer.hasFile && bytesPerSecond === 0 && !this.writer.takeTurn();
    return isReady ? undefined : this.#prepare(bytesPerSecond);
  }

  async #prepare(bytesPerSecond: number): Promise<void> {
    if (bytesPerSecond > 0) await this.#pace(bytesPerSecond);
    if (this.writer.hasFile) {
      await new Promise<void>((resolve) => this.#context.clock.nextTurn(resolve));
      return;
    }
    const number = this.#args.firstNumber + this.files.length;
    const path = joinPath(this.#args.directory, tableFileName(number));
    const file = await this.#context.vfs.open(path, 'create');
    this.#made.push(path);
    this.writer.attach(file);
  }

  /**
   * Ends the table that is being written, if there is anything in it.
   *
   * @param upper the key before which it ends, so that deleted ranges are cut there; undefined for the last table
   */
  async finishTable(upper: Uint8Array | undefined): Promise<void> {
    const { writer } = this;
    const ranges = clipFragments(this.#fragments, this.#lower, upper);
    if (!writer.hasFile) {
      // Ranges without entries wait for the next table, or make the last one.
      if (!writer.hasEntries && (upper !== undefined || ranges.length === 0)) return;
      await this.ready();
    }
    // One is synced while the next is written; the one before that is durable by now.
    await this.#syncing;
    const { properties, durable } = writer.finish(ranges, this.#args.origin, this.#args.drop);
    this.#syncing = durable;
    durable.catch(() => undefined);
    this.files.push({ number: this.#args.firstNumber + this.files.length, properties });
    this.#lower = upper;
    writer.begin(this.#base);
  }

  /** Makes the tables durable, and then their names. */
  async publish(): Promise<TableFile[]> {
    await this.#syncing;
    if (this.files.length > 0) await this.#context.vfs.syncDir(this.#args.directory);
    return this.files;
  }

  /** Removes what was made. What cannot be removed is left to whoever opens the tree next. */
  async discard(): Promise<void> {
    await this.writer.abandon().catch(() => undefined);
    await this.#syncing.catch(() => undefined);
    for (const path of this.#made) await this.#context.vfs.remove(path).catch(() => undefined);
  }

  #checkCancelled(): void {
    const { cancel } = this.#args;
    if (cancel === undefined || Atomics.load(this.#context.memory.i32, cancel >> 2) === 0) return;
    throw new VarveError('CLOSED', 'the writing of tables was called off');
  }

  async #pace(bytesPerSecond: number): Promise<void> {
    const dueMs = ((this.#written - BURST_BYTES) / bytesPerSecond) * 1000;
    const delayMs = dueMs - (this.#context.clock.monotonic() - this.#startMs);
    if (delayMs > 1) await sleep(this.#context.clock, delayMs);
  }
}

function sleep(clock: Clock, delayMs: number): Promise<void> {
  return new Promise((resolve) => {
    clock.after(delayMs, resolve, true);
  });
}
