/**
 * Appending, in all the ways that there are: tells the oracle what is tried and what is promised.
 *
 * @module
 */

import { isVarveError } from '../../src/errors.ts';
import type { Log } from '../../src/log/log.ts';
import type { Durability } from '../../src/log/sync-policy.ts';
import type { Memory } from '../../src/memory/memory.ts';
import { type Content, type Contents, frame } from './contents.ts';
import type { Oracle } from './oracle.ts';
import type { Step } from './steps.ts';

export interface AppendsOptions {
  oracle: Oracle;
  contents: Contents;
  memory: Memory;
  /** What a promise of the log's own level says. */
  ownLevel: 'written' | 'synced';
  /** A caller knows more than before. */
  onPromise: () => void;
  /** The world has failed an append; anything else it throws on. */
  onFailure: (error: unknown, step: string) => void;
}

interface Range {
  firstOffset: number;
  lastOffset: number;
}

/** A record that was accepted, and nobody waits for. */
interface Unwatched {
  log: Log;
  sequence: number;
  offset: number;
  generation: number;
}

export type AppendStep = Extract<Step, { do: 'append' | 'many' | 'batches' | 'framed' }>;

export class Appends {
  readonly #options: AppendsOptions;
  readonly #pending: Set<Promise<void>> = new Set();
  /** What was accepted, and nobody waits for. */
  #unwatched: Unwatched[] = [];
  /** Of these a failure was told, which may have been about others. */
  #doubtful: Unwatched[] = [];
  #bug: unknown;

  constructor(options: AppendsOptions) {
    this.#options = options;
  }

  /** Begins to append. */
  begin(log: Log, step: AppendStep, name: string): void {
    const { level } = { level: undefined, ...step };
    const options = level === undefined ? undefined : { durability: level };
    if (step.do === 'append') {
      for (const bytes of step.bytes) {
        this.#track(log, name, [bytes], level, async ([part]) => {
          const offset = await log.append(part as Content, options);
          return { firstOffset: offset, lastOffset: offset };
        });
      }
    } else if (step.do === 'many') {
      this.#track(log, name, step.bytes, level, (parts) => log.appendMany(parts, options));
    } else if (step.do === 'batches') {
      const append = (parts: Content[]): Promise<Range> =>
        log.appendBatches(frames(parts, step.bytes), options);
      this.#track(log, name, step.bytes.flat(), level, append);
    } else {
      const append = (parts: Content[]): Promise<Range> => this.#appendFramed(log, frames(parts, step.bytes));
      this.#track(log, name, step.bytes.flat(), 'written', append);
    }
  }

  /** Takes the synchronous way in, and waits outside where it is full. */
  async enqueue(log: Log, sizes: readonly number[]): Promise<void> {
    for (const bytes of sizes) {
      while (!this.#enqueue(log, bytes)) await log.ready();
    }
  }

  /** @returns false where there is no room */
  #enqueue(log: Log, bytes: number): boolean {
    const { oracle, contents } = this.#options;
    const sequence = oracle.attempt(bytes);
    try {
      this.#accepted(sequence, log.enqueue(contents.record(bytes, sequence)), log, log.generation);
      return true;
    } catch (error) {
      oracle.refused(sequence);
      if (isVarveError(error, 'BACKPRESSURE')) return false;
      throw error;
    }
  }

  /** Waits for the last record that was accepted and not waited for, and asks about those that may be lost. */
  async reach(log: Log, level: Durability): Promise<void> {
    await this.#ask(log, level);
    const unwatched = this.#unwatched;
    const last = unwatched.at(-1);
    if (last === undefined) return;
    await log.reached(last.offset, level, last.generation);
    // A failure meanwhile may have given their offsets to others.
    if (level === 'accepted' || this.#unwatched !== unwatched) return;
    this.#unwatched = [];
    for (const { sequence, offset } of unwatched) this.#options.oracle.acknowledged(sequence, offset, level);
    this.#options.onPromise();
  }

  /** Waits for everything that was begun. */
  async settle(): Promise<void> {
    await Promise.all(this.#pending);
    if (this.#bug !== undefined) throw this.#bug;
  }

  /** After a failure nobody knows what became of the records that nobody waited for. */
  forget(): void {
    for (const { sequence } of this.#unwatched) this.#options.oracle.refused(sequence);
    this.#doubtful.push(...this.#unwatched);
    this.#unwatched = [];
  }

  /**
   * Asks what became of records that may be lost, once more and others may have their offsets. A log that says that
   * one of them is there is held to it.
   */
  async #ask(log: Log, level: Durability): Promise<void> {
    if (level === 'accepted') return;
    const doubtful = this.#doubtful.filter((one) => one.log === log);
    this.#doubtful = [];
    for (const { sequence, offset, generation } of doubtful) {
      try {
        await log.reached(offset, level, sequence % 2 === 0 ? generation : undefined);
      } catch (error) {
        if (!isVarveError(error)) throw error;
        continue;
      }
      this.#options.oracle.acknowledged(sequence, offset, level);
      this.#options.onPromise();
    }
  }

  /** Starts an append and follows it to its end. */
  #track(
    log: Log,
    step: string,
    sizes: readonly number[],
    level: Durability = this.#options.ownLevel,
    append: (parts: Content[]) => Promise<Range>,
  ): void {
    const { oracle, contents, onPromise, onFailure } = this.#options;
    const { generation } = log;
    const sequences = sizes.map((bytes) => oracle.attempt(bytes));
    const parts = sizes.map((bytes, i) => contents.record(bytes, sequences[i] as number));
    const over = append(parts).then(
      ({ firstOffset, lastOffset }) => {
        if (lastOffset - firstOffset + 1 !== sizes.length) {
          throw new Error(`${step}: got ${firstOffset} to ${lastOffset}`);
        }
        for (const [i, sequence] of sequences.entries()) {
          if (level === 'accepted') this.#accepted(sequence, firstOffset + i, log, generation);
          else oracle.acknowledged(sequence, firstOffset + i, level);
        }
        onPromise();
      },
      (error: unknown) => {
        for (const sequence of sequences) oracle.refused(sequence);
        onFailure(error, step);
      },
    );
    const pending: Promise<void> = over
      .catch((error: unknown) => {
        this.#bug ??= error;
      })
      .then(() => void this.#pending.delete(pending));
    this.#pending.add(pending);
  }

  async #appendFramed(log: Log, bytes: Uint8Array): Promise<Range> {
    const { memory } = this.#options;
    const slab = memory.slabs.allocate(bytes.length + 16, 'framed batches');
    try {
      memory.u8.set(bytes, slab.address);
      return await log.appendFramed({ address: slab.address, bytes: bytes.length });
    } finally {
      slab.release();
    }
  }

  #accepted(sequence: number, offset: number, log: Log, generation: number): void {
    this.#options.oracle.accepted(sequence, offset);
    this.#unwatched.push({ log, sequence, offset, generation });
  }
}

/** Record batches end to end, of as many records as there are sizes for each. */
function frames(parts: readonly Content[], sizes: readonly (readonly number[])[]): Uint8Array {
  let done = 0;
  return Buffer.concat(
    sizes.map(({ length }) => {
      const from = done;
      done += length;
      return frame(parts.slice(from, done));
    }),
  );
}
