/**
 * The inside of a store of keys: reads that hide what has expired, and writes that are decided and handed to the
 * trees in one go, so that nothing can come between what a write has seen and what it does. A write sees what was
 * accepted before it, durable or not; if that fails, the write-ahead log fails the write, too. So writers of one key
 * need no lock, and never wait for each other: all of them share the next `fdatasync`.
 *
 * @module
 */

import { VarveError } from '../errors.ts';
import type { TreeBatch } from '../lsm/batch.ts';
import type { TreeSnapshot } from '../lsm/snapshot.ts';
import type { Tree, WriteOptions } from '../lsm/tree.ts';
import { FOUND_SEQUENCE, FOUND_VALUE, FOUND_VALUE_LENGTH } from '../memory/lsm-layout.ts';
import type { MemoryView } from '../memory/memory.ts';
import type { Directory } from './eviction.ts';
import type { ResolvedKvOptions } from './kv-options.ts';
import { CLOCK_KEY, clockTimes, dueKey, EXPIRY_BYTES, foreign, type KvPut } from './layout.ts';
import type { StoreClock } from './store-clock.ts';

const FRAME_BYTES = 4096;
/** A scratch that has grown larger is not kept. */
const FRAME_BYTES_KEPT = 1024 * 1024;
/** Expiries in the index of `hybrid` are whole minutes: a key that is set again and again has few entries there. */
const BUCKET_MS = 60_000;

export interface KvCounts {
  hits: number;
  misses: number;
  /** Keys that were removed because they had expired; not those that merging tables has dropped. */
  expired: number;
  /** Keys that were removed to make room. */
  evicted: number;
}

export interface KvParts {
  data: Tree;
  time: Tree;
  /** A batch of its own. */
  batch: TreeBatch;
  memory: MemoryView;
  clock: StoreClock;
  options: ResolvedKvOptions;
  isReadOnly: boolean;
  nextTurn: (callback: () => void) => void;
}

export class KvCore {
  readonly data: Tree;
  readonly time: Tree;
  readonly clock: StoreClock;
  readonly options: ResolvedKvOptions;
  readonly isReadOnly: boolean;
  /** What is known of keys, where there is a limit. */
  directory: Directory | undefined;
  readonly counts: KvCounts = { hits: 0, misses: 0, expired: 0, evicted: 0 };
  /** Told of each time by which a key is to be looked at. */
  onDue: (whenMs: number) => void = () => undefined;
  /** Runs something when others have had their turn. */
  readonly nextTurn: (callback: () => void) => void;
  readonly #memory: MemoryView;
  readonly #batch: TreeBatch;
  #frame: Buffer = Buffer.from(new ArrayBuffer(FRAME_BYTES));
  /** Keys of the batch, where the directory has to be put right if it fails. */
  #touched: string[] = [];
  #pinned: TreeSnapshot | undefined;
  /** Resolves when others may write. */
  #apart: Promise<void> | undefined;
  #importing: Promise<void> = Promise.resolve();
  #address = 0;
  #length = 0;

  /** What `find` found: when it expires; 0 is never. */
  expiryMs = 0;
  /** What `find` found: the sequence number of the write. */
  version = 0;
  /** Why `find` found nothing: when it had expired; 0 where there was nothing. */
  hiddenMs = 0;

  constructor(parts: KvParts) {
    this.data = parts.data;
    this.time = parts.time;
    this.clock = parts.clock;
    this.options = parts.options;
    this.isReadOnly = parts.isReadOnly;
    this.nextTurn = parts.nextTurn;
    this.#memory = parts.memory;
    this.#batch = parts.batch;
  }

  /** What is older is seen by readers: what was acknowledged, or what was there before an import. */
  get sequence(): number {
    return this.#pinned?.sequence ?? this.data.visible;
  }

  /** The largest value, in bytes. */
  get maxValueBytes(): number {
    return this.data.maxValueBytes - EXPIRY_BYTES;
  }

