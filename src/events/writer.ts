/**
 * Writes log entries: gives each its arrival, encodes them into batches, and hands these to the tree.
 *
 * @module
 */

import type { WriteOptions } from '../lsm/tree.ts';
import type { Trees } from '../lsm/trees.ts';
import { EventEncoder } from './encoder.ts';
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

type Level = WriteOptions['durability'];

export class EventWriter {
  readonly #trees: Trees;
  readonly #tree: number;
  readonly #encoder: EventEncoder;
  readonly #batchBytes: number;
  #state: StoreState;
  /** Whether the store's state says that it was opened: before, every batch says so. */
  #isBegun = false;
  #isNumbered = false;
  #count = 0;

  /** @param tree the number of the store's tree */
  constructor(trees: Trees, tree: number, state: StoreState) {
    this.#trees = trees;
    this.#tree = tree;
    this.#state = state;
    this.#batchBytes = Math.min(BATCH_BYTES_MAX, trees.maxBatchBytes / 2);
    this.#encoder = new EventEncoder(trees.maxBatchBytes - SPARE_BYTES);
  }

  /** Writes one entry; see `Events.write`. */
  async write(entry: EventInput, level: Level): Promise<void> {
    const { clock } = this.#trees.parts;
    this.#begin();
    this.#add(entry, clock.now());
    await this.#send(level);
  }

  /** Writes entries in their order; see `Events.writeMany`. */
  async writeMany(entries: Iterable<EventInput>, level: Level): Promise<number> {
    const nowMs = this.#trees.parts.clock.now();
    const { operations } = this.#encoder;
    const flights: Promise<unknown>[] = [];
    let count = 0;
    this.#begin();
    try {
      for (const entry of entries) {
        this.#add(entry, nowMs);
        count++;
        if (operations.length < this.#batchBytes) continue;
        flights.push(this.#send(level));
        if (flights.length >= FLIGHTS_MAX) await flights.shift();
        this.#begin();
      }
      if (operations.count > 0) flights.push(this.#send(level));
      while (flights.length > 0) await flights.shift();
    } catch (error) {
      // The first failure is told of; the others are the same, or come of it.
      await Promise.allSettled(flights);
      throw error;
    }
    return count;
  }

  /** Clears the batch. A call encodes without a pause, so that there is one encoder for all. */
  #begin(): void {
    this.#encoder.clear();
  }

  #add(entry: EventInput, nowMs: number): void {
    this.#number();
    const upper = this.#state.opened * OPENED_SCALE + Math.floor(this.#count / TWO_32);
    this.#encoder.add(this.#tree, entry, nowMs, upper, this.#count % TWO_32);
    this.#count++;
  }

  /** Sees to it that the next arrival is one that no entry before had. */
  #number(): void {
    if (this.#isNumbered && this.#count < COUNT_MAX) return;
    this.#isNumbered = true;
    this.#isBegun = false;
    this.#count = 0;
    // It begins anew after 16 million times: entries of one time may then be out of order, but none is lost.
    this.#state = { ...this.#state, opened: (this.#state.opened % OPENED_MAX) + 1 };
  }

  /** Hands the batch on, and waits until it has reached the level. */
  #send(level: Level): Promise<void> {
    const { operations } = this.#encoder;
    const isFirst = !this.#isBegun;
    if (isFirst) operations.put(this.#tree, STATE_KEY, encodeState(this.#state));
    const { opened } = this.#state;
    const sent = this.#trees.writer.write(operations.bytes, level);
    operations.clear();
    return sent.then(() => {
      if (isFirst && opened === this.#state.opened) this.#isBegun = true;
    });
  }
}
