/**
 * What a database of trees and stores was told to write, what its callers know of that, and what may be found of
 * it after something went wrong.
 *
 * Time is counted in ticks: each call and each answer has one. So what was known at any earlier moment can be asked
 * later, when the states of that moment are looked at.
 *
 * @module
 */

import type { Clock } from '../../src/clock.ts';

/** How much a promise means, and what it has to outlive: the end of the process, or that of the power. */
export type Level = 'written' | 'synced';

/** Something that is there as a whole or not at all. */
export interface Piece {
  id: number;
  begun: number;
  written: number;
  synced: number;
  /** Settled by what was found after a recovery; before that, `open`. */
  state: 'open' | 'kept' | 'lost';
  /** Whoever asked for it was told that it had failed, which may be so or not. */
  hasFailed: boolean;
  /** It is in a journal, from which it goes to the store, if not in this life. */
  isHanded?: boolean;
}

export interface TreeOperation {
  tree: string;
  kind: 'put' | 'delete' | 'deleteRange';
  key: string;
  /** Of a range, its end. */
  value: string;
}

export interface TreeWrite extends Piece {
  operations: readonly TreeOperation[];
  madeMs: number;
}

export interface KvWrite extends Piece {
  key: string;
  /** Undefined where it was deleted. */
  value: string | undefined;
  /** 0 for never. */
  expiryMs: number;
}

export interface EventWrite extends Piece {
  entries: readonly { timestamp: number; message: string }[];
}

/** What was read. */
export interface Found {
  trees: ReadonlyMap<string, ReadonlyMap<string, string>>;
  kv: ReadonlyMap<string, { value: string; expiryMs: number }>;
  count: number;
  events: readonly { timestamp: number; message: string }[];
  /** The clock before it was read. */
  fromMs: number;
}

/** What is owed at a moment. */
export interface Owed {
  /** Only what was begun until then can be there. */
  tick: number;
  /** What was acknowledged until then must be; until `tick` unless given. */
  owedTick?: number;
  /** To which level it was. */
  level: Level;
  /** Nothing has ended: what only a journal has need not be there yet. */
  isAlive?: boolean;
  /** Whether writes may be missing only from some one on: nothing but an end has come between. */
  isPrefix: boolean;
}

/** The tree that has the number of each write, so that what is there of them is known. */
export const IDS = 'ids';
/** The tree that forgets what is older than this. */
export const WINDOWS = 'win';
export const WINDOWS_MAX_AGE_MS = 20_000;

export const markerOf = (id: number): string => `!${String(id).padStart(7, '0')}`;

class Broken extends Error {}

function broken(text: string): never {
  throw new Broken(text);
}

export class StoreModel {
  tick = 0;
  nextId = 1;
  readonly writes: TreeWrite[] = [];
  readonly kv: Map<string, KvWrite[]> = new Map();
  readonly events: EventWrite[] = [];
  readonly increments: Piece[] = [];
  /** Keys of which somebody was told that they had expired: what they had up to then must not come back. */
  #told: { key: string; write: KvWrite; tick: number }[] = [];
  #countBase = 0;
  /** No store can think that it is later: their clocks go on from the latest time that there ever was. */
  mostMs = 0;
  #monotonicMs = 0;

  piece(): Piece {
    return {
      id: this.nextId++,
      begun: ++this.tick,
      written: Infinity,
      synced: Infinity,
      state: 'open',
      hasFailed: false,
    };
  }

  /** The promise of a write has resolved. */
  acknowledge(pieces: readonly Piece[], level: Level): void {
    this.tick++;
    for (const piece of pieces) {
      piece.written = Math.min(piece.written, this.tick);
      if (level === 'synced') piece.synced = Math.min(piece.synced, this.tick);
    }
  }

  /** All that was acknowledged is durable now: somebody has waited for a sync that was begun at a tick. */
  synced(begun: number): void {
    this.tick++;
    const lists = [this.writes, this.events, this.increments, ...this.kv.values()] as readonly Piece[][];
    for (const piece of lists.flat())
      if (piece.written <= begun) piece.synced = Math.min(piece.synced, this.tick);
  }

  addKv(write: KvWrite): void {
    const writes = this.kv.get(write.key);
    if (writes === undefined) this.kv.set(write.key, [write]);
    else writes.push(write);
  }

