/**
 * What a life of a database of trees and stores consists of, as data: so that it can be written down, drawn from a
 * seed, and printed.
 *
 * @module
 */

import type { ExpiryMode } from '../../src/kv/kv-options.ts';
import type { Durability, SyncPolicy } from '../../src/log/sync-policy.ts';
import type { Compression } from '../../src/lsm/table/codecs.ts';
import type { Random } from '../kit/random.ts';
import type { Size } from './store-operations.ts';

export const TREE_NAMES = ['lev', 'tier', 'win', 'ids'] as const;
export type TreeName = (typeof TREE_NAMES)[number];

export type StoreStep =
  /** So many batches over several trees at once; `wait` for them, or go on. */
  | { do: 'write'; count: number; size: Size; level?: Durability; wait?: boolean }
  | { do: 'kv'; count: number; level?: Durability; wait?: boolean }
  /** Gives keys another time to live, or lets them live for ever. */
  | { do: 'touch'; count: number }
  | { do: 'events'; count: number; level?: Durability; wait?: boolean }
  /** Hands entries over to the journal. */
  | { do: 'take'; count: number }
  /** Waits until the journal's entries are in the store. */
  | { do: 'handed' }
  /** Waits for everything that was not waited for. */
  | { do: 'settle' }
  | { do: 'sync' }
  | { do: 'flush'; store: TreeName | 'kv' | 'events' }
  /** Merges the tables of a tree, of all keys or of a range. */
  | { do: 'compact'; store: TreeName; range?: readonly [number, number] }
  | { do: 'compact events' }
  | { do: 'pause' }
  | { do: 'resume' }
  | { do: 'limit'; bytesPerSecond: number }
  /** Lets time pass. */
  | { do: 'pass'; ms: number }
  /** Sets the clock on the wall. */
  | { do: 'shift'; ms: number }
  | { do: 'sweep' }
  /** Asks for all keys, and so is told which have expired. */
  | { do: 'ask' }
  | { do: 'snapshot' }
  | { do: 'checkpoint' }
  /** Reads everything, in all ways. */
  | { do: 'look' }
  | { do: 'verify' }
  /** Closes, with whatever is under way, and opens again. */
  | { do: 'reopen' };

export interface StoreOptions {
  sync: SyncPolicy;
  compression: Compression;
  expiry: ExpiryMode;
  walSegmentBytes: number;
}

export interface StoreWorkload {
  name: string;
  options: StoreOptions;
  steps: readonly StoreStep[];
}

const OPTIONS: StoreOptions = {
  sync: { mode: 'always' },
  compression: 'none',
  expiry: 'hybrid',
  walSegmentBytes: 65_536,
};

const flushAll: readonly StoreStep[] = TREE_NAMES.map((store) => ({ do: 'flush', store }));

/** The lives that are stopped at every moment, each about something else. */
export const STORE_WORKLOADS: readonly StoreWorkload[] = [
  {
    name: 'batches over trees, flushed and merged',
    options: OPTIONS,
    steps: [
      { do: 'write', count: 3, size: 'medium' },
      ...flushAll,
      { do: 'write', count: 4, size: 'small' },
      { do: 'flush', store: 'lev' },
      { do: 'flush', store: 'tier' },
      { do: 'write', count: 2, size: 'medium', wait: false },
      { do: 'compact', store: 'lev' },
      { do: 'settle' },
      { do: 'flush', store: 'lev' },
      { do: 'flush', store: 'tier' },
      { do: 'pass', ms: 600 },
      { do: 'compact', store: 'tier', range: [5, 15] },
      { do: 'write', count: 1, size: 'small', level: 'written' },
      { do: 'reopen' },
      { do: 'write', count: 1, size: 'small' },
    ],
  },
  {
    name: 'the write-ahead log is cut, old windows are dropped',
    options: { ...OPTIONS, compression: 'deflate' },
    steps: [
      { do: 'write', count: 3, size: 'large' },
      { do: 'flush', store: 'win' },
      { do: 'pass', ms: 30_000 },
      { do: 'write', count: 4, size: 'large' },
      ...flushAll,
      { do: 'write', count: 2, size: 'small' },
      { do: 'flush', store: 'win' },
      { do: 'pass', ms: 1500 },
      { do: 'write', count: 3, size: 'large' },
      ...flushAll,
      { do: 'pass', ms: 1500 },
      { do: 'write', count: 1, size: 'small' },
    ],
  },
  {
    name: 'keys that expire, and a clock that is set back',
    options: { ...OPTIONS, expiry: 'eager' },
    steps: [
      { do: 'kv', count: 6 },
      { do: 'pass', ms: 30 },
      { do: 'ask' },
      { do: 'flush', store: 'kv' },
      { do: 'kv', count: 5 },
      { do: 'touch', count: 3 },
      { do: 'shift', ms: -400 },
      { do: 'ask' },
      { do: 'sweep' },
      { do: 'kv', count: 3, wait: false },
      { do: 'flush', store: 'kv' },
      { do: 'pass', ms: 300 },
      { do: 'ask' },
      { do: 'sweep' },
      { do: 'shift', ms: -1000 },
      { do: 'kv', count: 2 },
    ],
  },
  {
    name: 'entries out of order, and handed over',
    options: OPTIONS,
    steps: [
      { do: 'events', count: 3 },
      { do: 'take', count: 2 },
      { do: 'flush', store: 'events' },
      { do: 'take', count: 2 },
      { do: 'handed' },
      { do: 'events', count: 2, wait: false },
      { do: 'flush', store: 'events' },
      { do: 'compact events' },
      { do: 'take', count: 3 },
      { do: 'settle' },
      { do: 'events', count: 1, level: 'written' },
      { do: 'sync' },
    ],
  },
  {
    name: 'checkpoints beside writes',
    options: OPTIONS,
    steps: [
      { do: 'write', count: 2, size: 'medium' },
      { do: 'flush', store: 'lev' },
      { do: 'kv', count: 2 },
      { do: 'events', count: 2 },
      { do: 'write', count: 2, size: 'small', wait: false },
      { do: 'checkpoint' },
      { do: 'settle' },
      { do: 'write', count: 1, size: 'small' },
    ],
  },
  {
    name: 'a manifest that is summed up and rolled',
    options: OPTIONS,
    steps: [
      { do: 'write', count: 1, size: 'long keys' },
      { do: 'flush', store: 'lev' },
      { do: 'write', count: 2, size: 'long keys' },
      { do: 'flush', store: 'lev' },
      { do: 'flush', store: 'tier' },
      { do: 'compact', store: 'lev' },
      { do: 'reopen' },
      { do: 'write', count: 1, size: 'small' },
      { do: 'flush', store: 'tier' },
    ],
  },
  {
    name: 'an interval of syncs',
    options: { ...OPTIONS, sync: { mode: 'interval', intervalMs: 50 } },
    steps: [
      { do: 'write', count: 2, size: 'medium' },
      { do: 'kv', count: 2 },
      { do: 'events', count: 2 },
      { do: 'flush', store: 'lev' },
      { do: 'pass', ms: 60 },
      { do: 'write', count: 2, size: 'small', level: 'synced' },
      { do: 'kv', count: 2 },
      { do: 'flush', store: 'tier' },
      { do: 'write', count: 2, size: 'small' },
    ],
  },
];

