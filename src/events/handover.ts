/**
 * Takes entries from somebody who cannot wait, as loggers are: when the call returns, the entry is in the journal, and
 * outlives the process, however that ends. What was taken in one turn goes to the store as one batch.
 *
 * @module
 */

import { VarveError } from '../errors.ts';
import type { Trees } from '../lsm/trees.ts';
import type { EventBytes, EventEncoder } from './encoder.ts';
import type { EventInput } from './input.ts';
import type { Journal } from './journal.ts';
import type { EventWriter } from './writer.ts';

/** What was taken goes on at the latest when it has so many bytes. */
const BATCH_BYTES = 256 * 1024;
const FLIGHTS_MAX = 8;

export class Handover {
  readonly #writer: EventWriter;
  readonly #trees: Trees;
  readonly #journal: Journal;
  readonly #encoder: EventEncoder;
  #isAwaited = false;
  /** Up to where the batch is in the journal; its first byte is the format. */
  #noted = 1;
  #flights: Set<Promise<void>> = new Set();
  #failure: unknown;
  #closing: Promise<void> | undefined;

  constructor(trees: Trees, writer: EventWriter, journal: Journal) {
    this.#trees = trees;
    this.#writer = writer;
    this.#journal = journal;
    this.#encoder = writer.newEncoder();
  }

  /** Whether it was closed, or is being closed. */
  get isClosed(): boolean {
    return this.#closing !== undefined;
  }

  /** What an entry has at most, encoded. */
  get maxEntryBytes(): number {
    return this.#encoder.maxValueBytes;
  }

  /**
   * Takes entries. When this returns, they outlive the process.
   *
   * @throws TypeError, RangeError where one is wrong: those before it were taken
   * @throws VarveError `NO_SPACE`, `IO` where the journal cannot be written; `CLOSED`
   */
  take(entries: Iterable<EventInput>): void {
    this.#take(entries, false);
  }

  /**
   * Like `take`, also of entries whose texts lie in memory, each of which is looked at before the next is asked for.
   *
   * @internal
   */
  takeMixed(entries: Iterable<EventInput | EventBytes>): void {
    this.#take(entries, true);
  }

  #take(entries: Iterable<EventInput | EventBytes>, isMixed: boolean): void {
    this.#trees.checkWritable();
    if (this.isClosed) throw new VarveError('CLOSED', 'the way into the store is closed');
    const { operations } = this.#encoder;
    const nowMs = this.#trees.parts.clock.now();
    try {
      for (const entry of entries) {
        if (isMixed && 'memory' in entry) this.#writer.addBytes(this.#encoder, entry);
        else this.#writer.add(this.#encoder, entry as EventInput, nowMs);
        if (operations.length < BATCH_BYTES) continue;
        this.#note();
        this.#send();
      }
    } finally {
      this.#note();
    }
    if (this.#isAwaited || operations.length === 0) return;
    this.#isAwaited = true;
    this.#trees.parts.clock.nextTurn(() => {
      this.#isAwaited = false;
      this.#send();
    });
  }

  /** Writes to the journal what is not there yet. */
  #note(): void {
    const { operations } = this.#encoder;
    const from = this.#noted;
    if (operations.length <= from) return;
    this.#journal.append(operations.buffer, from, operations.length);
    this.#noted = operations.length;
  }

  /** Resolves when no more than a few batches are on their way to the store. */
  async settled(): Promise<void> {
    while (this.#flights.size > FLIGHTS_MAX) await Promise.race(this.#flights);
  }

  /**
   * Waits until all that was taken is in the store.
   *
   * @throws what kept an entry from being written
   */
  async flush(): Promise<void> {
    this.#send();
    await Promise.all([...this.#flights]);
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Waits as `flush`, and removes the journal; every call gets the same promise. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    try {
      await this.flush();
    } catch (error) {
      await this.#journal.close();
      throw error;
    }
    await this.#journal.remove();
  }

  #send(): void {
    if (this.#encoder.operations.count === 0) return;
    const { place } = this.#journal;
    this.#noted = 1;
    const sent: Promise<void> = this.#writer.send(this.#encoder, 'written').then(
      () => {
        if (this.#failure === undefined) this.#journal.took(place);
      },
      (error: unknown) => {
        // It is in the journal all the same.
        this.#failure ??= error;
      },
    );
    this.#flights.add(sent);
    void sent.then(() => this.#flights.delete(sent));
  }
}
