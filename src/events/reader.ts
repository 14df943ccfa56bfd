/**
 * The iterators over entries. They are plain ones and not generators, whose bookkeeping costs more than decoding
 * an entry.
 *
 * @module
 */

import type { TreeChange } from '../lsm/changes.ts';
import type { TreeSnapshot } from '../lsm/snapshot.ts';
import type { Trees } from '../lsm/trees.ts';
import { PAGE_ENTRY_HEADER_BYTES } from '../memory/table-layout.ts';
import { EventEntry, Page } from './entry.ts';
import { KEY_BYTES } from './format.ts';
import type { EventSource } from './pending.ts';
import { type Cutoffs, EventScan, isPast } from './scan.ts';
import { Matcher, type Reading } from './selection.ts';

const DONE: IteratorReturnResult<undefined> = { done: true, value: undefined };
/** How long a reader goes on before others have their turn, in milliseconds. */
const TURN_MS = 10;

/** Reads at once. */
export class SyncEventReader implements IterableIterator<EventEntry, undefined, undefined> {
  readonly #scan: EventScan;
  #left: number;

  constructor(source: EventSource, reading: Reading, cutoffs: Cutoffs | undefined) {
    this.#left = reading.limit;
    this.#scan = new EventScan(source, reading, { isBackward: reading.isBackward, cutoffs });
  }

  [Symbol.iterator](): this {
    return this;
  }

  next(): IteratorResult<EventEntry, undefined> {
    const at = this.#left > 0 ? this.#scan.next() : -1;
    if (at < 0) {
      this.#scan.close();
      this.#left = 0;
      return DONE;
    }
    this.#left--;
    return { done: false, value: new EventEntry(this.#scan.page, at) };
  }

  return(): IteratorResult<EventEntry, undefined> {
    this.#left = 0;
    this.#scan.close();
    return DONE;
  }
}

/** Reads, gives others their turn now and then, and waits for more where it was asked to. */
export class EventReader implements AsyncIterableIterator<EventEntry, undefined, undefined> {
  readonly #trees: Trees;
  readonly #source: EventSource;
  readonly #reading: Reading;
  readonly #scan: EventScan;
  readonly #cutoffs: () => Cutoffs | undefined;
  readonly #snapshot: TreeSnapshot | undefined;
  readonly #matcher: Matcher;
  #changes: AsyncIterableIterator<TreeChange> | undefined;
  #known: ReadonlySet<string> | undefined;
  #left: number;
  #turnMs: number;
  #last: Promise<unknown> = Promise.resolve();
  #isDone = false;

  /** @param cutoffs as they are at the moment */
  constructor(trees: Trees, source: EventSource, reading: Reading, cutoffs: () => Cutoffs | undefined) {
    this.#trees = trees;
    this.#source = source;
    this.#reading = reading;
    this.#cutoffs = cutoffs;
    this.#left = reading.limit;
    this.#matcher = new Matcher(reading);
    this.#turnMs = trees.parts.clock.monotonic();
    this.#snapshot = reading.isFollowing ? source.tree.snapshot() : undefined;
    const { isBackward } = reading;
    this.#scan = new EventScan(source, reading, {
      isBackward,
      snapshot: this.#snapshot,
      cutoffs: cutoffs(),
    });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<EventEntry, undefined>> {
    if (this.#isDone || this.#changes !== undefined || this.#scan.isAtPageEnd) return this.#queue();
    const { signal } = this.#reading;
    if (signal?.aborted === true || this.#left <= 0) return this.#queue();
    const at = this.#scan.nextInPage();
    if (at < 0) return this.#queue();
    this.#left--;
    return Promise.resolve({ done: false, value: new EventEntry(this.#scan.page, at) });
  }

  async return(): Promise<IteratorResult<EventEntry, undefined>> {
    await this.#finish();
    return DONE;
  }

  /** Steps that need more than the page are taken one after the other. */
  #queue(): Promise<IteratorResult<EventEntry, undefined>> {
    const step = this.#last.then(() => this.#step());
    this.#last = step.catch(() => undefined);
    return step;
  }

  async #step(): Promise<IteratorResult<EventEntry, undefined>> {
    if (this.#isDone) return DONE;
    try {
      this.#reading.signal?.throwIfAborted();
      const entry = this.#left > 0 ? ((await this.#scanned()) ?? (await this.#followed())) : undefined;
      if (entry !== undefined) {
        this.#left--;
        return { done: false, value: entry };
      }
    } catch (error) {
      await this.#finish();
      throw error;
    }
    await this.#finish();
    return DONE;
  }

  /** The next entry of those that were there. */
  async #scanned(): Promise<EventEntry | undefined> {
    if (this.#changes !== undefined) return undefined;
    const { clock } = this.#trees.parts;
    if (clock.monotonic() - this.#turnMs > TURN_MS) {
      await new Promise<void>((resolve) => clock.nextTurn(resolve));
      this.#turnMs = clock.monotonic();
      this.#reading.signal?.throwIfAborted();
    }
    const at = this.#scan.next();
    return at < 0 ? undefined : new EventEntry(this.#scan.page, at);
  }

  /** The next entry that was written behind them. */
  async #followed(): Promise<EventEntry | undefined> {
    if (this.#snapshot === undefined) return undefined;
    if (this.#changes === undefined) {
      this.#scan.close();
      const { signal } = this.#reading;
      const from = this.#snapshot.sequence;
      this.#changes = this.#source.tree.changes({
        from,
        follow: true,
        ...(signal === undefined ? {} : { signal }),
      });
      this.#snapshot.close();
    }
    for (;;) {
      const step: IteratorResult<TreeChange, unknown> = await this.#changes.next();
      if (step.done === true) return undefined;
      const change = step.value;
      if (change.type !== 'put' || change.key.length !== KEY_BYTES) continue;
      if (this.#isKnown(change.key)) continue;
      const page = Page.of(change.key, change.value);
      if (this.#isWanted(change.key, page)) return new EventEntry(page, 0);
    }
  }

  /** Whether it was read already, when only the journal had it. */
  #isKnown(key: Buffer): boolean {
    this.#known ??= new Set(this.#source.pending.map((entry) => entry.key.toString('latin1')));
    return this.#known.size > 0 && this.#known.has(key.toString('latin1'));
  }

  #isWanted(key: Buffer, { bytes }: Page): boolean {
    const { start, end } = this.#reading;
    if (start !== undefined && Buffer.compare(key, start) < 0) return false;
    if (end !== undefined && Buffer.compare(key, end) >= 0) return false;
    const value = PAGE_ENTRY_HEADER_BYTES + KEY_BYTES;
    const cutoffs = this.#cutoffs();
    if (cutoffs !== undefined && isPast(cutoffs, bytes, value)) return false;
    return this.#matcher.matches(bytes, value, bytes.length);
  }

  async #finish(): Promise<void> {
    if (this.#isDone) return;
    this.#isDone = true;
    this.#scan.close();
    this.#snapshot?.close();
    await this.#changes?.return?.();
  }
}
