/**
 * Writes log entries: gives each its arrival, encodes them into batches, and hands these to the tree.
 *
 * @module
 */

import type { OperationsEncoder } from '../lsm/operations.ts';
import type { WriteOptions } from '../lsm/tree.ts';
import type { Trees } from '../lsm/trees.ts';
import { type EventBytes, EventEncoder } from './encoder.ts';
import { STATE_KEY } from './format.ts';
import type { EventInput } from './input.ts';
import { encodeState, type StoreState } from './state.ts';

/** Entries are written together as long as their batch has fewer bytes. */
const BATCH_BYTES_MAX: number = 4 * 1024 * 1024;
/** What a put takes beyond key and value, and the state beside it. */
const SPARE_BYTES = 4096;
/** Batches of one call that are on their way at once. */
const FLIGHTS_MAX = 4;
const TWO_32 = 2 ** 32;
/** The upper 24 bits of an arrival are how often the store was opened. */
const OPENED_SCALE = 256;
const OPENED_MAX = 2 ** 24 - 1;
const COUNT_MAX = 2 ** 40;

/** What a promise waits for; the level of the write-ahead log where it is undefined. */
export type WriteLevel = WriteOptions['durability'];

export class EventWriter {
  /** A batch has at most about so many bytes. */
  readonly batchBytes: number;
  /** The number of the store's tree. */
  readonly tree: number;
  readonly #trees: Trees;
  /** Of a call that has ended, for the next one. Entries may call back while they are encoded: then there is none. */
  #spare: EventEncoder | undefined;
  #state: StoreState;
  /** Whether the store's state says that it was opened: before, every batch says so. */
  #isBegun = false;
  #isNumbered = false;
  #count = 0;

  constructor(trees: Trees, tree: number, state: StoreState) {
    this.#trees = trees;
    this.tree = tree;
    this.#state = state;
    this.batchBytes = Math.min(BATCH_BYTES_MAX, trees.maxBatchBytes / 2);
  }

  /** What the store keeps of itself. */
  get state(): StoreState {
    return this.#state;
  }

  /** Changes what the store keeps of itself. */
  async changeState(change: Partial<StoreState>): Promise<void> {
    this.#state = { ...this.#state, ...change };
    const { operations } = this.newEncoder();
    operations.put(this.tree, STATE_KEY, encodeState(this.#state));
    await this.#trees.writer.write(operations.bytes, undefined);
  }

  /** Takes note of a number of openings that another keeps beside the store. */
  noteOpened(opened: number): void {
    if (opened > this.#state.opened) this.#state = { ...this.#state, opened };
  }

  /** Adds what the store keeps of itself to a batch: what it has taken note of must last as long as the entries do. */
  putState(operations: OperationsEncoder): void {
    operations.put(this.tree, STATE_KEY, encodeState(this.#state));
  }

  newEncoder(): EventEncoder {
    return new EventEncoder(this.#trees.maxBatchBytes - SPARE_BYTES);
  }

  /** Writes one entry; see `Events.write`. */
  async write(entry: EventInput, level: WriteLevel): Promise<void> {
    const { clock } = this.#trees.parts;
    const encoder = this.#borrow();
    let sent: Promise<void>;
    try {
      this.add(encoder, entry, clock.now());
      sent = this.send(encoder, level);
    } finally {
      this.#giveBack(encoder);
    }
    await sent;
  }

  /** Writes entries in their order; see `Events.writeMany`. */
  async writeMany(entries: Iterable<EventInput>, level: WriteLevel): Promise<number> {
    const nowMs = this.#trees.parts.clock.now();
    const encoder = this.#borrow();
    const { operations } = encoder;
    const flights: Promise<unknown>[] = [];
    let count = 0;
    try {
      for (const entry of entries) {
        this.add(encoder, entry, nowMs);
        count++;
        if (operations.length < this.batchBytes) continue;
        const sent = this.send(encoder, level);
        // A failure is told of when its turn has come.
        sent.catch(() => undefined);
        flights.push(sent);
        if (flights.length >= FLIGHTS_MAX) await flights.shift();
      }
      if (operations.count > 0) flights.push(this.send(encoder, level));
      this.#giveBack(encoder);
      while (flights.length > 0) await flights.shift();
    } catch (error) {
      await Promise.allSettled(flights);
      throw error;
    }
    return count;
  }

  #borrow(): EventEncoder {
    const encoder = this.#spare ?? this.newEncoder();
    this.#spare = undefined;
    return encoder;
  }

  #giveBack(encoder: EventEncoder): void {
    encoder.clear();
    this.#spare = encoder;
  }

  /** Encodes an entry of bytes behind others. @throws RangeError where it is too long */
  addBytes(encoder: EventEncoder, entry: EventBytes): void {
    const count = this.#number();
    encoder.addBytes(this.tree, entry, this.#upper(count), count % TWO_32);
  }

  /** Encodes an entry behind others. @throws TypeError, RangeError naming what is wrong */
  add(encoder: EventEncoder, entry: EventInput, nowMs: number): void {
    // The number is taken first: while an entry is looked at, it may write others.
    const count = this.#number();
    encoder.add(this.tree, entry, nowMs, this.#upper(count), count % TWO_32);
  }

  #upper(count: number): number {
    return this.#state.opened * OPENED_SCALE + Math.floor(count / TWO_32);
  }

  /** Hands a batch on, and waits until it has reached the level; the encoder is empty afterwards. */
  send({ operations }: EventEncoder, level: WriteLevel): Promise<void> {
    const isFirst = !this.#isBegun;
    if (isFirst) operations.put(this.tree, STATE_KEY, encodeState(this.#state));
    const { opened } = this.#state;
    const sent = this.#trees.writer.write(operations.bytes, level);
    operations.clear();
    return sent.then(() => {
      if (isFirst && opened === this.#state.opened) this.#isBegun = true;
    });
  }

  /** The count of an arrival that no entry before had. */
  #number(): number {
    if (!this.#isNumbered || this.#count >= COUNT_MAX) {
      this.#isNumbered = true;
      this.#isBegun = false;
      this.#count = 0;
      // It begins anew after 16 million times: entries of one time may then be out of order, but none is lost.
      this.#state = { ...this.#state, opened: (this.#state.opened % OPENED_MAX) + 1 };
    }
    return this.#count++;
  }
}