  /**
   * Looks a key up, and hides what has expired.
   *
   * @param key as the tree has it
   * @param sequence what is older is seen
   */
  find(key: Uint8Array, sequence: number): boolean {
    this.hiddenMs = 0;
    if (!this.#locate(key, sequence)) return false;
    const { expiryMs } = this;
    if (expiryMs === 0 || expiryMs > this.clock.now()) return true;
    this.hiddenMs = expiryMs;
    return false;
  }

  /** A copy of the value that `find` found. */
  copyValue(): Buffer {
    return this.#memory.copySmall(this.#address + EXPIRY_BYTES, this.#length - EXPIRY_BYTES);
  }

  /** Looks a key up for somebody who reads it, and counts. */
  read(key: Uint8Array, sequence: number): boolean {
    const isThere = this.find(key, sequence);
    if (!isThere) this.counts.misses++;
    else {
      this.counts.hits++;
      if (this.directory !== undefined) this.directory.touch(nameOf(key));
    }
    return isThere;
  }

  /**
   * Waits until nothing that was found to have expired can come back; undefined where there is nothing to wait for.
   * A reader that may not write cannot see to it.
   */
  covered(hiddenMs: number): Promise<void> | undefined {
    if (hiddenMs === 0 || this.isReadOnly || this.clock.covers(hiddenMs)) return undefined;
    return this.clock.cover(hiddenMs);
  }

  /** Sees to the same in the background, for those who cannot wait. */
  coverSoon(hiddenMs: number): void {
    // Who writes next is told of what is wrong with the log.
    this.covered(hiddenMs)?.catch(() => undefined);
  }

  /**
   * Decides on a write and hands it in, without anything in between.
   *
   * @param looks whether `build` looks at what there is
   * @param build adds what is to be written; false where there is nothing to do
   * @returns the sequence number, once it has reached the level; undefined where there was nothing to do
   */
  write(
    looks: boolean,
    level: WriteOptions['durability'] | undefined,
    build: () => boolean,
  ): Promise<number | undefined> {
    if (this.#apart !== undefined) return this.#apart.then(() => this.write(looks, level, build));
    return this.#write(looks, level, build);
  }

  /** Writes while others wait because of `apart`. */
  writeApart(build: () => boolean, level?: WriteOptions['durability']): Promise<number | undefined> {
    return this.#write(false, level, build);
  }

  /** Does something while writes of others wait. */
  async apart<T>(run: () => Promise<T>): Promise<T> {
    let end = (): void => undefined;
    this.#apart = new Promise((resolve) => {
      end = resolve;
    });
    try {
      return await run();
    } finally {
      this.#pinned?.close();
      this.#pinned = this.#apart = undefined;
      end();
    }
  }

  /** Shows readers what there is now, until what is done apart has ended. */
  pin(): void {
    this.#pinned = this.data.snapshot();
  }