export function drawStoreOptions(random: Random): StoreOptions {
  return {
    sync: random.pick<SyncPolicy>([
      { mode: 'always' },
      { mode: 'always' },
      { mode: 'batch', maxRecords: 5, maxDelayMs: 5 },
      { mode: 'interval', intervalMs: 20 },
      { mode: 'adaptive', maxDelayMs: 3 },
      { mode: 'never' },
    ]),
    compression: random.pick<Compression>(['none', 'none', 'deflate']),
    expiry: random.pick<ExpiryMode>(['lazy', 'eager', 'hybrid']),
    walSegmentBytes: random.pick([65_536, 262_144]),
  };
}

export function drawStoreSteps(random: Random, count: number): StoreStep[] {
  const level = (): Partial<{ level: Durability; wait: boolean }> => ({
    ...(random.chance(0.4) && { level: random.pick<Durability>(['accepted', 'written', 'synced']) }),
    ...(random.chance(0.3) && { wait: false }),
  });
  const many = (): number => random.int(1, 5);
  const tree = (): TreeName => random.pick(TREE_NAMES);
  const draws: readonly (() => StoreStep)[] = [
    () => ({ do: 'write', count: many(), size: 'small', ...level() }),
    () => ({
      do: 'write',
      count: many(),
      size: random.pick<Size>(['medium', 'medium', 'large', 'long keys']),
      ...level(),
    }),
    () => ({ do: 'kv', count: many(), ...level() }),
    () => ({ do: 'touch', count: random.int(1, 3) }),
    () => ({ do: 'events', count: many(), ...level() }),
    () => ({ do: 'take', count: many() }),
    () => random.pick<StoreStep>([{ do: 'handed' }, { do: 'settle' }, { do: 'sync' }]),
    () => ({ do: 'flush', store: random.pick([...TREE_NAMES, 'kv', 'events'] as const) }),
    () => ({ do: 'flush', store: random.pick(['lev', 'tier'] as const) }),
    () => ({
      do: 'compact',
      store: tree(),
      ...(random.chance(0.5) && { range: [random.int(0, 9), random.int(10, 29)] as const }),
    }),
    () =>
      random.pick<StoreStep>([
        { do: 'compact events' },
        { do: 'pause' },
        { do: 'resume' },
        { do: 'limit', bytesPerSecond: random.pick([0, 100_000]) },
      ]),
    () => ({ do: 'pass', ms: Math.floor(2 ** (random.next() * 16)) }),
    () => ({ do: 'shift', ms: random.int(-2000, 1000) }),
    () => random.pick<StoreStep>([{ do: 'sweep' }, { do: 'ask' }]),
    () => random.pick<StoreStep>([{ do: 'snapshot' }, { do: 'checkpoint' }, { do: 'verify' }]),
    () => ({ do: 'look' }),
    () => ({ do: 'reopen' }),
  ];
  return Array.from({ length: count }, () => random.pick(draws)());
}

/** A step in a few characters. */
export function describeStoreStep({ do: name, ...rest }: StoreStep): string {
  return `${name} ${JSON.stringify(rest)}`;
}
