/**
 * Many entries into a store, one behind the other, whoever makes them: what is added goes on its way in batches, as
 * many as may be under way at once.
 *
 * @module
 */

import type { EventBytes, EventEncoder } from './encoder.ts';
import type { EventInput } from './input.ts';
import type { EventWriter } from './writer.ts';

const BATCH_BYTES = 1024 * 1024;
const FLIGHTS_MAX = 3;

export class EventBulk {
  readonly #writer: EventWriter;
  readonly #encoder: EventEncoder;
  readonly #flights: Promise<void>[] = [];

  /** Use `Events.bulk`. */
  constructor(writer: EventWriter) {
    this.#writer = writer;
    this.#encoder = writer.newEncoder();
  }

  /** Adds an entry, which has a time. @throws TypeError, RangeError naming what is wrong */
  add(entry: EventInput & { timestamp: number }): void {
    this.#writer.add(this.#encoder, entry, entry.timestamp);
  }

  /** Adds an entry of bytes. @throws RangeError where it is too long */
  addBytes(entry: EventBytes): void {
    this.#writer.addBytes(this.#encoder, entry);
  }

  /** Whether `send` should be awaited before more is added. */
  get isFull(): boolean {
    return this.#encoder.operations.length >= BATCH_BYTES;
  }

  /** Sends a batch on its way, and waits where too many are. @throws VarveError as `Events.write` */
  async send(): Promise<void> {
    if (this.#encoder.operations.count > 0) {
      const sent = this.#writer.send(this.#encoder, 'written');
      // It is told of when its turn has come.
      sent.catch(() => undefined);
      this.#flights.push(sent);
    }
    while (this.#flights.length >= FLIGHTS_MAX) await this.#flights.shift();
  }

  /** Resolves when all of it is written. @throws VarveError as `Events.write` */
  async end(): Promise<void> {
    await this.send();
    await Promise.all(this.#flights.splice(0));
  }
}
