/**
 * What is written to trees and stores, as a function of its number and the time: so whoever looks at what was left
 * knows what it must be, also in another process.
 *
 * @module
 */

import { createRandom } from '../kit/random.ts';
import {
  type EventWrite,
  IDS,
  type KvWrite,
  markerOf,
  type Piece,
  type TreeOperation,
  type TreeWrite,
  WINDOWS,
} from './store-model.ts';

/** How large values are, mostly. */
export const SIZES = ['small', 'medium', 'large', 'long keys'] as const;
export type Size = (typeof SIZES)[number];

const KEYS = 30;
const KV_KEYS = 12;
const BYTES: Readonly<Record<Size, readonly number[]>> = {
  small: [0, 5, 40],
  medium: [10, 300, 3000],
  large: [300, 3000, 30_000],
  'long keys': [10],
};
const LONG_KEY_BYTES = 20_000;
const EVENT_TIMES = 400;
export const EVENTS_FROM_MS = 1_600_000_000_000;

const keyOf = (number: number, size: Size): string =>
  size === 'long keys' ? `k${number}`.padEnd(LONG_KEY_BYTES, '-') : `k${String(number).padStart(2, '0')}`;

/** A batch over several trees: it deletes ranges and keys, and sets some; of one key, the last counts. */
export function treeWrite(piece: Piece, seed: number, nowMs: number, size: Size): TreeWrite {
  const random = createRandom(seed * 1_000_003 + piece.id);
  const operations: TreeOperation[] = [];
  const key = (): string => keyOf(random.int(0, KEYS - 1), size);
  for (let i = random.int(1, 5); i > 0; i--) {
    const trees = random.pick([['lev'], ['tier'], ['lev', 'tier']]);
    const kind = random.next();
    const value = `${piece.id}.${i}`.padEnd(random.pick(BYTES[size]), '.');
    const [one, two] = [key(), key()].sort() as [string, string];
    for (const tree of trees) {
      if (kind < 0.12) operations.push({ tree, kind: 'deleteRange', key: one, value: two });
      else if (kind < 0.3) operations.push({ tree, kind: 'delete', key: one, value: '' });
      else operations.push({ tree, kind: 'put', key: one, value });
    }
  }
  operations.push({ tree: WINDOWS, kind: 'put', key: `w${nowMs}-${piece.id}`, value: String(piece.id) });
  operations.push({ tree: IDS, kind: 'put', key: markerOf(piece.id), value: '' });
  return { ...piece, operations, madeMs: nowMs };
}

/** What becomes of a key: it is set, for ever or for a while, alone or with another one; or deleted. */
export function kvWrites(piece: Piece, seed: number, nowMs: number): KvWrite[] {
  const random = createRandom(seed * 1_000_003 + piece.id);
  const key = (): string => `s${random.int(0, KV_KEYS - 1)}`;
  const kind = random.next();
  if (kind < 0.15) return [{ ...piece, key: key(), value: undefined, expiryMs: 0 }];
  const ttlMs = random.pick([0, 0, random.int(1, 60), random.int(60, 500), random.int(60_000, 200_000)]);
  const keys = kind < 0.4 ? new Set([key(), key()]) : [key()];
  const value = String(piece.id).padEnd(random.pick([0, 0, 700]), '.');
  return Array.from(keys, (one) => ({
    ...piece,
    key: one,
    value,
    expiryMs: ttlMs === 0 ? 0 : nowMs + ttlMs,
  }));
}

/** Entries out of order, many of one time. */
export function eventWrite(piece: Piece, seed: number): EventWrite {
  const random = createRandom(seed * 1_000_003 + piece.id);
  const entries = Array.from({ length: random.int(1, 6) }, (_, i) => ({
    timestamp: EVENTS_FROM_MS + random.int(0, EVENT_TIMES),
    message: `${piece.id}.${i}`.padEnd(random.pick([0, 20, 200]), '.'),
  }));
  return { ...piece, entries };
}