  /** Takes note of the time, so that none is missed that a store could have seen. */
  see(clock: Clock): void {
    const monotonicMs = clock.monotonic();
    this.mostMs = Math.max(this.mostMs + (monotonicMs - this.#monotonicMs), clock.now());
    this.#monotonicMs = monotonicMs;
  }

  /**
   * Takes note that the wall clock was set. A store that is opened takes a step forward for time that has passed, as
   * long as its own clock is ahead: nobody can tell the two apart.
   */
  shifted(ms: number): void {
    this.mostMs += Math.max(0, ms);
  }

  /** What a key was last told to be. */
  latest(key: string): KvWrite | undefined {
    return this.kv.get(key)?.findLast(({ state }) => state !== 'lost');
  }

  /** Somebody was told that a key is not there, and its last value had been due. */
  tell(key: string): void {
    const writes = (this.kv.get(key) ?? []).filter(({ state }) => state !== 'lost');
    const last = writes.at(-1);
    const isCertain = last !== undefined && (last.state === 'kept' || last.synced <= this.tick);
    if (!isCertain || last.expiryMs === 0 || last.expiryMs > this.mostMs) return;
    this.#told.push({ key, write: last, tick: ++this.tick });
  }

  /** @throws Error that says what is there and must not be, or the other way round */
  check(found: Found, owed: Owed): void {
    this.#checkTrees(found, owed);
    this.#checkKv(found, owed);
    this.#checkEvents(found, owed);
    const known = this.increments.filter((piece) => piece.begun <= owed.tick && piece.state !== 'lost');
    const least = this.#countBase + known.filter((piece) => mustBe(piece, owed)).length;
    if (found.count < least || found.count > this.#countBase + known.length)
      broken(`it has counted to ${found.count}, and not from ${least} to ${this.#countBase + known.length}`);
  }

  /** Takes what was found for what is. */
  settle(found: Found): void {
    const settle = (pieces: readonly Piece[], ids: ReadonlySet<number>): void => {
      for (const piece of pieces) {
        if (piece.state !== 'open') continue;
        piece.state = ids.has(piece.id) ? 'kept' : 'lost';
      }
    };
    settle(this.writes, idsOf(found));
    settle(this.events, new Set(found.events.map(({ message }) => Number.parseInt(message, 10))));
    for (const [key, writes] of this.kv) {
      const entry = found.kv.get(key);
      const { id = 0 } = writes.findLast((write) => isOf(write, entry)) ?? {};
      for (const write of writes) write.state = 'lost';
      const base = { ...this.piece(), id, written: 0, synced: 0, state: 'kept' as const };
      this.kv.set(key, [{ ...base, key, value: entry?.value, expiryMs: entry?.expiryMs ?? 0 }]);
    }
    this.#told = [];
    this.#countBase = found.count;
    this.increments.length = 0;
  }

  /** What trees hold when certain writes, and no others, have happened. */
  contents(isThere: (write: TreeWrite) => boolean): Map<string, Map<string, string>> {
    const trees = new Map<string, Map<string, string>>();
    for (const write of this.writes) {
      if (!isThere(write)) continue;
      for (const { tree, kind, key, value } of write.operations) {
        const contents = trees.get(tree) ?? new Map<string, string>();
        trees.set(tree, contents);
        if (kind === 'put') contents.set(key, value);
        else if (kind === 'delete') contents.delete(key);
        else for (const one of [...contents.keys()]) if (one >= key && one < value) contents.delete(one);
      }
    }
    return trees;
  }

  #checkTrees(found: Found, owed: Owed): void {
    const there = idsOf(found);
    const known = new Set(this.writes.map(({ id }) => id));
    for (const id of there) if (!known.has(id)) broken(`the write ${id} is there, and was never made`);
    let missing: number | undefined;
    for (const write of this.writes) {
      const isThere = there.has(write.id);
      if (!isThere && mustBe(write, owed)) broken(`the write ${write.id} was acknowledged, and is not there`);
      if (isThere && mustNotBe(write, owed)) broken(`the write ${write.id} cannot be there, and is`);
      if (write.state !== 'open' || write.begun > owed.tick) continue;
      if (!isThere) missing ??= write.id;
      else if (missing !== undefined && owed.isPrefix && !write.hasFailed)
        broken(`the write ${write.id} is there, and ${missing}, which was before it, is not`);
    }
    const expected = this.contents(({ id }) => there.has(id));
    for (const [tree, contents] of found.trees) {
      if (tree === WINDOWS) this.#checkWindows(contents, expected.get(tree) ?? new Map());
      else compare(tree, contents, expected.get(tree) ?? new Map());
    }
    for (const [tree, contents] of expected)
      if (contents.size > 0 && !found.trees.has(tree)) broken(`there is no tree ${tree}`);
  }

  /** Whatever is old may have gone. */
  #checkWindows(contents: ReadonlyMap<string, string>, expected: ReadonlyMap<string, string>): void {
    for (const [key, value] of contents)
      if (expected.get(key) !== value) broken(`${WINDOWS} has ${key}, which is not what was written`);
    const from = this.mostMs - WINDOWS_MAX_AGE_MS;
    for (const [key] of expected) {
      const madeMs = Number.parseInt(key.slice(1), 10);
      if (!contents.has(key) && madeMs > from) broken(`${WINDOWS} lacks ${key}, which is not old`);
    }
  }

  #checkKv(found: Found, owed: Owed): void {
    /** How far each key must have come, since another one of the same write has. */
    const reached = new Set<number>();
    for (const [key, writes] of this.kv) {
      const entry = found.kv.get(key);
      const isHere = (write: KvWrite): boolean => !mustNotBe(write, owed) && isOf(write, entry);
      const index = entry === undefined ? -1 : writes.findLastIndex(isHere);
      if (index >= 0) reached.add((writes[index] as KvWrite).id);
    }
    for (const key of found.kv.keys()) if (!this.kv.has(key)) broken(`the key ${key} was never set`);
    for (const [key, writes] of this.kv) {
      const certain = writes.findLastIndex((write) => mustBe(write, owed) || reached.has(write.id));
      const possible = writes.filter(
        (write, i) => i >= certain && !mustNotBe(write, owed) && write.begun <= owed.tick,
      );
      const entry = found.kv.get(key);
      if (entry === undefined) {
        const mayLack = possible.some(
          ({ value, expiryMs }) => value === undefined || (expiryMs !== 0 && expiryMs <= this.mostMs),
        );
        if (certain >= 0 && !mayLack) broken(`the key ${key} is not there, and ${describe(possible)} was`);
        continue;
      }
      const write = possible.findLast((one) => isOf(one, entry));
      if (write === undefined)
        broken(
          `the key ${key} is ${JSON.stringify(entry)}, and ${describe(possible)} was, at ${owed.tick}, of ${describe(writes)}`,
        );
      if (write.expiryMs !== 0 && write.expiryMs <= found.fromMs)
        broken(`the key ${key} has expired, and is there`);
      const told = this.#told.find(
        (one) => one.key === key && one.tick <= (owed.owedTick ?? owed.tick) && one.write === write,
      );
      if (told !== undefined) broken(`the key ${key} was told to have expired, and came back`);
    }
  }

  #checkEvents({ events }: Found, owed: Owed): void {
    const there = new Set(events.map(({ message }) => Number.parseInt(message, 10)));
    for (const write of this.events) {
      const isThere = there.has(write.id);
      there.delete(write.id);
      if (!isThere && mustBe(write, owed))
        broken(`the entries ${write.id} were acknowledged, and are not there`);
      if (isThere && mustNotBe(write, owed)) broken(`the entries ${write.id} cannot be there, and are`);
    }
    if (there.size > 0) broken(`the entries ${[...there].join()} were never written`);
    const ids = new Set(events.map(({ message }) => Number.parseInt(message, 10)));
    const expected = this.events
      .filter(({ id }) => ids.has(id))
      .flatMap(({ entries }) => entries)
      .sort((a, b) => a.timestamp - b.timestamp);
    for (let i = 0; i < Math.max(expected.length, events.length); i++) {
      if (expected[i]?.message === events[i]?.message && expected[i]?.timestamp === events[i]?.timestamp)
        continue;
      broken(`entry ${i} is ${JSON.stringify(events[i])}, and ${JSON.stringify(expected[i])} is due`);
    }
  }
}