  /** Waits until no other import is laid down; what is returned lets the next one do so. */
  async enterImport(): Promise<() => void> {
    let leave = (): void => undefined;
    const before = this.#importing;
    this.#importing = new Promise((resolve) => {
      leave = resolve;
    });
    await before;
    return leave;
  }

  #write(
    looks: boolean,
    level: WriteOptions['durability'] | undefined,
    build: () => boolean,
  ): Promise<number | undefined> {
    // What waits in line is in no memtable, so nobody can look at it.
    if ((looks || this.looksAlways) && this.data.hasLine)
      return this.data.lineEmptied().then(() => this.#write(looks, level, build));
    this.#batch.clear();
    this.hiddenMs = 0;
    this.#touched = [];
    const touched = this.#touched;
    try {
      if (!build()) return looks ? this.#refused(level) : Promise.resolve(undefined);
      const written = this.#batch.write(level === undefined ? undefined : { durability: level });
      if (touched.length === 0) return written;
      return written.catch((error: unknown) => this.#undo(touched, error));
    } catch (error) {
      return this.#undo(touched, error);
    }
  }

  /**
   * Answers that there was nothing to do, once what that was decided by stays: what was seen has reached its level,
   * and nothing that had expired can come back. Others get a turn, so that who tries again and again does not keep
   * them from finishing.
   */
  async #refused(level: WriteOptions['durability'] | undefined): Promise<undefined> {
    const { hiddenMs } = this;
    const { latest, generation } = this.data;
    await new Promise<void>((resolve) => this.nextTurn(resolve));
    await this.data.settled(latest, level, generation);
    await this.covered(hiddenMs);
    return undefined;
  }

  /** Whether every write looks at what there was. */
  get looksAlways(): boolean {
    return this.directory !== undefined || this.options.expiry === 'eager';
  }

  /** How many bytes what was added takes, encoded. */
  get batchBytes(): number {
    return this.#batch.bytes;
  }

  /**
   * Adds a put to what is being written.
   *
   * @param value without its expiry
   * @param expiryMs 0 for never
   * @throws RangeError where the value is too long; VarveError `NO_SPACE` where there is no room under `maxBytes`
   */
  put(key: Uint8Array, value: Uint8Array | string, expiryMs: number): void {
    const framed = this.#framed(value, expiryMs);
    if (this.directory !== undefined) this.#makeRoom(key, framed.length - EXPIRY_BYTES, expiryMs);
    if (this.options.expiry === 'eager') this.#dropDue(key);
    this.#batch.put(this.data, key, framed);
    if (expiryMs !== 0) this.#addDue(key, expiryMs);
    if (framed.length > FRAME_BYTES_KEPT) this.#frame = Buffer.from(new ArrayBuffer(FRAME_BYTES));
  }

  /**
   * Adds puts to what is being written, of which none makes room for another.
   *
   * @throws as `put`
   */
  putAll(entries: readonly KvPut[]): void {
    let puts: Iterable<KvPut> = entries;
    if (this.directory !== undefined && entries.length > 1) {
      // Of several for one key the last counts.
      const last = new Map(entries.map((entry) => [nameOf(entry.key), entry]));
      this.#makeRoomForAll(last, this.directory);
      puts = last.values();
    }
    for (const { key, value, expiryMs } of puts) this.put(key, value, expiryMs);
  }

  /** Adds a deletion to what is being written. */
  delete(key: Uint8Array): void {
    if (this.options.expiry === 'eager') this.#dropDue(key);
    this.#batch.delete(this.data, key);
    if (this.directory === undefined) return;
    const name = nameOf(key);
    this.#touched.push(name);
    this.directory.delete(name);
  }

  /** Adds a deletion of keys from one on, up to and without another. */
  deleteRange(start: Uint8Array, end: Uint8Array): void {
    this.#batch.deleteRange(this.data, start, end);
    if (this.directory === undefined) return;
    const [first, last] = [nameOf(start), nameOf(end)];
    for (const name of this.directory.keys()) {
      if (name < first || name >= last) continue;
      this.#touched.push(name);
      this.directory.delete(name);
    }
  }

  /** Adds a deletion of what says when a key is to be looked at. */
  deleteDue(due: Uint8Array): void {
    this.#batch.delete(this.time, due);
  }

  /** Adds a put into the second tree; true. */
  putTime(key: Uint8Array, value: Uint8Array): boolean {
    this.#batch.put(this.time, key, value);
    return true;
  }

  /** Adds a deletion of keys of the second tree; true. */
  deleteTimeRange(start: Uint8Array, end: Uint8Array): boolean {
    this.#batch.deleteRange(this.time, start, end);
    return true;
  }

  /** Writes down what time it is, together with what is being written. */
  putMark(markMs: number): void {
    this.#batch.put(this.time, CLOCK_KEY, clockTimes(markMs));
  }

  /** Looks at everything, and puts the directory right. */
  fillDirectory(): void {
    const { directory } = this;
    if (directory === undefined) return;
    directory.clear();
    for (const [name, bytes, expiryMs] of this.data.iterate(
      {},
      true,
      (key, value): [string, number, number] => [
        nameOf(key),
        key.length + value.length - EXPIRY_BYTES,
        value.readDoubleLE(0),
      ],
    ))
      directory.set(name, bytes, expiryMs);
  }

  #locate(key: Uint8Array, sequence: number): boolean {
    const { data } = this;
    if (!data.locate(key, sequence)) return false;
    const { found } = data;
    const memory = this.#memory;
    const address = memory.i32[(found + FOUND_VALUE) >> 2] as number;
    const length = memory.i32[(found + FOUND_VALUE_LENGTH) >> 2] as number;
    if (length < EXPIRY_BYTES) throw foreign('a value without an expiry');
    this.#address = address;
    this.#length = length;
    this.version = memory.f64[(found + FOUND_SEQUENCE) >> 3] as number;
    this.expiryMs = memory.data.getFloat64(address, true);
    return true;
  }

  /** A value with its expiry in front, until the next one. */
  #framed(value: Uint8Array | string, expiryMs: number): Buffer {
    const isText = typeof value === 'string';
    const most = isText ? value.length * 3 : value.length;
    let frame = this.#frame;
    if (EXPIRY_BYTES + most > frame.length) {
      frame = Buffer.from(new ArrayBuffer(2 ** Math.ceil(Math.log2(EXPIRY_BYTES + most))));
      this.#frame = frame;
    }
    frame.writeDoubleLE(expiryMs, 0);
    const bytes = isText ? frame.write(value, EXPIRY_BYTES) : value.length;
    if (!isText) frame.set(value, EXPIRY_BYTES);
    const { maxValueBytes } = this;
    if (bytes > maxValueBytes)
      throw new RangeError(`a value has at most ${maxValueBytes} bytes here, not ${bytes}`);
    return frame.subarray(0, EXPIRY_BYTES + bytes);
  }

  #addDue(key: Uint8Array, expiryMs: number): void {
    const { expiry, longTtlMs } = this.options;
    if (expiry === 'lazy') return;
    if (expiry === 'hybrid' && expiryMs - this.clock.now() < longTtlMs) return;
    const whenMs = expiry === 'eager' ? expiryMs : Math.ceil(expiryMs / BUCKET_MS) * BUCKET_MS;
    this.#batch.put(this.time, dueKey(whenMs, key), NOTHING);
    this.onDue(whenMs);
  }

  /** With `eager`, what says when the value that there was is to be removed goes with it. */
  #dropDue(key: Uint8Array): void {
    if (this.#locate(key, this.data.latest) && this.expiryMs !== 0)
      this.deleteDue(dueKey(this.expiryMs, key));
  }

  /** Adds deletions of other keys until there is room for one. */
  #makeRoom(key: Uint8Array, valueBytes: number, expiryMs: number): void {
    const directory = this.directory as Directory;
    const name = nameOf(key);
    const bytes = key.length + valueBytes;
    this.#evictFor(bytes, name, directory);
    this.#touched.push(name);
    directory.set(name, bytes, expiryMs);
  }

  /** @param spared a key that is about to be replaced, and is not chosen */
  #evictFor(bytes: number, spared: string, directory: Directory): void {
    const { eviction } = this.options;
    const maxBytes = this.options.maxBytes as number;
    const nowMs = this.clock.now();
    while (directory.bytes - directory.bytesOf(spared) + bytes > maxBytes) {
      const victim = bytes > maxBytes ? undefined : directory.choose(eviction, nowMs, spared);
      if (victim === undefined) {
        throw new VarveError('NO_SPACE', `the store is full: it may have ${maxBytes} bytes (maxBytes)`);
      }
      if (victim.expiryMs !== 0 && victim.expiryMs <= nowMs) this.counts.expired++;
      else this.counts.evicted++;
      this.delete(Buffer.from(victim.key, 'latin1'));
    }
  }

  /** Adds deletions of keys that are not among these until there is room for all of them. */
  #makeRoomForAll(entries: ReadonlyMap<string, KvPut>, directory: Directory): void {
    let bytes = 0;
    for (const [name, { key, value }] of entries) {
      bytes += key.length + (typeof value === 'string' ? Buffer.byteLength(value) : value.length);
      // What is not known is not chosen.
      this.#touched.push(name);
      directory.delete(name);
    }
    this.#evictFor(bytes, '', directory);
  }

  /** Puts the directory right after a write that failed. */
  #undo(touched: readonly string[], error: unknown): Promise<never> {
    const { directory } = this;
    for (const name of touched) {
      const key = Buffer.from(name, 'latin1');
      try {
        if (this.#locate(key, this.data.latest))
          directory?.set(name, key.length + this.#length - EXPIRY_BYTES, this.expiryMs);
        else directory?.delete(name);
      } catch {
        // Whoever comes next will be told.
        break;
      }
    }
    return Promise.reject(error);
  }
}

const NOTHING = new Uint8Array();

/** A key as the directory has it: a string of one unit a byte, which sorts as the bytes do. */
function nameOf(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.length).toString('latin1');
}
