/** Entries of a store, as abstract-level asks for them: many at a time, in the form that an encoding wants. */

import { AbstractIterator, type AbstractLevel } from 'abstract-level';
import type { KvCore } from '../kv/core.ts';
import { callerKey, treeKey } from '../kv/layout.ts';
import { KvIterator, type KvRange, type TakeEntry } from '../kv/range.ts';

/** What keys and values are between these classes and abstract-level. */
export type LevelFormat = Buffer | Uint8Array | string;

type Entry = [key: LevelFormat | undefined, value: LevelFormat | undefined];

export class VarveLevelIterator<D extends AbstractLevel<LevelFormat, K, V>, K, V> extends AbstractIterator<
  D,
  K,
  V
> {
  readonly #range: KvRange;
  readonly #make: () => KvIterator<Entry>;
  #inner: KvIterator<Entry> | undefined;
  /** Where it was moved to leaves nothing within its bounds. */
  #isOutside = false;

  constructor(database: D, core: KvCore, range: KvRange, options: object) {
    super(database, options);
    const { keys, values, keyEncoding, valueEncoding } = options as {
      keys?: boolean;
      values?: boolean;
      keyEncoding?: string;
      valueEncoding?: string;
    };
    const withKeys = keys !== false;
    const withValues = values !== false;
    const keysAsText = keyEncoding === 'utf8';
    const valuesAsText = valueEncoding === 'utf8';
    this.#range = range;
    const take: TakeEntry<Entry> = (key, value) => [
      withKeys ? (keysAsText ? callerKey(key).toString() : callerKey(key)) : undefined,
      withValues ? (valuesAsText ? value.toString() : value) : undefined,
    ];
    this.#make = () => new KvIterator(core, range, take).hold();
    // What a snapshot has does not change, and whether it is open is looked at when something is read.
    if (range.snapshot === undefined) this.#inner = this.#make();
  }

  async _next(): Promise<Entry | undefined> {
    if (this.#isOutside) return undefined;
    const step = this.#open().next();
    return step.done === true ? undefined : step.value;
  }

  async _nextv(size: number): Promise<Entry[]> {
    const entries: Entry[] = [];
    if (this.#isOutside) return entries;
    const inner = this.#open();
    while (entries.length < size) {
      const step = inner.next();
      if (step.done === true) break;
      entries.push(step.value);
    }
    return entries;
  }

  _seek(target: LevelFormat): void {
    // What is asked for outside of the bounds is not there, on whichever side.
    this.#isOutside = !isWithin(treeKey(target), this.#range);
    if (!this.#isOutside) this.#open().seek(target);
  }

  async _close(): Promise<void> {
    this.#inner?.close();
  }

  #open(): KvIterator<Entry> {
    this.#inner ??= this.#make();
    return this.#inner;
  }
}

function isWithin(key: Uint8Array, { gt, gte, lt, lte }: KvRange): boolean {
  const against = (bound: LevelFormat): number => Buffer.compare(key, treeKey(bound));
  return (
    (gt === undefined || against(gt) > 0) &&
    (gte === undefined || against(gte) >= 0) &&
    (lt === undefined || against(lt) < 0) &&
    (lte === undefined || against(lte) <= 0)
  );
}
