/**
 * What a process that writes to trees and stores, and is going to be killed, is told; and what both it and the one
 * who looks at what it left know.
 *
 * @module
 */

import type { OpenStores } from './open-stores.ts';
import type { KvWrite, Piece } from './store-model.ts';
import type { StoreOptions } from './store-steps.ts';

export interface StoreLife {
  directory: string;
  /** Of what is written. */
  seed: number;
  /** No write of an earlier life has this number, or a greater one. */
  firstId: number;
  clients: number;
  /** How much is done at most; then it waits for its end. */
  writes: number;
  options: StoreOptions;
  /** It kills itself in the middle of its call to the disk with this number. */
  fatalCall: number | undefined;
  /** How much of the bytes is written before, where that call is a write. */
  fatalShare: number;
}

/** What is said when the stores are open. */
export const READY_LINE = 'ready';

export function pieceOf(id: number): Piece {
  return { id, begun: 0, written: Infinity, synced: Infinity, state: 'open', hasFailed: false };
}

/** Carries out what becomes of keys. */
export async function kvLife(kv: OpenStores['kv'], writes: readonly KvWrite[]): Promise<void> {
  const [{ value, key, expiryMs }] = writes as [KvWrite];
  if (value === undefined) {
    await kv.delete(key, { durability: 'written' });
    return;
  }
  const pairs = writes.map((write) => [write.key, write.value as string] as const);
  const expiry = expiryMs === 0 ? {} : { expiresAt: expiryMs };
  await kv.setMany(pairs, { ...expiry, durability: 'written' });
}