function mustBe(piece: Piece, { tick, owedTick = tick, level, isAlive }: Owed): boolean {
  if (isAlive === true && piece.isHanded === true && piece.synced > owedTick) return false;
  return piece.state === 'kept' || (piece.state === 'open' && piece[level] <= owedTick);
}

function mustNotBe({ state, begun }: Piece, { tick }: Owed): boolean {
  return state === 'lost' || begun > tick;
}

/** The numbers of the writes that are there. */
function idsOf({ trees }: Found): Set<number> {
  return new Set([...(trees.get(IDS)?.keys() ?? [])].map((key) => Number(key.slice(1))));
}

function isOf(write: KvWrite, entry: { value: string; expiryMs: number } | undefined): boolean {
  return entry === undefined
    ? write.value === undefined
    : write.value === entry.value && write.expiryMs === entry.expiryMs;
}

function describe(writes: readonly KvWrite[]): string {
  return JSON.stringify(
    writes.map(({ id, value, expiryMs, begun, synced, state }) => ({
      id,
      value: value?.slice(0, 12),
      expiryMs,
      begun,
      synced,
      state,
    })),
  );
}

function compare(
  tree: string,
  found: ReadonlyMap<string, string>,
  expected: ReadonlyMap<string, string>,
): void {
  for (const [key, value] of found) {
    const due = expected.get(key);
    if (due !== value)
      broken(
        `${tree} has ${short(key)} = ${short(value)}, and ${due === undefined ? 'nothing' : short(due)} is due`,
      );
  }
  for (const [key, value] of expected)
    if (!found.has(key)) broken(`${tree} lacks ${short(key)} = ${short(value)}`);
  const keys = [...found.keys()];
  if (keys.some((key, i) => i > 0 && key <= (keys[i - 1] as string))) broken(`${tree} is out of order`);
}

const short = (text: string): string => text.slice(0, 24);
